"""Arithmetic of each lane by itself: sums of operands, and thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.network import LaneRule
from bitwright_core.numbers import NumberType, signed_bits
from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up


@dataclass(frozen=True, kw_only=True)
class LaneParams:
    """The arguments of LaneUnit: `rule` for units of `size` channels in words of `lanes` lanes of each operand."""

    rule: LaneRule
    size: int
    lanes: int

    def __post_init__(self) -> None:
        if min(self.size, self.lanes) < 1:
            raise ValueError("size and lanes must be at least 1")
        for values in (self.rule.offsets, *(operand.scales for operand in self.rule.operands)):
            if len(values) not in (1, self.size):
                raise ValueError(f"scales and offsets are one for all of {self.size} channels or one each")
        if self.rule.levels is not None and len(self.rule.levels) != self.size:
            raise ValueError(f"levels are those of each of {self.size} channels")

    @property
    def in_width(self) -> int:
        """Bits of a word: the lanes of the first operand, then those of the next."""
        return self.lanes * sum(operand.number.bits for operand in self.rule.operands)

    @property
    def out_width(self) -> int:
        return self.lanes * self.rule.gives.bits

    @property
    def words(self) -> int:
        """Words of a unit."""
        return ceil_div(self.size, self.lanes)

    @property
    def sum_bits(self) -> int:
        """Bits of the widest sum, as a signed number."""
        least, largest = min(self.rule.offsets), max(self.rule.offsets)
        for operand in self.rule.operands:
            ends = [s * v for s in operand.scales for v in (operand.number.least, operand.number.largest)]
            least, largest = least + min(ends), largest + max(ends)
        return max(signed_bits(least), signed_bits(largest))

    def of_lane(self, values: Sequence[int], lane: int) -> list[int]:
        """What a lane gets of the values of the channels, for each word; 0 beyond the last channel."""
        channels = range(lane, self.words * self.lanes, self.lanes)
        if len(values) == 1:
            return [values[0]] * len(channels)
        return [values[channel] if channel < self.size else 0 for channel in channels]


class LaneUnit(wiring.Component):
    """What `params.rule` says of each lane: a sum of operands times scales and an offset, then levels that it reaches.

    Lanes beyond the last channel of a unit's last word become 0. Words come at any pace; a counter of them chooses the
    constants of the channels.
    Latency: 1 cycle. Throughput: a word a cycle. Reset: at a unit's first word.
    """

    LATENCY = 1

    def __init__(self, *, params: LaneParams):
        self.params = params
        super().__init__(
            {
                "i": In(stream.Signature(params.in_width, always_ready=True)),
                "o": Out(stream.Signature(params.out_width, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.params
        word = Signal(range(max(2, p.words)))
        if p.words > 1:
            with m.If(self.i.valid):
                m.d.sync += word.eq(count_up(word, p.words))
        lanes = [self._lane(m, lane, word) for lane in range(p.lanes)]
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(Cat(lanes))]
        return m

    def _lane(self, m: Module, lane: int, word: Signal) -> Value:
        """What lane number `lane` becomes."""
        p, rule = self.params, self.params.rule
        total = Signal(signed(p.sum_bits), name=f"sum_{lane}")
        terms: Value = C(0, 1)
        low = 0
        for operand in rule.operands:
            bits = operand.number.bits
            at = low + lane * bits
            value = worth(operand.number, self.i.payload[at : at + bits])
            scales = p.of_lane(operand.scales, lane)
            terms = terms + value * _chosen(scales, word)
            low += p.lanes * bits
        m.d.comb += total.eq(terms + _chosen(p.of_lane(rule.offsets, lane), word))
        result = Signal(rule.gives.bits, name=f"result_{lane}")
        if rule.levels is None:
            m.d.comb += result.eq(total)
        else:
            count: Value = C(rule.base, signed(signed_bits(rule.base)))
            for level in range(len(rule.levels[0])):
                of_level = p.of_lane([levels[level] for levels in rule.levels], lane)
                count = count + (total >= _chosen(of_level, word))
            m.d.comb += result.eq(count)
        if lane < p.size - (p.words - 1) * p.lanes:
            return result
        return Mux(word == p.words - 1, 0, result)


def worth(number: NumberType, stored: Value) -> Value:
    """What the bits of a lane are worth."""
    offset = number.value(0)
    scale = number.value(1) - offset if number.stored[1] else 1
    value = stored.as_signed() if number.signed else stored
    return value * scale + offset if (scale, offset) != (1, 0) else value


def _chosen(values: Sequence[int], word: Signal) -> Value:
    """The constant of this word."""
    if len(set(values)) == 1:
        return Const(values[0])
    bits = max(signed_bits(value) for value in values)
    return Array(Const(value, signed(bits)) for value in values)[word]

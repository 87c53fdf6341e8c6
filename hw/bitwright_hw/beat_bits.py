"""Beats to the bits of them that are kept for tables: some results of comparisons, some bits of the values."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.encoder import Encoder, at_least
from bitwright_hw.row_encoder import compared_by_phase
from bitwright_hw.row_pattern import lane_thresholds, threshold_pattern


class BeatBits(wiring.Component):
    """Compares values of a beat with some of their thresholds, and keeps bits of the values as they are.

    `i` holds beat_bits / value_bits values, value 0 lowest, of which the lowest `input_bits` bits count. `o` holds,
    value by value, a bit for each of its `levels` (value >= threshold), then its bits `raw`. Value i of a frame of
    `values` has the thresholds rows[i % len(rows)], 0 (always reached) to 2^input_bits (never). Beats are counted where
    rows differ, so a frame must come whole.

    Latency: 1 cycle. Throughput: a beat a cycle. Reset: the count returns to a frame's start.
    """

    LATENCY = Encoder.LATENCY

    def __init__(
        self,
        *,
        beat_bits: int,
        value_bits: int,
        input_bits: int,
        rows: Sequence[Sequence[int]],
        values: int,
        levels: Sequence[Sequence[int]],
        raw: Sequence[Sequence[int]],
    ):
        if beat_bits != len(levels) * value_bits or len(levels) != len(raw):
            raise ValueError(f"levels and raw must say what is kept of each of the {beat_bits // value_bits} values")
        self.beat_bits = beat_bits
        self.value_bits = value_bits
        self.input_bits = input_bits
        self.rows = tuple(map(tuple, rows))
        self.values = values
        self.levels = tuple(map(tuple, levels))
        self.raw = tuple(map(tuple, raw))
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits, always_ready=True)),
                "o": Out(stream.Signature(self.out_width, always_ready=True)),
            }
        )

    @property
    def out_width(self) -> int:
        return sum(map(len, self.levels)) + sum(map(len, self.raw))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields = [self.i.payload[low : low + self.input_bits] for low in range(0, self.beat_bits, self.value_bits)]
        encoded = iter(self._compared(m, fields))
        bits: list[Value] = []
        for field, levels, raw in zip(fields, self.levels, self.raw, strict=True):
            bits += [next(encoded) for _ in levels]
            bits += [field[k] for k in raw]
        kept = Signal(self.out_width)
        m.d.comb += kept.eq(Cat(bits))
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(kept)]
        return m

    def _compared(self, m: Module, fields: Sequence[Value]) -> list[Value]:
        """The comparisons, value by value."""
        units = [(k, level) for k, levels in enumerate(self.levels) for level in levels]
        if len(self.rows) == 1:
            return [at_least(fields[k], self.rows[0][level]) for k, level in units]
        if not units:
            return []
        pattern = threshold_pattern(self.rows, self.values, len(fields))
        lanes = lane_thresholds(pattern, self.rows, self.input_bits)
        chosen = [lanes[k * len(self.rows[0]) + level] for k, level in units]
        phase = pattern.phase(m, self.i.valid)
        return compared_by_phase(m, phase, [fields[k] for k, _ in units], chosen, self.input_bits)

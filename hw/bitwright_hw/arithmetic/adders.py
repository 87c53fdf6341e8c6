"""Shared sums as hardware: counters with registers where the schedule has them, and a final adder for each sum.

How the columns that the counters leave are added is a family's own: with a `ColumnAdder` for those whose counters are
full adders, or in another way with the bits that `counted_bits` gives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from amaranth.hdl import C, Cat, Module, Signal, Value

from bitwright_hw.arithmetic.compressor import Counter, depth, kinds, place_registers
from bitwright_hw.arithmetic.shared_sums import SharedSums
from bitwright_hw.arithmetic.tree import registered_levels

_ADDER_DELAY = 1.6  # a short carry chain, where a LUT is 1
_CHUNK = 32  # registers in one signal: fewer statements, none wider than a word of a simulator

MakeCounter = Callable[[Module, Counter, Sequence[Value]], Sequence[Value]]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ColumnAdder:
    """How columns of bits are added, column k having those of weight 2 ** k.

    levels(columns): levels of additions. add(m, name, columns, width, stages): the lowest `width` bits of the sum,
    `stages` cycles later.
    """

    levels: Callable[[Sequence[Sequence[int]]], int]
    add: Callable[[Module, str, Sequence[Sequence[Value]], int, int], Value]


def row_totals(
    m: Module,
    sums: SharedSums,
    inputs: Value,
    constants: Sequence[int],
    bits: int,
    seen_bits: int,
    stages: int,
    *,
    adder: ColumnAdder,
) -> list[Signal]:
    """The values 2 * sum k + ~s + constants[k] modulo 2 ** bits, where s, of `seen_bits` bits, is the last sum: those
    of a hardwired layer's rows, `stages` + 2 cycles after the inputs. Constants are not in the sums."""
    adders = _SplitAdders(m, sums, inputs, adder, stages)
    negated = ~adders.last(seen_bits)
    totals = [Signal(bits, name=f"total_{k}", reset_less=True) for k in range(len(constants))]
    several = {constant: Signal(bits, name=f"beside_{constant}", reset_less=True) for constant in set(constants)}
    for constant, beside in sorted(several.items()):
        m.d.sync += beside.eq(negated + constant)
    for k, (constant, total) in enumerate(zip(constants, totals, strict=True)):
        beside = several[constant]
        m.d.sync += total.eq(Cat(beside[0], adders.plus(k, beside[1:], bits - 1)))
    return totals


class _SplitAdders:
    """The sums of `sums` over `inputs`, each in its own adder behind full adders that they share.

    Latency: the last sum (`last`) comes `stages` cycles after the inputs, each other (`plus`) one cycle later,
    registers that follow not counted. Throughput: inputs a cycle.
    """

    def __init__(self, m: Module, sums: SharedSums, inputs: Value, adder: ColumnAdder, stages: int):
        self.m = m
        self.sums = sums
        self.adder = adder
        self.stages = stages
        self.counter_stages = self._split()
        uses = [(bit, self.counter_stages) for row in sums.columns for column in row for bit in column]
        self.at = counted_bits(
            m, sums, inputs, stages=self.counter_stages, final=0.0, uses=uses, reset=False, make=full_adder
        )

    def _split(self) -> int:
        """How many of the stages the counters get, by their share of the longest path."""
        counters = depth(kinds(self.sums.tree))
        levels = max(self.adder.levels(row) for row in self.sums.columns)
        return round(self.stages * counters / (counters + _ADDER_DELAY * (levels + 1)))

    def last(self, width: int) -> Value:
        """The last sum."""
        return self._added(self.sums.columns[-1], "all_inputs", width)

    def plus(self, index: int, other: Value, width: int) -> Value:
        """The lowest `width` bits of sum `index`, plus `other`, which comes one cycle later than `last`."""
        number = Signal(width, name=f"members_{index}", reset_less=True)
        self.m.d.sync += number.eq(self._added(self.sums.columns[index], f"row_{index}", width))
        return (number + other)[:width]

    def _added(self, columns: Sequence[Sequence[int]], name: str, width: int) -> Value:
        """The lowest `width` bits of the sum of the columns, `stages` cycles after the inputs."""
        values = [[self.at(bit, self.counter_stages) for bit in column] for column in columns]
        return self.adder.add(self.m, name, values, width, self.stages - self.counter_stages)


def full_adder(m: Module, counter: Counter, bits: Sequence[Value]) -> Sequence[Value]:
    """A counter of three bits, in gates."""
    a, b, c = bits
    total, carry = (Signal(name=f"bit_{bit}") for bit in counter.outputs)
    m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a | b)))]
    return [total, carry]


def counted_bits(
    m: Module,
    sums: SharedSums,
    inputs: Value,
    *,
    stages: int,
    final: float,
    uses: Sequence[tuple[int, int]],
    reset: bool,
    make: MakeCounter,
) -> "StagedBits":
    """The bits that the counters of `sums` give, with `stages` registers spread over them and a final adder of delay
    `final`. `uses` names each bit that is read behind the counters, and the stage in which it is."""
    plan = place_registers(sums.tree, stages, final).bits
    every = [*uses]
    for counter in sums.tree.counters:
        every += [(bit, plan[counter.outputs[0]]) for bit in counter.bits]
    at = StagedBits(m, plan, every, sums.one, reset=reset)
    for counter in sums.tree.counters:
        if counter.lanes:
            lane = counter.lanes[0]
            at.values.append(C(1, 1) if lane == sums.one else inputs[lane])
        else:
            stage = plan[counter.outputs[0]]
            at.values += make(m, counter, [at(bit, stage) for bit in counter.bits])
    at.connect()
    return at


def tree_levels(columns: Sequence[Sequence[int]]) -> int:
    """Levels of two-operand additions of the columns' bits."""
    return _levels(len(_numbers(columns)))


def tree_sum(m: Module, name: str, columns: Sequence[Sequence[Value]], width: int, stages: int) -> Value:
    """The sum in a tree of two-operand adders, its numbers made of a bit of each weight."""
    level = []
    for low, bits in _numbers(columns):
        if low < width:
            value = Cat(*[C(0, 1) if bit is None else bit for bit in bits])
            level.append(_Number(low=low, value=value[: width - low]))
    levels = _levels(len(level))
    registers = registered_levels(levels, stages)
    for depth_, after in enumerate(registers):
        level.sort(key=lambda number: (number.low + len(number.value), -number.low))
        merged = [
            _add(m, level[i], level[i + 1], f"{name}_{depth_}_{i // 2}", width) for i in range(0, len(level) - 1, 2)
        ]
        level = [
            _delayed(m, number, f"{name}_{depth_}_{i}", after)
            for i, number in enumerate([*merged, *level[2 * len(merged) :]])
        ]
    if not level:
        return C(0, width)
    if not registers:
        level = [_delayed(m, level[0], f"{name}_0_0", stages)]
    return Cat(C(0, level[0].low), level[0].value)[:width]


TREE_ADDER = ColumnAdder(levels=tree_levels, add=tree_sum)


def _add(m: Module, one: "_Number", other: "_Number", name: str, width: int) -> "_Number":
    if other.low < one.low:
        one, other = other, one
    beside = min(other.low - one.low, len(one.value))
    gap = other.low - one.low - beside
    top = one.value[beside:]
    bits = min(max(len(top), gap + len(other.value)) + bool(len(top)), width - one.low - beside)
    total = Signal(bits, name=f"sum_{name}")
    m.d.comb += total.eq(top + Cat(C(0, gap), other.value))
    return _Number(low=one.low, value=Cat(one.value[:beside], total))


def _delayed(m: Module, number: "_Number", name: str, cycles: int) -> "_Number":
    value = number.value
    for k in range(cycles):
        register = Signal(len(value), name=f"sum_{name}_r{k}", reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return _Number(low=number.low, value=value)


@dataclass(frozen=True, kw_only=True)
class _Number:
    """value * 2 ** low."""

    low: int
    value: Value


def _levels(numbers: int) -> int:
    return max(0, numbers - 1).bit_length()


def _numbers(columns: Sequence[Sequence[T]]) -> list[tuple[int, list[T | None]]]:
    """The columns' bits as numbers that have at most one bit of each weight: the lowest weight, and bits from there."""
    numbers = []
    for j in range(max((len(column) for column in columns), default=0)):
        bits = [column[j] if j < len(column) else None for column in columns]
        used = [k for k, bit in enumerate(bits) if bit is not None]
        numbers.append((used[0], bits[used[0] : used[-1] + 1]))
    return numbers


class StagedBits:
    """The bits of a compressor in each pipeline stage: at(bit, stage). `values` are those where they appear.

    With `reset` the registers have one, which keeps Yosys from making shift registers, that is LUTs, of them where the
    target has such; without, none is routed to them. Bit `one` is constant and has no registers.
    """

    def __init__(self, m: Module, stages: Sequence[int], uses: Sequence[tuple[int, int]], one: int, *, reset: bool):
        self.m = m
        self.stages = stages
        self.one = one
        self.values: list[Value] = []
        last = dict(enumerate(stages))
        for bit, stage in uses:
            if bit != one:
                last[bit] = max(last[bit], stage)
        self.registers: dict[tuple[int, int], Value] = {}
        self.chunks: list[tuple[Signal, int, list[int]]] = []
        for stage in range(1, max(last.values(), default=0) + 1):
            waiting = [bit for bit in last if stages[bit] < stage <= last[bit]]
            for k in range(0, len(waiting), _CHUNK):
                bits = waiting[k : k + _CHUNK]
                chunk = Signal(len(bits), name=f"stage_{stage}_{k // _CHUNK}", reset_less=not reset)
                self.chunks.append((chunk, stage, bits))
                self.registers |= {(bit, stage): chunk[i] for i, bit in enumerate(bits)}

    def __call__(self, bit: int, stage: int) -> Value:
        return self.values[bit] if bit == self.one or stage == self.stages[bit] else self.registers[bit, stage]

    def connect(self) -> None:
        """Feeds the registers, when `values` has every bit."""
        for chunk, stage, bits in self.chunks:
            self.m.d.sync += chunk.eq(Cat(*[self(bit, stage - 1) for bit in bits]))

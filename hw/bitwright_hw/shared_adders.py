"""Shared sums as hardware: counters with registers where the schedule has them, and a final adder for each sum."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Signal, Value

from bitwright_hw.chained_sums import additions, chained_sum
from bitwright_hw.popcount import Target
from bitwright_hw.popcount.compressor import Counter, depth, schedule
from bitwright_hw.popcount.tree import registered_levels
from bitwright_hw.popcount.xc7 import FINAL_DELAY, Position, make_counter, ternary_adder
from bitwright_hw.shared_sums import SharedSums

WIDEST = 64  # bits of a sum, more than any has
_ADDER_DELAY = 1.6  # a short carry chain, where a LUT is 1
_CHUNK = 32  # registers in one signal: fewer statements, none wider than a word of a simulator


class SharedAdders:
    """The sums of `sums` over `inputs`, each in its own adder behind counters that they share.

    On xc7 the counters leave at most three bits of each weight, which a ternary adder takes. For other targets
    they are full adders alone; what they leave is added in carry chains on ecp5 (bitwright_hw.chained_sums), elsewhere
    in a tree of two-operand adders, its numbers made of a bit of each weight.

    Latency: the last sum (`last`) comes `stages` cycles after the inputs, each other (`plus`) one cycle later,
    registers that follow not counted. Throughput: inputs a cycle.
    """

    def __init__(self, m: Module, sums: SharedSums, inputs: Value, target: Target, stages: int):
        self.m = m
        self.sums = sums
        self.target = target
        self.stages = stages
        self.counter_stages = stages if target == "xc7" else self._split()
        final = FINAL_DELAY if target == "xc7" else 0.0
        plan = schedule(sums.tree, self.counter_stages, final).bits
        uses = [(bit, self.counter_stages) for row in sums.columns for column in row for bit in column]
        if target == "xc7":
            rows = [bit for row in sums.columns[:-1] for column in row for bit in column]
            uses += [(bit, self.counter_stages + 1) for bit in rows]
        for counter in sums.tree.counters:
            uses += [(bit, plan[counter.outputs[0]]) for bit in counter.bits]
        self.at = _Bits(m, plan, uses, sums.one, reset=target == "xc7")
        for counter in sums.tree.counters:
            self.at.values += self._count(counter, inputs, plan[counter.outputs[0]])
        self.at.connect()

    def _split(self) -> int:
        """How many of the stages the counters get, by their share of the longest path."""
        counters = depth(self.sums.tree)
        levels = max(
            len(additions(tuple(map(len, row)), WIDEST).levels)
            if self.target == "ecp5"
            else _levels(len(_numbers(row)))
            for row in self.sums.columns
        )
        return round(self.stages * counters / (counters + _ADDER_DELAY * (levels + 1)))

    def _count(self, counter: Counter, inputs: Value, stage: int) -> Sequence[Value]:
        if counter.lanes:
            lane = counter.lanes[0]
            return [C(1, 1) if lane == self.sums.one else inputs[lane]]
        bits = [self.at(bit, stage) for bit in counter.bits]
        if self.target == "xc7":
            return make_counter(self.m, counter, [], bits)
        a, b, c = bits
        total, carry = (Signal(name=f"bit_{bit}") for bit in counter.outputs)
        self.m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a | b)))]
        return [total, carry]

    def last(self, width: int) -> Value:
        """The last sum."""
        columns = self.sums.columns[-1]
        if self.target != "xc7":
            return self._tree(columns, "all_inputs", width)
        return self._ternary([[self.at(bit, self.stages) for bit in column] for column in columns], width)

    def plus(self, index: int, other: Value, width: int, *, carry: Value | None = None) -> Value:
        """The lowest `width` bits of sum `index`, plus `other` and, on xc7 alone, `carry`, which both come one cycle
        later than `last`."""
        columns = self.sums.columns[index]
        if self.target != "xc7":
            number = Signal(width, name=f"members_{index}", reset_less=True)
            self.m.d.sync += number.eq(self._tree(columns, f"row_{index}", width))
            return (number + other)[:width]
        both: list[list[Value]] = [[] for _ in range(max(width, len(columns), len(other), 1))]
        for k, column in enumerate(columns):
            both[k] += [self.at(bit, self.stages + 1) for bit in column]
        for k in range(len(other)):
            both[k].append(other[k])
        if carry is not None:
            both[0].append(carry)
        return self._ternary(both, width)

    def _ternary(self, columns: Sequence[Sequence[Value]], width: int) -> Value:
        low = list(columns[0]) if columns else []
        carry, extra = (low.pop() if len(low) > 3 else None for _ in range(2))
        several = [tuple(low), *[tuple(column) for column in columns[1:]]]
        positions = [Position(bits=several[k] if k < len(several) else ()) for k in range(width)]
        return Cat(*ternary_adder(self.m, positions, extra, carry))

    def _tree(self, columns: Sequence[Sequence[int]], name: str, width: int) -> Value:
        """The lowest `width` bits of the sum of the columns, `stages` cycles after the inputs."""
        if self.target == "ecp5":
            bits_of = [[self.at(bit, self.counter_stages) for bit in column] for column in columns]
            self.m.submodules[name] = part = Module()
            return chained_sum(part, bits_of, width, self.stages - self.counter_stages)
        level = []
        for low, bits in _numbers(columns):
            if low < width:
                value = Cat(*[C(0, 1) if bit is None else self.at(bit, self.counter_stages) for bit in bits])
                level.append(_Number(low=low, value=value[: width - low]))
        levels = _levels(len(level))
        registers = registered_levels(levels, self.stages - self.counter_stages)
        for depth_, after in enumerate(registers):
            level.sort(key=lambda number: (number.low + len(number.value), -number.low))
            merged = [
                self._add(level[i], level[i + 1], f"{name}_{depth_}_{i // 2}", width)
                for i in range(0, len(level) - 1, 2)
            ]
            level = [
                self._delayed(number, f"{name}_{depth_}_{i}", after)
                for i, number in enumerate([*merged, *level[2 * len(merged) :]])
            ]
        if not level:
            return C(0, width)
        if not registers:
            level = [self._delayed(level[0], f"{name}_0_0", self.stages - self.counter_stages)]
        return Cat(C(0, level[0].low), level[0].value)[:width]

    def _add(self, one: "_Number", other: "_Number", name: str, width: int) -> "_Number":
        if other.low < one.low:
            one, other = other, one
        beside = min(other.low - one.low, len(one.value))
        gap = other.low - one.low - beside
        top = one.value[beside:]
        bits = min(max(len(top), gap + len(other.value)) + bool(len(top)), width - one.low - beside)
        total = Signal(bits, name=f"sum_{name}")
        self.m.d.comb += total.eq(top + Cat(C(0, gap), other.value))
        return _Number(low=one.low, value=Cat(one.value[:beside], total))

    def _delayed(self, number: "_Number", name: str, cycles: int) -> "_Number":
        value = number.value
        for k in range(cycles):
            register = Signal(len(value), name=f"sum_{name}_r{k}", reset_less=True)
            self.m.d.sync += register.eq(value)
            value = register
        return _Number(low=number.low, value=value)


@dataclass(frozen=True, kw_only=True)
class _Number:
    """value * 2 ** low."""

    low: int
    value: Value


def _levels(numbers: int) -> int:
    return max(0, numbers - 1).bit_length()


def _numbers(columns: Sequence[Sequence[int]]) -> list[tuple[int, list[int | None]]]:
    """The columns' bits as numbers that have at most one bit of each weight: the lowest weight, and bits from there."""
    numbers = []
    for j in range(max((len(column) for column in columns), default=0)):
        bits = [column[j] if j < len(column) else None for column in columns]
        used = [k for k, bit in enumerate(bits) if bit is not None]
        numbers.append((used[0], bits[used[0] : used[-1] + 1]))
    return numbers


class _Bits:
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

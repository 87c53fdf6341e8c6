"""XNOR, popcount and accumulation in carry chains, for families that have them (bitwright_hw.families.lane_splits)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from bitwright_hw.arithmetic.tree import longest_run, registered_levels
from bitwright_hw.families.chains import CarryChains, ChainFamily, ChainLength, ChainOperand
from bitwright_hw.families.family import GatedLanes, Rows
from bitwright_hw.families.lane_splits import Split, levels_of, split
from bitwright_hw.products import Gate


class _Lanes:
    """x and w, and both delayed; a lane is 1 where `gate` of both is. NANDs take a LUT each: no family's chains have
    them."""

    def __init__(self, m: Module, family: ChainFamily, x: Value, w: Value, gate: Gate = "xnor"):
        self.m = m
        self.family = family
        self.gate = gate
        self.delayed = {(i, 0): (x[i], w[i]) for i in range(len(x))}

    def __call__(self, lane: int, stage: int) -> ChainOperand:
        if (lane, stage) not in self.delayed:
            self(lane, stage - 1)
            registers = [Signal(name=f"{name}_{lane}_r{stage}", reset_less=True) for name in "xw"]
            for register, value in zip(registers, self.delayed[lane, stage - 1], strict=True):
                self.m.d.sync += register.eq(value)
            self.delayed[lane, stage] = registers[0], registers[1]
        x, w = self.delayed[lane, stage]
        if self.gate == "nand":
            return ChainOperand.bit(~(x & w))
        return ChainOperand.both(x, w) if self.gate == "and" else self.family.agree(x, w)


@dataclass(frozen=True, kw_only=True)
class ChainedRows:
    """The rows of a family with `chains`: what `Rows` asks for, exact LUT counts among it."""

    chains: ChainFamily

    def rows(self) -> Rows:
        """These functions as a family's rows."""
        return Rows(
            inverted_weights=self.chains.inverted_weights,
            inverted_preload=self.chains.inverted_preload,
            accumulated=self.accumulated,
            counted=self.counted,
            levels=self.row_levels,
            weighted=self.weighted,
            luts=cache(self.row_luts),
            weighted_luts=cache(self.weighted_luts),
        )

    def split(self, lanes: int) -> Split:
        """How `lanes` lanes are counted."""
        return split(lanes, self.chains.spare)

    def accumulated(self, m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
        """(accumulator OR preload) + the number of agreeing lanes; one of the two is 0."""
        lanes = _Lanes(m, self.chains, x, w)
        started = self._started(accumulator, preload)
        chains = self.chains.chains(m)
        counted = self._count(m, chains, lanes, self.split(len(x) - 1), stages)
        sums = chains.add(started, counted, lanes(len(x) - 1, stages), len(preload))
        chains.close()
        return Cat(*sums)

    def counted(self, m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
        """The number of agreeing lanes."""
        lanes = _Lanes(m, self.chains, x, w)
        chains = self.chains.chains(m)
        number = self._count(m, chains, lanes, self.split(len(x)), stages)
        chains.close()
        if len(x) == 1:
            a, b = number[0].inputs
            return a ^ b if self.chains.inverted_weights else ~(a ^ b)
        return Cat(*(bit for operand in number for bit in operand.inputs))

    def weighted(
        self, m: Module, lanes: Sequence[GatedLanes], accumulator: Value, preload: Value, stages: int
    ) -> Value:
        """Rows.weighted: popcounts in chains of their own, added from the lowest weight up, last to the accumulator."""
        chains = self.chains.chains(m)
        low, total = 0, [ChainOperand.zero()]
        for k, one in enumerate(sorted(lanes, key=lambda one: one.shift)):
            each = _Lanes(m, self.chains, one.x, one.w, one.gate)
            count = self._count(m, chains, each, self.split(len(one.x)), stages)
            chains.close()
            if k == 0:
                low, total = one.shift, count
                continue
            apart = one.shift - low
            below = [*total[:apart], *[ChainOperand.zero()] * (apart - len(total))]
            more = chains.add(total[apart:], count, ChainOperand.zero(), max(len(total) - apart, len(count)) + 1)
            total = [*below, *map(ChainOperand.bit, more)]
        number = [*[ChainOperand.zero()] * low, *total][: len(preload)]
        sums = chains.add(self._started(accumulator, preload), number, ChainOperand.zero(), len(preload))
        chains.close()
        return Cat(*sums)

    def _started(self, accumulator: Value, preload: Value) -> list[ChainOperand]:
        """The accumulator or the preload, one of which is 0."""
        family = self.chains
        return [
            family.start(accumulator[k], preload[k]) if k < len(accumulator) else family.preload(preload[k])
            for k in range(len(preload))
        ]

    def _count(self, m: Module, chains: CarryChains[Any], lanes: _Lanes, how: Split, stages: int) -> list[ChainOperand]:
        """The number of agreeing lanes among the first `how.lanes`, behind `stages` registers.

        Additions of one stage share carry chains, whatever their level: an addition follows those that it needs.
        """
        # the bits of each counted node; a single lane stays a lane
        counted: dict[tuple[int, int], list[Value]] = {}
        stage = 0

        def number(lane: int, size: int) -> list[ChainOperand]:
            if size == 1:
                return [lanes(lane, stage)]
            return [ChainOperand.bit(bit) for bit in counted[lane, size]]

        after = registered_levels(how.depth, stages)
        for level, registers in zip(levels_of(how, self.chains.spare), after, strict=True):
            made: dict[tuple[int, int], list[Value]] = {}
            for node in level:
                left, right = node.how.left, node.how.right
                carry = lanes(node.lane + left + right, stage) if node.how.carry else ChainOperand.zero()
                one, other = number(node.lane, left), number(node.lane + left, right)
                made[node.lane, node.how.lanes] = [*chains.add(one, other, carry, node.how.lanes.bit_length())]
            counted |= made
            if registers:
                chains.close()
            for _ in range(registers):
                stage += 1
                counted = {key: _register(m, bits, key) for key, bits in counted.items()}
        if how.lanes == 1:
            stage = stages
        return number(0, how.lanes) if how.lanes else []

    def row_levels(self, simd: int, stages: int) -> float:
        """Levels of additions between registers, at most."""
        return longest_run(self.split(simd - 1).depth, stages)

    def row_luts(self, simd: int, bits: int, stages: int, single: bool) -> int:
        """LUTs of a row, beside the gate that joins `last` and reset for all rows of an engine."""
        how, length = self.split(simd - 1), self.chains.length()
        spare = self._counted_luts(length, how, stages)
        length.add(bits, False)
        length.close()
        # what meets in the lowest position: the count where it is a lane, the last lane, accumulator or preload
        return length.total + spare + self._ending((how.lanes == 1) + 1, bits, stages, single)

    def _ending(self, functions: int, bits: int, stages: int, single: bool) -> int:
        """LUTs beside the last addition: of `functions` lanes that meet the accumulator in the lowest position, and,
        without a register, of the preload; a LUT that joins both does without the preload's."""
        spare = self.chains.spare(functions + int(not single or self.chains.inverted_preload))
        return spare if stages else spare + bits - min(spare, 1)

    def weighted_luts(
        self, simd: int, products: tuple[tuple[int, Gate], ...], bits: int, stages: int, single: bool
    ) -> int:
        """LUTs of such a row; `products` are (shift, gate)."""
        how, length = self.split(simd), self.chains.length()
        low, wide, spare, functions = 0, 0, 0, 0
        for k, (shift, gate) in enumerate(sorted(products)):
            lanes = self._counted_luts(length, how, stages)
            length.close()
            lane = int(simd == 1 and gate != "nand")  # a lane by itself is still a function
            spare += simd if gate == "nand" else lanes
            if k == 0:
                low, wide, functions = shift, simd.bit_length(), lane
                continue
            apart = shift - low
            width = max(wide - apart, simd.bit_length())
            length.add(width, True)
            spare += self.chains.spare(lane + (functions if apart == 0 else 0))
            wide, functions = apart + width + 1, functions if apart else 0
        length.add(bits, False)
        length.close()
        return length.total + spare + self._ending(functions, bits, stages, single)

    def _counted_luts(self, length: ChainLength, how: Split, stages: int) -> int:
        """Adds the chains of a popcount to `length`, and returns the LUTs beside them."""
        spare = 0
        levels = levels_of(how, self.chains.spare)
        for level, registers in zip(levels, registered_levels(how.depth, stages), strict=True):
            for node in level:
                width = node.how.left.bit_length()
                length.add(width, node.how.lanes.bit_length() > width)
                spare += self.chains.spare(node.how.functions)
            if registers:
                length.close()
        return spare


def _register(m: Module, bits: Sequence[Value], key: tuple[int, int]) -> list[Value]:
    register = Signal(len(bits), name=f"count_{key[0]}_{key[1]}", reset_less=True)
    m.d.sync += register.eq(Cat(*bits))
    return [register[k] for k in range(len(bits))]

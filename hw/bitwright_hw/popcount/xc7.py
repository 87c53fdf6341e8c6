"""XNOR, popcount and accumulation in 7-series LUTs and carry chains."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Value

from bitwright_hw.popcount.compressor import Compressor, Counter, schedule
from bitwright_hw.popcount.pipeline import compress
from bitwright_hw.popcount.xc7_cells import (
    carry_chain,
    half_is_one,
    half_is_two,
    leaf_bit,
    lut,
    lut_pair,
    parity,
)
from bitwright_hw.popcount.xc7_tree import build

ROW_CAPACITY = (4, 2)  # bits of each weight that the final adder takes beside the accumulator
ALONE_CAPACITY = (5, 3)
FINAL_DELAY = 2.0
_CHAIN = {0: 6, 1: 6, 2: 4}  # leaves in a row, for 0, 1 and 2 stages; 3 for more


def best_tree(simd: int, stages: int, capacity: Sequence[int]) -> Compressor:
    """The compressor of fewest LUTs whose chains of leaves are short enough for `stages`."""
    leaves = -(-simd // 2)
    least = -(-leaves // _CHAIN.get(stages, 3))
    candidates = [build(simd, groups, capacity) for groups in range(least, min(leaves, least + 4) + 1)]
    return min(candidates, key=lambda candidate: candidate.cells)


def make_counter(m: Module, counter: Counter, lanes: Sequence[Value], bits: Sequence[Value]) -> list[Value]:
    """A leaf, a full adder, or a counter of six or seven bits."""
    if len(bits) > 3:
        five, sixth, carry = bits[:5], bits[5], (bits[6] if len(bits) > 6 else C(0, 1))
        low = lut(m, parity, [*five, sixth])
        high, generate = lut_pair(m, half_is_one, half_is_two, five)
        sums, top = carry_chain(m, [low, high], [sixth, generate], carry)
        return [*sums, top]
    inputs, width = [*lanes, *bits], len(lanes) // 2
    if len(counter.outputs) == 1:
        return [lut(m, leaf_bit(0, width), inputs)]
    return list(lut_pair(m, leaf_bit(0, width), leaf_bit(1, width), inputs))


@dataclass(frozen=True, kw_only=True)
class Position:
    """What a position of a ternary adder adds: the OR of `either`, and `bits`."""

    either: tuple[Value, ...] = ()
    bits: tuple[Value, ...] = ()

    @property
    def operands(self) -> int:
        return bool(self.either) + len(self.bits)

    def parity_of(self, *inputs: int) -> int:
        """The sum bit of the operands, and of one more that may follow."""
        return parity(*self._operands(inputs))

    def majority_of(self, *inputs: int) -> int:
        """Whether two of the operands are set."""
        return int(sum(self._operands(inputs)[: self.operands]) >= 2)

    def _operands(self, inputs: Sequence[int]) -> list[int]:
        first = len(self.either)
        return [int(any(inputs[:first]))] * bool(first) + list(inputs[first:])


def ternary_adder(m: Module, positions: Sequence[Position], extra: Value | None, carry: Value) -> list[Value]:
    """The sum bits of up to three numbers, at one LUT for each position at the most.

    Of each position a LUT6_2 gives the operands' majority to the next one, and adds that of the one below;
    the carry chain adds the two numbers which that leaves (Simkins and Philofsky, US patent 7,274,211). `extra`
    and `carry` are two more bits of the lowest weight.
    """
    propagate: list[Value] = []
    generate: list[Value] = []
    beside = [] if extra is None else [extra]
    for position in positions:
        inputs = [*position.either, *position.bits, *beside]
        passed: list[Value] = []
        if len(inputs) <= 1:
            propagate += inputs or [C(0, 1)]
            generate.append(C(0, 1))
        elif position.operands + len(beside) <= 2:
            propagate.append(lut(m, position.parity_of, inputs))
            two = position.operands + len(beside) == 2
            generate.append((beside or position.bits)[0] if two else C(0, 1))
        else:
            if position.operands > 3:
                raise ValueError(f"a ternary adder takes three operands, not {position.operands}")
            o6, o5 = lut_pair(m, position.parity_of, position.majority_of, inputs)
            propagate.append(o6)
            generate.append(beside[0] if beside else C(0, 1))
            passed = [o5]
        beside = passed
    return carry_chain(m, propagate, generate, carry)[0]


def _lowest(columns: list[list[Value]], most: int) -> tuple[Value | None, Value]:
    """Takes the two bits out of the lowest column that its position cannot add, if there are more than `most`."""
    spare = [columns[0].pop() if len(columns[0]) > most else None for _ in range(2)]
    return spare[1], C(0, 1) if spare[0] is None else spare[0]


def _columns(m: Module, simd: int, stages: int, x: Value, w: Value, capacity: Sequence[int]) -> list[list[Value]]:
    tree = best_tree(simd, stages, capacity)
    return compress(m, tree, schedule(tree, stages, FINAL_DELAY), stages, x, w, make_counter)


def accumulated(m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
    """accumulator + preload + the number of agreeing lanes, where accumulator or preload is 0."""
    columns = _columns(m, len(x), stages, x, w, ROW_CAPACITY)
    extra, carry = _lowest(columns, 2)
    positions = []
    for k in range(len(preload)):
        either = (*accumulator[k : k + 1], preload[k])
        positions.append(Position(either=either, bits=tuple(columns[k]) if k < len(columns) else ()))
    return Cat(*ternary_adder(m, positions, extra, carry))


def counted(m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
    """The number of agreeing lanes."""
    columns = _columns(m, len(x), stages, x, w, ALONE_CAPACITY)
    extra, carry = _lowest(columns, 3)
    positions = [Position(bits=tuple(columns[k]) if k < len(columns) else ()) for k in range(width)]
    return Cat(*ternary_adder(m, positions, extra, carry))

"""XNOR, popcount and accumulation in 7-series LUTs and carry chains."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from amaranth.hdl import C, Cat, Module, Value

from bitwright_hw.arithmetic.compressor import Compressor, Counter, Kinds, kinds, place_registers, shortest_period
from bitwright_hw.families.family import GatedLanes, Rows
from bitwright_hw.families.xc7.compress import compress
from bitwright_hw.families.xc7.counters import build, size
from bitwright_hw.families.xc7.luts import (
    carry_chain,
    half_is_one,
    half_is_two,
    leaf_bit,
    lut,
    lut_pair,
    parity,
)
from bitwright_hw.products import Gate

ROW_CAPACITY = (4, 2)  # bits of each weight that the final adder takes beside the accumulator
ALONE_CAPACITY = (5, 3)
FINAL_DELAY = 2.0
_CHAIN = {0: 6, 1: 6, 2: 4}  # leaves in a row, for 0, 1 and 2 stages; 3 for more


def best_groups(simd: int, stages: int, capacity: Sequence[int], shifts: Sequence[int] = (0,)) -> int:
    """The number of chains of leaves, each short enough for `stages`, of the compressor of fewest LUTs."""
    leaves = -(-simd // 2)
    least = -(-leaves // _CHAIN.get(stages, 3))
    return min(range(least, min(leaves, least + 4) + 1), key=lambda groups: size(simd, groups, capacity, shifts)[0])


def best_tree(simd: int, stages: int, capacity: Sequence[int], shifts: Sequence[int] = (0,)) -> Compressor:
    """The compressor of fewest LUTs whose chains of leaves are short enough for `stages`."""
    return build(simd, best_groups(simd, stages, capacity, shifts), capacity, shifts)


def make_counter(
    m: Module, counter: Counter, lanes: Sequence[Value], bits: Sequence[Value], gate: Gate = "xnor"
) -> list[Value]:
    """A leaf, a full adder, or a counter of six or seven bits."""
    if len(bits) > 3:
        five, sixth, carry = bits[:5], bits[5], (bits[6] if len(bits) > 6 else C(0, 1))
        low = lut(m, parity, [*five, sixth])
        high, generate = lut_pair(m, half_is_one, half_is_two, five)
        sums, top = carry_chain(m, [low, high], [sixth, generate], carry)
        return [*sums, top]
    inputs, width = [*lanes, *bits], len(lanes) // 2
    if len(counter.outputs) == 1:
        return [lut(m, leaf_bit(0, width, gate), inputs)]
    return list(lut_pair(m, leaf_bit(0, width, gate), leaf_bit(1, width, gate), inputs))


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

    def is_wire(self, beside: int) -> bool:
        """Whether it, with `beside` more operands, is one signal at the most and needs no LUT."""
        return len(self.either) + len(self.bits) + beside <= 1

    def passes(self, beside: int) -> bool:
        """Whether it has a majority for the next position."""
        return self.operands + beside > 2

    def _operands(self, inputs: Sequence[int]) -> list[int]:
        first = len(self.either)
        return [int(any(inputs[:first]))] * bool(first) + list(inputs[first:])


def ternary_adder(m: Module, positions: Sequence[Position], extra: Value | None, carry: Value | None) -> list[Value]:
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
        if position.is_wire(len(beside)):
            propagate += inputs or [C(0, 1)]
            generate.append(C(0, 1))
        elif not position.passes(len(beside)):
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
    return carry_chain(m, propagate, generate, C(0, 1) if carry is None else carry)[0]


def ternary_luts(positions: Sequence[Position], beside: int) -> int:
    """LUTs of that adder; `beside` is 1 with an `extra` bit."""
    luts = 0
    for position in positions:
        luts += not position.is_wire(beside)
        beside = int(position.passes(beside))
    return luts


T = TypeVar("T")


def _lowest(columns: list[list[T]], most: int) -> tuple[T | None, T | None]:
    """Takes out of the lowest column the two bits that its position cannot add: the extra one and the carry."""
    carry, extra = (columns[0].pop() if len(columns[0]) > most else None for _ in range(2))
    return extra, carry


def _row_positions(
    columns: list[list[Value]], accumulator: Sequence[Value], preload: Sequence[Value]
) -> list[Position]:
    return [
        Position(either=(*accumulator[k : k + 1], bit), bits=tuple(columns[k]) if k < len(columns) else ())
        for k, bit in enumerate(preload)
    ]


def weighted(m: Module, lanes: Sequence[GatedLanes], accumulator: Value, preload: Value, stages: int) -> Value:
    """Rows.weighted: all products in one compressor."""
    simd, shifts = len(lanes[0].x), tuple(one.shift for one in lanes)
    tree = best_tree(simd, stages, ROW_CAPACITY, shifts)

    def make(m: Module, counter: Counter, inputs: Sequence[Value], bits: Sequence[Value]) -> list[Value]:
        gate = lanes[counter.lanes[0] // simd].gate if counter.lanes else "xnor"
        return make_counter(m, counter, inputs, bits, gate)

    x, w = Cat(*(one.x for one in lanes)), Cat(*(one.w for one in lanes))
    columns = compress(m, tree, place_registers(tree, stages, FINAL_DELAY), stages, x, w, make)
    extra, carry = _lowest(columns, 2)
    return Cat(*ternary_adder(m, _row_positions(columns, [*accumulator], [*preload]), extra, carry))


def _columns(m: Module, simd: int, stages: int, x: Value, w: Value, capacity: Sequence[int]) -> list[list[Value]]:
    tree = best_tree(simd, stages, capacity)
    return compress(m, tree, place_registers(tree, stages, FINAL_DELAY), stages, x, w, make_counter)


def accumulated(m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
    """(accumulator OR preload) + the number of agreeing lanes; one of the two is 0."""
    columns = _columns(m, len(x), stages, x, w, ROW_CAPACITY)
    extra, carry = _lowest(columns, 2)
    return Cat(*ternary_adder(m, _row_positions(columns, [*accumulator], [*preload]), extra, carry))


def counted(m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
    """The number of agreeing lanes."""
    columns = _columns(m, len(x), stages, x, w, ALONE_CAPACITY)
    extra, carry = _lowest(columns, 3)
    positions = [Position(bits=tuple(columns[k]) if k < len(columns) else ()) for k in range(width)]
    return Cat(*ternary_adder(m, positions, extra, carry))


@cache
def row_levels(simd: int, stages: int) -> float:
    """LUTs between registers, at most; the final adder counts as two."""
    return shortest_period(_kinds(simd, min(stages, len(_CHAIN))), stages, FINAL_DELAY)


@cache
def _kinds(simd: int, stages: int) -> Kinds:
    """Of a row's tree; more stages than _CHAIN names have the tree of the first such number."""
    return kinds(best_tree(simd, stages, ROW_CAPACITY))


@cache
def row_luts(simd: int, bits: int, stages: int, single: bool) -> int:
    """LUTs of a row as Yosys counts them, beside the gate that joins `last` and reset for all rows of an engine."""
    return weighted_luts(simd, ((0, "xnor"),), bits, stages, single)


@cache
def weighted_luts(simd: int, products: tuple[tuple[int, Gate], ...], bits: int, stages: int, single: bool) -> int:
    """LUTs of a row of several products, each a shift and a gate; counted as by `row_luts`."""
    shifts = tuple(shift for shift, _ in products)
    cells, bits_left = size(simd, best_groups(simd, stages, ROW_CAPACITY, shifts), ROW_CAPACITY, shifts)
    columns: list[list[Value]] = [[C(0, 1)] * count for count in bits_left]
    extra, _ = _lowest(columns, 2)
    positions = _row_positions(columns, [C(0, 1)] * (0 if single else bits), [C(0, 1)] * bits)
    blanking = 0 if stages else bits
    return cells + ternary_luts(positions, int(extra is not None)) + blanking


ROWS = Rows(
    inverted_weights=False,
    accumulated=accumulated,
    counted=counted,
    levels=row_levels,
    weighted=weighted,
    luts=row_luts,
    weighted_luts=weighted_luts,
)

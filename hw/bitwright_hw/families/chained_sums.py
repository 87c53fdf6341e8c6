"""Columns of bits added in carry chains: which additions, as data, and their cells; and a hardwired layer's sums of
those.

An addition of two k-bit numbers and a bit takes k + 1 positions and removes k bits (lane_splits.py), so wide
numbers are the cheapest: bits of several weights are put side by side to numbers, the narrowest are added first,
and each addition takes a single bit of its lowest weight as its carry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from amaranth.hdl import C, Cat, Module, Signal, Value

from bitwright_hw.arithmetic.adders import ColumnAdder, row_totals
from bitwright_hw.arithmetic.tree import registered_levels
from bitwright_hw.families.chains import ChainFamily, ChainOperand
from bitwright_hw.families.family import HardwiredSums, nothing_held

WIDEST = 64  # bits of a sum, more than any has


@dataclass(frozen=True, kw_only=True)
class Number:
    """Bits of weights 2 ** low and up, each by its number (None: 0); `most` is the largest value over 2 ** low."""

    low: int
    bits: tuple[int | None, ...]
    most: int


@dataclass(frozen=True, kw_only=True)
class Addition:
    """one + other + carry = total, but for the lowest bits of `one` below `other`, which go through."""

    one: tuple[int | None, ...]
    other: tuple[int | None, ...]
    carry: int | None
    total: tuple[int, ...]

    @property
    def width(self) -> int:
        """Positions that it adds."""
        return max(len(self.one), len(self.other))

    @property
    def positions(self) -> int:
        """Positions of a chain that goes on: the first lets the carry in."""
        return self.width + 1

    @property
    def size(self) -> int:
        """Bits of its total, the carry out among them where that counts."""
        return min(len(self.total), self.width + 1)


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Levels of additions that add all bits of some columns; bits are numbered from the lowest column on."""

    levels: tuple[tuple[Addition, ...], ...]
    result: Number

    @property
    def positions(self) -> int:
        return sum(addition.positions for level in self.levels for addition in level)


@cache
def additions(heights: tuple[int, ...], width: int) -> Additions:
    """How to add heights[k] bits of weight 2 ** k for each k, modulo 2 ** width."""
    numbers, singles = _side_by_side(heights[:width])
    made = sum(heights)
    levels = []
    while len(numbers) > 1 or any(singles):
        pairs = _pairs(numbers)
        if not pairs:
            # what no addition takes as its carry is a number like the others
            numbers += [Number(low=low, bits=(bit,), most=1) for low, column in enumerate(singles) for bit in column]
            singles = [[] for _ in singles]
            numbers.sort(key=lambda number: (number.low, len(number.bits)))
            pairs = [(numbers[0], numbers[1])]
        level = []
        rest = [number for number in numbers if not any(number in pair for pair in pairs)]
        for one, other in pairs:
            beside = other.low - one.low
            if beside >= len(one.bits):
                bits = (*one.bits, *[None] * (beside - len(one.bits)), *other.bits)
                rest.append(Number(low=one.low, bits=bits, most=one.most + (other.most << beside)))
                continue
            carry = singles[other.low].pop() if singles[other.low] else None
            most = one.most + ((other.most + (carry is not None)) << beside)
            size = min(most.bit_length(), width - one.low) - beside
            total = tuple(range(made, made + size))
            made += size
            level.append(Addition(one=one.bits[beside:], other=other.bits, carry=carry, total=total))
            rest.append(Number(low=one.low, bits=(*one.bits[:beside], *total), most=most))
        if level:
            levels.append(tuple(level))
        numbers = rest
    return Additions(levels=tuple(levels), result=numbers[0] if numbers else Number(low=0, bits=(), most=0))


def _side_by_side(heights: tuple[int, ...]) -> tuple[list[Number], list[list[int]]]:
    """Numbers with at most one bit of each weight; and single bits of each weight, about as many as numbers start
    there, for as many additions' carries."""
    started: list[tuple[int, list[int | None]]] = []
    singles: list[list[int]] = []
    first = 0
    for low, height in enumerate(heights):
        column = list(range(first, first + height))
        first += height
        for at, bits in started:
            if column and at + len(bits) == low:
                bits.append(column.pop(0))
        new = (len(column) + 1) // 2
        started += [(low, [bit]) for bit in column[:new]]
        singles.append(column[new:])
    numbers = [Number(low=low, bits=tuple(bits), most=(1 << len(bits)) - 1) for low, bits in started]
    return numbers, singles


def _pairs(numbers: list[Number]) -> list[tuple[Number, Number]]:
    """The narrowest numbers of equal lowest weights; if all of those differ, the two lowest."""
    ordered = sorted(numbers, key=lambda number: (number.low, len(number.bits)))
    pairs = []
    k = 0
    while k + 1 < len(ordered):
        if ordered[k].low == ordered[k + 1].low:
            pairs.append((ordered[k], ordered[k + 1]))
            k += 1
        k += 1
    return pairs or ([(ordered[0], ordered[1])] if len(ordered) > 1 else [])


def chained_sum(
    m: Module, columns: Sequence[Sequence[Value]], width: int, stages: int, *, family: ChainFamily
) -> Value:
    """The sum of columns[k][i] * 2 ** k modulo 2 ** width, `stages` cycles later, in chains of `family`."""
    plan = additions(tuple(len(column) for column in columns), width)
    values: dict[int, Value] = dict(enumerate(bit for column in columns for bit in column))
    after = registered_levels(len(plan.levels), stages) if plan.levels else []
    chains = family.chains(m)

    def operands(bits: tuple[int | None, ...]) -> list[ChainOperand]:
        return [ChainOperand.zero() if bit is None else ChainOperand.bit(values[bit]) for bit in bits]

    def register(needed: set[int]) -> None:
        chains.close()
        bits = sorted(needed & set(values))
        delayed = Signal(len(bits), name="level", reset_less=True)
        m.d.sync += delayed.eq(Cat(*[values[bit] for bit in bits]))
        values.update({bit: delayed[k] for k, bit in enumerate(bits)})

    for k, level in enumerate(plan.levels):
        for addition in level:
            carry = ChainOperand.zero() if addition.carry is None else ChainOperand.bit(values[addition.carry])
            total = chains.add(operands(addition.one), operands(addition.other), carry, addition.size)
            values.update(zip(addition.total, total, strict=True))
        needed = {bit for later in plan.levels[k + 1 :] for add in later for bit in _read(add)}
        for _ in range(after[k]):
            register(needed | _present(plan.result.bits))
    if not plan.levels:
        for _ in range(stages):
            register(_present(plan.result.bits))
    chains.close()
    zeros = C(0, plan.result.low)
    bits = [C(0, 1) if bit is None else values[bit] for bit in plan.result.bits]
    return Cat(zeros, *bits, C(0, max(0, width - plan.result.low - len(bits))))[:width]


@cache
def chained_luts(heights: tuple[int, ...], width: int, stages: int, *, family: ChainFamily) -> int:
    """LUTs of that sum of heights[k] bits of weight 2 ** k."""
    plan = additions(heights, width)
    length = family.length()
    after = registered_levels(len(plan.levels), stages) if plan.levels else []
    for level, registers in zip(plan.levels, after, strict=True):
        for addition in level:
            length.add(addition.width, addition.size > addition.width)
        if registers:
            length.close()
    length.close()
    return length.total


def _present(bits: tuple[int | None, ...]) -> set[int]:
    return {bit for bit in bits if bit is not None}


def _read(addition: Addition) -> set[int]:
    return _present((*addition.one, *addition.other, addition.carry))


def chained_sums(family: ChainFamily, *, least_share: int) -> HardwiredSums:
    """A hardwired layer's sums in chains of `family`, behind full adders that at least `least_share` sums share."""
    return HardwiredSums(
        least_share=least_share,
        reduce=None,
        held=nothing_held,
        totals=partial(row_totals, adder=ColumnAdder(levels=_levels, add=partial(_add, family))),
        ones=partial(_ones, family),
        ones_luts=partial(_ones_luts, family),
    )


def _levels(columns: Sequence[Sequence[int]]) -> int:
    return len(additions(tuple(map(len, columns)), WIDEST).levels)


def _add(
    family: ChainFamily, m: Module, name: str, columns: Sequence[Sequence[Value]], width: int, stages: int
) -> Value:
    m.submodules[name] = part = Module()
    return chained_sum(part, columns, width, stages, family=family)


def _ones(family: ChainFamily, m: Module, inputs: Value, width: int, stages: int) -> Value:
    return chained_sum(m, [list(inputs)], width, stages, family=family)


def _ones_luts(family: ChainFamily, inputs: int, stages: int) -> int:
    return chained_luts((inputs,), inputs.bit_length(), stages, family=family)

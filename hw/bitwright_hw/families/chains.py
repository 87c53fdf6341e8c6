"""Carry chains of any family: what they add, how it is put behind one another, and how many LUTs that takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from amaranth.hdl import Module, Signal, Value


@dataclass(frozen=True, kw_only=True)
class ChainOperand:
    """A bit to add: its one or two inputs, and the table of its function of them (bit i: inputs i)."""

    inputs: tuple[Value, ...]
    table: int

    def at(self, index: int) -> int:
        """The function's value where input k is bit k of `index`; bits of inputs that it has not do not matter."""
        return self.table >> (index & (1 << len(self.inputs)) - 1) & 1

    @staticmethod
    def zero() -> "ChainOperand":
        return ChainOperand(inputs=(), table=0)

    @staticmethod
    def bit(value: Value) -> "ChainOperand":
        return ChainOperand(inputs=(value,), table=0b10)

    @staticmethod
    def inverse(value: Value) -> "ChainOperand":
        return ChainOperand(inputs=(value,), table=0b01)

    @staticmethod
    def different(x: Value, w: Value) -> "ChainOperand":
        """x XOR w: agreement where w comes complemented."""
        return ChainOperand(inputs=(x, w), table=0b0110)

    @staticmethod
    def equal(x: Value, w: Value) -> "ChainOperand":
        """x XNOR w."""
        return ChainOperand(inputs=(x, w), table=0b1001)

    @staticmethod
    def both(x: Value, w: Value) -> "ChainOperand":
        """x AND w."""
        return ChainOperand(inputs=(x, w), table=0b1000)

    @staticmethod
    def either(one: Value, other: Value) -> "ChainOperand":
        return ChainOperand(inputs=(one, other), table=0b1110)


class ChainLength:
    """How many LUTs additions take in chains of at most `most` positions, alone; chains are `even` where a family's
    cells have two."""

    def __init__(self, most: int, *, even: bool) -> None:
        self.most = most
        self.even = even
        self.total = 0
        self.open = 0
        self.top = False

    def fits(self, width: int) -> bool:
        """Whether an addition of `width` positions can join the open chain and still end it."""
        return self.open + width + 2 <= self.most

    def add(self, width: int, top: bool) -> None:
        """An addition of `width` positions, of which the carry out counts if `top`."""
        if not self.fits(width):
            self.close()
        self.open += width + 1
        self.top = top

    def close(self) -> None:
        """Ends the chain."""
        self.open += self.top
        self.total += self.open + (self.open % 2 if self.even else 0)
        self.open, self.top = 0, False


_Cell = TypeVar("_Cell")


class CarryChains(ABC, Generic[_Cell]):
    """Adds numbers in carry chains, as many additions to a chain as `length` allows. `close` when all are there.

    An addition starts with a position by which its carry enters. That adds nothing, so that its sum bit is the carry
    out of the addition before, which therefore needs no position to get out.
    """

    def __init__(self, m: Module, length: ChainLength):
        self.m = m
        self.length = length
        self.cells: list[_Cell] = []
        self.sums: list[Signal] = []
        self.top: Signal | None = None  # the carry that the next position gives out

    @abstractmethod
    def positions(self, pairs: Sequence[tuple[ChainOperand, ChainOperand]], carry: ChainOperand) -> list[_Cell]:
        """What lets `carry` in, and what adds each of `pairs`, the lowest first."""

    @abstractmethod
    def ending(self) -> _Cell:
        """What gives the carry before it out as its sum."""

    @abstractmethod
    def make(self) -> None:
        """Makes the instances of `cells`, whose sums are `sums`, as a chain."""

    def add(
        self, one: Sequence[ChainOperand], other: Sequence[ChainOperand], carry: ChainOperand, bits: int
    ) -> list[Signal]:
        """The lowest `bits` bits of one + other + carry, at most one more than the longer number has."""
        width = max(len(one), len(other))
        if not self.length.fits(width):
            self.close()
        self.length.add(width, bits > width)
        out = [Signal(name=f"sum_{k}") for k in range(width + 1)]
        first = self.top if self.top is not None else Signal(name="unused")
        cells = self.positions([(_at(one, k), _at(other, k)) for k in range(width)], carry)
        for cell, total in zip(cells, [first, *out[:width]], strict=True):
            self.put(cell, total)
        self.top = out[width] if bits > width else None
        return out[:bits]

    def put(self, cell: _Cell, total: Signal) -> None:
        """`cell` behind the others, with `total` as its sum."""
        self.cells.append(cell)
        self.sums.append(total)

    def close(self) -> None:
        """Ends the chain: makes its cells."""
        self.length.close()
        if self.top is not None:
            self.put(self.ending(), self.top)
            self.top = None
        self.make()
        self.cells, self.sums = [], []


def _at(number: Sequence[ChainOperand], k: int) -> ChainOperand:
    return number[k] if k < len(number) else ChainOperand.zero()


@dataclass(frozen=True, kw_only=True)
class ChainFamily:
    """The carry chains of a family.

    spare(functions): LUTs of their own that `functions` operands of two inputs take where they meet in an addition's
    lowest position; its others have one at most. `agree(x, w)` is the operand of a lane, with w complemented where
    `inverted_weights`; `start(accumulator, preload)` that of a row's accumulator or preload, with the preload
    complemented where `inverted_preload`, and `preload` that of the preload alone.
    """

    chains: Callable[[Module], CarryChains[Any]]
    length: Callable[[], ChainLength]
    spare: Callable[[int], int]
    agree: Callable[[Value, Value], ChainOperand]
    start: Callable[[Value, Value], ChainOperand]
    preload: Callable[[Value], ChainOperand]
    inverted_weights: bool
    inverted_preload: bool

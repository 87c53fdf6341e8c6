"""What carry chains of any family add, and how those that add it are asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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


class CarryChains(Protocol):
    """Adds numbers in carry chains, one behind the other. `close` when all are there."""

    def add(
        self, one: Sequence[ChainOperand], other: Sequence[ChainOperand], carry: ChainOperand, bits: int
    ) -> list[Signal]:
        """The lowest `bits` bits of one + other + carry, at most one more than the longer number has."""

    def close(self) -> None:
        """Ends the chain: makes its cells."""


class ChainLuts(Protocol):
    """How many LUTs additions take in chains, alone."""

    total: int

    def add(self, width: int, top: bool) -> None:
        """An addition of `width` positions, of which the carry out counts if `top`."""

    def close(self) -> None:
        """Ends the chain."""


@dataclass(frozen=True, kw_only=True)
class ChainFamily:
    """The carry chains of a family.

    spare(functions): LUTs of their own that `functions` operands of two inputs take where they meet in an addition's
    lowest position; its others have one at most. `agree(x, w)` is the operand of a lane, with w complemented where
    `inverted_weights`; `start(accumulator, preload)` that of a row's accumulator or preload, with the preload
    complemented where `inverted_preload`, and `preload` that of the preload alone.
    """

    chains: Callable[[Module], CarryChains]
    length: Callable[[], ChainLuts]
    spare: Callable[[int], int]
    agree: Callable[[Value, Value], ChainOperand]
    start: Callable[[Value, Value], ChainOperand]
    preload: Callable[[Value], ChainOperand]
    inverted_weights: bool
    inverted_preload: bool

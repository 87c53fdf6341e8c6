"""Number types: what one value between two operators may be.

A kind of number is one object in a file of its own; everything else asks a NumberType and never for a kind by its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError
from bitwright_core.numbers.bipolar import BIPOLAR
from bitwright_core.numbers.kind import PADDING, NumberKind, PaddingValue
from bitwright_core.numbers.signed import SIGNED
from bitwright_core.numbers.ternary import TERNARY as _TERNARY
from bitwright_core.numbers.unsigned import UNSIGNED

KINDS = (BIPOLAR, UNSIGNED, SIGNED, _TERNARY)
_BY_NAME = {kind.name: kind for kind in KINDS}

__all__ = [
    "BINARY",
    "KINDS",
    "PADDING",
    "TERNARY",
    "NumberKind",
    "NumberType",
    "PaddingValue",
    "joined_type",
    "signed_bits",
    "signed_type",
    "unsigned_type",
]


def signed_bits(value: int) -> int:
    """The width of the smallest two's complement number that holds `value`."""
    return (value if value >= 0 else -value - 1).bit_length() + 1


@dataclass(frozen=True, kw_only=True)
class NumberType:
    """What one value on an edge may be: a number of a kind, `bits` bits wide. Raises NetworkError for what no kind has.

    The kinds are "binary" (a bit that stands for -1 or +1), "unsigned", "signed" and "ternary" (-1, 0 or +1).
    """

    kind: str
    bits: int = 1

    def __post_init__(self) -> None:
        widths = self._kind.widths
        if self.bits not in widths:
            raise NetworkError(
                f"a {self.kind} number has {widths.start} to {widths.stop - 1} bits, not {self.bits}"
                if len(widths) > 1
                else f"a {self.kind} number has {widths.start} bit{'s'[: widths.start > 1]}, not {self.bits}"
            )

    @property  # not kept: a kind holds functions, and numbers go to other processes
    def _kind(self) -> NumberKind:
        if self.kind not in _BY_NAME:
            raise NetworkError(f"a number must be one of {', '.join(_BY_NAME)}, not {self.kind!r}")
        return _BY_NAME[self.kind]

    def __str__(self) -> str:
        return self.kind if len(self._kind.widths) == 1 else f"{self.kind} {self.bits}-bit"

    @property
    def short(self) -> str:
        """The width in a letter or two, for the line that shows a whole network: 1, 2, t for ternary."""
        return "t" if self == TERNARY else str(self.bits)

    @cached_property
    def planes(self) -> tuple[int, ...]:
        """What each bit of a lane adds to the stored number, lowest bit first."""
        return self._kind.planes(self.bits)

    @cached_property
    def stored(self) -> tuple[int, int]:
        """The least and the largest number that arrays and lanes hold."""
        return self._kind.stored(self.bits)

    @cached_property
    def least(self) -> int:
        return self.value(self.stored[0])

    @cached_property
    def largest(self) -> int:
        return self.value(self.stored[1])

    @property
    def magnitude(self) -> int:
        """The largest size of a value, whatever its sign."""
        return max(-self.least, self.largest)

    @cached_property
    def xnor(self) -> bool:
        """Whether XNOR of a lane and a weight bit is their product: the lane is one bit that stands for -1 or +1."""
        return self.bits == 1 and (self.least, self.largest) == (-1, 1)

    @cached_property
    def signed(self) -> bool:
        """Whether the highest bit of a lane counts below zero: two's complement."""
        return self.planes[-1] < 0

    @property
    def paddings(self) -> tuple[PaddingValue, ...]:
        """What a convolution may pad such values with; zero always is a lane that adds nothing."""
        return self._kind.paddings

    def value(self, stored: int) -> int:
        """What a stored number is worth."""
        return self._kind.scale * stored + self._kind.offset

    def holds(self, value: int) -> bool:
        """Whether a lane can stand for `value`."""
        stored, rest = divmod(value - self._kind.offset, self._kind.scale)
        return rest == 0 and self.stored[0] <= stored <= self.stored[1]

    def lane(self, value: int) -> int:
        """The stored number that is worth `value`. Raises ValueError where none is."""
        if not self.holds(value):
            raise ValueError(f"no {self} lane stands for {value}")
        return (value - self._kind.offset) // self._kind.scale

    def integers(self, stored: NDArray[np.integer]) -> NDArray[np.int64]:
        """What stored numbers (any shape) are worth."""
        return self._kind.scale * stored.astype(np.int64) + self._kind.offset

    def values(self, stored: NDArray[np.integer], dtype: type[np.floating]) -> NDArray[np.floating]:
        """What stored numbers (any shape) are worth, in a floating type that holds them exactly."""
        numbers: NDArray[np.floating] = stored.astype(dtype)
        if (self._kind.scale, self._kind.offset) == (1, 0):
            return numbers
        return self._kind.scale * numbers + self._kind.offset


BINARY = NumberType(kind=BIPOLAR.name)
TERNARY = NumberType(kind=_TERNARY.name, bits=2)


def joined_type(numbers: Iterable[NumberType]) -> NumberType:
    """The narrowest unsigned or signed integer that holds all values of these types."""
    found = tuple(numbers)
    least, largest = min(number.least for number in found), max(number.largest for number in found)
    if least >= 0:
        return unsigned_type(max(1, largest.bit_length()))
    return signed_type(max(signed_bits(least), signed_bits(largest)))


def unsigned_type(bits: int) -> NumberType:
    return NumberType(kind=UNSIGNED.name, bits=bits)


def signed_type(bits: int) -> NumberType:
    return NumberType(kind=SIGNED.name, bits=bits)

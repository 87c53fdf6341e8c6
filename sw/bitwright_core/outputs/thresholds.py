"""Thresholds: accumulators to activations of one bit or a few."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import frozen
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, TERNARY, NumberType, signed_bits, signed_type, unsigned_type
from bitwright_core.tensors import Tensors

MAX_ACTIVATION_BITS = 8
MAX_LEVELS = (1 << MAX_ACTIVATION_BITS) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """Accumulators to activations: the stored value is `base` plus the number of levels with a >= T.

    From base 0, one level gives a bit that stands for -1 or +1, and k levels an unsigned integer 0 .. k. Two levels
    from -1 give a ternary number, any others from below 0 a signed integer base .. base + k.
    """

    kind: ClassVar[Literal["thresholds"]] = "thresholds"
    gives_scores: ClassVar[bool] = False

    values: NDArray[np.int64]  # (outputs, levels), not decreasing along levels, least .. largest + 1
    base: int = 0  # the value where no level is reached

    def __post_init__(self) -> None:
        values = frozen(self.values, np.int64, "thresholds")
        if values.ndim != 2 or values.size == 0:
            raise NetworkError(f"thresholds must have shape (outputs, levels), not {values.shape}")
        if values.shape[1] > MAX_LEVELS:
            raise NetworkError(f"thresholds may have at most {MAX_LEVELS} levels, not {values.shape[1]}")
        if np.any(np.diff(values, axis=1) < 0):
            raise NetworkError("thresholds must not decrease from one level to the next")
        if isinstance(self.base, bool) or not isinstance(self.base, int | np.integer) or self.base > 0:
            raise NetworkError(f"thresholds count from a whole number of 0 or less, not {self.base!r}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "base", int(self.base))
        if self._number.bits > MAX_ACTIVATION_BITS:
            raise NetworkError(
                f"activations may have at most {MAX_ACTIVATION_BITS} bits, but {self.levels} levels from {self.base} "
                f"reach {self.base}..{self.base + self.levels}"
            )

    @property
    def outputs(self) -> int:
        return int(self.values.shape[0])

    @property
    def levels(self) -> int:
        return int(self.values.shape[1])

    @property
    def compared(self) -> NDArray[np.int64]:
        """(outputs, levels): what accumulators are compared with."""
        return self.values

    def number(self, least: int, largest: int) -> NumberType:
        """The number type of what it gives, whatever the accumulators."""
        return self._number

    @property
    def _number(self) -> NumberType:
        if self.base == 0:
            return BINARY if self.levels == 1 else unsigned_type(self.levels.bit_length())
        if (self.base, self.levels) == (TERNARY.least, TERNARY.largest - TERNARY.least):
            return TERNARY
        return signed_type(max(signed_bits(self.base), signed_bits(self.base + self.levels)))

    def check(self, where: str, least: int, largest: int, largest_is: str) -> None:
        """Raises NetworkError, beginning with `where`, unless it suits accumulators `least` .. `largest`."""
        check_range(self.values, where, least, largest, largest_is)

    def of(self, sums: NDArray[np.signedinteger]) -> NDArray[np.integer]:
        """The activations of accumulators (..., outputs)."""
        return self.reached(sums, self.values.astype(sums.dtype, casting="same_kind"))

    def reached(self, sums: NDArray[Any], thresholds: NDArray[Any]) -> NDArray[np.integer]:
        """The activations of sums (..., outputs) that are compared with `thresholds` (outputs, levels) instead."""
        count = reached(sums, thresholds)
        return count if self.base == 0 else (count.astype(np.int16) + self.base).astype(np.int8)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file and the digest have of it, in order."""
        return {"thresholds": self.values}

    @property
    def digest_name(self) -> str:
        named = self.kind if self.levels == 1 else f"{self.kind} of {self.levels} levels"
        return named if self.base == 0 else f"{named} from {self.base}"

    @staticmethod
    def read(tensors: Tensors, outputs: int, levels: int, base: int = 0) -> "Thresholds":
        """Reads it from the tensors of a file. Raises NetworkError."""
        return Thresholds(values=tensors.take("thresholds", (outputs, levels)), base=base)


def reached(sums: NDArray[Any], thresholds: NDArray[Any]) -> NDArray[np.uint8]:
    """How many of `thresholds` (outputs, levels) each of `sums` (..., outputs) reaches."""
    total: NDArray[np.uint8] = (sums >= thresholds[:, 0]).view(np.uint8)
    for level in range(1, thresholds.shape[1]):
        total += sums >= thresholds[:, level]
    return total


def check_range(values: NDArray[np.int64], where: str, least: int, largest: int, largest_is: str) -> None:
    """Raises NetworkError unless thresholds lie in `least` .. `largest` + 1."""
    if values.min() < least or values.max() > largest + 1:
        raise NetworkError(
            f"{where}: thresholds must lie in {least}..{largest + 1} ({largest_is} + 1), "
            f"not {int(values.min())}..{int(values.max())}"
        )

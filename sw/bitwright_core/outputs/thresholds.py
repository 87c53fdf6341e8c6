"""Thresholds: accumulators to activations of one bit or a few."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import frozen
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType, unsigned_type
from bitwright_core.tensors import Tensors

MAX_LEVELS = 255  # activations of at most 8 bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """Accumulators to activations: the value is the number of levels with a >= T.

    One level gives a bit that stands for -1 or +1; k levels give an unsigned integer 0 .. k.
    """

    kind: ClassVar[Literal["thresholds"]] = "thresholds"
    gives_scores: ClassVar[bool] = False

    values: NDArray[np.int64]  # (outputs, levels), not decreasing along levels, least .. largest + 1

    def __post_init__(self) -> None:
        values = frozen(self.values, np.int64, "thresholds")
        if values.ndim != 2 or values.size == 0:
            raise NetworkError(f"thresholds must have shape (outputs, levels), not {values.shape}")
        if values.shape[1] > MAX_LEVELS:
            raise NetworkError(f"thresholds may have at most {MAX_LEVELS} levels, not {values.shape[1]}")
        if np.any(np.diff(values, axis=1) < 0):
            raise NetworkError("thresholds must not decrease from one level to the next")
        object.__setattr__(self, "values", values)

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
        """What it gives, for any accumulators: bits, or unsigned integers 0 .. levels."""
        return BINARY if self.levels == 1 else unsigned_type(self.levels.bit_length())

    def check(self, where: str, least: int, largest: int, largest_is: str) -> None:
        """Raises NetworkError, beginning with `where`, unless it suits accumulators `least` .. `largest`."""
        check_range(self.values, where, least, largest, largest_is)

    def of(self, sums: NDArray[np.signedinteger]) -> NDArray[np.integer]:
        """The activations of accumulators (..., outputs)."""
        return reached(sums, self.values.astype(sums.dtype, casting="same_kind"))

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file and the digest have of it, in order."""
        return {"thresholds": self.values}

    @property
    def digest_name(self) -> str:
        return self.kind if self.levels == 1 else f"{self.kind} of {self.levels} levels"

    @staticmethod
    def read(tensors: Tensors, outputs: int, levels: int) -> "Thresholds":
        """From a file. Raises NetworkError."""
        return Thresholds(values=tensors.take("thresholds", (outputs, levels)))


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

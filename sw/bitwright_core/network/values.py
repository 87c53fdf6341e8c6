"""Integers and the shapes they come in: number types, edges, checked arrays."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError

MAX_LANES = 1 << 20  # float32 holds every sum of this many +-1 exactly (limit 2^24), with room to spare
MAX_VALUES = 1 << 26  # of an image between two layers
MAX_INPUT_BITS = 16
MAX_INTEGER_BITS = 32  # of a lane: 2^20 of them still sum exactly in float64
SCORE_BITS = 62  # scores fit int64 with a bit to spare, so that differences of two scores do too
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def signed_bits(value: int) -> int:
    """The width of the smallest two's complement number that holds `value`."""
    return (value if value >= 0 else -value - 1).bit_length() + 1


def frozen(values: object, dtype: type, where: str) -> NDArray[Any]:
    """A read-only copy of an integer array, refusing floats, NaN and values outside `dtype`."""
    array = np.asarray(values)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise NetworkError(f"{where}: values must be integers, not {array.dtype}")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise NetworkError(f"{where}: values must lie in {limits.min}..{limits.max}")
    array = np.array(array, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


def check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise NetworkError(
            f"{what} {name!r} must be a lower-case identifier (letters, digits, _), at most 48 characters"
        )


def sizes(values: object, count: int, what: str, least: int) -> tuple[int, ...]:
    """`values` as a tuple of `count` whole numbers, each at least `least`. Raises NetworkError."""
    parts: list[Any] = list(values) if isinstance(values, Sequence | np.ndarray) else [values]
    if len(parts) != count or any(not isinstance(v, int | np.integer) or v < least for v in parts):
        raise NetworkError(f"{what} must be {count} whole numbers of at least {least}, not {values!r}")
    return tuple(int(v) for v in parts)


@dataclass(frozen=True, kw_only=True)
class NumberType:
    """What one value on an edge may be: a +-1 bit, an unsigned or a signed integer of `bits` bits."""

    kind: Literal["binary", "unsigned", "signed"]
    bits: int = 1

    def __str__(self) -> str:
        return "binary" if self.kind == "binary" else f"{self.kind} {self.bits}-bit"

    @property
    def is_binary(self) -> bool:
        return self.kind == "binary"


BINARY = NumberType(kind="binary")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The values between two layers of one frame: their shape (HWC or flat) and their number type."""

    shape: tuple[int, ...]
    number: NumberType

    @property
    def size(self) -> int:
        return math.prod(self.shape)

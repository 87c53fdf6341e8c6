"""Checks of what networks are made of: names, sizes, arrays of integers; and the limits of each."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError

MAX_LANES = 1 << 20  # float32 holds every sum of this many +-1 exactly (limit 2^24), with room to spare
MAX_VALUES = 1 << 26  # of an image between two layers
MAX_INPUT_BITS = 16
MAX_INTEGER_BITS = 32  # of a lane: 2^20 of them still sum exactly in float64
MAX_DOT = (1 << 53) - 1  # of products that sum exactly in float64
SCORE_BITS = 62  # scores fit int64 with a bit to spare, so that differences of two scores do too
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


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

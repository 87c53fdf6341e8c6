"""The grid of integers on which the input values of a first layer lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EVEN = 2.0**-18  # relative unevenness of one table that float32 arithmetic alone explains
_SAME = 2.0**-22  # the same of several tables, or of a table and what pads it
_FINER = 512  # as many times finer than the smallest step may the unit be
_BITS = 24  # of a value's size where no such unit fits: float32 itself has no more


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values are `middle`, or the anchor of each table where it is None, plus whole numbers of `unit`."""

    unit: float
    middle: float | None
    error: float  # the furthest that a value lies from its integer; 0 where float32 arithmetic explains it


def common_unit(values: NDArray[np.float64], anchors: NDArray[np.float64], *, padded: bool) -> Grid:
    """The grid of tables (2^bits, tables) whose integers 0 may stand for `anchors` (tables,), or must if `padded`.

    Values that are integers already stay so. The unit is the largest that divides the steps of all tables, and, where
    the middles are given, the distances from them; if there is none near the steps' own size, a power of two so
    small that float32 cannot tell the difference.
    """
    if (values == np.rint(values)).all() and np.abs(values).max() < 1 << 30:
        if not padded or (anchors == 0).all():
            return Grid(unit=1.0, middle=0.0, error=0.0)
        if (anchors == np.rint(anchors)).all():
            return Grid(unit=1.0, middle=None, error=0.0)
    largest = float(np.abs(values).max())
    if values.shape[1] == 1 and not (padded and anchors[0] != 0):
        levels = np.unique(values)
        unit = float(_own_step(levels))
        for middle in (0.0,) if padded else (0.0, float(levels[0])):
            if _misses(levels - middle, unit) <= _EVEN * largest:
                return Grid(unit=unit, middle=middle, error=0.0)
    distances = values - anchors
    tables = np.unique(distances, axis=1)
    few = tables[:, np.linspace(0, tables.shape[1] - 1, min(64, tables.shape[1])).astype(int)]  # enough to say no
    steps = [_own_step(np.unique(column)) for column in tables.T if np.ptp(column)]
    if steps:
        ends = few[[0, -1]]
        for finer in range(1, _FINER + 1):
            unit = float(min(steps)) / finer
            if _misses(ends, unit) <= _SAME * largest and _misses(tables, unit) <= _SAME * largest:
                return Grid(unit=unit, middle=None, error=0.0)
    # 2^24 steps to the largest distance
    unit = 2.0 ** (int(np.ceil(np.log2(np.abs(distances).max() or 1.0))) - _BITS)
    return Grid(unit=unit, middle=None, error=_misses(tables, unit))


def _own_step(levels: NDArray[np.float64]) -> float:
    """The step of levels that are evenly spaced, or as even as their smallest difference says."""
    if len(levels) < 2:
        return 1.0
    reach = levels[-1] - levels[0]
    return float(reach / max(1, round(reach / np.diff(levels).min())))


def _misses(distances: NDArray[np.float64], unit: float) -> float:
    """The furthest that a distance is from a whole number of units."""
    steps = distances / unit
    return float(np.abs(steps - np.rint(steps)).max() * unit)

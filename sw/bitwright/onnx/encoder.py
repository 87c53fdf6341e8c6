"""The input side: what a graph makes of each raw value, folded into an Encoding of thresholds.

The graph's arithmetic before its first product is evaluated at every value of the input (0..255 for bytes).
Two values give a threshold, a few evenly spaced ones a thermometer code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.network import Encoding, IntegerEncoding
from bitwright.onnx.expression import evaluate
from bitwright.onnx.lanes import Lanes
from bitwright.onnx.pointwise import View

MAX_THERMOMETER = 16  # levels; each costs a lane a value
_EVEN = 2.0**-18  # relative unevenness that float32 arithmetic alone explains
_MAX_TABLE = 1 << 27


def input_table(view: View, dtype: np.dtype[Any], bits: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """What each raw value becomes: columns (2^bits, kinds), and the column of each value of the view.

    Raises ValueError for a table that is too large.
    """
    rank = len(view.shape)
    raw = np.arange(1 << bits).astype(dtype).reshape((-1,) + (1,) * rank)
    if raw.size * int(np.prod(view.shape)) > _MAX_TABLE << 4:
        raise ValueError(f"{view.shape} values of {bits} bits are too many to tabulate")
    table = evaluate(view.expression, raw)
    compact = table.shape[1:]
    columns = table.reshape(len(raw), -1)
    numbers = np.broadcast_to(np.arange(columns.shape[1]).reshape(compact), view.shape).reshape(-1)
    unique, inverse = np.unique(columns, axis=1, return_inverse=True)
    return unique, inverse.reshape(-1)[numbers]


def _steps(column: NDArray[Any], limit: int) -> tuple[tuple[int, ...], float, float]:
    """Thresholds, middle and half step of one column. Raises ValueError."""
    values = column.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the input becomes infinite or NaN before its first layer")
    places = np.flatnonzero(np.diff(values)) + 1
    levels = values[np.concatenate(([0], places))]
    if not len(places):
        raise ValueError(
            "no input value makes a difference before the first layer: is the input range right (--input-range)?"
        )
    if len(places) > limit:
        raise ValueError(
            f"the first layer takes integers of {len(levels)} levels, more than the {limit + 1} of a thermometer code"
        )
    step = (levels[-1] - levels[0]) / len(places)
    even = levels[0] + step * np.arange(len(levels))
    if np.abs(levels - even).max() > _EVEN * np.abs(levels).max() or np.any(np.sign(np.diff(levels)) != np.sign(step)):
        shown = ", ".join(f"{value:.6g}" for value in levels[:4])
        raise ValueError(f"the first layer takes {len(levels)} levels that are not evenly spaced ({shown}, ...)")
    return tuple(int(place) for place in places), (levels[0] + levels[-1]) / 2, step / 2


def threshold_encoding(
    view: View, columns: NDArray[Any], kinds: NDArray[np.int64], position: NDArray[np.int64]
) -> tuple[Encoding, Lanes]:
    """The encoding, and what its lanes are to the first layer.

    `position` is where each value of the graph's input lies in a raw frame. Raises ValueError where the
    thresholds differ from value to value: an Encoding has one list for all.
    """
    found = [_steps(column, MAX_THERMOMETER) for column in columns.T]
    source = position[view.indices.reshape(-1)]
    of_value: dict[int, list[tuple[tuple[int, ...], int]]] = {}
    for element, (kind, place) in enumerate(zip(kinds.tolist(), source.tolist(), strict=True)):
        of_value.setdefault(place, []).append((found[kind][0], element))
    lists = {tuple(sorted(t for thresholds, _ in users for t in thresholds)) for users in of_value.values()}
    if len(lists) > 1:
        one, two = sorted(lists)[:2]
        raise ValueError(
            f"thresholds differ from value to value of a frame ({_shown(one)} and {_shown(two)}), as a normalisation "
            "by channel makes them; an encoding has one list of thresholds for all values"
        )
    (thresholds,) = lists
    if len(set(thresholds)) != len(thresholds):
        raise ValueError("the first layer takes one input value more than once at the same threshold")
    if len(of_value) != len(position):
        raise ValueError(f"the first layer takes {len(of_value)} of the {len(position)} values of a frame")
    level_of = {t: level for level, t in enumerate(thresholds)}
    levels = len(found[int(kinds[0])][0])
    if any(len(steps) != levels for steps, _, _ in found):
        raise ValueError("some input values have more levels than others")
    lane = np.empty((len(kinds), levels), np.int64)
    for place, users in of_value.items():
        for steps, element in users:
            lane[element] = [place * len(thresholds) + level_of[t] for t in steps]
    return (
        Encoding(thresholds=np.array(thresholds, np.int64)),
        Lanes(
            lane=lane,
            middle=np.array([found[kind][1] for kind in kinds.tolist()]),
            half=np.array([found[kind][2] for kind in kinds.tolist()]),
        ),
    )


def integer_encoding(
    view: View, columns: NDArray[Any], kinds: NDArray[np.int64], position: NDArray[np.int64]
) -> tuple[IntegerEncoding, Lanes]:
    """The table of a first layer that takes integers. Raises ValueError where values are not on one grid.

    Values that are integers already stay as they are; others are counted in steps of their smallest difference.
    """
    if columns.shape[1] != 1:
        raise ValueError(
            f"input values become {columns.shape[1]} different tables of integers, as a normalisation by channel makes "
            "them; an integer encoding has one table for all values: use one mean and deviation for all channels"
        )
    values = columns[:, 0].astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the input becomes infinite or NaN before its first layer")
    source = position[view.indices.reshape(-1)]
    if len(np.unique(source)) != len(source) or len(source) != len(position):
        raise ValueError(f"the first layer takes {len(source)} of the {len(position)} values of a frame")
    middle, unit = _grid(values)
    table = np.rint((values - middle) / unit).astype(np.int64)
    everywhere = np.ones(len(source))
    return (
        IntegerEncoding(table=table),
        Lanes(lane=source[:, None], middle=middle * everywhere, half=unit * everywhere, integers=True),
    )


def _grid(values: NDArray[np.float64]) -> tuple[float, float]:
    """An offset and a step so that every value is the offset plus a whole number of steps. Raises ValueError."""
    if (values == np.rint(values)).all():
        return 0.0, 1.0
    levels = np.unique(values)
    largest = np.abs(levels).max()
    unit = (levels[-1] - levels[0]) / max(1, round((levels[-1] - levels[0]) / np.diff(levels).min()))
    for middle in (0.0, float(levels[0])):
        steps = (levels - middle) / unit
        if np.abs(steps - np.rint(steps)).max() * unit <= _EVEN * largest:
            return middle, float(unit)
    raise ValueError(
        f"the first layer takes {len(levels)} levels that are on no grid of integers; quantize the input evenly"
    )


def _shown(thresholds: tuple[int, ...]) -> str:
    return ", ".join(map(str, thresholds[:4])) + (", ..." if len(thresholds) > 4 else "")

"""The input side: what a graph makes of each raw value, folded into an encoding by thresholds or of integers.

The graph's arithmetic before its first product is evaluated at every value of the input (0..255 for bytes).
Two values give a threshold, a few evenly spaced ones a thermometer code, others integers; each channel or each
value of a frame may have its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_VALUES
from bitwright_core.network import IntegerEncoding, ThresholdEncoding
from bitwright_onnx.expression import evaluate
from bitwright_onnx.grid import common_unit
from bitwright_onnx.lanes import Lanes
from bitwright_onnx.view import View

MAX_THERMOMETER = 16  # levels; each costs a lane a value
_EVEN = 2.0**-18  # relative unevenness that float32 arithmetic alone explains
_MAX_TABLE = 1 << 27


@dataclass(frozen=True, kw_only=True, eq=False)
class Taken:
    """What the first product takes: elements in the graph's order, each an expression of one raw value."""

    columns: NDArray[Any]  # (2^bits, kinds): what a raw value becomes
    kinds: NDArray[np.int64]  # (elements,): the column of each element
    source: NDArray[np.int64]  # (elements,): where its raw value lies in a frame, raster order
    values: int  # of a frame
    used: NDArray[np.bool_]  # (elements,): whether any weight that is not 0 meets it
    group: NDArray[np.int64] | None = None  # (elements,): the channel, where all pixels of one must stand for the same
    pad: NDArray[np.float64] | None = None  # (channels,): what pads a convolution's channels

    @property
    def span(self) -> int:
        """Raw values, 2^bits."""
        return len(self.columns)

    def check(self) -> None:
        """Raises ValueError for what no encoding has."""
        if not np.isfinite(self.columns.astype(np.float64)).all():
            raise ValueError("the input becomes infinite or NaN before its first layer")
        if not (self.columns != self.columns[:1]).any():
            raise ValueError(
                "no input value makes a difference before the first layer: is the input range right (--input-range)?"
            )
        found = len(np.unique(self.source))
        if found != self.values:
            raise ValueError(f"the first layer takes {found} of the {self.values} values of a frame")


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


def most_levels(columns: NDArray[Any]) -> int:
    """How often the raw value changes what some element is."""
    return max(len(np.flatnonzero(np.diff(column))) for column in columns.T)


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """A column as steps: thresholds, and the value `middle` + `half` * (sum of +-1). Without steps a constant."""

    places: tuple[int, ...]
    middle: float
    half: float


def _steps(column: NDArray[Any]) -> _Steps:
    """Raises ValueError for more than a thermometer code has, or for uneven steps."""
    values = column.astype(np.float64)
    places = np.flatnonzero(np.diff(values)) + 1
    levels = values[np.concatenate(([0], places))]
    if not len(places):
        return _Steps(places=(), middle=float(values[0]), half=0.0)
    if len(places) > MAX_THERMOMETER:
        raise ValueError(
            f"the first layer takes integers of {len(levels)} levels, more than the {MAX_THERMOMETER + 1} of a "
            "thermometer code"
        )
    step = (levels[-1] - levels[0]) / len(places)
    even = levels[0] + step * np.arange(len(levels))
    if np.abs(levels - even).max() > _EVEN * np.abs(levels).max() or np.any(np.sign(np.diff(levels)) != np.sign(step)):
        shown = ", ".join(f"{value:.6g}" for value in levels[:4])
        raise ValueError(f"the first layer takes {len(levels)} levels that are not evenly spaced ({shown}, ...)")
    places_ = tuple(int(place) for place in places)
    return _Steps(places=places_, middle=float(levels[0] + levels[-1]) / 2, half=float(step) / 2)


def _lanes_of(steps: _Steps, levels: int, size: float, span: int, used: bool) -> tuple[list[int], float, float, float]:
    """Thresholds of an element's `levels` lanes, its middle and half, and what its lanes add if it is not used.

    Lanes that it lacks are always 0 (a threshold of `span`); a constant's are all always 0 or all always 1.
    """
    if not used:
        return [span] * levels, 0.0, size, -float(levels)
    if steps.places:
        lacking = levels - len(steps.places)
        bounds = [*steps.places, *[span] * lacking]
        return bounds, steps.middle + steps.half * lacking, steps.half, np.nan
    if steps.middle >= 0:
        return [0] * levels, steps.middle - size * levels, size, np.nan
    return [span] * levels, steps.middle + size * levels, size, np.nan


def threshold_encoding(taken: Taken) -> tuple[ThresholdEncoding, Lanes]:
    """The encoding to bits, and what its lanes are to the first layer. Raises ValueError where bits cannot say it."""
    found = [_steps(column) for column in taken.columns.T]
    moving = [steps for steps in found if steps.places]
    levels = max(len(steps.places) for steps in moving)
    size = abs(moving[0].half)
    elements = [
        _lanes_of(found[kind], levels, size, taken.span, used)
        for kind, used in zip(taken.kinds.tolist(), taken.used.tolist(), strict=True)
    ]
    of_value: list[list[tuple[int, int, int]]] = [[] for _ in range(taken.values)]
    for element, ((bounds, *_), place) in enumerate(zip(elements, taken.source.tolist(), strict=True)):
        of_value[place] += [(bound, element, level) for level, bound in enumerate(bounds)]
    lanes_each = {len(lanes) for lanes in of_value}
    if len(lanes_each) > 1:
        raise ValueError("the first layer takes some input values more often than others")
    (count,) = lanes_each
    lane = np.empty((len(elements), levels), np.int64)
    rows = np.empty((taken.values, count), np.int64)
    for place, lanes in enumerate(of_value):
        for rank, (bound, element, level) in enumerate(sorted(lanes)):
            rows[place, rank] = bound
            lane[element, level] = place * count + rank
    uniform = (rows == rows[:1]).all()
    if uniform and (np.diff(rows[0]) <= 0).any():
        raise ValueError("the first layer takes one input value more than once at the same threshold")
    return (
        ThresholdEncoding(thresholds=rows[0] if uniform else rows),
        Lanes(
            lane=lane,
            middle=np.array([middle for _, middle, _, _ in elements]),
            half=np.array([half for _, _, half, _ in elements]),
            idle=np.array([idle for *_, idle in elements]),
        ),
    )


def integer_encoding(taken: Taken) -> tuple[IntegerEncoding, Lanes, str | None]:
    """The tables of a first layer that takes integers, what its lanes are, and a note where no grid has them exactly.

    Values that are integers already stay as they are; others are counted in steps of one unit from a middle, which
    is what pads them, if anything does. Raises ValueError where an input value is taken more than once.
    """
    if len(taken.source) != taken.values:
        raise ValueError(f"the first layer takes {len(taken.source)} of the {taken.values} values of a frame")
    columns = taken.columns.astype(np.float64)
    group = np.arange(len(taken.kinds)) if taken.group is None else taken.group
    pairs, pair_of = np.unique(np.stack([taken.kinds, group]), axis=1, return_inverse=True)
    pair_of = pair_of.reshape(-1)
    first_of: dict[int, int] = {}
    for kind, member in pairs.T.tolist():
        first_of.setdefault(member, kind)
    if taken.group is None:  # values of their own: a column alone decides
        pairs, pair_of = np.stack([np.arange(columns.shape[1])] * 2), taken.kinds
        first_of = {kind: kind for kind in range(columns.shape[1])}
    if pairs.shape[1] * taken.span > MAX_VALUES:
        raise ValueError(f"{pairs.shape[1]} tables of {taken.span} integers are too many")
    wanted = np.zeros(pairs.shape[1], np.bool_)
    wanted[pair_of[taken.used]] = True
    values = columns[:, pairs[0]]
    anchors = _anchors(taken, columns, pairs[1], first_of)
    found = common_unit(values[:, wanted], anchors[wanted], padded=taken.pad is not None)
    middles = anchors if found.middle is None else np.full(len(anchors), found.middle)
    table = np.rint((values - middles) / found.unit).astype(np.int64)
    # values that no weight meets are 0 always
    table = np.concatenate([table, np.zeros((taken.span, 1), np.int64)], axis=1)
    row_of = np.empty(taken.values, np.int64)
    row_of[taken.source] = np.where(taken.used, pair_of, len(pairs[0]))
    note = None
    if found.error:
        note = (
            f"what the input becomes lies on no grid of few integers: it is counted in steps of {found.unit:.3g}, "
            f"at most {found.error:.2g} from its float32 values"
        )
    encoding = IntegerEncoding(table=_rows(table.T, row_of))
    lanes = Lanes(
        lane=taken.source[:, None],
        middle=np.where(taken.used, middles[pair_of], 0.0),
        half=np.full(len(taken.kinds), found.unit),
        number=encoding.number,
        idle=np.where(taken.used, np.nan, 0.0),
    )
    return encoding, lanes, note


def _anchors(
    taken: Taken, columns: NDArray[np.float64], groups: NDArray[np.int64], first_of: dict[int, int]
) -> NDArray[np.float64]:
    """For each table what its integer 0 stands for: what pads, or the middle of the raw values."""
    if taken.pad is not None:
        return taken.pad[groups]
    middle = columns[taken.span // 2]
    return np.array([middle[first_of[member]] for member in groups.tolist()])


def _rows(tables: NDArray[np.int64], row_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tables (kinds, 2^bits) for values of kinds `row_of`, in as few rows as a pattern of channels takes."""
    for count in range(1, len(row_of)):
        if len(row_of) % count == 0 and (row_of.reshape(-1, count) == row_of[:count]).all():
            return tables[row_of[:count]]
    if len(row_of) * tables.shape[1] > MAX_VALUES:
        raise ValueError(f"{len(row_of)} tables of {tables.shape[1]} integers, one for each value, are too many")
    return tables[row_of]

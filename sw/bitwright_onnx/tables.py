"""From tables over every value of an accumulator to integer thresholds and scores.

Row p of a table is what the graph computes, in its own float32 operations, at popcount p; a column is an
output. Nothing is derived from a formula: thresholds are read off, and the table must be monotone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Scores

_SHOWN = 3


class ManyValuesError(ValueError):
    """A column takes more than two values: one bit cannot say it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activations:
    """Two values a column: `high` where the popcount (of the complemented row, if `falling`) reaches T."""

    thresholds: NDArray[np.int64]  # (outputs,), 0 .. popcounts
    falling: NDArray[np.bool_]  # (outputs,): the row must be complemented
    low: NDArray[np.float64]  # (outputs,): what bit 0 stands for
    high: NDArray[np.float64]  # (outputs,): what bit 1 stands for


def activations(table: NDArray[Any]) -> Activations:
    """Thresholds for a table (N + 1, outputs). Raises ValueError for a column that no threshold gives."""
    table = table.astype(np.float64)
    if np.isnan(table).any():
        raise ValueError(f"the activation of output {_first(np.isnan(table).any(axis=0))} is NaN (float32 overflow?)")
    low, high = table.min(axis=0), table.max(axis=0)
    fires = table == high
    odd = (~fires & (table != low)).any(axis=0)
    if odd.any():
        raise ManyValuesError(_too_many(table, _first(odd)))
    constant = low == high
    rows, total = len(table), fires.sum(axis=0, dtype=np.int64)
    counts = np.arange(rows)[:, None]
    rising = (fires == (counts >= rows - total)).all(axis=0)
    falling = (fires == (counts < total)).all(axis=0) & ~rising
    if not (rising | falling).all():
        raise ValueError(f"the activation of output {_first(~(rising | falling))} is not monotone in its accumulator")
    thresholds = rows - total
    low, high, thresholds = _constants(low, high, thresholds, constant, rows)
    return Activations(thresholds=thresholds, falling=falling, low=low, high=high)


def from_change(
    first: NDArray[np.float64], last: NDArray[np.float64], change: NDArray[np.int64], rows: int
) -> Activations:
    """Activations of columns that are `first` up to row `change` - 1, and `last` from there on.

    Where `first` and `last` are equal, `change` does not matter.
    """
    falling = first > last
    constant = first == last
    total = np.where(constant, rows, np.where(falling, change, rows - change))
    low, high = np.minimum(first, last), np.maximum(first, last)
    low, high, thresholds = _constants(low, high, rows - total, constant, rows)
    return Activations(thresholds=thresholds, falling=falling, low=low, high=high)


def _constants(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    thresholds: NDArray[np.int64],
    constant: NDArray[np.bool_],
    rows: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Columns of one value get the other value from their neighbours, and a threshold that always decides."""
    if not constant.any():
        return low, high, thresholds
    if constant.all():
        values = np.unique(low)
        # one value alone: 0 is the lower of 0 and 1, any other of itself and its negative
        one = (-abs(values[0]), abs(values[0])) if values[0] else (0.0, 1.0)
        lows, highs = (values[0], values[-1]) if len(values) > 1 else one
    else:
        lows, highs = low[~constant].min(), high[~constant].max()
    never = constant & (low != highs) & ((low == lows) | (low < (lows + highs) / 2))
    always = constant & ~never
    step = highs - lows
    high = np.where(never, low + step, high)
    low = np.where(always, high - step, low)
    thresholds = np.where(never, rows, np.where(always, 0, thresholds))
    return low, high, thresholds


def _too_many(table: NDArray[np.float64], column: int) -> str:
    values = np.unique(table[:, column])
    if len(values) == 3 and values[1] == 0 and values[0] == -values[2]:
        where = int(np.flatnonzero(table[:, column] == 0)[0])
        return (
            f"the activation of output {column} is 0, neither -1 nor +1, at popcount {where} of {len(table) - 1}: Sign "
            "of 0; use BipolarQuant, or Where(x >= 0, 1, -1)"
        )
    shown = ", ".join(f"{value:.6g}" for value in values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
    return f"the activation of output {column} takes {len(values)} values ({shown}), not 2; only one bit is supported"


def integer_scores(table: NDArray[Any]) -> Scores | None:
    """Scores that are the table's very integers, where it is an integer line a column; None if it is not."""
    if len(table) < 2:
        return None
    if table.dtype.kind == "f":
        exact = 1 << (24 if table.dtype == np.float32 else 53)
        if not np.isfinite(table).all() or (np.abs(table) > exact).any() or (table != np.rint(table)).any():
            return None
    if table.dtype.kind not in "fi":
        return None
    numbers = table.astype(np.int64)
    steps = np.diff(numbers, axis=0)
    if (steps != steps[:1]).any() or (steps < 0).any():
        return None
    return Scores(scale=steps[0], offset=numbers[0])


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.argmax(mask))

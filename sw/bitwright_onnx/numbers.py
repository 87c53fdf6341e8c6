"""Lines of numbers to integer scores that keep zero and scale: value = step * score, within a stated error.

Output c is worth base_c + rise_c * i at index i of its accumulator, rise_c >= 0. One step for all outputs keeps their
scores comparable; it is made finer until the error is small beside the largest range and every sign is right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Scores

RELATIVE_ERROR = 2.0**-16  # of the largest range of an output: what the step must keep
_HALVINGS = 48
_LARGEST = 2.0**60


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """Scores of indices 0, 1, ..., what one step of them is worth, and the largest error."""

    scores: Scores
    step: float
    error: float


def number_scores(base: NDArray[np.float64], rise: NDArray[np.float64], indices: int) -> Numbers:
    """Scores for outputs base_c + rise_c * i, i from 0 to `indices` - 1. Raises ValueError if no step suits.

    A score is 0 or more exactly where its value is. The error counts the lines alone.
    """
    last = indices - 1
    span = float((rise * last).max())
    unit = float(rise[rise > 0].min()) if span > 0 else float(np.abs(base).max())
    if unit == 0.0:
        zeros = np.zeros(len(base), np.int64)
        return Numbers(scores=Scores(scale=zeros, offset=zeros), step=1.0, error=0.0)
    most = RELATIVE_ERROR * (span or unit)
    exact = _exact(base, rise, unit)
    if exact is not None:
        return exact
    first = _first_at_zero(base, rise, last)
    for halving in range(_HALVINGS):
        step = float(rise.max() or unit) * 2.0**-halving
        if max(float(np.abs(base).max()), float(np.abs(base + rise * last).max())) / step > _LARGEST:
            break
        scale = np.rint(rise / step)
        offset = np.rint((base + rise * last / 2) / step - scale * last / 2)
        low = np.where(first <= last, -scale * first, -np.inf)
        high = np.where(first > 0, -scale * (first - 1) - 1, np.inf)
        offset = np.clip(offset, low, high)
        error = float(max(np.abs(base + rise * i - step * (scale * i + offset)).max() for i in (0, last)))
        if (low <= high).all() and error <= most:
            found = Scores(scale=scale.astype(np.int64), offset=offset.astype(np.int64))
            return Numbers(scores=found, step=step, error=error)
    raise ValueError("its values differ so much in size that no scores of 62 bits hold them all")


def _exact(base: NDArray[np.float64], rise: NDArray[np.float64], unit: float) -> Numbers | None:
    """Scores without any error, if the values are small multiples of one step."""
    for step in (unit, 2.0 ** np.floor(np.log2(unit))):
        for halving in range(12):
            finer = step * 2.0**-halving
            scale, offset = rise / finer, base / finer
            if max(scale.max(), np.abs(offset).max()) < 1 << 40 and all(
                (np.rint(part) == part).all() and (np.rint(part) * finer == whole).all()
                for part, whole in ((scale, rise), (offset, base))
            ):
                found = Scores(scale=scale.astype(np.int64), offset=offset.astype(np.int64))
                return Numbers(scores=found, step=float(finer), error=0.0)
    return None


def _first_at_zero(base: NDArray[np.float64], rise: NDArray[np.float64], last: int) -> NDArray[np.float64]:
    """The first index at which each value is 0 or more; `last` + 1 if none is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(rise > 0, np.ceil(-base / rise), np.where(base >= 0, 0.0, last + 1.0))
    found = np.clip(found, 0, last + 1)
    # one rounding of the quotient may have gone past a whole number
    found = np.where((found > 0) & (base + rise * (found - 1) >= 0), found - 1, found)
    return np.where((found <= last) & (base + rise * found < 0), found + 1, found)

"""Class scores of bounded width: the order of the exact sums, all of it where it fits, else all but near ties.

Class c is worth base_c + rise_c * i at index i of its accumulator, rise_c >= 0. Training and the ONNX import both end
here:

1. few classes: the integers that keep the order of the float32 scores for all pairs, if some of that width do
   (`scores`);
2. equal rises (plain sums with biases): (i, fraction of base / rise by rank) keeps the order of the exact sums for all
   pairs, where float32 rounds some of them to ties that no integers have;
3. else the lines, rounded to the width: two scores may change sides where they are nearly equal.

What differs from the float32 order is counted over all pairs that could be the largest, and bounded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import ExportError
from bitwright_core.network import Scores, signed_bits
from bitwright_core.score_order import order_keeping_scores

SCORE_BITS = 24  # the default width
SLOPE_BITS = 8  # that a scale has at least, however many values the accumulator takes
_SEARCHED = 32  # classes up to which the search for exact integers is quick
_COUNTED = 1 << 22  # items whose pairs are counted
_STEPS = 64  # roundings that are tried
_SAME = 1e-9  # relative difference of rises that float64 arithmetic explains


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreFit:
    """Scores of index i = 0, 1, ..., and how far they keep the order of the float32 scores.

    Of all pairs of a class and an index that could be the largest, `differing` are in another order; such scores
    differ by at most `within` in float32. None: too many to count.
    """

    scores: Scores
    differing: int | None
    pairs: int
    within: float
    exact: bool  # the order of the exact sums is kept, whatever float32 makes of them

    @property
    def note(self) -> str | None:
        """What a user should know; None where the order is kept for all pairs."""
        if self.differing == 0:
            return None
        told = "some" if self.differing is None else f"{self.differing:,}"
        why = "the exact sums decide" if self.exact else "scores are rounded to their width"
        return (
            f"of {self.pairs:,} pairs of class sums {told} are not in the order that float32 gives them ({why}); the "
            f"two differ by at most {self.within:.3g}, so that only a class that leads by no more can change"
        )


def class_scores(
    table: NDArray[np.float32] | None,
    lines: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    indices: int,
    where: str,
    *,
    bits: int = SCORE_BITS,
    rounding: float = 0.0,
) -> ScoreFit:
    """Scores of about `bits` bits; `bits` 0: of any width, the order of `table` kept for all pairs, or refused.

    `table` (indices, classes) has the float32 scores, None where they are too many to look at, and then `rounding` says
    how far they lie from `lines` (base and rise of each class); `lines` None: they are no lines. Raises ExportError.
    """
    if table is not None and not np.isfinite(table).all():
        raise ExportError(f"{where}: class scores overflow float32 or are NaN; retrain at a lower learning rate")
    width = max(bits, indices.bit_length() + SLOPE_BITS) if bits else 0
    classes = table.shape[1] if table is not None else 0 if lines is None else len(lines[0])
    if table is not None and (not bits or lines is None or classes <= _SEARCHED):
        try:
            found = order_keeping_scores(table, where, bits=width or None)
            return ScoreFit(scores=found, differing=0, pairs=_all_pairs(table.size), within=0.0, exact=False)
        except ExportError:
            if not bits or lines is None:
                raise
    if lines is None or not bits:
        raise ExportError(
            f"{where}: its accumulators take {indices:,} values, too many to keep the order of all scores"
        )
    base, rise = lines
    ranked = _ranked(base, rise, indices, width)
    scores, error = (ranked, 0.0) if ranked is not None else _rounded(base, rise, indices, width, where)
    differing, pairs, within = _compared(scores, base, rise, indices, table, error, rounding)
    return ScoreFit(scores=scores, differing=differing, pairs=pairs, within=within, exact=ranked is not None)


def _ranked(base: NDArray[np.float64], rise: NDArray[np.float64], indices: int, width: int) -> Scores | None:
    """The exact order of lines of one rise, if it fits `width`; None otherwise."""
    top = float(rise.max())
    if top <= 0 or float(rise.min()) < top * (1 - _SAME):
        return None
    places = base / top
    whole = np.floor(places)
    _, rank = np.unique(places - whole, return_inverse=True)
    step = int(rank.max()) + 1
    span = float(whole.max() - whole.min() + indices) * step
    if span >= 2.0**width:
        return None
    offset = (whole - whole.min()).astype(np.int64) * step + rank.reshape(-1)
    return _centred(np.full(len(base), step, np.int64), offset, indices)


def _rounded(
    base: NDArray[np.float64], rise: NDArray[np.float64], indices: int, width: int, where: str
) -> tuple[Scores, float]:
    """The lines rounded to `width` bits, and the largest error of a class that can win."""
    last = indices - 1
    floor = base.max()  # a score that some class always reaches
    alive = base + rise * last >= floor
    low, rise_, base_ = float(base[alive].min()), rise[alive], base[alive]
    span = float((base_ + rise_ * last).max()) - low
    if span <= 0:
        return _centred(np.zeros(len(base), np.int64), alive.astype(np.int64), indices), 0.0
    best: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
    for step in span / (2.0**width - 2.0 * indices - 4) * np.linspace(1, 2, _STEPS):
        scale = np.rint(rise_ / step)
        offset = np.rint((base_ - low + rise_ * last / 2) / step - scale * last / 2)
        error = float(max(np.abs(base_ - low + rise_ * i - step * (scale * i + offset)).max() for i in (0, last)))
        if best is None or error < best[0]:
            best = error, scale, offset
    assert best is not None
    error, scale, offset = best
    scales, offsets = np.zeros(len(base), np.int64), np.zeros(len(base), np.int64)
    scales[alive], offsets[alive] = scale.astype(np.int64), offset.astype(np.int64)
    # a class that can never win stays below the one that is always at `floor` or above
    offsets[~alive] = offsets[int(np.argmax(base))] - 1
    found = _centred(scales, offsets, indices)
    if max(map(signed_bits, found.range(0, last))) > width + 1:
        raise ExportError(f"{where}: class scores do not fit {width} bits; allow more")
    return found, error


def _centred(scale: NDArray[np.int64], offset: NDArray[np.int64], indices: int) -> Scores:
    low, high = int(offset.min()), int((offset + scale * (indices - 1)).max())
    return Scores(scale=scale, offset=offset - (low + high + 1) // 2)


def _compared(
    scores: Scores,
    base: NDArray[np.float64],
    rise: NDArray[np.float64],
    indices: int,
    table: NDArray[np.float32] | None,
    error: float,
    rounding: float,
) -> tuple[int | None, int, float]:
    """Pairs in another order, all pairs, and how far apart the scores of such a pair may lie."""
    pairs = _all_pairs(indices * len(base))
    if table is not None:
        alive = base + rise * (indices - 1) >= base.max()
        exact = base[alive] + rise[alive] * np.arange(indices)[:, None]
        rounding = float(np.abs(table[:, alive].astype(np.float64) - exact).max())
    within = 2 * (error + rounding)
    if table is None or table.size > _COUNTED:
        return None, pairs, within
    index, kind = np.nonzero(table >= table[0].max())  # what some class always reaches, or more
    values = table[index, kind]
    differing = differing_pairs(values, scores.scale[kind] * index + scores.offset[kind], kind, index)
    return differing, _all_pairs(len(index)), within


def _all_pairs(items: int) -> int:
    return items * (items - 1) // 2


def differing_pairs(
    values: NDArray[Any], scores: NDArray[np.int64], classes: NDArray[np.int64], index: NDArray[np.int64]
) -> int:
    """Pairs of items (n,) that `values` and `scores` order differently, an earlier class winning a tie. O(n log n)."""
    order = np.lexsort((index, -classes, values))
    by_score = np.lexsort((index, -classes, scores))
    rank = np.empty(len(order), np.int64)
    rank[by_score] = np.arange(len(order))
    return inversions(rank[order])


def inversions(ranks: NDArray[np.int64]) -> int:
    """Pairs i < j with ranks[i] > ranks[j] of a permutation of 0 .. n - 1: bit by bit from the top, in stable order."""
    left = ranks
    count = 0
    for bit in reversed(range(max(1, len(ranks)).bit_length())):
        group, ones = left >> (bit + 1), (left >> bit) & 1
        before = np.cumsum(ones) - ones
        starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1]))) if len(left) else np.zeros(0, int)
        lengths = np.diff(np.append(starts, len(left)))
        count += int((before - np.repeat(before[starts], lengths))[ones == 0].sum())
        left = left[np.argsort(left >> bit, kind="stable")]
    return count

"""Float class scores to the smallest integers that keep their order, for every pair of classes and popcounts.

Class c of the float network scores f_c(p) at popcount p, never decreasing in p. Wanted are integers
scale_c >= 0 and offset_c with S_c(p) = scale_c * p + offset_c such that, for all classes c < d and all
popcounts p and q, f_c(p) >= f_d(q) exactly when S_c(p) >= S_d(q): what "the first largest" depends on, and
nothing else.

Put all (class, popcount) items in the order in which they win: by f, and among equals the later class
first. The integers keep the order exactly when no step from one item to the next goes down, so that M items
need M - 1 inequalities. For given scales these only bound differences of offsets, and such a system has a
solution in integers exactly when its graph has no cycle of positive weight (R. Bellman, "On a routing
problem", 1958); the longest paths are a solution. What is left to search is one multiplier for the scales.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import ExportError
from bitwright_core.network import Scores, signed_bits

_PROBES = 8  # multipliers tried at each length of the largest scale, to find about where they fit
_TRIES_A_BIT = 512  # and at most so many from a few bits below, to find the least
_BITS_BACK = 8
_SEARCH_VALUES = 1 << 23  # work at one length of that second search, in values
_BITS_BACK_LARGE = 2  # where that work does not allow all tries
_CHUNK_VALUES = 1 << 22
_NONE = -(1 << 61)  # the bound between two classes that are never neighbours
_SUM_BITS = 58  # no sum of bounds along a path may pass this


@dataclass(frozen=True, kw_only=True, eq=False)
class _Steps:
    """Neighbours of different classes in the wanted order, grouped by their pair of classes."""

    lower_class: NDArray[np.int64]
    lower_count: NDArray[np.int64]
    upper_class: NDArray[np.int64]
    upper_count: NDArray[np.int64]
    starts: NDArray[np.int64]  # where each group begins

    @property
    def rise(self) -> NDArray[np.int64]:
        """How much the score must rise at least: an earlier class wins a tie, a later one does not."""
        return (self.upper_class > self.lower_class).astype(np.int64)


def _steps(table: NDArray[np.float32]) -> _Steps:
    counts, classes = table.shape
    order = np.lexsort((np.tile(-np.arange(classes), counts), table.ravel()))
    which, count = order % classes, order // classes
    differ = np.flatnonzero(which[:-1] != which[1:])
    grouped = differ[np.argsort(which[differ] * classes + which[differ + 1], kind="stable")]
    pairs = which[grouped] * classes + which[grouped + 1]
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
    return _Steps(
        lower_class=which[grouped],
        lower_count=count[grouped],
        upper_class=which[grouped + 1],
        upper_count=count[grouped + 1],
        starts=starts,
    )


def keeps_order(table: NDArray[np.float32], scale: NDArray[np.int64], offset: NDArray[np.int64]) -> bool:
    """Whether the integers keep the order of `table` (N + 1, classes) for all pairs. O(M log M)."""
    counts, classes = table.shape
    order = np.lexsort((np.tile(-np.arange(classes), counts), table.ravel()))
    which = order % classes
    score = scale[which] * (order // classes) + offset[which]
    rise = score[1:] - score[:-1]
    return bool(np.all((rise > 0) | ((rise == 0) & (which[1:] <= which[:-1]))))


def _offsets(steps: _Steps, scales: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]] | None:
    """The first of the scales (n, classes) that some offsets suit, and the least such offsets >= 0."""
    classes = scales.shape[1]
    need = (
        scales[:, steps.lower_class] * steps.lower_count - scales[:, steps.upper_class] * steps.upper_count + steps.rise
    )
    bound = np.full((len(scales), classes, classes), _NONE, np.int64)
    heads = steps.starts
    bound[:, steps.lower_class[heads], steps.upper_class[heads]] = np.maximum.reduceat(need, heads, axis=1)
    alive = np.arange(len(scales))
    # cycles of two are most of what fails: look at them before the paths
    fine = ~np.any((bound + bound.transpose(0, 2, 1)) > 0, axis=(1, 2))
    alive, bound = alive[fine], bound[fine]
    for middle in range(classes):
        if not len(alive):
            return None
        through = bound[:, :, middle, None] + bound[:, None, middle, :]
        np.maximum(bound, through, out=bound)
        fine = ~np.any(np.diagonal(bound, axis1=1, axis2=2) > 0, axis=1)
        if not fine.all():
            alive, bound = alive[fine], bound[fine]
    if not len(alive):
        return None
    return int(alive[0]), np.maximum(bound[0].max(axis=0), 0)


def _compressed(slope: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """The slopes with every gap between one and the next larger closed to at most `ratio`.

    A class whose every step exceeds the whole range of another orders against it in the same way whatever
    more it grows, so that integers need not span the range of float32.
    """
    order = np.argsort(slope, kind="stable")
    result = np.zeros_like(slope)
    before = value = 0.0
    for index in order[slope[order] > 0]:
        value = value * min(slope[index] / before, ratio) if before else 1.0
        before = slope[index]
        result[index] = value
    return result


def _candidates(slope: NDArray[np.float64], length: int, tries: int) -> NDArray[np.int64]:
    """Distinct scales (n, classes), the largest of `length` bits, in the proportions of `slope`."""
    if length == 0:
        return np.zeros((1, len(slope)), np.int64)
    sizes = (1 << (length - 1)) * (1 + np.arange(tries) / tries)
    scales = np.unique(np.rint(sizes[:, None] * (slope / slope.max())).astype(np.int64), axis=0)
    return scales[np.argsort(scales.max(axis=1), kind="stable")]


def _search(
    steps: _Steps, slopes: list[NDArray[np.float64]], length: int, tries: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The first scales of that length, and offsets for them, that satisfy every step."""
    for slope in slopes:
        candidates = _candidates(slope, length, min(tries, 4 << length))
        chunk = max(1, _CHUNK_VALUES // (len(steps.lower_class) + len(slope) ** 2))
        for start in range(0, len(candidates), chunk):
            found = _offsets(steps, candidates[start : start + chunk])
            if found is not None:
                return candidates[start + found[0]], found[1]
    return None


def order_keeping_scores(table: NDArray[np.float32], where: str, *, bits: int | None = None) -> Scores:
    """The smallest integers found that keep the order of `table` (N + 1, classes), columns never decreasing.

    The length of the largest scale grows bit by bit, a few multipliers of the float slopes tried at each,
    until one fits; then up to 512 are tried at that length and those just below. With `bits`, the scores themselves may
    have no more. Raises ExportError, beginning
    with `where`, for scores that are not finite or whose order no tried integers keep.
    """
    counts, classes = table.shape
    if not np.isfinite(table).all():
        raise ExportError(f"{where}: class scores overflow float32 or are NaN; retrain at a lower learning rate")
    if np.any(table[1:] < table[:-1]):
        raise ExportError(f"{where}: class scores decrease with the popcount; complement those weight rows")
    if classes == 1:
        return Scores(scale=np.zeros(1, np.int64), offset=np.zeros(1, np.int64))
    steps = _steps(table)
    centred = np.arange(counts, dtype=np.float64) - (counts - 1) / 2
    slope = np.maximum(centred @ table.astype(np.float64) / max(centred @ centred, 1.0), 0)
    # a rising class may not lose its slope to the cancellation of large terms
    slope = np.maximum(slope, np.where(table[-1] > table[0], np.finfo(np.float64).tiny, 0))
    compressed = _compressed(slope, 2.0 * counts)
    slopes = [slope]
    if slope.max() > 0 and not np.allclose(slope / slope.max(), compressed / compressed.max(), rtol=1e-6, atol=0):
        slopes.append(compressed)
    limit = _SUM_BITS - counts.bit_length() - classes.bit_length() if slope.max() > 0 else 0
    if bits is not None:
        limit = min(limit, bits - (counts - 1).bit_length() + 1)
    tries = int(np.clip(_SEARCH_VALUES // (len(steps.lower_class) + classes**2), _PROBES, _TRIES_A_BIT))
    for probed in range(limit + 1):
        if _search(steps, slopes, probed, _PROBES) is None:
            continue
        back = _BITS_BACK if tries == _TRIES_A_BIT else _BITS_BACK_LARGE
        for length in range(max(0, probed - back), probed + 1):
            found = _search(steps, slopes, length, tries if length < probed else _PROBES)
            if found is not None:
                scores = _centred(table, *found, where)
                if bits is None or max(map(signed_bits, scores.range(0, counts - 1))) <= bits:
                    return scores
                break
    raise ExportError(
        f"{where}: no integer scores of up to {bits or _SUM_BITS} bits keep the order of all {classes} classes; "
        "train with fewer classes, or with final_norm = false"
    )


def _centred(table: NDArray[np.float32], scale: NDArray[np.int64], offset: NDArray[np.int64], where: str) -> Scores:
    """The scores moved to the middle of the signed range, and proven once more."""
    low, high = int(offset.min()), int((offset + scale * (len(table) - 1)).max())
    offset = offset - (low + high + 1) // 2
    if not keeps_order(table, scale, offset):
        raise ExportError(f"{where}: the integer scores found do not keep the order; please report this")
    return Scores(scale=scale, offset=offset)

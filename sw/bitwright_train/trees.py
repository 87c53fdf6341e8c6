"""Decision trees of thermometer bits: where the thresholds of a code, and the wiring of a first layer, may come from.

Trees grow best first, by how much a comparison tells of the class (L. Breiman et al., "Classification and Regression
Trees", 1984, with entropy in the place of Gini's index).
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-9  # bits, below which a split tells nothing


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A way through a tree: comparisons (value, threshold, whether the value reaches it), and the class at its end."""

    path: tuple[tuple[int, int, bool], ...]
    klass: int
    frames: int  # training frames that end here and are of that class


def comparison_luts(threshold: int, bits: int) -> int:
    """LUTs of six inputs that compare a value of `bits` bits with `threshold`: none for its top bit alone."""
    read = bits - ((threshold & -threshold).bit_length() - 1)
    return 0 if read == 1 else -(-(read - 1) // 5)


def entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits of counts (..., classes) of each class, times their sum: what telling all of these frames apart takes."""
    total = counts.sum(-1, keepdims=True)
    share = counts / np.maximum(total, 1)
    logs: NDArray[np.float64] = -(counts * np.log2(np.where(share > 0, share, 1))).sum(-1)
    return logs


@dataclass(frozen=True, kw_only=True)
class _Split:
    gain: float  # bits, less what a new threshold costs
    value: int
    threshold: int


class Tree:
    """A tree over `values` (n, values) with `labels` (n,), which grows a split at a time.

    Splits compare a value with one of `thresholds`. A path reads at most `depth` different comparisons. A threshold
    that no split had yet costs `cost` bits a frame for each LUT of its comparison, of values of `bits` bits.
    """

    def __init__(
        self,
        values: NDArray[np.integer],
        labels: NDArray[np.integer],
        *,
        classes: int,
        bits: int,
        thresholds: Sequence[int],
        depth: int,
        cost: float = 0.0,
    ) -> None:
        self.values = values
        self.labels = labels.astype(np.int64)
        self.classes = classes
        self.bits = bits
        self.thresholds = np.array(thresholds, np.int64)
        self.depth = depth
        luts = np.array([comparison_luts(int(t), bits) for t in self.thresholds])
        self._prices = cost * len(values) * luts  # of a split by each threshold; 0 once another has it
        self.cost = cost
        self.used: set[int] = set()
        self._leaves: dict[int, tuple[NDArray[np.int64], tuple[tuple[int, int, bool], ...]]] = {}
        self._open: list[tuple[float, int, _Split]] = []
        self._count = 0
        self._add(np.arange(len(values)), ())

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The tree's leaves; those that most frames of their class reach come first."""
        found = []
        for rows, path in self._leaves.values():
            counts = np.bincount(self.labels[rows], minlength=self.classes)
            found.append(Leaf(path=path, klass=int(counts.argmax()), frames=int(counts.max())))
        return tuple(sorted(found, key=lambda leaf: (-leaf.frames, leaf.path)))

    def grow(self) -> bool:
        """Splits the leaf that gains most; False where none gains anything."""
        if not self._open:
            return False
        _, number, split = heapq.heappop(self._open)
        self._split(number, split)
        return True

    def _split(self, number: int, split: _Split) -> None:
        rows, path = self._leaves.pop(number)
        if split.threshold not in self.used:
            self.used.add(split.threshold)
            self._prices[self.thresholds == split.threshold] = 0
            self._judge()
        reaches = self.values[rows, split.value] >= split.threshold
        for side in (False, True):
            self._add(rows[reaches == side], (*path, (split.value, split.threshold, side)))

    def _judge(self) -> None:
        """Chooses the splits of all leaves anew: a threshold has become free."""
        if not self.cost:
            return
        self._open = []
        for number, (rows, path) in self._leaves.items():
            best = self._best(rows, path)
            if best is not None:
                self._open.append((-best.gain, number, best))
        heapq.heapify(self._open)

    def _add(self, rows: NDArray[np.int64], path: tuple[tuple[int, int, bool], ...]) -> None:
        self._leaves[self._count] = rows, path
        best = self._best(rows, path)
        if best is not None:
            heapq.heappush(self._open, (-best.gain, self._count, best))
        self._count += 1

    def _best(self, rows: NDArray[np.int64], path: tuple[tuple[int, int, bool], ...]) -> _Split | None:
        """The split of a leaf that gains most, None if none does."""
        labels = self.labels[rows]
        if len({(value, threshold) for value, threshold, _ in path}) >= self.depth or (labels == labels[0]).all():
            return None
        count, size = self.values.shape[1], 1 << self.bits
        place = (np.arange(count) * size + self.values[rows]) * self.classes + labels[:, None]
        counts = np.bincount(place.reshape(-1), minlength=count * size * self.classes)
        above = counts.reshape(count, size, self.classes)[:, ::-1].cumsum(1)[:, ::-1].astype(np.float64)
        high, whole = above[:, self.thresholds], above[:, :1]  # frames of each class that reach them, and all
        gains = entropy(whole) - entropy(high) - entropy(whole - high) - self._prices
        value, best = divmod(int(gains.argmax()), len(self.thresholds))
        if gains[value, best] <= _LEAST:
            return None
        return _Split(gain=float(gains[value, best]), value=value, threshold=int(self.thresholds[best]))

"""How networks that a search found stand beside uniform scalings of one network, and estimates beside Yosys."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TypeVar

import numpy as np
from scipy.stats import spearmanr

from bitwright.pareto import unbeaten

GAIN_GOAL = 0.3  # points
SAVING_GOAL = 0.25  # of the LUTs
RANK_GOAL = 0.95

_Item = TypeVar("_Item")
Point = tuple[float, float]  # LUTs, and the share of frames told right


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What uniform scaling reaches: its unbeaten points, the fewest LUTs first."""

    points: tuple[Point, ...]

    @staticmethod
    def of(by_width: Sequence[Sequence[Point]]) -> "Scaling":
        """Of the seeds of each width, whose means are its point."""
        means = [(mean(luts for luts, _ in some), mean(right for _, right in some)) for some in by_width]
        return Scaling(points=unbeaten(means, lambda one: one[0], lambda one: one[1]))

    def accuracy_at(self, luts: float) -> float | None:
        """Straight between two points over the logarithm of LUTs; None outside of them."""
        sizes, right = zip(*self.points, strict=True)
        return float(np.interp(np.log(luts), np.log(sizes), right)) if sizes[0] <= luts <= sizes[-1] else None

    def luts_at(self, accuracy: float) -> float | None:
        """The LUTs at which scaling is as accurate, by the same lines; None outside of them."""
        sizes, right = zip(*self.points, strict=True)
        inside = right[0] <= accuracy <= right[-1]
        return float(np.exp(np.interp(accuracy, right, np.log(sizes)))) if inside else None


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The networks of one search beside the scaling: means over those that lie within its range, None without one."""

    seed: int
    networks: int
    gains: tuple[float, ...]  # points at equal LUTs
    savings: tuple[float, ...]  # share of the LUTs at equal accuracy

    @staticmethod
    def of(seed: int, points: Sequence[Point], scaling: Scaling) -> "Beside":
        """Of the (LUTs, accuracy) of the networks that the search of `seed` found."""
        gains, savings = [], []
        for luts, right in points:
            others, size = scaling.accuracy_at(luts), scaling.luts_at(right)
            gains += [] if others is None else [100 * (right - others)]
            savings += [] if size is None else [1 - luts / size]
        return Beside(seed=seed, networks=len(points), gains=tuple(gains), savings=tuple(savings))

    @property
    def gain(self) -> float | None:
        """Points at equal LUTs."""
        return mean(self.gains) if self.gains else None

    @property
    def saving(self) -> float | None:
        """Share of the LUTs at equal accuracy."""
        return mean(self.savings) if self.savings else None

    @property
    def holds(self) -> bool:
        """Whether one of both goals is reached."""
        return (self.gain or 0.0) >= GAIN_GOAL or (self.saving or 0.0) >= SAVING_GOAL


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Estimated LUTs beside counted ones: Spearman's rank correlation, and errors as shares of what is counted."""

    designs: int
    correlation: float
    mean_error: float
    worst_error: float

    @staticmethod
    def of(pairs: Sequence[tuple[float, float]]) -> "Ranking":
        """Of three or more (estimated, counted)."""
        estimated, counted = map(np.array, zip(*pairs, strict=True))
        errors = np.abs(estimated / counted - 1)
        return Ranking(
            designs=len(pairs),
            correlation=float(spearmanr(estimated, counted).statistic),
            mean_error=float(errors.mean()),
            worst_error=float(errors.max()),
        )


def spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """At most `count` of `items`, evenly over them, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)] if count > 1 else [items[-1]]

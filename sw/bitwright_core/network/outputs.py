"""What a layer makes of its accumulators: activation bits, scores, or votes; and what scores are worth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError
from bitwright_core.network.values import SCORE_BITS, frozen


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """Accumulators to activations: the value is the number of levels with a >= T. One level gives a bit."""

    values: NDArray[np.int64]  # (outputs, levels), not decreasing along levels, least .. largest + 1

    def __post_init__(self) -> None:
        values = frozen(self.values, np.int64, "thresholds")
        if values.ndim != 2 or values.size == 0:
            raise NetworkError(f"thresholds must have shape (outputs, levels), not {values.shape}")
        if np.any(np.diff(values, axis=1) < 0):
            raise NetworkError("thresholds must not decrease from one level to the next")
        object.__setattr__(self, "values", values)

    @property
    def outputs(self) -> int:
        return int(self.values.shape[0])

    @property
    def levels(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Accumulators to class scores: scale_c * a + offset_c, with scale_c >= 0."""

    scale: NDArray[np.int64]  # (classes,)
    offset: NDArray[np.int64]  # (classes,)

    def __post_init__(self) -> None:
        scale = frozen(self.scale, np.int64, "score scales")
        offset = frozen(self.offset, np.int64, "score offsets")
        if scale.ndim != 1 or scale.shape != offset.shape or scale.size == 0:
            raise NetworkError(
                f"score scale and offset must be two lists of one length, not of shapes {scale.shape}, {offset.shape}"
            )
        if np.any(scale < 0):
            raise NetworkError(
                "score scales must not be negative: complement the weight row and move the sum into the offset"
            )
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "offset", offset)

    @property
    def outputs(self) -> int:
        return int(self.scale.size)

    def range(self, least: int, largest: int) -> tuple[int, int]:
        """The least and the largest score of accumulators `least` .. `largest`."""
        pairs = list(zip(self.scale.tolist(), self.offset.tolist(), strict=True))
        return min(s * least + o for s, o in pairs), max(s * largest + o for s, o in pairs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """Accumulators to class scores by a threshold each: votes_c where a >= T_c, else 0.

    With votes that rise from class to class, the class is the last one whose threshold is reached (the highest
    set bit), and the first class where none is.
    """

    thresholds: NDArray[np.int64]  # (classes,), least .. largest + 1
    votes: NDArray[np.int64]  # (classes,), at least 0

    def __post_init__(self) -> None:
        thresholds = frozen(self.thresholds, np.int64, "vote thresholds")
        votes = frozen(self.votes, np.int64, "votes")
        if thresholds.ndim != 1 or thresholds.shape != votes.shape or votes.size == 0:
            raise NetworkError(
                f"thresholds and votes must be two lists of one length, not of shapes {thresholds.shape}, {votes.shape}"
            )
        if votes.min() < 0 or int(votes.max()) >> (SCORE_BITS - 1):
            raise NetworkError(f"votes must lie in 0..2^{SCORE_BITS - 1} - 1, not {votes.tolist()}")
        object.__setattr__(self, "thresholds", thresholds)
        object.__setattr__(self, "votes", votes)

    @property
    def outputs(self) -> int:
        return int(self.votes.size)


@dataclass(frozen=True, kw_only=True)
class Values:
    """What scores are worth as numbers: `step` times the score, at most `error` from the trained network's value.

    Score 0 is the value 0, and a score is 0 or more exactly where the value is. Nothing computes with these two.
    """

    step: float  # above 0
    error: float  # at least 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 0 and math.isfinite(self.error) and self.error >= 0):
            raise NetworkError(
                f"values need a finite step above 0 and a finite error of at least 0, not {self.step} and {self.error}"
            )


def check_output(
    output: Thresholds | Scores | Votes, *, name: str, outputs: int, least: int, largest: int, largest_is: str
) -> None:
    """Raises NetworkError unless `output` suits layer `name`: `outputs` rows, accumulators `least` .. `largest`."""
    if output.outputs != outputs:
        raise NetworkError(f"layer {name}: {outputs} weight rows but {output.outputs} rows of thresholds or scores")
    match output:
        case Thresholds(values=values):
            _check_range(values, name, least, largest, largest_is)
            if output.levels != 1:
                raise NetworkError(
                    f"layer {name}: thresholds of {output.levels} levels describe multi-bit "
                    "activations, which this version cannot compute; use one level"
                )
        case Votes(thresholds=values):
            _check_range(values, name, least, largest, largest_is)
        case Scores():
            top = max(map(abs, (*output.range(least, least), *output.range(largest, largest))))
            if top >> (SCORE_BITS - 1):
                raise NetworkError(f"layer {name}: scores reach {top}, which needs more than {SCORE_BITS} bits")


def _check_range(values: NDArray[np.int64], name: str, least: int, largest: int, largest_is: str) -> None:
    if values.min() < least or values.max() > largest + 1:
        raise NetworkError(
            f"layer {name}: thresholds must lie in {least}..{largest + 1} ({largest_is} + 1), "
            f"not {int(values.min())}..{int(values.max())}"
        )

"""Votes: scores of networks that were trained to say a class by bits."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import SCORE_BITS, frozen
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType, signed_bits, signed_type
from bitwright_core.outputs.thresholds import check_range
from bitwright_core.tensors import Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """Accumulators to class scores by a threshold each: votes_c where a >= T_c, else 0.

    With votes that rise from class to class, the class is the last one whose threshold is reached (the highest
    set bit), and the first class where none is.
    """

    kind: ClassVar[Literal["votes"]] = "votes"
    gives_scores: ClassVar[bool] = True
    levels: ClassVar[int] = 1
    base: ClassVar[int] = 0
    digest_name: ClassVar[str] = "votes"

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

    @property
    def compared(self) -> NDArray[np.int64]:
        """(classes, 1): what accumulators are compared with."""
        return self.thresholds[:, None]

    def range(self, least: int, largest: int) -> tuple[int, int]:
        """The least and the largest score, for any accumulators."""
        return 0, int(self.votes.max())

    def number(self, least: int, largest: int) -> NumberType:
        """The number type of what it gives, whatever the accumulators."""
        return signed_type(max(map(signed_bits, self.range(least, largest))))

    def check(self, where: str, least: int, largest: int, largest_is: str) -> None:
        """Raises NetworkError, beginning with `where`, unless it suits accumulators `least` .. `largest`."""
        check_range(self.thresholds, where, least, largest, largest_is)

    def of(self, sums: NDArray[np.signedinteger]) -> NDArray[np.int64]:
        """The scores of accumulators (..., classes)."""
        return np.where(sums >= self.thresholds, self.votes, 0)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file and the digest have of it, in order."""
        return {"thresholds": self.thresholds, "votes": self.votes}

    @staticmethod
    def read(tensors: Tensors, outputs: int, levels: int, base: int = 0) -> "Votes":
        """Reads it from the tensors of a file. Raises NetworkError."""
        return Votes(thresholds=tensors.take("thresholds", (outputs,)), votes=tensors.take("votes", (outputs,)))

"""Scores: accumulators to what chooses a class, or is worth a number."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import SCORE_BITS, frozen
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType, signed_bits, signed_type
from bitwright_core.tensors import Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Accumulators to class scores: scale_c * a + offset_c, with scale_c >= 0."""

    kind: ClassVar[Literal["scores", "sums"]] = "scores"
    gives_scores: ClassVar[bool] = True
    levels: ClassVar[int] = 1
    base: ClassVar[int] = 0
    digest_name: ClassVar[str] = "scores"

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

    @property
    def compared(self) -> None:
        """None: accumulators are compared with nothing."""

    def range(self, least: int, largest: int) -> tuple[int, int]:
        """The least and the largest score of accumulators `least` .. `largest`."""
        pairs = list(zip(self.scale.tolist(), self.offset.tolist(), strict=True))
        return min(s * least + o for s, o in pairs), max(s * largest + o for s, o in pairs)

    def number(self, least: int, largest: int) -> NumberType:
        """The number type of what it gives for accumulators `least` .. `largest`."""
        return signed_type(max(map(signed_bits, self.range(least, largest))))

    def check(self, where: str, least: int, largest: int, largest_is: str) -> None:
        """Raises NetworkError, beginning with `where`, for scores that are too wide."""
        top = max(map(abs, (*self.range(least, least), *self.range(largest, largest))))
        if top >> (SCORE_BITS - 1):
            raise NetworkError(f"{where}: scores reach {top}, which needs more than {SCORE_BITS} bits")

    def of(self, sums: NDArray[np.signedinteger]) -> NDArray[np.int64]:
        """The scores of accumulators (..., classes)."""
        return self.scale * sums + self.offset

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file and the digest have of it, in order."""
        return {"scale": self.scale, "offset": self.offset}

    @staticmethod
    def read(tensors: Tensors, outputs: int, levels: int, base: int = 0) -> "Scores":
        """Reads it from the tensors of a file. Raises NetworkError."""
        return Scores(scale=tensors.take("scale", (outputs,)), offset=tensors.take("offset", (outputs,)))

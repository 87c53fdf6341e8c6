"""Sums: accumulators as integers, for operators that add or compare them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bitwright_core.checks import MAX_INTEGER_BITS
from bitwright_core.errors import NetworkError
from bitwright_core.outputs.scores import Scores
from bitwright_core.tensors import Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums(Scores):
    """Accumulators to integers, scale_c * a + offset_c, of a layer that is not the last.

    They have the form of scores, but are taken by other operators.
    """

    kind: ClassVar[Literal["scores", "sums"]] = "sums"
    gives_scores: ClassVar[bool] = False
    digest_name: ClassVar[str] = "sums"

    @staticmethod
    def of_dots(inputs: int, outputs: int) -> "Sums":
        """The dot products of rows of `inputs` bits, 2 p - N of popcounts p."""
        return Sums(scale=np.full(outputs, 2), offset=np.full(outputs, -inputs))

    def check(self, where: str, least: int, largest: int, largest_is: str) -> None:
        """Raises NetworkError, beginning with `where`, for sums that are too wide."""
        bits = self.number(least, largest).bits
        if bits > MAX_INTEGER_BITS:
            raise NetworkError(f"{where}: sums take {bits} bits, more than the {MAX_INTEGER_BITS} of a value")

    @staticmethod
    def read(tensors: Tensors, outputs: int, levels: int, base: int = 0) -> "Sums":
        """Reads it from the tensors of a file. Raises NetworkError."""
        return Sums(scale=tensors.take("scale", (outputs,)), offset=tensors.take("offset", (outputs,)))

"""Fully connected layers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network.matrix import MatrixLayer
from bitwright_core.network.outputs import Scores, Thresholds, Votes
from bitwright_core.network.values import BINARY, NumberType


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(MatrixLayer):
    """A fully connected layer of +-1 weights: an accumulator for each row, then `output`.

    It takes an image, too, in raster order with the channels fastest. `takes` is signed for a first layer on
    integers.
    """

    kind: ClassVar[str] = "dense"

    name: str
    weights: NDArray[np.uint8]  # (outputs, inputs), 1 is +1 and 0 is -1
    output: Thresholds | Scores | Votes
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        self._check_matrix("outputs, inputs")
        self._check_output()

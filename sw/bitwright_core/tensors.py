"""The arrays of a network file, as the parts that are read from it ask for them."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitwright_core.numbers import NumberType


class Tensors(Protocol):
    """The arrays of one part of a network file, each taken once. Raises NetworkError for one that is not as asked."""

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """The array `name`, of this shape."""

    def bits(self, name: str, rows: int, lanes: int) -> NDArray[np.uint8]:
        """0/1 values (rows, lanes), which the file packs eight a byte, lane 0 lowest."""

    def numbers(self, name: str, rows: int, lanes: int, number: NumberType) -> NDArray[np.integer]:
        """Stored numbers (rows, lanes) of that type: bits as `bits`, others of several planes of bits."""

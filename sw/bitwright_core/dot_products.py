"""Exact dot products with rows of weights, several of them in one floating-point product.

A matrix product of whole numbers is exact in float32 while every partial sum stays below 2^24 (in float64 below 2^53),
in whatever order the sums are taken. A dot product of N bits needs few of those digits, so that one column of weights
can hold several rows, each shifted by the digits of those before: w0 + 2^b w1. The product's digits, b at a time, are
the rows' dot products. Of up to 2,047 bits two fit, which takes half the time of a product for each.
"""

import numpy as np
from numpy.typing import NDArray

from bitwright_core.numbers import BINARY, NumberType

_EXACT_BITS = {np.float32: 24, np.float64: 53}


class DotProducts:
    """Dot products of values with `rows` (outputs, inputs) of stored numbers, by default bits that stand for -1 and +1.

    `largest` bounds their size, and that of each partial sum. `dtype` is the floating type that values come in,
    `integers` the type of the results: int32, or int64 where `largest` takes more than 24 bits.
    """

    def __init__(self, rows: NDArray[np.integer], largest: int, number: NumberType = BINARY):
        self.largest = largest
        self.outputs = len(rows)
        small = largest < 1 << _EXACT_BITS[np.float32]
        self.dtype: type[np.floating] = np.float32 if small else np.float64
        self.integers: type[np.signedinteger] = np.int32 if small else np.int64
        self.bits = max(1, (2 * largest).bit_length())  # of a field: dot product + largest, so that none is negative
        self.fields = max(1, min(self.outputs, _EXACT_BITS[self.dtype] // self.bits))
        self._columns = -(-self.outputs // self.fields)  # column c has rows c, c + columns, ...
        weights = number.values(rows.T, self.dtype)
        self._weights: NDArray[np.floating] = np.zeros((rows.shape[1], self._columns), self.dtype)
        for field, part in enumerate(self._parts):
            self._weights[:, : part.stop - part.start] += weights[:, part] * (1 << self.bits * field)
        self._raised = self.dtype(sum(largest << self.bits * field for field in range(self.fields)))

    @property
    def _parts(self) -> list[slice]:
        """The rows of each field."""
        ends = range(0, self.outputs, self._columns)
        return [slice(start, min(start + self._columns, self.outputs)) for start in ends]

    def of(self, values: NDArray[np.floating]) -> NDArray[np.signedinteger]:
        """The dot products (n, outputs) of values (n, inputs): -1 and +1, or whole numbers, of type `dtype`."""
        product = values @ self._weights
        if self.fields == 1:
            return product.astype(self.integers)
        product += self._raised
        packed = product.astype(self.integers)
        result = np.empty((len(values), self.outputs), self.integers)
        for field, part in enumerate(self._parts):
            digits = result[:, part]
            np.right_shift(packed[:, : digits.shape[1]], self.bits * field, out=digits)
            digits &= (1 << self.bits) - 1
        result -= self.largest
        return result


class GroupedDotProducts:
    """Dot products of the values of several groups, each with `rows` of its own.

    `rows` (outputs, inputs) are those of all `groups`, as many for each, one group's after the other's. The rest is as
    for DotProducts.
    """

    def __init__(self, rows: NDArray[np.integer], groups: int, largest: int, number: NumberType):
        small = largest < 1 << _EXACT_BITS[np.float32]
        self.dtype: type[np.floating] = np.float32 if small else np.float64
        self.integers: type[np.signedinteger] = np.int32 if small else np.int64
        self._weights = number.values(rows, self.dtype).reshape(groups, -1, rows.shape[1]).transpose(0, 2, 1)

    def of(self, values: NDArray[np.floating]) -> NDArray[np.signedinteger]:
        """The dot products (n, outputs) of values (groups, n, inputs) of type `dtype`."""
        product = np.matmul(values, self._weights)
        return product.transpose(1, 0, 2).astype(self.integers).reshape(values.shape[1], -1)

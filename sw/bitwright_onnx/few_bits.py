"""Weights of a few bits: rows of whole numbers times one scale each, as quantizers leave them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.numbers import TERNARY, NumberType, signed_bits, signed_type
from bitwright_core.ops.matrix import MAX_WEIGHT_BITS

MAX_WEIGHT = (1 << (MAX_WEIGHT_BITS - 1)) - 1
_SAME = 2.0**-21  # relative: what rounding a product of integer and scale to float32 explains


@dataclass(frozen=True, kw_only=True, eq=False)
class FewBitRows:
    """Rows of weights: scale_r times `numbers`."""

    numbers: NDArray[np.int8]  # (outputs, values)
    scale: NDArray[np.float64]  # (outputs,)
    number: NumberType  # that holds them, and their negatives


def holding(numbers: NDArray[np.integer], least: NumberType | None = None) -> NumberType:
    """The smallest type of weights that holds `numbers`, and everything that `least` does."""
    low, high = int(numbers.min()), int(numbers.max())
    if least is not None and least.stored[0] <= low and high <= least.stored[1]:
        return least
    if low >= -1 and high <= 1:
        return TERNARY
    return signed_type(max(signed_bits(low), signed_bits(high), 2 if least is None else least.bits))


def few_bits(rows: NDArray[Any], least: NumberType | None = None) -> FewBitRows | None:
    """The whole numbers of float rows (outputs, values); None where they are none of few bits.

    Weights that are whole numbers already stay as they are; others count in the largest step that divides a row.
    """
    if rows.ndim != 2 or rows.dtype.kind != "f" or not np.isfinite(rows).all() or not rows.any():
        return None
    values = rows.astype(np.float64)
    scale = np.ones(len(values))
    if (values != np.rint(values)).any() or np.abs(values).max() > MAX_WEIGHT:
        for index, row in enumerate(values):
            step = _step(np.unique(np.abs(row[row != 0])))
            if step is None:
                return None
            scale[index] = step
        nothing = ~values.any(axis=1)
        scale[nothing] = scale[~nothing].max()
    numbers = np.rint(values / scale[:, None]).astype(np.int8)
    return FewBitRows(numbers=numbers, scale=scale, number=holding(numbers, least))


def _step(sizes: NDArray[np.float64]) -> float | None:
    """The largest number that all `sizes`, rising, are small multiples of; None if there is none."""
    if not len(sizes):
        return 1.0
    for parts in range(1, MAX_WEIGHT + 1):
        step = float(sizes[0]) / parts
        counts = np.rint(sizes / step)
        if counts[-1] > MAX_WEIGHT:
            return None
        if (np.abs(sizes - counts * step) <= _SAME * sizes).all():
            return float(sizes[-1] / counts[-1])
    return None

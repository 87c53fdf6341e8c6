"""Thresholds of accumulators with very many values, where the operations themselves prove that no table is needed.

Addition, multiplication and division by a constant, correctly rounded, never change the order of two arguments
(they keep it or turn it round), and neither do comparisons, quantizers and limits; nor do chains of these. For
such a chain two values and the place where one becomes the other say all, and that place is found by halving.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.expression import Expr
from bitwright_onnx.tables import Activations, ManyValuesError, from_change

MANY = 1 << 15  # values of an accumulator from which on a table is too slow
_EITHER = frozenset(("Add", "Sub", "Mul", "Max", "Min"))
_FIRST = frozenset(("Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "BatchNormalization", "BipolarQuant"))
_ALONE = frozenset(("Cast", "Ceil", "Clip", "Floor", "Neg", "Not", "Relu", "Round", "Sign"))


def is_monotone(expression: Expr) -> bool:
    """Whether the operations alone prove that the expression never turns round, whatever its source."""
    node = expression
    while node.op != "Source":
        inner = [arg for arg in node.args if isinstance(arg, Expr)]
        constants = [arg for arg in node.args if isinstance(arg, np.ndarray)]
        if len(inner) != 1 or not all(np.isfinite(array).all() for array in constants):
            return False
        first = node.args[0] is inner[0]
        if not (node.op in _EITHER or (first and node.op in _FIRST | _ALONE | {"Where"})):
            return False
        if node.op == "Cast" and node.attributes.get("dtype") != "float32":
            return False
        if node.op == "Div" and any((array == 0).any() for array in constants):
            return False
        node = inner[0]
    return True


def parts(expression: Expr) -> list[Expr]:
    """The expression and all within it, the outermost first, of a chain that is monotone."""
    found = [expression]
    while found[-1].op != "Source":
        found.append(next(arg for arg in found[-1].args if isinstance(arg, Expr)))
    return found


def bisect(values: Callable[[NDArray[np.int64]], NDArray[Any]], rows: int, channels: int) -> Activations:
    """The activations of a monotone function of an index 0..rows - 1, for each channel.

    `values` takes an index for each channel (channels,) and gives the values there (channels,). Raises
    ValueError where a channel takes more than two.
    """
    start, end = np.zeros(channels, np.int64), np.full(channels, rows - 1, np.int64)
    first, last = (values(index).astype(np.float64) for index in (start, end))
    low, high = start, end  # values(low) is the first; values(high) is another, or high is the end
    for _ in range(rows.bit_length() + 1):
        middle = (low + high) // 2
        same = values(middle).astype(np.float64) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
        high = np.maximum(high, np.minimum(low + 1, rows - 1))
    change = np.where(first == last, rows, high)
    at = values(np.minimum(change, rows - 1)).astype(np.float64)
    odd = (first != last) & (at != last)
    if odd.any():
        column = int(np.argmax(odd))
        raise ManyValuesError(
            f"the activation of output {column} takes more than 2 values ({first[column]:.6g}, {at[column]:.6g}, "
            f"{last[column]:.6g}); only one bit is supported"
        )
    return from_change(first, last, change, rows)

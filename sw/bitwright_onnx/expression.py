"""Elementwise arithmetic as a tree over one source value, evaluated with the graph's own operations.

What an accumulator (or an input byte) becomes on its way to the next layer is an `Expr`: its leaves are
SOURCE and constants that broadcast against (frames, ...). Evaluated at every value that the source can
take, it gives a table; thresholds and scores are read off such tables, so that no formula has to agree
with float32 rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
MAX_DEPTH = 256  # the trees are walked by recursion


@dataclass(frozen=True, kw_only=True, eq=False)
class Expr:
    """An operation on expressions and constants; `op` "Source" stands for the source value itself."""

    op: str
    args: tuple[Union["Expr", Array, None], ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    depth: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        below = [arg.depth for arg in self.args if isinstance(arg, Expr)]
        object.__setattr__(self, "depth", 1 + max(below, default=0))
        if self.depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} elementwise operations follow each other")


SOURCE = Expr(op="Source")


def same_types(op: str, *arrays: Array) -> None:
    """Raises ValueError where ONNX would refuse operands of different types."""
    types = sorted({str(array.dtype) for array in arrays})
    if len(types) > 1:
        raise ValueError(f"{op} of {' and '.join(types)}: ONNX wants one type")


def _arithmetic(function: Callable[..., Array]) -> Callable[..., Array]:
    def apply(*arrays: Array) -> Array:
        same_types(function.__name__, *arrays)
        result = arrays[0]
        for array in arrays[1:]:
            result = function(result, array)
        return result

    return apply


def _divide(a: Array, b: Array) -> Array:
    same_types("Div", a, b)
    if a.dtype.kind not in "iu":
        return a / b
    if np.any(b == 0):
        raise ValueError("an integer is divided by 0")
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)  # ONNX truncates


def _clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    if low is not None:
        x = np.maximum(x, low.astype(x.dtype))
    return x if high is None else np.minimum(x, high.astype(x.dtype))


def _batch_norm(x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    """As onnxruntime and torch compute it in evaluation: one multiplication and one addition a value."""
    same_types("BatchNormalization", x, scale, bias, mean, variance)
    inverse = np.reciprocal(np.sqrt(variance + variance.dtype.type(epsilon)))
    factor = inverse * scale
    return x * factor + (bias - mean * factor)


def _bipolar(x: Array, scale: Array) -> Array:
    one = x.dtype.type(1)
    return np.where(x >= 0, one, -one) * scale


def _round_away(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


def _half_up(x: Array) -> Array:
    return np.sign(x) * np.floor(np.abs(x) + x.dtype.type(0.5))


def _half_down(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x) - x.dtype.type(0.5))


ROUNDING: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _round_away,
    "DOWN": np.fix,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}


def quant_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Least and largest integer of a QONNX Quant of `bits` bits."""
    if signed:
        return -(1 << (bits - 1)) + int(narrow), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - int(narrow)


def _quant(x: Array, scale: Array, zero: Array, *, bits: int, signed: bool, narrow: bool, rounding: str) -> Array:
    """QONNX's Quant, operation by operation as the qonnx package executes it."""
    y = x / scale + zero
    if bits == 1 and signed:
        one = y.dtype.type(1)
        y = np.where(y >= 0, one, -one)
    else:
        low, high = quant_range(bits, signed, narrow)
        y = ROUNDING[rounding](np.clip(y, y.dtype.type(low), y.dtype.type(high)))
    return (y - zero) * scale


def _trunc(x: Array, scale: Array, zero: Array, *, bits: int, rounding: str) -> Array:
    """QONNX's Trunc of version 1: `bits` of the integer taken off, its scale kept."""
    y = ROUNDING[rounding](np.round(x / scale + zero) / x.dtype.type(2.0**bits))
    return (y - zero) * scale


def _quantize_linear(x: Array, scale: Array, zero: Array | None = None) -> Array:
    """To the integers of the zero point's type, the nearest, ties to even, limited."""
    point = np.zeros(1, np.uint8) if zero is None else zero
    limits = np.iinfo(point.dtype)
    return np.clip(np.round(x / scale) + point, limits.min, limits.max).astype(point.dtype)


def _dequantize_linear(x: Array, scale: Array, zero: Array | None = None) -> Array:
    whole = x.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))
    return whole.astype(scale.dtype) * scale


def _cast(x: Array, *, dtype: str) -> Array:
    return x.astype(np.bool_ if dtype == "bool" else np.dtype(dtype))


def _lookup(x: Array, *, table: Array) -> Array:
    if x.dtype.kind not in "iu" or (x.size and (x.min() < -len(table) or x.max() >= len(table))):
        raise ValueError(f"its indices do not fit a table of {len(table)}")
    return table[x]


def _where(condition: Array, a: Array, b: Array) -> Array:
    same_types("Where", a, b)
    return np.where(condition, a, b)


def _sigmoid(x: Array) -> Array:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


def _power(x: Array, exponent: Array) -> Array:
    return np.power(x, exponent.astype(x.dtype)) if x.dtype.kind == "f" else np.power(x, exponent)


OPERATIONS: dict[str, Callable[..., Array]] = {
    "Abs": np.abs,
    "Add": _arithmetic(np.add),
    "And": np.logical_and,
    "BatchNormalization": _batch_norm,
    "BipolarQuant": _bipolar,
    "Cast": _cast,
    "Ceil": np.ceil,
    "Clip": _clip,
    "DequantizeLinear": _dequantize_linear,
    "Div": _divide,
    "Equal": np.equal,
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "LeakyRelu": lambda x, alpha: np.where(x < 0, x * x.dtype.type(alpha), x),
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Lookup": _lookup,
    "Max": _arithmetic(np.maximum),
    "Min": _arithmetic(np.minimum),
    "Mul": _arithmetic(np.multiply),
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "PRelu": lambda x, slope: np.where(x < 0, x * slope, x),
    "Pow": _power,
    "Quant": _quant,
    "QuantizeLinear": _quantize_linear,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "Round": np.round,
    "Sigmoid": _sigmoid,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Sub": _arithmetic(np.subtract),
    "Trunc": _trunc,
    "Where": _where,
}
# whose result takes few values whatever the argument's scale: after one of these, values are activations
DECIDING = frozenset(
    (
        *("BipolarQuant", "Quant", "QuantizeLinear", "Trunc"),
        *("Sign", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"),
    )
)


def apply(op: str, args: tuple[Array | None, ...], attributes: Mapping[str, Any]) -> Array:
    """One operation on arrays. Raises ValueError for types or shapes that do not go together."""
    trimmed = list(args)
    while trimmed and trimmed[-1] is None:
        trimmed.pop()
    with np.errstate(all="ignore"):
        try:
            return np.asarray(OPERATIONS[op](*trimmed, **attributes))
        except TypeError as error:
            raise ValueError(f"{op} does not go with these types ({error})") from None


def evaluate(expression: Expr, source: Array, *, exact: bool = False) -> Array:
    """What the expression makes of `source`, whose axis 0 runs over the values to try.

    `exact` computes every float32 step in float64 instead: where both give the same decisions, none of them
    hangs on a rounding.
    """
    done: dict[int, Array] = {}

    def leaf(array: Array) -> Array:
        return array.astype(np.float64) if exact and array.dtype == np.float32 else array

    def visit(node: Expr | Array | None) -> Array | None:
        if node is None:
            return None
        if not isinstance(node, Expr):
            return leaf(node)
        if node.op == "Source":
            return leaf(source)
        if id(node) not in done:
            attributes = node.attributes
            if exact and attributes.get("dtype") == "float32":
                attributes = {"dtype": "float64"}
            done[id(node)] = apply(node.op, tuple(visit(arg) for arg in node.args), attributes)
        return done[id(node)]

    result = visit(expression)
    assert result is not None
    return result


def map_constants(expression: Expr, function: Callable[[Array], Array]) -> Expr:
    """The expression with `function` applied to each constant; parts that are shared stay shared."""
    done: dict[int, Expr] = {}

    def visit(node: Expr) -> Expr:
        if node.op == "Source":
            return node
        if id(node) not in done:
            args = tuple(
                visit(arg) if isinstance(arg, Expr) else None if arg is None else function(arg) for arg in node.args
            )
            done[id(node)] = Expr(op=node.op, args=args, attributes=node.attributes)
        return done[id(node)]

    return visit(expression)


def operations(expression: Expr) -> set[str]:
    """The names of all operations in the expression."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found.add(node.op)
        waiting.extend(arg for arg in node.args if isinstance(arg, Expr))
    return found

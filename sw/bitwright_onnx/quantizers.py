"""QONNX's BipolarQuant, Quant and Trunc, FINN's MultiThreshold, and ONNX's linear quantizers.

Each on constants and as an expression. Their parameters must be constant.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.expression import ROUNDING, Expr, apply, evaluate
from bitwright_onnx.form import OnnxNode

Array = NDArray[Any]
LINEAR_QUANTIZERS = frozenset(("QuantizeLinear", "DequantizeLinear"))
QUANTIZERS = frozenset(("BipolarQuant", "Quant", "MultiThreshold", "Trunc")) | LINEAR_QUANTIZERS
MAX_LEVELS = 4096


def quant_attributes(node: OnnxNode, bits: Array) -> dict[str, Any]:
    """A Quant node's setting in the form that `expression` evaluates. Raises ValueError."""
    if bits.size != 1 or not np.isfinite(bits).all() or float(bits.reshape(-1)[0]) not in range(1, 33):
        raise ValueError(f"a width of {bits.reshape(-1)[:4].tolist()} bits is not supported")
    rounding = _rounding(node, "ROUND")
    return {
        "bits": int(bits.reshape(-1)[0]),
        "signed": bool(node.attributes.get("signed", 1)),
        "narrow": bool(node.attributes.get("narrow", 1)),
        "rounding": rounding,
    }


def _rounding(node: OnnxNode, default: str) -> str:
    rounding = str(node.attributes.get("rounding_mode", default)).upper()
    if rounding not in ROUNDING:
        raise ValueError(f"rounding mode {rounding!r} is not known")
    return rounding


def trunc_attributes(node: OnnxNode, before: Array, after: Array) -> dict[str, Any]:
    """A Trunc node's setting, of widths before and after, as `expression` evaluates it. Raises ValueError."""
    widths = [float(bits.reshape(-1)[0]) if bits.size == 1 else np.nan for bits in (before, after)]
    if not all(width in range(1, 33) for width in widths) or widths[1] > widths[0]:
        raise ValueError(f"it truncates from {widths[0]:g} to {widths[1]:g} bits, which is not supported")
    return {"bits": int(widths[0] - widths[1]), "rounding": _rounding(node, "FLOOR")}


def linear_parameters(node: OnnxNode, parameters: Sequence[Any], rank: int) -> list[Any]:
    """Scale and zero point of a linear quantizer on values of `rank` axes, one or one a channel. Raises ValueError."""
    if int(node.attributes.get("block_size", 0)):
        raise ValueError("scales of blocks are not supported")
    axis = int(node.attributes.get("axis", 1))

    def along(parameter: Any) -> Any:
        if not isinstance(parameter, np.ndarray) or parameter.size <= 1:
            return parameter
        if parameter.ndim != 1 or not -rank <= axis < rank:
            raise ValueError(f"a scale of shape {list(parameter.shape)} does not fit {rank} axes")
        ones = [1] * rank
        ones[axis] = -1
        return parameter.reshape(ones)

    return [along(parameter) for parameter in parameters]


def quantizer(node: OnnxNode, arrays: Sequence[Array | None]) -> Array:
    """A quantizer on constant inputs: binarised weights, mostly. Raises ValueError."""
    present = [array for array in arrays if array is not None]
    if node.op == "BipolarQuant" and len(present) == 2:
        return apply("BipolarQuant", tuple(present), {})
    if node.op == "Quant" and len(present) == 4:
        return apply("Quant", tuple(present[:3]), quant_attributes(node, present[3]))
    if node.op == "Trunc" and len(present) == 5:
        return apply("Trunc", tuple(present[:3]), trunc_attributes(node, present[3], present[4]))
    if node.op in LINEAR_QUANTIZERS and len(present) in (2, 3):
        return apply(node.op, (present[0], *linear_parameters(node, present[1:], present[0].ndim)), {})
    if node.op == "MultiThreshold" and len(present) == 2:
        source = present[0]
        return evaluate(multi_threshold(node, Expr(op="Source"), source.shape, present[1]), source)
    raise ValueError(f"it has {len(present)} inputs")


def channel_axis(node: OnnxNode, rank: int) -> int:
    """The axis along which MultiThreshold's rows run, as the qonnx package decides it."""
    layout = str(node.attributes.get("data_layout", "")) or {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "")
    axis = layout.find("C")
    axis = axis if axis >= 0 else 1
    if axis >= rank:
        raise ValueError(f"data_layout {layout!r} does not fit {rank} axes")
    return axis


def multi_threshold(node: OnnxNode, source: Expr, shape: tuple[int, ...], thresholds: Array) -> Expr:
    """out_scale * (number of thresholds reached) + out_bias, for values of `shape` (frames first)."""
    axis = channel_axis(node, len(shape))
    if thresholds.ndim != 2 or thresholds.shape[0] not in (1, shape[axis]) or not 0 < thresholds.shape[1] <= MAX_LEVELS:
        raise ValueError(f"thresholds of shape {list(thresholds.shape)} do not fit values of shape {list(shape)}")
    if thresholds.dtype != np.float32:
        thresholds = thresholds.astype(np.float32)
    ranked = [1] * len(shape)
    ranked[axis] = thresholds.shape[0]
    terms: list[Expr] = []
    for level in thresholds.T:
        reached = Expr(op="GreaterOrEqual", args=(source, level.reshape(ranked)))
        terms.append(Expr(op="Cast", args=(reached,), attributes={"dtype": "float32"}))
    while len(terms) > 1:  # balanced, so that the tree stays shallow
        pairs = zip(terms[::2], terms[1::2], strict=False)
        rest = terms[-1:] if len(terms) % 2 else []
        terms = [*(Expr(op="Add", args=pair) for pair in pairs), *rest]
    scale, bias = (np.float32(node.attributes.get(key, value)) for key, value in (("out_scale", 1), ("out_bias", 0)))
    ones = (1,) * len(shape)
    scaled = Expr(op="Mul", args=(terms[0], np.full(ones, scale)))
    return Expr(op="Add", args=(scaled, np.full(ones, bias)))

"""Rewrite: constants folded and shapes known.

Nodes whose inputs are all constant are computed (latent weights behind a quantizer become their signs here);
Shape of a value becomes a constant, and with it the dynamic heads that exporters write (Shape, Gather,
Concat, Reshape). Afterwards every value that depends on the frame has a shape.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.ops.matrix import MAX_WEIGHT_BITS
from bitwright_onnx.canonical import integers
from bitwright_onnx.expression import OPERATIONS, apply
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.layout import LAYOUT, relayout
from bitwright_onnx.quantizers import QUANTIZERS, quantizer
from bitwright_onnx.reader import MAX_ELEMENTS, MAX_RANK
from bitwright_onnx.refusals import OnnxError, Refusals
from bitwright_onnx.shapes import infer

Array = NDArray[Any]
_DAMAGED = (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError, KeyError)


def fold_constants(graph: Graph) -> Graph:
    """The rewrite. Nodes that are not understood stay as they are, their results without a shape."""
    constants = dict(graph.constants)
    shapes = dict(graph.shapes)
    refusals = Refusals()
    nodes = []
    for node in graph.nodes:
        names = [name for name in node.inputs if name]
        try:
            if node.op == "Shape" and len(names) == 1 and names[0] in shapes:
                constants[node.output] = np.array(_shape_of(node, shapes[names[0]]), np.int64)
                continue
            arrays = [constants.get(name) for name in node.inputs]
            if names and all(name in constants for name in names) and _foldable(node, arrays):
                constants[node.output] = _limited(compute(node, arrays))
                continue
            if names and all(name in constants for name in names) and node.op in QUANTIZERS:
                nodes.append(node)  # weights of too many bits, for the survey to name
                continue
            if all(name in constants or name in shapes for name in names):
                shapes.update(infer(node, shapes, constants, graph.batch))
        except OnnxError as error:
            refusals.found.extend(error.refusals)
            continue
        except _DAMAGED as error:
            refusals.add(node.name, node.op, str(error) or "its inputs or attributes are damaged")
            continue
        nodes.append(node)
    if refusals.found:
        # what is unsupported is told together with what is damaged
        from bitwright_onnx.survey import survey

        refusals.found = [*survey(graph.with_(nodes=tuple(nodes), constants=constants, shapes=shapes)), *refusals.found]
    refusals.raise_any()
    return graph.with_(nodes=tuple(nodes), constants=constants, shapes=shapes)


def _limited(array: Array) -> Array:
    if array.size > MAX_ELEMENTS or array.ndim > MAX_RANK:
        raise ValueError(f"a constant of shape {list(array.shape)} is larger than any binary network's")
    return array


def _foldable(node: OnnxNode, arrays: Sequence[Array | None]) -> bool:
    """Whether it is computed here. Matrices of weights in too many bits are not, so that their quantizer is named."""
    if node.op == "Quant" and arrays[0] is not None and arrays[3] is not None and arrays[0].ndim > 1:
        return bool(arrays[3].size == 1 and 1 <= arrays[3].reshape(-1)[0] <= MAX_WEIGHT_BITS)
    return node.op in OPERATIONS or node.op in LAYOUT or node.op in QUANTIZERS or node.op in _FOLDS


def compute(node: OnnxNode, arrays: Sequence[Array | None]) -> Array:
    """The result of a node on constant inputs. Raises ValueError."""
    if node.op in QUANTIZERS:
        return quantizer(node, arrays)
    present = [array for array in arrays if array is not None]
    if node.op in LAYOUT:
        return relayout(node, present[0], present[1] if len(present) > 1 else None)
    if node.op in _FOLDS:
        return _FOLDS[node.op](node, present)
    if math.prod(np.broadcast_shapes(*(array.shape for array in present))) > MAX_ELEMENTS:
        raise ValueError("its result is larger than any binary network's constants")
    if node.op == "BatchNormalization":
        raise ValueError("it normalises a constant")
    return apply(node.op, tuple(arrays), node.attributes)


def _shape_of(node: OnnxNode, shape: tuple[int, ...]) -> tuple[int, ...]:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return shape[int(start) : None if end is None else int(end)]


def _gather(node: OnnxNode, arrays: Sequence[Array]) -> Array:
    data, indices = arrays
    if indices.dtype.kind not in "iu" or indices.size * max(1, data.size) > MAX_ELEMENTS:
        raise ValueError("its indices are damaged")
    return np.take(data, indices, axis=int(node.attributes.get("axis", 0)))


def _concat(node: OnnxNode, arrays: Sequence[Array]) -> Array:
    if sum(array.size for array in arrays) > MAX_ELEMENTS:
        raise ValueError("its result is larger than any binary network's constants")
    return np.concatenate(arrays, axis=int(node.attributes["axis"]))


def _slice(node: OnnxNode, arrays: Sequence[Array]) -> Array:
    data, starts, ends = arrays[0], integers(arrays[1], "starts"), integers(arrays[2], "ends")
    axes = integers(arrays[3], "axes") if len(arrays) > 3 else range(len(starts))
    steps = integers(arrays[4], "steps") if len(arrays) > 4 else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, end, step)
    return data[tuple(index)]


def _constant_of_shape(node: OnnxNode, arrays: Sequence[Array]) -> Array:
    shape = integers(arrays[0], "shape")
    if any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS or len(shape) > MAX_RANK:
        raise ValueError(f"shape {list(shape)} is no shape of a binary network's constants")
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)
    return np.full(shape, value[0])


def _reduce(function: Callable[..., Any]) -> Callable[[OnnxNode, Sequence[Array]], Array]:
    def fold(node: OnnxNode, arrays: Sequence[Array]) -> Array:
        given = arrays[1] if len(arrays) > 1 else node.attributes.get("axes")
        axes = None if given is None else integers(given, "axes")
        return np.asarray(function(arrays[0], axis=axes, keepdims=bool(node.attributes.get("keepdims", 1))))

    return fold


_FOLDS: dict[str, Callable[[OnnxNode, Sequence[Array]], Array]] = {
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Gather": _gather,
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceSum": _reduce(np.sum),
    "Slice": _slice,
}

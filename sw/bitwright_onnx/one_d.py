"""Rewrite: what works on signals becomes what works on images of height 1.

A convolution or pool of one axis, as torch writes Conv1d, gets an axis of size 1 before it and loses it behind; a
pool over all of an image gets its window; a matrix product on several rows of a frame, as a Linear on each step of a
signal, becomes a convolution of a kernel of 1.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.resize import RESIZING
from bitwright_onnx.shapes import WINDOWS, reduced_axes


def lift_signals(graph: Graph) -> Graph:
    """The rewrite. What has no form of two axes stays as it is, for the survey to name."""
    made = _Made(constants=dict(graph.constants), shapes=dict(graph.shapes))
    for original in graph.nodes:
        shape = made.shapes.get(original.inputs[0]) if original.inputs else None
        if shape is None or original.output not in made.shapes:
            made.nodes.append(original)
            continue
        node = original
        if node.op in ("GlobalMaxPool", "GlobalAveragePool"):
            node = replace(node, op=node.op.removeprefix("Global"), attributes={"kernel_shape": list(shape[2:])})
        if node.op in RESIZING:
            wide = made.shapes[node.output]
            factors = [after // before for after, before in zip(wide[2:], shape[2:], strict=True)]
            node = replace(node, op="Repeat", inputs=node.inputs[:1], attributes={"factors": factors})
        if node.op == "ReduceMean":
            node = _average(node, shape, made)
        if node.op == "MatMul" and len(shape) in (3, 4) and any(size > 1 for size in shape[1:-1]):
            node = _per_row(node, made)
        if node.op in WINDOWS | {"Repeat"} and len(shape) == 3 and _fits(node, made):
            _wrapped(node, shape, made)
        else:
            made.nodes.append(node)
        if made.later is not None:
            made.nodes.append(made.later)
            made.later = None
    return graph.with_(nodes=tuple(made.nodes), constants=made.constants, shapes=made.shapes)


class _Made:
    """The new graph so far."""

    def __init__(self, *, constants: dict[str, NDArray[Any]], shapes: dict[str, tuple[int, ...]]) -> None:
        self.nodes: list[OnnxNode] = []
        self.constants = constants
        self.shapes = shapes
        self.later: OnnxNode | None = None  # what follows the node at hand

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = value
        return name


def _fits(node: OnnxNode, made: _Made) -> bool:
    weights = made.constants.get(node.inputs[1]) if node.op.startswith("Conv") and len(node.inputs) > 1 else None
    return not node.op.startswith("Conv") or (weights is not None and weights.ndim == 3)


def _average(node: OnnxNode, shape: tuple[int, ...], made: _Made) -> OnnxNode:
    """A mean over all of an image as an average pool; over other axes it stays as it is, for the survey to name."""
    axes = reduced_axes(node, len(shape), made.constants)
    last = axes == tuple(range(1, len(shape) - 1))
    if not last and axes != tuple(range(2, len(shape))):
        return node
    op = "AveragePoolChannelsLast" if last else "AveragePool"
    pool = replace(node, op=op, inputs=node.inputs[:1], attributes={"kernel_shape": [shape[axis] for axis in axes]})
    if int(node.attributes.get("keepdims", 1)):
        return pool
    kept = f"{node.output}:kept"
    made.shapes[kept] = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    key = made.constant(f"{node.output}:axes", np.array(axes, np.int64))
    made.later = OnnxNode(name=node.name, op="Squeeze", inputs=(kept, key), outputs=node.outputs)
    return replace(pool, outputs=(kept,))


def _per_row(node: OnnxNode, made: _Made) -> OnnxNode:
    """A product on each row as a convolution, channels last."""
    if node.inputs[1] not in made.constants or made.constants[node.inputs[1]].ndim != 2:
        return node
    weights = made.constants[node.inputs[1]].T
    ones = (1,) * (len(made.shapes[node.inputs[0]]) - 2)
    key = made.constant(f"{node.output}:kernel", weights.reshape(len(weights), *ones, -1))
    return replace(node, op="ConvChannelsLast", inputs=(node.inputs[0], key))


def _wrapped(node: OnnxNode, shape: tuple[int, ...], made: _Made) -> None:
    """The node on an image of height 1, between an Unsqueeze and a Squeeze."""
    axis = 1 if node.op.endswith("Last") else 2
    axes = made.constant(f"{node.output}:axis", np.array([axis], np.int64))
    image, result = f"{node.output}:image", f"{node.output}:result"
    made.shapes[image] = (*shape[:axis], 1, *shape[axis:])
    given = made.shapes[node.output]
    made.shapes[result] = (*given[:axis], 1, *given[axis:])
    inputs = [image, *node.inputs[1:]]
    if node.op.startswith("Conv"):
        weights = made.constants[node.inputs[1]]
        inputs[1] = made.constant(f"{node.output}:kernel", np.expand_dims(weights, axis))
    attributes = dict(node.attributes)
    for name, before in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("factors", 1)):
        if name in attributes:
            attributes[name] = [before, *attributes[name]]
    if "pads" in attributes:
        start, end = attributes["pads"]
        attributes["pads"] = [0, start, 0, end]
    made.nodes += [
        OnnxNode(name=node.name, op="Unsqueeze", inputs=(node.inputs[0], axes), outputs=(image,)),
        replace(node, inputs=tuple(inputs), outputs=(result,), attributes=attributes),
        OnnxNode(name=node.name, op="Squeeze", inputs=(result, axes), outputs=(node.output,)),
    ]

"""Rewrite: a Pad before a convolution becomes the convolution's own, with the value that it pads.

Exporters of channels-last models put a Transpose between the two, those of signals an Unsqueeze, and a model may pad
before it normalises or quantizes: the Pad moves behind these first, and its value goes through what is elementwise.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.canonical import integers
from bitwright_onnx.expression import SOURCE, evaluate
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.layout import LAYOUT, relayout
from bitwright_onnx.pointwise import ELEMENTWISE, expression_of
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.shapes import pad_amounts


def absorb_pads(graph: Graph) -> Graph:
    """The rewrite. Raises OnnxError for a Pad that no convolution follows."""
    refusals = Refusals()
    constants = dict(graph.constants)
    shapes = dict(graph.shapes)
    users: dict[str, list[OnnxNode]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            users.setdefault(name, []).append(node)
    changed: dict[int, OnnxNode | None] = {}
    for node in graph.nodes:
        if node.op != "Pad":
            continue
        path: list[OnnxNode] = []
        amounts = pad_amounts(node, len(shapes[node.inputs[0]]), constants)
        around = _Around(amounts=amounts, value=_value(node, len(amounts), constants))
        follower = _only(users, node.output, graph)
        while follower is not None and not follower.op.startswith("Conv"):
            moved = around.behind(follower, constants, shapes)
            if moved is None:
                break
            around = moved
            path.append(follower)
            follower = _only(users, follower.output, graph)
        reason = around.refusal(follower)
        if follower is None or reason:
            refusals.add(node.name, node.op, reason or "no convolution follows it")
            continue
        (top, bottom), (left, right) = around.spatial(follower)
        assert around.value is not None
        values = tuple(around.value.reshape(-1).tolist())
        attributes = {**follower.attributes, "around": (top, left, bottom, right), "around_value": values}
        first = path[0] if path else follower
        sources = tuple(node.inputs[0] if name == node.output else name for name in first.inputs)
        changed[id(node)] = None
        if path:
            changed[id(first)] = replace(first, inputs=sources)
            changed[id(follower)] = replace(follower, attributes=attributes)
            _reshape(shapes, node.inputs[0], path, constants)
        else:
            changed[id(follower)] = replace(follower, inputs=sources, attributes=attributes)
    refusals.raise_any()
    nodes = [changed.get(id(node), node) for node in graph.nodes]
    return graph.with_(nodes=tuple(node for node in nodes if node is not None), constants=constants, shapes=shapes)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Around:
    """What a Pad adds to each side of each axis, and with which values: one, or a channel's each (axes of 1 beside)."""

    amounts: list[tuple[int, int]]
    value: NDArray[Any] | None

    def behind(
        self, node: OnnxNode, constants: dict[str, NDArray[Any]], shapes: dict[str, tuple[int, ...]]
    ) -> "_Around | None":
        """What pads the result of `node` if its argument is not padded; None if it is no such node."""
        if self.value is None:
            return None
        if node.op in ("Transpose", "Squeeze", "Unsqueeze"):
            return self._moved(node, constants)
        if node.op not in ELEMENTWISE or len([name for name in node.inputs if name and name not in constants]) != 1:
            return None
        args = [constants.get(name, SOURCE if name else None) for name in node.inputs]
        try:
            value = evaluate(expression_of(node, args, shapes[node.output][1:]), self.value)
        except (ValueError, TypeError, IndexError):
            return None
        padded = [axis for axis, pair in enumerate(self.amounts) if any(pair)]
        if value.ndim != len(self.amounts) or any(value.shape[axis] != 1 for axis in padded):
            return None  # a constant that differs along the axis that is padded
        return _Around(amounts=self.amounts, value=value)

    def _moved(self, node: OnnxNode, constants: dict[str, NDArray[Any]]) -> "_Around | None":
        assert self.value is not None
        # the axes that a Squeeze takes out are as one of size 1 with nothing around it, or they are not taken
        if node.op == "Transpose":
            order = node.attributes.get("perm", range(len(self.amounts))[::-1])
            return _Around(amounts=[self.amounts[axis] for axis in order], value=self.value.transpose(order))
        given = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if given is None:
            return None
        axes = integers(given, "axes")
        if node.op == "Unsqueeze":
            value = np.expand_dims(self.value, axes)
            kept = iter(self.amounts)
            new = {axis % value.ndim for axis in axes}
            return _Around(amounts=[(0, 0) if k in new else next(kept) for k in range(value.ndim)], value=value)
        gone = {axis % len(self.amounts) for axis in axes}
        if any(any(self.amounts[axis]) or self.value.shape[axis] != 1 for axis in gone):
            return None
        left = [pair for axis, pair in enumerate(self.amounts) if axis not in gone]
        return _Around(amounts=left, value=np.squeeze(self.value, axis=tuple(gone)))

    def spatial(self, convolution: OnnxNode) -> list[tuple[int, int]]:
        """The pads of height and width."""
        return self.amounts[2:4] if convolution.op == "Conv" else self.amounts[1:3]

    def refusal(self, follower: OnnxNode | None) -> str | None:
        """Why a convolution cannot take it over; None if it can."""
        if self.value is None:
            return "what it pads with is not constant"
        if follower is None or not follower.op.startswith("Conv"):
            return "only height and width can be padded, with a constant, before a convolution"
        rest = self.amounts[:2] if follower.op == "Conv" else [self.amounts[0], self.amounts[3]]
        return "only height and width can be padded, not frames or channels" if any(map(any, rest)) else None


def _reshape(
    shapes: dict[str, tuple[int, ...]], source: str, path: list[OnnxNode], constants: dict[str, NDArray[Any]]
) -> None:
    """Values between the Pad and the convolution are smaller now."""
    shape = shapes[source]
    for node in path:
        parameter = constants.get(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
        if node.op in LAYOUT:
            shape = relayout(node, np.broadcast_to(np.int8(0), shape), parameter).shape
        shapes[node.output] = shape


def _value(node: OnnxNode, rank: int, constants: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """What it pads with, with an axis of 1 for each of the value's."""
    value: Any = node.attributes.get("value", 0.0)
    if len(node.inputs) > 2 and node.inputs[2]:
        given = constants.get(node.inputs[2])
        if given is None or given.size != 1:
            return None
        value = np.asarray(given).reshape(-1)[0]
    elif not isinstance(value, float):
        return None
    return np.full((1,) * rank, value, np.float32)


def _only(users: dict[str, list[OnnxNode]], value: str, graph: Graph) -> OnnxNode | None:
    """The one node that takes `value`; None if there is none or another."""
    found = users.get(value, [])
    return found[0] if len(found) == 1 and value not in graph.outputs else None

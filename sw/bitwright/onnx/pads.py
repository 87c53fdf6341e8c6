"""Rewrite: a Pad before a convolution becomes the convolution's own, with the value that it pads.

Exporters of channels-last models put a Transpose between the two; the Pad moves behind it first.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.onnx.form import Graph, Node
from bitwright.onnx.refusals import Refusals
from bitwright.onnx.shapes import pad_amounts


def absorb_pads(graph: Graph) -> Graph:
    """The rewrite. Raises OnnxError for a Pad that no convolution follows."""
    refusals = Refusals()
    constants = dict(graph.constants)
    shapes = dict(graph.shapes)
    users: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            users.setdefault(name, []).append(node)
    changed: dict[int, Node | None] = {}
    for node in graph.nodes:
        if node.op != "Pad":
            continue
        path, amounts = [], pad_amounts(node, len(shapes[node.inputs[0]]), constants)
        value = _value(node, constants)
        follower = _only(users, node.output, graph)
        while follower is not None and follower.op == "Transpose":
            path.append(follower)
            amounts = [amounts[axis] for axis in follower.attributes["perm"]]
            follower = _only(users, follower.output, graph)
        spatial = slice(2, 4) if follower is not None and follower.op == "Conv" else slice(1, 3)
        rest = [pair for axis, pair in enumerate(amounts) if axis not in range(*spatial.indices(4))]
        if follower is None or not follower.op.startswith("Conv") or any(map(any, rest)) or value is None:
            refusals.add(
                node.name, node.op, "only height and width can be padded, with a constant, before a convolution"
            )
            continue
        (top, bottom), (left, right) = amounts[spatial]
        attributes = {**follower.attributes, "around": (top, left, bottom, right), "around_value": value}
        first = path[0] if path else follower
        sources = tuple(node.inputs[0] if name == node.output else name for name in first.inputs)
        changed[id(node)] = None
        if path:
            changed[id(first)] = replace(first, inputs=sources)
            changed[id(follower)] = replace(follower, attributes=attributes)
            _reshape(shapes, node.inputs[0], path)
        else:
            changed[id(follower)] = replace(follower, inputs=sources, attributes=attributes)
    refusals.raise_any()
    nodes = [changed.get(id(node), node) for node in graph.nodes]
    return graph.with_(nodes=tuple(node for node in nodes if node is not None), constants=constants, shapes=shapes)


def _reshape(shapes: dict[str, tuple[int, ...]], source: str, path: list[Node]) -> None:
    """Values between the Pad and the convolution are smaller now."""
    shape = shapes[source]
    for node in path:
        shape = tuple(shape[axis] for axis in node.attributes["perm"])
        shapes[node.output] = shape


def _value(node: Node, constants: dict[str, NDArray[Any]]) -> float | None:
    if len(node.inputs) > 2 and node.inputs[2]:
        given = constants.get(node.inputs[2])
        return None if given is None or given.size != 1 else float(np.asarray(given).reshape(-1)[0])
    value = node.attributes.get("value", 0.0)
    return value if isinstance(value, float) else None


def _only(users: dict[str, list[Node]], value: str, graph: Graph) -> Node | None:
    """The one node that takes `value`; None if there is none or another."""
    found = users.get(value, [])
    return found[0] if len(found) == 1 and value not in graph.outputs else None

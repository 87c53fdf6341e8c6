"""ArgMax and ArgMin of a graph, brought to one form: of scores, or of their negatives, along an axis that is kept.

Softmax and Sigmoid keep the order of the scores along the channels, so that they go.
"""

import numpy as np

from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.refusals import Refusals

CHOICES = frozenset(("ArgMax", "ArgMin"))
_ORDERED = frozenset(("Softmax", "LogSoftmax", "Sigmoid"))  # what keeps the order of the scores


def of_pixels(graph: Graph, node: OnnxNode) -> bool:
    """Whether a node chooses a class for each of several pixels, or is a layer of bitwright's own export."""
    if node.op not in CHOICES or not graph.maps:
        return False
    shape = graph.shapes.get(node.inputs[0], ())
    return node.name in graph.choices or sum(size > 1 for size in shape[1:]) > 1


def _axis(node: OnnxNode, rank: int, default: int = 0) -> int:
    """The axis along which a node chooses, or normalises, counted from the front."""
    axis = int(node.attributes.get("axis", default))
    return axis if axis >= 0 else axis + rank


def scores_behind(graph: Graph, node: OnnxNode) -> str:
    """The value whose largest a node chooses, without what keeps the order along its axis."""
    producers = graph.producers
    value = node.inputs[0]
    rank = len(graph.shapes[value])
    axis = _axis(node, rank)
    while value in producers and producers[value].op in _ORDERED:
        before = producers[value]
        if before.op != "Sigmoid" and _axis(before, rank, -1) != axis:
            break
        value = before.inputs[0]
    return value


def as_layers(graph: Graph, refusals: Refusals) -> Graph:
    """Rewrite: what is left of ArgMax and ArgMin as an ArgMax that keeps its axis, of the scores or their negatives."""
    nodes: list[OnnxNode] = []
    constants, shapes = dict(graph.constants), dict(graph.shapes)
    for node in graph.nodes:
        if node.op not in CHOICES:
            nodes.append(node)
            continue
        value = scores_behind(graph, node)
        shape = shapes[value]
        axis = _axis(node, len(shape))
        if int(node.attributes.get("select_last_index", 0)):
            which = "largest" if node.op == "ArgMax" else "smallest"
            refusals.add(node.name, node.op, f"it chooses the last of the {which} scores; bitwright chooses the first")
        if node.op == "ArgMin":
            least = f"{node.output}:negated"
            nodes.append(OnnxNode(name=node.name, op="Neg", inputs=(value,), outputs=(least,)))
            shapes[least], value = shape, least
        chosen = node.output
        if not int(node.attributes.get("keepdims", 1)):
            chosen = f"{node.output}:kept"
            shapes[chosen] = (*shape[:axis], 1, *shape[axis + 1 :])
        nodes.append(
            OnnxNode(name=node.name, op="ArgMax", inputs=(value,), outputs=(chosen,), attributes={"axis": axis})
        )
        if chosen != node.output:
            axes = f"{node.output}:axes"
            constants[axes] = np.array([axis], np.int64)
            nodes.append(OnnxNode(name=node.name, op="Squeeze", inputs=(chosen, axes), outputs=(node.output,)))
    return graph.with_(nodes=tuple(nodes), constants=constants, shapes=shapes)

"""Rewrite: what exporters put behind the scores (ArgMax, TopK, Softmax, Sigmoid) goes.

All of these keep the order of the scores, and the class is the first largest, as in a Network.
"""

from bitwright.onnx.form import Graph, Node
from bitwright.onnx.layout import LAYOUT
from bitwright.onnx.refusals import Refusals
from bitwright.onnx.shapes import HEADS

_AFTER = LAYOUT | {"Cast"}


def strip_heads(graph: Graph) -> Graph:
    """The rewrite; afterwards the graph has one output, the scores or bits themselves."""
    refusals = Refusals()
    producers = graph.producers
    outputs = []
    for output in graph.outputs:
        value, seen_class = output, False
        # what only reshapes or casts a class may follow ArgMax; before it nothing is skipped but other heads
        behind = _head_behind(graph, output)
        if behind is not None:
            value = behind
        while value in producers and producers[value].op in HEADS:
            node = producers[value]
            _check(graph, node, refusals, seen_class)
            seen_class = seen_class or node.op in ("ArgMax", "TopK")
            value = node.inputs[0]
        if value not in outputs:
            outputs.append(value)
    kept = prune(graph.with_(outputs=tuple(outputs)))
    for node in kept.nodes:
        if node.op in HEADS:
            refusals.add(node.name, node.op, "it is followed by further layers")
    if len(outputs) > 1:
        refusals.add("", "", f"the graph has {len(outputs)} outputs ({', '.join(outputs)}); one is needed")
    refusals.raise_any()
    return kept


def _head_behind(graph: Graph, output: str) -> str | None:
    """The class that `output` only reshapes or casts; None if it is no such thing."""
    producers = graph.producers
    value = output
    while value in producers and producers[value].op in _AFTER:
        value = producers[value].inputs[0]
    return value if value != output and value in producers and producers[value].op in ("ArgMax", "TopK") else None


def _check(graph: Graph, node: Node, refusals: Refusals, seen_class: bool) -> None:
    shape = graph.shapes.get(node.inputs[0], ())
    rank = len(shape)
    default = 0 if node.op == "ArgMax" else -1
    axis = int(node.attributes.get("axis", default)) if node.op != "Sigmoid" else 1
    if seen_class and node.op in ("ArgMax", "TopK"):
        refusals.add(node.name, node.op, "it comes before another ArgMax or TopK")
    elif rank and node.op != "Sigmoid" and (axis if axis >= 0 else axis + rank) not in _class_axes(shape):
        refusals.add(node.name, node.op, f"it chooses along axis {axis} of {list(shape)}, which are not the classes")
    elif node.op == "TopK" and not int(node.attributes.get("largest", 1)):
        refusals.add(node.name, node.op, "it chooses the smallest score, not the largest")
    elif node.op == "ArgMax" and int(node.attributes.get("select_last_index", 0)):
        refusals.add(node.name, node.op, "it chooses the last of the largest scores; bitwright chooses the first")


def _class_axes(shape: tuple[int, ...]) -> set[int]:
    """The axes that could be the classes: the only one that is not 1, or the last."""
    large = {axis for axis, size in enumerate(shape) if axis and size > 1}
    return large if len(large) == 1 else set() if large else {len(shape) - 1}


def prune(graph: Graph) -> Graph:
    """Rewrite: nodes on which no output depends go."""
    wanted = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(name for name in node.inputs if name)
    return graph.with_(nodes=tuple(reversed(kept)))

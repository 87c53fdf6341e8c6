"""Rewrite: what exporters put behind the outputs (ArgMax, ArgMin, TopK, Softmax, LogSoftmax, Sigmoid) goes.

All of these keep the order of the scores, or, ArgMin, turn it round; the class is the first largest, as in a Network.
What was taken off stays known as the graph's `heads`, since it tells what the outputs mean (`meaning`). What chooses a
class for each pixel, or a class that further layers take, stays, and becomes a layer (`choices`).
"""

from bitwright_onnx.choices import as_layers, of_pixels, scores_behind
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.layout import LAYOUT
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.shapes import HEADS

CHOOSING = frozenset(("ArgMax", "ArgMin", "TopK"))
_MOVING = LAYOUT - {"Expand"}


def strip_heads(graph: Graph) -> Graph:
    """The rewrite; afterwards the outputs are the scores or bits themselves, each once."""
    refusals = Refusals()
    found: list[str] = []
    outputs: list[tuple[str, bool]] = []
    heads_of: dict[str, tuple[str, ...]] = {}
    for output in _outputs(graph):
        value, heads, smallest = _stripped(graph, output, refusals)
        found += [op for op in heads if op not in found]
        heads_of[value] = (*heads_of.get(value, ()), *heads)
        if (value, smallest) not in outputs:
            outputs.append((value, smallest))
    values = tuple(dict.fromkeys(value for value, _ in outputs))
    kept = prune(as_layers(graph.with_(outputs=values, heads=tuple(found), heads_of=heads_of), refusals))
    for node in kept.nodes:
        if node.op in HEADS - {"ArgMax", "Sigmoid"}:
            refusals.add(node.name, node.op, "it is followed by further layers")
    if len(outputs) > 1 and any(smallest for _, smallest in outputs):
        shown = ", ".join(graph.outputs)
        refusals.add("", "", f"of several outputs ({shown}) none may choose the smallest score; negate it in the graph")
    refusals.raise_any()
    return _negated(kept) if outputs[0][1] else kept


def _outputs(graph: Graph) -> tuple[str, ...]:
    """The outputs, without classes of pixels whose scores are an output, too."""
    producers = graph.producers
    stripped = {_stripped(graph, output, Refusals())[0] for output in graph.outputs}
    choices = {
        name: node for name, node in producers.items() if of_pixels(graph, node) and node.name not in graph.choices
    }
    beside = [name for name in graph.outputs if name in choices and scores_behind(graph, choices[name]) in stripped]
    return tuple(name for name in graph.outputs if name not in beside)


def _stripped(graph: Graph, output: str, refusals: Refusals) -> tuple[str, list[str], bool]:
    """The value behind the heads of an output, their operators, and whether the smallest is chosen."""
    producers = graph.producers
    heads: list[str] = []
    smallest = False
    value = _head_behind(graph, output)
    while value in producers and producers[value].op in HEADS and not of_pixels(graph, producers[value]):
        node = producers[value]
        _check(graph, node, value, refusals, bool(CHOOSING & set(heads)))
        smallest = smallest or node.op == "ArgMin" or (node.op == "TopK" and not int(node.attributes.get("largest", 1)))
        heads.append(node.op)
        value = _head_behind(graph, node.inputs[0])
    return value, heads, smallest


def _head_behind(graph: Graph, value: str) -> str:
    """The result of a head that `value` only reshapes or casts; `value` itself if it is no such thing."""
    producers = graph.producers
    name, cast = value, False
    while name in producers and producers[name].op in _MOVING | {"Cast"}:
        node = producers[name]
        if node.op == "Cast":
            cast = cast or node.attributes.get("dtype") not in ("float32", "float64")
        elif sum(size > 1 for size in graph.shapes.get(name, (1, 2, 2))[1:]) > 1:
            return value
        name = node.inputs[0]
    if name not in producers or producers[name].op not in HEADS or of_pixels(graph, producers[name]):
        return value
    # a class may be cast to anything; a probability that is cut to an integer is something else
    return value if cast and producers[name].op not in CHOOSING else name


def _negated(graph: Graph) -> Graph:
    """The graph whose largest output is what was the smallest."""
    value = graph.outputs[0]
    name = f"{value}:negated"
    node = OnnxNode(name=name, op="Neg", inputs=(value,), outputs=(name,))
    shapes = dict(graph.shapes) | {name: graph.shapes[value]}
    return graph.with_(nodes=(*graph.nodes, node), outputs=(name,), shapes=shapes)


def _check(graph: Graph, node: OnnxNode, value: str, refusals: Refusals, seen_class: bool) -> None:
    shape = graph.shapes.get(node.inputs[0], ())
    rank = len(shape)
    default = 0 if node.op in ("ArgMax", "ArgMin") else -1
    axis = int(node.attributes.get("axis", default)) if node.op != "Sigmoid" else 1
    if seen_class and node.op in CHOOSING:
        refusals.add(node.name, node.op, "it comes before another ArgMax or TopK")
    elif rank and node.op != "Sigmoid" and (axis if axis >= 0 else axis + rank) not in _class_axes(shape):
        refusals.add(node.name, node.op, f"it chooses along axis {axis} of {list(shape)}, which are not the classes")
    elif node.op == "TopK" and value == node.outputs[0] and not set(node.outputs[1:]) & set(graph.outputs):
        which = "largest" if int(node.attributes.get("largest", 1)) else "smallest"
        refusals.add(node.name, node.op, f"the graph gives the {which} score and not its place, its second output")
    elif node.op in ("ArgMax", "ArgMin") and int(node.attributes.get("select_last_index", 0)):
        which = "largest" if node.op == "ArgMax" else "smallest"
        refusals.add(node.name, node.op, f"it chooses the last of the {which} scores; bitwright chooses the first")


def _class_axes(shape: tuple[int, ...]) -> set[int]:
    """The axes that could be the classes: the only one that is not 1, or the last; the channels of an image."""
    large = {axis for axis, size in enumerate(shape) if axis and size > 1}
    if len(large) != 1 and len(shape) == 4:
        return {1, 3} if not large else {1}
    return large if len(large) == 1 else set() if large else {len(shape) - 1}


def prune(graph: Graph) -> Graph:
    """Rewrite: nodes on which no output depends go."""
    wanted = set(graph.outputs)
    kept: list[OnnxNode] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(name for name in node.inputs if name)
    return graph.with_(nodes=tuple(reversed(kept)))

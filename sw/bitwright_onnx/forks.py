"""Where a graph forks behind a quantizer: values that several takers have in common, and that are decided once."""

from collections.abc import Iterable, Mapping

from bitwright_onnx.expression import DECIDING, operations
from bitwright_onnx.form import Graph
from bitwright_onnx.view import View


def forks(graph: Graph, views: Mapping[str, View], needed: Iterable[str]) -> frozenset[str]:
    """Values behind a quantizer that are used twice: two needed values are made of each, or it is needed itself and
    another one is made of it.

    In the tree of dominators of what is made elementwise of a source, such a value has needed ones below it in two
    branches, or is needed and has one below it. Values that meet again elementwise are no fork.
    """
    parent = _dominators(graph, views)
    wanted = {name for name in needed if name in views}
    below: dict[str, int] = {}  # children, in the tree, with a needed value in or below them
    for name in reversed(list(parent)):
        if name in wanted or below.get(name):
            below[parent[name]] = below.get(parent[name], 0) + 1
    found = {name for name in parent if below.get(name, 0) + (name in wanted) > 1}
    return frozenset(name for name in found if operations(views[name].expression) & DECIDING)


def _dominators(graph: Graph, views: Mapping[str, View]) -> dict[str, str]:
    """For each value that is made elementwise the last one through which all ways from its source go."""
    parent: dict[str, str] = {}
    depth: dict[str, int] = {}
    for node in graph.nodes:
        if node.output not in views:
            continue
        source = views[node.output].source
        meeting: str | None = None
        for name in graph.variable_inputs(node):
            own = name if name in parent and views[name].source == source and name != source else source
            meeting = own if meeting is None else _meeting(meeting, own, parent, depth)
        assert meeting is not None
        parent[node.output], depth[node.output] = meeting, depth.get(meeting, 0) + 1
    return parent


def _meeting(a: str, b: str, parent: Mapping[str, str], depth: Mapping[str, int]) -> str:
    """The nearest value through which both come."""
    while a != b:
        if depth.get(a, 0) >= depth.get(b, 0):
            a = parent[a]
        else:
            b = parent[b]
    return a

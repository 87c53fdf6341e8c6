"""Rewrite: everything between two products becomes one Pointwise node: `expression(source[index])`.

`index` (the shape of a frame's values) says which value of the source each value is made from; Reshape,
Transpose and broadcasts live in it. Values that fork and join again elementwise (Where(x == 0, 1, Sign(x)))
end as one expression. Sums of values of two sources stay as nodes, and so do values that several takers have in
common (`forks`): what is made of these has them as its source.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.expression import OPERATIONS, SOURCE, Expr, map_constants
from bitwright_onnx.forks import forks
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.layout import LAYOUT, relayout
from bitwright_onnx.quantizers import (
    LINEAR_QUANTIZERS,
    QUANTIZERS,
    linear_parameters,
    multi_threshold,
    quant_attributes,
    trunc_attributes,
)
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.view import View

Array = NDArray[Any]
JOINED = frozenset(("Add", "Sub"))  # also of values of two sources
ELEMENTWISE = frozenset(OPERATIONS) | QUANTIZERS | {"BatchNormalization", "BatchNormalizationChannelsLast"}


def lift_pointwise(graph: Graph, cuts: frozenset[str] = frozenset(), joins: frozenset[str] = frozenset()) -> Graph:
    """The rewrite. Afterwards nodes are Pointwise, products, pools and joins. Raises OnnxError.

    `cuts` are values that stay apart from what is made of them, whoever takes them, and `joins` the outputs of
    additions that stay nodes, as an export of bitwright's own names them.
    """
    while True:
        lifted = _Lifted(graph, cuts, joins)
        found = forks(graph, lifted.views, lifted.needed) - cuts
        if not found:
            return lifted.graph()
        cuts |= found


class _Lifted:
    """The views of all values that are made elementwise, and the nodes that are kept."""

    def __init__(self, given: Graph, cuts: frozenset[str], joins: frozenset[str]) -> None:
        self.given, self.cuts = given, cuts
        self.views: dict[str, View] = {}
        self.kept: list[OnnxNode] = []
        self.needed: set[str] = {*given.outputs, *cuts}
        refusals = Refusals()
        for node in given.nodes:
            try:
                self._take(node, joins)
            except (ValueError, TypeError, IndexError) as error:
                refusals.add(node.name, node.op, str(error) or "its inputs or attributes are damaged")
                break  # what follows depends on it
        refusals.raise_any()

    def _take(self, node: OnnxNode, joins: frozenset[str]) -> None:
        graph = self.given
        elementwise = node.op in OPERATIONS or node.op in LAYOUT or node.op in QUANTIZERS
        if not elementwise and not node.op.startswith("BatchN"):
            self._keep(node)
            return
        if node.output not in graph.shapes:
            raise ValueError("the shape of its result is not known")
        variable = [self.view(name) for name in graph.variable_inputs(node)]
        if node.op in LAYOUT:
            self.views[node.output] = _moved(graph, node, variable[0])
        elif node.op in JOINED and (node.output in joins or _apart(variable)):
            if len(variable) < len([name for name in node.inputs if name]):
                raise ValueError("it adds a constant to a sum of branches; add it to one of them")
            self._keep(node)
        else:
            self.views[node.output] = _combined(graph, node, variable, graph.shapes[node.output][1:])

    def _keep(self, node: OnnxNode) -> None:
        self.kept.append(node)
        self.needed.update(self.given.variable_inputs(node))

    def view(self, name: str) -> View:
        """The value as what takes it sees it: a value that is cut is a source by itself."""
        if name in self.views and name not in self.cuts:
            return self.views[name]
        return View(source=name, shape=self.given.shapes[name][1:], index=None, expression=SOURCE)

    def graph(self) -> Graph:
        """The kept nodes with the Pointwise ones in their places."""
        made = {name: found for name, found in self.views.items() if name in self.needed}
        return _interleaved(self.given, self.kept, made)


def _apart(views: list[View]) -> bool:
    """Whether values are made of different sources, or of different places in a frame."""
    first = views[0]
    return any(
        view.source != first.source
        or (view.shape == first.shape and view.index is not first.index and not _same(view, first))
        for view in views[1:]
    )


def _same(a: View, b: View) -> bool:
    return np.array_equal(a.indices, b.indices)


def _interleaved(graph: Graph, kept: list[OnnxNode], views: dict[str, View]) -> Graph:
    """The kept nodes with each Pointwise behind its source."""
    of_source: dict[str, list[OnnxNode]] = {}
    for name, view in views.items():
        attributes = {"view": view}
        node = OnnxNode(name=name, op="Pointwise", inputs=(view.source,), outputs=(name,), attributes=attributes)
        of_source.setdefault(view.source, []).append(node)
    nodes: list[OnnxNode] = []

    def follow(value: str) -> None:
        for node in of_source.get(value, []):
            nodes.append(node)
            follow(node.output)

    follow(graph.input)
    for node in kept:
        nodes.append(node)
        for output in node.outputs:
            follow(output)
    return graph.with_(nodes=tuple(nodes))


def _moved(graph: Graph, node: OnnxNode, view: View) -> View:
    """A layout operator: it moves the index, and the constants with it."""
    parameter = graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None

    def move(array: Array) -> Array:
        return relayout(node, array, parameter, graph.batch)

    before = (1, *view.shape)
    index = move(view.indices[None])[0]

    def constant(array: Array) -> Array:
        if array.size == 1:
            return array.reshape((1,) * (index.ndim + 1))
        if node.op == "Transpose":
            return move(array)
        return move(np.broadcast_to(array, before))

    return View(source=view.source, shape=index.shape, index=index, expression=map_constants(view.expression, constant))


def _combined(graph: Graph, node: OnnxNode, variable: list[View], shape: tuple[int, ...]) -> View:
    """An elementwise operator on views of one source and constants."""
    if len({view.source for view in variable}) != 1:
        raise ValueError("it joins two branches; only Add, Sub, Sum and Concat of branches are supported")
    spread = {id(view): _spread(view, shape) for view in variable}
    first = spread[id(variable[0])]
    for other in spread.values():
        if other.index is not first.index and not np.array_equal(other.indices, first.indices):
            raise ValueError("it joins values of different places in a frame; only Add, Sub and Sum may")
    waiting = iter(variable)
    args: list[Expr | Array | None] = []
    for name in node.inputs:
        if not name:
            args.append(None)
        elif name in graph.constants:
            args.append(graph.constants[name])
        else:
            args.append(spread[id(next(waiting))].expression)
    return View(source=first.source, shape=shape, index=first.index, expression=expression_of(node, args, shape))


def _spread(view: View, shape: tuple[int, ...]) -> View:
    """The view broadcast to a larger shape."""
    if view.shape == shape:
        return view
    if len(view.shape) > len(shape) or (len(view.shape) < len(shape)):
        raise ValueError(f"it broadcasts values of {list(view.shape)} over {list(shape)}, across frames")
    index = np.broadcast_to(view.indices, shape)
    return View(source=view.source, shape=shape, index=index, expression=view.expression)


def expression_of(node: OnnxNode, args: list[Expr | Array | None], shape: tuple[int, ...]) -> Expr:
    """An elementwise node on expressions and constants, for values of `shape` without frames. Raises ValueError."""
    rank = len(shape) + 1
    if node.op == "MultiThreshold":
        source, thresholds = args
        if not isinstance(source, Expr) or not isinstance(thresholds, np.ndarray):
            raise ValueError("its thresholds are not constant")
        return multi_threshold(node, source, (1, *shape), thresholds)
    if node.op.startswith("BatchNormalization"):
        ones = [1] * rank
        ones[-1 if node.op.endswith("Last") else 1] = -1
        args = [arg.reshape(ones) if isinstance(arg, np.ndarray) else arg for arg in args]
        return Expr(op="BatchNormalization", args=tuple(args), attributes=node.attributes)
    if node.op == "Quant":
        *args, bits = args
        if not isinstance(bits, np.ndarray):
            raise ValueError("its number of bits is not constant")
        return Expr(
            op="Quant", args=tuple(_ranked(arg, shape) for arg in args), attributes=quant_attributes(node, bits)
        )
    if node.op == "Trunc":
        *args, before, after = args
        if not isinstance(before, np.ndarray) or not isinstance(after, np.ndarray):
            raise ValueError("its numbers of bits are not constant")
        ranked = tuple(_ranked(arg, shape) for arg in args)
        return Expr(op="Trunc", args=ranked, attributes=trunc_attributes(node, before, after))
    if node.op in LINEAR_QUANTIZERS:
        source, *parameters = args
        return Expr(
            op=node.op,
            args=tuple(_ranked(arg, shape) for arg in (source, *linear_parameters(node, parameters, rank))),
        )
    attributes = {"alpha": float(node.attributes.get("alpha", 0.01))} if node.op == "LeakyRelu" else node.attributes
    if node.op not in ("LeakyRelu", "Cast", "Lookup"):
        attributes = {}
    return Expr(op=node.op, args=tuple(_ranked(arg, shape) for arg in args), attributes=attributes)


def _ranked(arg: Expr | Array | None, shape: tuple[int, ...]) -> Expr | Array | None:
    """A constant with an axis for each of the value's, the first being frames."""
    if not isinstance(arg, np.ndarray):
        return arg
    if arg.ndim > len(shape) + 1:
        raise ValueError(f"a constant of shape {list(arg.shape)} has more axes than the values")
    ranked = arg.reshape((1,) * (len(shape) + 1 - arg.ndim) + arg.shape)
    if ranked.shape[0] != 1:
        raise ValueError(f"a constant of shape {list(arg.shape)} differs from frame to frame")
    return ranked

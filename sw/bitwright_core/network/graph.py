"""The graph of a network: who takes whose values, checked and in an order in which it can be computed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.ops.operator import Operator

ENCODED = "@encoded"  # the name of the encoded input, which no layer can have
Takes = tuple[tuple[str, ...], ...]  # for each layer the names of the values that it takes


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operator in the graph, the values that it takes, and the one that it gives."""

    operator: Operator
    given: tuple[Value, ...]  # for each of `operator.input_names`
    value: Value

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the values that it takes."""
        return tuple(value.name for value in self.given)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what it gives."""
        return self.value.edge

    @property
    def pixels(self) -> int:
        """Pixels of an image that it gives; 1 where what it gives is flat."""
        return math.prod(self.edge.shape[:-1])

    @property
    def inputs(self) -> int:
        """How many values one result is made of.

        For a layer with weights those that a row takes, for other operators with windows those of a window of all
        channels, else all that the operator takes.
        """
        if self.operator.matrix is not None:
            return self.operator.matrix.inputs
        if self.operator.windows is None:
            return sum(value.edge.size for value in self.given)
        down, across = self.operator.windows.kernel
        return down * across * sum(value.edge.shape[-1] for value in self.given)

    @property
    def outputs(self) -> int:
        """Values of a pixel of what it gives: neurons, or channels."""
        return self.edge.shape[-1]


def chain(layers: Sequence[Operator]) -> Takes:
    """Each layer takes what the one before gives, the first the encoded input."""
    names = [ENCODED, *(layer.name for layer in layers)]
    return tuple((name,) for name in names[:-1])


def nodes_of(encoded: Edge, layers: Sequence[Operator], takes: Takes) -> tuple[Node, ...]:
    """The nodes of a graph, each behind those that it takes values of. Raises NetworkError for what is no graph.

    Each value has one giver and at least one taker, but for the result, which has none.
    """
    _check_names(layers)
    if len(takes) != len(layers):
        raise NetworkError(f"takes has an entry for each layer, so {len(layers)}, not {len(takes)}")
    wanted = {layer.name: tuple(names) for layer, names in zip(layers, takes, strict=True)}
    _check_wanted(layers, wanted)
    values = {ENCODED: Value(name=ENCODED, giver="the encoded input", edge=encoded)}
    nodes: list[Node] = []
    for layer in _ordered(layers, wanted):
        given = tuple(values[name] for name in wanted[layer.name])
        if nodes and nodes[-1].operator.gives_scores:
            raise NetworkError(f"layer {nodes[-1].name} gives scores but is not the last layer")
        value = Value(name=layer.name, giver=f"layer {layer.name}", edge=layer.infer(given))
        values[layer.name] = value
        nodes.append(Node(operator=layer, given=given, value=value))
    return tuple(nodes)


def _check_names(layers: Iterable[Operator]) -> None:
    seen = set()
    for layer in layers:
        if layer.name in seen:
            raise NetworkError(f"two layers are named {layer.name!r}; names must differ")
        seen.add(layer.name)


def _check_wanted(layers: Sequence[Operator], wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Raises NetworkError unless each layer takes as many values as it has inputs, and each value but one is taken."""
    names = {ENCODED, *wanted}
    for layer in layers:
        taken, inputs = wanted[layer.name], layer.input_names
        if len(taken) != len(inputs):
            raise NetworkError(f"layer {layer.name} takes {len(inputs)} values ({', '.join(inputs)}), not {len(taken)}")
        for name in taken:
            if name not in names:
                raise NetworkError(f"layer {layer.name} takes {name!r}, which no layer gives")
    left = names - {name for taken in wanted.values() for name in taken}
    unused = [name for name in (ENCODED, *wanted) if name in left]
    if ENCODED in unused:
        raise NetworkError("no layer takes the encoded input")
    if len(unused) > 1:
        raise NetworkError(
            f"no layer takes what layers {' and '.join(unused)} give; of all values only the result is left over, "
            "and a concat brings several outputs together"
        )


def _ordered(layers: Sequence[Operator], wanted: Mapping[str, tuple[str, ...]]) -> list[Operator]:
    """The layers in an order in which each comes behind those that it takes values of; as they are, if they can be."""
    left, done = list(layers), {ENCODED}
    ordered: list[Operator] = []
    while left:
        ready = next((layer for layer in left if done.issuperset(wanted[layer.name])), None)
        if ready is None:
            names = ", ".join(layer.name for layer in left)
            raise NetworkError(f"layers take each other's values in a circle, among {names}")
        left.remove(ready)
        ordered.append(ready)
        done.add(ready.name)
    return ordered

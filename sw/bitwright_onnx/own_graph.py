"""What bitwright's own export notes of a graph: the value of each layer, and what the graph's numbers do not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec

from bitwright_core.outputs.thresholds import MAX_LEVELS
from bitwright_onnx.form import Graph
from bitwright_onnx.names import valid_name
from bitwright_onnx.read_layers import Hint


class LayerFacts(msgspec.Struct):
    """One layer: its operator, the value that it gives, its levels and base, or its scales."""

    name: str
    kind: str
    value: str
    levels: Annotated[int, msgspec.Meta(ge=1, le=MAX_LEVELS)] = 1
    base: Annotated[int, msgspec.Meta(ge=-128, le=0)] = 0
    sums: bool = False
    scales: list[int] = []


class GraphFacts(msgspec.Struct):
    """The encoded value, and all layers in order."""

    encoded: str
    layers: list[LayerFacts]


@dataclass(frozen=True, kw_only=True)
class OwnGraph:
    """What the file's metadata notes of a graph; nothing where another exporter wrote the file."""

    encoded: str = ""  # the value that the input is encoded to
    layers: tuple[LayerFacts, ...] = ()
    layer_of: Mapping[str, str] = field(default_factory=dict)  # value to the name of its layer

    @staticmethod
    def of(facts: Mapping[str, Any]) -> "OwnGraph":
        """What the metadata of a file notes; nothing if a name in it is not valid, or stands there twice."""
        told = facts.get("graph")
        if not isinstance(told, GraphFacts):
            return OwnGraph()
        layer_of = {layer.value: layer.name for layer in told.layers}
        names = set(layer_of.values())
        if len(names) < len(told.layers) or not all(map(valid_name, names)):
            return OwnGraph()
        return OwnGraph(encoded=told.encoded, layers=tuple(told.layers), layer_of=layer_of)

    def cuts(self, graph: Graph) -> frozenset[str]:
        """The values of the graph that stay layers of their own, and are not folded into what is made of them."""
        return frozenset({self.encoded, *self.layer_of} & graph.shapes.keys()) - {graph.input, ""}

    def joins(self, graph: Graph) -> frozenset[str]:
        """The outputs of additions that are layers, whatever they add."""
        names = {layer.name for layer in self.layers if layer.kind == "add"}
        return frozenset(node.output for node in graph.nodes if node.name in names and node.op == "Add")

    @property
    def choices(self) -> frozenset[str]:
        """The names of the layers that choose the class of each pixel."""
        return frozenset(layer.name for layer in self.layers if layer.kind == "arg_max")

    def hints(self, types: Mapping[str, Hint]) -> Mapping[str, Hint]:
        """What is noted of each layer, added to `types`, the types of weights by layer."""
        told = dict(types)
        for layer in self.layers:
            told[layer.name] = replace(
                types.get(layer.name, Hint()),
                levels=layer.levels,
                base=layer.base,
                kind=layer.kind,
                sums=layer.sums,
                scales=tuple(layer.scales),
            )
        return told

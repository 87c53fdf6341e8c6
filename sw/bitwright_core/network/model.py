"""The Network: an integer description of a neural network of bits, or of few bits, which every other part reads.

Parts are frozen and checked on construction, so a Network that exists is valid. The rules and the
meaning of each number are in docs/network.md; in short:

- bit 1 is +1 and bit 0 is -1, weights and values of more bits are the numbers themselves;
- lane 0 is the least significant bit;
- a popcount p counts the agreeing lanes of N, so the dot product is 2p - N;
- an accumulator a is the popcount, or the dot product where a layer has integers or pads with zeros;
- an activation bit is a >= T, an activation of more bits a base and the number of T that a reaches;
- images are HWC, in raster order;
- the last layer of a classifier gives scores, and the class is the first largest;
- `values` says what scores, or integers, are worth where they are numbers by themselves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from bitwright_core.checks import check_name
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError
from bitwright_core.network.encoding import Input, IntegerEncoding, ThresholdEncoding
from bitwright_core.network.file import Header, ValuesHeader, write_file
from bitwright_core.network.graph import ENCODED, Node, Takes, chain, nodes_of
from bitwright_core.network.heads import Head
from bitwright_core.network.worth import Values
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.operator import Operator

MAX_LABEL = 1000  # characters


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Input, encoding and layers of a binary neural network, in integers only.

    Layers are a chain unless `takes` says for each which values it takes: names of layers, or ENCODED for the encoded
    input. They are put in an order in which each follows those that it takes values of; `nodes` has the graph.

    A network whose last layer has `Scores` or `Votes`, or is a GroupSum, is a classifier, or, with `values`, gives
    numbers; any other gives bits (labels that each stand for themselves, a single layer, or the front of a larger
    network), or integers (a map of scores for each pixel, or the outputs of several heads, which a Concat brings
    together). Raises NetworkError, in one sentence, for anything that breaks the rules.
    """

    name: str
    input: Input
    encoding: ThresholdEncoding | IntegerEncoding
    layers: tuple[Operator, ...]
    takes: Takes = field(default=())  # for each layer the values that it takes; none of a chain
    labels: tuple[str, ...] = field(default=())
    values: Values | None = None  # of scores that are numbers by themselves, instead of choosing a class

    def __post_init__(self) -> None:
        check_name(self.name, "network name")
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.layers:
            raise NetworkError(f"network {self.name} has no layers")
        object.__setattr__(self, "encoding", self.encoding.fitted(self.input))
        layers, takes = tuple(node.operator for node in self.nodes), tuple(node.takes for node in self.nodes)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "takes", () if takes == chain(layers) else takes)
        for label in self.labels:
            if not label.isprintable() or len(label) > MAX_LABEL:
                raise NetworkError(
                    f"label {label[:40]!r} must be at most {MAX_LABEL} characters that can be printed, all on one line"
                )
        if self.labels and len(self.labels) != self.outputs:
            raise NetworkError(f"{len(self.labels)} labels for {self.outputs} outputs; give one for each output")
        if self.values is not None and self.gives == "bits":
            raise NetworkError(f"network {self.name} gives bits, and only scores can stand for values")

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The layers with the values that each takes and gives, each behind those that it takes values of."""
        return nodes_of(self.encoded_edge, self.layers, self.takes or chain(self.layers))

    @property
    def is_chain(self) -> bool:
        """Whether each layer takes what the one before gives, and nothing else."""
        return not self.takes

    @property
    def last(self) -> Operator:
        """The layer that gives the result."""
        return self.layers[-1]

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer.matrix for layer in self.layers if layer.matrix is not None)

    @property
    def shown_nodes(self) -> tuple[Node, ...]:
        """The layers whose integers hardware shows to simulators: those with weights, and others that say so."""
        return tuple(node for node in self.nodes if node.operator.matrix is not None or node.operator.shows)

    @property
    def takes_images(self) -> bool:
        """Whether some layer takes an image, in windows: all images come of the input."""
        return any(layer.windows is not None for layer in self.layers)

    @property
    def encoded_size(self) -> int:
        """Lanes of an encoded frame: values times levels."""
        return self.input.size * self.encoding.levels

    @property
    def encoded_edge(self) -> Edge:
        """What the first layer takes. HW is HWC of one channel; levels count as channels."""
        return self.encoding.edge(self.input)

    @property
    def gives_scores(self) -> bool:
        """Whether the last layer gives scores, for a class or as values, and not bits."""
        return self.last.gives_scores

    @property
    def is_classifier(self) -> bool:
        """Whether the result is a class: the first of the largest scores."""
        return self.gives_scores and self.values is None

    @property
    def gives(self) -> Literal["class", "values", "bits", "integers"]:
        """What a result is: one class, a number for each output that scores stand for, a bit for each, or an integer.

        Integers are those of the last layer's number type, in raster order; `values` may say what they are worth.
        """
        if self.gives_scores:
            return "class" if self.values is None else "values"
        return "bits" if self.nodes[-1].edge.number.xnor else "integers"

    @property
    def heads(self) -> tuple[Head, ...]:
        """The outputs that a last Concat brings together, in its order; without one all that is given, as one."""
        node = self.nodes[-1]
        rule = node.operator.join
        if rule is None or rule.beside:
            return (Head(name=node.name, edge=node.edge, places=np.arange(node.edge.size)),)
        places = np.arange(node.edge.size).reshape(node.pixels, -1)
        ends = np.cumsum(rule.sizes).tolist()
        return tuple(
            Head(name=value.name, edge=value.edge, places=places[:, end - size : end].reshape(-1))
            for value, size, end in zip(node.given, rule.sizes, ends, strict=True)
        )

    @property
    def outputs(self) -> int:
        """Classes of a classifier, or values, bits or integers of a network that gives those."""
        return self.nodes[-1].edge.size

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Input, encoded input, then the output of each layer."""
        return self.input.edge, self.encoded_edge, *(node.edge for node in self.nodes)

    @property
    def weight_bits(self) -> int:
        return sum(layer.weight_bits for layer in self.layers)

    @property
    def operations(self) -> int:
        """Operations a frame, an XNOR and an addition for each weight and pixel (the field's 2 x MACs)."""
        return sum(layer.operations for layer in self.layers)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that decides what the network computes: not name, labels nor `values`."""
        return self.digest_of(self.layers)

    def digest_of(self, layers: Sequence[Operator]) -> str:
        """The digest of the network with `layers` in the place of its own."""
        sha = hashlib.sha256(b"bitwright network 1\n")
        for part in self.encoding.digest_parts(self.input):
            sha.update(part)
        for layer in layers:
            for part in layer.digest_parts():
                sha.update(part)
        if self.takes:
            places = {name: place for place, name in enumerate((ENCODED, *(layer.name for layer in self.layers)))}
            sha.update(repr(("takes", [[places[name] for name in taken] for taken in self.takes])).encode())
        return sha.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine = (self.name, self.labels, self.values, [layer.name for layer in self.layers], self.digest)
        theirs = (other.name, other.labels, other.values, [layer.name for layer in other.layers], other.digest)
        return mine == theirs

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        sizes = "-".join(layer.size_text for layer in self.layers)
        encoded = "x".join(map(str, self.encoded_edge.shape)) if self.takes_images else str(self.encoded_size)
        graph = "" if self.is_chain else " (a graph)"
        return f"<Network {self.name}: {encoded}-{sizes}{graph}, digest {self.digest[:12]}>"

    def _repr_html_(self) -> str:
        """How a notebook shows it: its layers."""
        from bitwright_core.html import html_table

        shape = " x ".join(map(str, self.input.shape))
        facts = [
            ("input", f"{shape} of {self.input.bits} bits"),
            ("weight bits", self.weight_bits),
            ("operations a frame", self.operations),
            ("digest", self.digest[:12]),
        ]
        rows = [
            (node.name, node.operator.kind, node.inputs, node.outputs, str(node.edge.number), node.operator.weight_bits)
            for node in self.nodes
        ]
        columns = ("layer", "kind", "inputs", "outputs", "gives", "weight bits")
        return html_table(f"Network {self.name}", facts, columns, rows)

    @property
    def format_version(self) -> int:
        """The lowest version of the network file that has everything in it."""
        named_bits = bool(self.labels) and not self.gives_scores
        own = 1 if self.encoding.is_version_1 and self.values is None and not named_bits else 2
        return max(own, 1 if self.is_chain else 3, *(layer.format_version for layer in self.layers))

    def save(self, path: object) -> None:
        """Writes the network file, atomically. Raises OSError if the folder is missing or full."""
        tensors: dict[str, NDArray[np.integer]] = {}
        tensors |= {f"encoding.{key}": tensor for key, tensor in self.encoding.arrays().items()}
        for index, layer in enumerate(self.layers):
            tensors |= {f"layers.{index}.{key}": tensor for key, tensor in layer.arrays().items()}
        worth = self.values
        header = Header(
            version=self.format_version,
            name=self.name,
            input_shape=list(self.input.shape),
            input_bits=self.input.bits,
            layers=[layer.facts() for layer in self.layers],
            labels=list(self.labels),
            values=UNSET if worth is None else ValuesHeader(step=worth.step, error=worth.error),
            takes=UNSET if self.is_chain else [list(names) for names in self.takes],
        )
        write_file(Path(str(path)), header, tensors)

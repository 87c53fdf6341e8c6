"""The Network: an integer description of a binary neural network, which every other part reads.

Parts are frozen and checked on construction, so a Network that exists is valid. The rules and the
meaning of each number are in docs/network.md; in short:

- bit 1 is +1 and bit 0 is -1; lane 0 is the least significant bit;
- a popcount p counts the agreeing lanes of N, so the dot product is 2p - N;
- an accumulator a is the popcount, or the dot product where a layer takes integers or pads with zeros;
- an activation bit is a >= T; images are HWC, in raster order;
- the last layer of a classifier gives scores, and the class is the first largest;
- `values` says what scores are worth where they are numbers by themselves.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from bitwright_core.errors import NetworkError
from bitwright_core.network.bits import pack_bits
from bitwright_core.network.conv import Conv2d
from bitwright_core.network.dense import Dense
from bitwright_core.network.encoding import Encoding, Input, IntegerEncoding
from bitwright_core.network.matrix import MatrixLayer
from bitwright_core.network.outputs import Scores, Thresholds, Values, Votes
from bitwright_core.network.pool import MaxPool2d
from bitwright_core.network.values import Edge, NumberType, check_name

Layer = Dense | Conv2d | MaxPool2d  # each an `Operator`
MAX_LABEL = 1000  # characters


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Input, encoding and layers of a binary neural network, in integers only.

    A network whose last layer has `Scores` or `Votes` is a classifier, or, with `values`, gives numbers; any other
    gives bits (labels that each stand for themselves, a single layer, or the front of a larger network). Raises
    NetworkError, in one sentence, for anything that breaks the rules.
    """

    name: str
    input: Input
    encoding: Encoding | IntegerEncoding
    layers: tuple[Layer, ...]
    labels: tuple[str, ...] = field(default=())
    values: Values | None = None  # of scores that are numbers by themselves, instead of choosing a class

    def __post_init__(self) -> None:
        check_name(self.name, "network name")
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.layers:
            raise NetworkError(f"network {self.name} has no layers")
        object.__setattr__(self, "encoding", self.encoding.fitted(self.input))
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"two layers are named {name!r}; names must differ")
        edge = self.encoded_edge
        for index, layer in enumerate(self.layers):
            _check_joint(layer, edge, "the encoded input" if index == 0 else f"layer {names[index - 1]}")
            if layer.gives_scores and layer is not self.last:
                raise NetworkError(f"layer {layer.name} gives scores but is not the last layer")
            edge = layer.edge
        for label in self.labels:
            if not label.isprintable() or len(label) > MAX_LABEL:
                raise NetworkError(
                    f"label {label[:40]!r} must be at most {MAX_LABEL} characters that can be printed, all on one line"
                )
        if self.labels and len(self.labels) != self.outputs:
            raise NetworkError(f"{len(self.labels)} labels for {self.outputs} outputs; give one for each output")
        if self.values is not None and not self.gives_scores:
            raise NetworkError(f"network {self.name} gives bits, and only scores can stand for values")

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer.matrix for layer in self.layers if layer.matrix is not None)

    @property
    def is_dense(self) -> bool:
        """Whether every layer is a dense one on bits, and the class, if any, comes from `Scores`."""
        return all(
            layer.matrix is not None
            and layer.windows is None
            and layer.matrix.counts_bits
            and not isinstance(layer.matrix.output, Votes)
            for layer in self.layers
        )

    @property
    def takes_images(self) -> bool:
        """Whether the first layer takes an image, in windows."""
        return self.layers[0].windows is not None

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
    def gives(self) -> Literal["class", "values", "bits"]:
        """What a result is: one class, a number for each output, or a bit for each."""
        return "class" if self.is_classifier else "values" if self.gives_scores else "bits"

    @property
    def outputs(self) -> int:
        """Classes of a classifier, or values, or bits of a network that gives those."""
        return self.last.edge.size

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Input, encoded input, then the output of each layer."""
        return (
            Edge(shape=self.input.shape, number=NumberType(kind="unsigned", bits=self.input.bits)),
            self.encoded_edge,
            *(layer.edge for layer in self.layers),
        )

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
        sha = hashlib.sha256(b"bitwright network 1\n")
        match self.encoding:
            case Encoding(thresholds=thresholds) if thresholds.ndim == 1:
                sha.update(repr((self.input.shape, self.input.bits, thresholds.tolist())).encode())
            case IntegerEncoding(table=table) if table.ndim == 1:
                sha.update(repr((self.input.shape, self.input.bits, "integers", table.tolist())).encode())
            case Encoding(rows=rows) | IntegerEncoding(rows=rows):
                kind = "rows of integers" if isinstance(self.encoding, IntegerEncoding) else "rows"
                sha.update(repr((self.input.shape, self.input.bits, kind, rows.shape)).encode())
                sha.update(rows.astype("<i8").tobytes())
        for layer in self.layers:
            match layer:
                case Dense():
                    sha.update(repr((layer.kind, layer.weights.shape)).encode())
                case Conv2d():
                    facts = (layer.shape, layer.weights.shape, layer.stride, layer.padding, layer.padding_value)
                    sha.update(repr((layer.kind, *facts)).encode())
                case MaxPool2d():
                    sha.update(repr((layer.kind, layer.shape, layer.kernel, layer.stride, layer.padding)).encode())
                    continue
            sha.update(pack_bits(layer.rows).tobytes())
            match layer.output:
                case Thresholds(values=values):
                    sha.update(b"thresholds" + values.astype("<i8").tobytes())
                case Scores(scale=scale, offset=offset):
                    sha.update(b"scores" + scale.astype("<i8").tobytes() + offset.astype("<i8").tobytes())
                case Votes(thresholds=values, votes=votes):
                    sha.update(b"votes" + values.astype("<i8").tobytes() + votes.astype("<i8").tobytes())
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
        sizes = "-".join(_size(layer) for layer in self.layers)
        encoded = "x".join(map(str, self.encoded_edge.shape)) if self.takes_images else str(self.encoded_size)
        return f"<Network {self.name}: {encoded}-{sizes}, digest {self.digest[:12]}>"

    def save(self, path: object) -> None:
        """Writes the network file; see `bitwright_core.network.file.save`."""
        from bitwright_core.network.file import save

        save(self, path)


def _size(layer: Layer) -> str:
    match layer:
        case Dense():
            return str(layer.outputs)
        case Conv2d():
            return f"{layer.outputs}c{layer.kernel[0]}x{layer.kernel[1]}"
        case MaxPool2d():
            return f"mp{layer.kernel[0]}x{layer.kernel[1]}"


def _check_joint(layer: Layer, before: Edge, giver: str) -> None:
    """Raises NetworkError unless `layer` takes what `giver` gives."""
    if isinstance(layer, Dense):
        if layer.inputs != before.size:
            raise NetworkError(f"layer {layer.name} takes {layer.inputs} inputs but {giver} gives {before.size} values")
    elif layer.shape != before.shape:
        raise NetworkError(
            f"layer {layer.name} takes images (height, width, channels) of {_shape(layer.shape)} but {giver} gives "
            f"{_shape(before.shape)}" + ("" if len(before.shape) == 3 else ", which is flat")
        )
    if layer.source.number != before.number:
        raise NetworkError(f"layer {layer.name} takes {layer.source.number} values but {giver} gives {before.number}")


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

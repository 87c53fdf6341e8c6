"""The Network: one integer description of a binary neural network, read by every other part.

Everything is frozen and checked on construction, so a Network that exists is valid. The rules and the
meaning of each number are in docs/network.md; in short:

- bit 1 is +1 and bit 0 is -1; lane 0 is the least significant bit;
- a popcount p counts the agreeing lanes of N, so the dot product is 2p - N;
- an activation bit is p >= T, with 0 <= T <= N + 1;
- the last layer of a classifier gives scores scale_c * p + offset_c, and the class is the first largest.
"""

import hashlib
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import NetworkError
from bitwright.network.bits import pack_bits

MAX_LANES = 1 << 20  # float32 holds every sum of this many +-1 exactly (limit 2^24), with room to spare
MAX_INPUT_BITS = 16
SCORE_BITS = 62  # scores fit int64 with a bit to spare, so that differences of two scores do too
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def _frozen(values: object, dtype: type, where: str) -> NDArray:
    """A read-only copy of an integer array, refusing floats, NaN and values outside `dtype`."""
    array = np.asarray(values)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise NetworkError(f"{where}: values must be integers, not {array.dtype}")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise NetworkError(f"{where}: values must lie in {limits.min}..{limits.max}")
    array = np.array(array, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


def _check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise NetworkError(
            f"{what} {name!r} must be a lower-case identifier (letters, digits, _), at most 48 characters"
        )


@dataclass(frozen=True, kw_only=True)
class NumberType:
    """What one value on an edge may be: a +-1 bit, an unsigned or a signed integer of `bits` bits."""

    kind: Literal["binary", "unsigned", "signed"]
    bits: int = 1

    def __str__(self) -> str:
        return "binary" if self.kind == "binary" else f"{self.kind} {self.bits}-bit"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The values between two layers of one frame: their shape (HWC or flat) and their number type."""

    shape: tuple[int, ...]
    number: NumberType

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Input:
    """A frame as the user has it: unsigned integers of `bits` bits (8 for image bytes), HWC or flat."""

    shape: tuple[int, ...]
    bits: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if not 1 <= len(self.shape) <= 3 or min(self.shape) < 1 or self.size > MAX_LANES:
            raise NetworkError(
                f"input shape {list(self.shape)} must have one to three positive sizes, at most {MAX_LANES} values"
            )
        if not 1 <= self.bits <= MAX_INPUT_BITS:
            raise NetworkError(f"input values must have 1 to {MAX_INPUT_BITS} bits, not {self.bits}")

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """Unsigned integers to bits: bit (value, level) is value >= thresholds[level].

    One level is a plain threshold, k levels a thermometer code. The lane of (value i, level k) is
    i * levels + k: levels run fastest, as channels do.
    """

    thresholds: NDArray[np.int64]  # (levels,), strictly increasing, 1 .. 2^bits - 1

    def __post_init__(self) -> None:
        thresholds = _frozen(self.thresholds, np.int64, "encoding thresholds")
        if thresholds.ndim != 1 or thresholds.size == 0:
            raise NetworkError(f"encoding thresholds must be a list of levels, not of shape {thresholds.shape}")
        if np.any(np.diff(thresholds) <= 0) or thresholds[0] < 1:
            raise NetworkError(f"encoding thresholds must increase strictly from at least 1, not {thresholds.tolist()}")
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def levels(self) -> int:
        return int(self.thresholds.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds:
    """Popcounts to activations: the value is the number of levels with p >= T. One level gives a bit."""

    values: NDArray[np.int64]  # (outputs, levels), not decreasing along levels, 0 .. N + 1

    def __post_init__(self) -> None:
        values = _frozen(self.values, np.int64, "thresholds")
        if values.ndim != 2 or values.size == 0:
            raise NetworkError(f"thresholds must have shape (outputs, levels), not {values.shape}")
        if np.any(np.diff(values, axis=1) < 0):
            raise NetworkError("thresholds must not decrease from one level to the next")
        object.__setattr__(self, "values", values)

    @property
    def outputs(self) -> int:
        return int(self.values.shape[0])

    @property
    def levels(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Popcounts to class scores: scale_c * p + offset_c, with scale_c >= 0."""

    scale: NDArray[np.int64]  # (classes,)
    offset: NDArray[np.int64]  # (classes,)

    def __post_init__(self) -> None:
        scale = _frozen(self.scale, np.int64, "score scales")
        offset = _frozen(self.offset, np.int64, "score offsets")
        if scale.ndim != 1 or scale.shape != offset.shape or scale.size == 0:
            raise NetworkError(
                f"score scale and offset must be two lists of one length, not of shapes {scale.shape}, {offset.shape}"
            )
        if np.any(scale < 0):
            raise NetworkError(
                "score scales must not be negative: complement the weight row and move the sum into the offset"
            )
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "offset", offset)

    @property
    def outputs(self) -> int:
        return int(self.scale.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """A fully connected layer of +-1 weights: popcounts of agreeing lanes, then `output`."""

    name: str
    weights: NDArray[np.uint8]  # (outputs, inputs), 1 is +1 and 0 is -1
    output: Thresholds | Scores

    def __post_init__(self) -> None:
        _check_name(self.name, "layer name")
        weights = _frozen(self.weights, np.uint8, f"layer {self.name}, weights")
        if weights.ndim != 2 or weights.size == 0:
            raise NetworkError(f"layer {self.name}: weights must have shape (outputs, inputs), not {weights.shape}")
        if weights.max() > 1:
            raise NetworkError(f"layer {self.name}: weights must be 0 or 1, not {int(weights.max())}")
        object.__setattr__(self, "weights", weights)
        if self.inputs > MAX_LANES or self.outputs > MAX_LANES:
            raise NetworkError(f"layer {self.name}: inputs and outputs may be at most {MAX_LANES}")
        if self.output.outputs != self.outputs:
            raise NetworkError(
                f"layer {self.name}: {self.outputs} weight rows but {self.output.outputs} rows of thresholds or scores"
            )
        match self.output:
            case Thresholds(values=values):
                if values.min() < 0 or values.max() > self.inputs + 1:
                    raise NetworkError(
                        f"layer {self.name}: thresholds must lie in 0..{self.inputs + 1} (inputs + 1), "
                        f"not {int(values.min())}..{int(values.max())}"
                    )
                if self.output.levels != 1:
                    raise NetworkError(
                        f"layer {self.name}: thresholds of {self.output.levels} levels describe multi-bit "
                        "activations, which this version cannot compute; use one level"
                    )
            case Scores(scale=scale, offset=offset):
                top = max(
                    max(abs(int(o)), abs(int(s) * self.inputs + int(o))) for s, o in zip(scale, offset, strict=True)
                )
                if top >> (SCORE_BITS - 1):
                    raise NetworkError(
                        f"layer {self.name}: scores reach {top}, which needs more than {SCORE_BITS} bits"
                    )

    @property
    def kind(self) -> str:
        return "dense"

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.weights.shape[0])

    @property
    def score_range(self) -> tuple[int, int]:
        """The least and the largest score that can occur. Raises TypeError for a layer with thresholds."""
        if not isinstance(self.output, Scores):
            raise TypeError(f"layer {self.name} gives bits, not scores")
        low = int(self.output.offset.min())
        high = int((self.output.scale * self.inputs + self.output.offset).max())
        return low, high

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        if isinstance(self.output, Thresholds):
            return Edge(shape=(self.outputs,), number=NumberType(kind="binary"))
        low, high = self.score_range
        bits = max(signed_bits(low), signed_bits(high))
        return Edge(shape=(self.outputs,), number=NumberType(kind="signed", bits=bits))


def signed_bits(value: int) -> int:
    """The width of the smallest two's complement number that holds `value`."""
    return (value if value >= 0 else -value - 1).bit_length() + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Input, encoding and layers of a binary neural network, in integers only.

    A network whose last layer has `Scores` is a classifier; one whose last layer has `Thresholds` gives
    bits (a single layer taken by itself, or the front of a larger network). Two networks are equal when
    their digests are. Raises NetworkError, in one sentence, for anything that breaks the rules.
    """

    name: str
    input: Input
    encoding: Encoding
    layers: tuple[Dense, ...]
    labels: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        _check_name(self.name, "network name")
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.layers:
            raise NetworkError(f"network {self.name} has no layers")
        if int(self.encoding.thresholds[-1]) >= 1 << self.input.bits:
            raise NetworkError(
                f"encoding threshold {int(self.encoding.thresholds[-1])} is beyond the {self.input.bits}-bit input"
            )
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"two layers are named {name!r}; names must differ")
        width = self.encoded_size
        for index, layer in enumerate(self.layers):
            if layer.inputs != width:
                source = "the encoded input" if index == 0 else f"layer {names[index - 1]}"
                raise NetworkError(f"layer {layer.name} takes {layer.inputs} inputs but {source} gives {width} values")
            if isinstance(layer.output, Scores) and index != len(self.layers) - 1:
                raise NetworkError(f"layer {layer.name} gives scores but is not the last layer")
            width = layer.outputs
        if self.labels and (not self.is_classifier or len(self.labels) != width):
            raise NetworkError(f"{len(self.labels)} labels for {width} outputs; give one for each class")

    @property
    def encoded_size(self) -> int:
        """Bits of an encoded frame: values times levels."""
        return self.input.size * self.encoding.levels

    @property
    def is_classifier(self) -> bool:
        return isinstance(self.layers[-1].output, Scores)

    @property
    def outputs(self) -> int:
        """Classes of a classifier, or bits of a network that ends in thresholds."""
        return self.layers[-1].outputs

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Input, encoded input, then the output of each layer."""
        encoded = (*self.input.shape[:-1], self.input.shape[-1] * self.encoding.levels)
        return (
            Edge(shape=self.input.shape, number=NumberType(kind="unsigned", bits=self.input.bits)),
            Edge(shape=encoded, number=NumberType(kind="binary")),
            *(layer.edge for layer in self.layers),
        )

    @property
    def weight_bits(self) -> int:
        return sum(layer.weights.size for layer in self.layers)

    @property
    def operations(self) -> int:
        """Operations a frame, an XNOR and an addition for each weight (the field's 2 x MACs)."""
        return 2 * self.weight_bits

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that decides what the network computes: not name nor labels."""
        sha = hashlib.sha256(b"bitwright network 1\n")
        sha.update(repr((self.input.shape, self.input.bits, self.encoding.thresholds.tolist())).encode())
        for layer in self.layers:
            sha.update(repr((layer.kind, layer.weights.shape)).encode())
            sha.update(pack_bits(layer.weights).tobytes())
            match layer.output:
                case Thresholds(values=values):
                    sha.update(b"thresholds" + values.astype("<i8").tobytes())
                case Scores(scale=scale, offset=offset):
                    sha.update(b"scores" + scale.astype("<i8").tobytes() + offset.astype("<i8").tobytes())
        return sha.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine = (self.name, self.labels, [layer.name for layer in self.layers], self.digest)
        return mine == (other.name, other.labels, [layer.name for layer in other.layers], other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        sizes = "-".join(str(layer.outputs) for layer in self.layers)
        return f"<Network {self.name}: {self.encoded_size}-{sizes}, digest {self.digest[:12]}>"

    def save(self, path: object) -> None:
        """Writes the network file; see `bitwright.network.file.save`."""
        from bitwright.network.file import save

        save(self, path)

"""What every operator of a network can be asked, so that nobody has to know which one it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.ops.lanes import LaneRule
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.windows import Pooling, Windows
from bitwright_core.tensors import Tensors


@dataclass(frozen=True, kw_only=True)
class JoinRule:
    """How an operator brings several values together, pixel by pixel, or frame by frame where `pixels` is None.

    Value k has `sizes[k]` lanes a pixel, which follow those of value k - 1. With `beside`, lane i of every value lies
    beside the others' lane i instead.
    """

    sizes: tuple[int, ...]
    pixels: int | None
    beside: bool

    @property
    def lanes(self) -> int:
        """Lanes of a pixel of what it gives."""
        return self.sizes[0] if self.beside else sum(self.sizes)


class Facts(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """What the header of a network file says of one operator; the tag is the operator's kind.

    Each operator has a class of its own, with the fields that it needs.
    """

    name: str

    def build(self, tensors: Tensors) -> "Operator":
        """The operator, with its arrays from the file. Raises NetworkError."""
        raise NotImplementedError


class Lookup(Protocol):
    """Neurons that are truth tables: bit k of a neuron's address is input wires[neuron, k]."""

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> int: ...

    @property
    def wires(self) -> NDArray[np.int32]: ...

    @property
    def tables(self) -> NDArray[np.uint8]: ...

    def __hash__(self) -> int: ...


class Operator(Protocol):
    """An operator of a network, frozen and checked on construction.

    What it can do is asked for as an object, which is None where it cannot: `layer.matrix is not None` means that it
    has weights, `layer.windows is not None` that it takes an image in windows.
    """

    kind: ClassVar[str]  # as files and tables name it
    facts_type: ClassVar[type[Facts]]

    @property
    def name(self) -> str: ...

    @property
    def input_names(self) -> tuple[str, ...]:
        """A name for each value that it takes."""

    # what it has

    @property
    def matrix(self) -> MatrixLayer | None:
        """The weights and what follows them; None for an operator without."""

    @property
    def windows(self) -> Windows | None:
        """Where its windows stand on the image that it takes; None for one that takes all its values at once."""

    @property
    def pooling(self) -> Pooling | None:
        """How it reduces each window without weights."""

    @property
    def join(self) -> JoinRule | None:
        """How it brings several values together."""

    @property
    def lanes(self) -> LaneRule | None:
        """What it does to each value, or to those at one place of several that it joins."""

    @property
    def lookup(self) -> Lookup | None:
        """Its truth tables, if it has nothing else."""

    @property
    def gives_scores(self) -> bool:
        """Whether what it gives are scores: such an operator is the last."""

    @property
    def weight_bits(self) -> int: ...

    @property
    def operations(self) -> int:
        """Operations a frame, as the field counts them: multiplications and additions."""

    @property
    def size_text(self) -> str:
        """Its size in a few letters, for the line that shows a whole network."""

    # what it computes

    def infer(self, given: Sequence[Value]) -> Edge:
        """Shape and number type of what it gives for these values. Raises NetworkError if it does not take them."""

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The golden rule: what it gives for n frames, (n, *shape), of what it takes, (n, ...), as arrays store it."""

    @property
    def shows(self) -> int:
        """What hardware shows to simulators of each value that it gives: so many times the value, as a signed number;
        nothing where it is 0. Layers with weights show their accumulators instead."""

    # how it is kept

    def facts(self) -> Facts:
        """What the header of a network file says of it."""

    def arrays(self) -> dict[str, NDArray[np.integer]]:
        """The arrays that a network file has of it, by the names that `Facts.build` asks for."""

    def digest_parts(self) -> Iterator[bytes]:
        """Everything that decides what it computes, but for what its inputs decide."""

    @property
    def format_version(self) -> int:
        """The lowest version of the network file that can say it."""


class Weightless:
    """The answers of an operator that has neither weights nor windows; each may be overridden.

    It takes a file of version 3 to keep one, unless the operator names an older version.
    """

    @property
    def input_names(self) -> tuple[str, ...]:
        return ("x",)

    @property
    def matrix(self) -> None:
        """None: it has no weights."""

    @property
    def windows(self) -> Windows | None:
        return None

    @property
    def pooling(self) -> Pooling | None:
        return None

    @property
    def join(self) -> JoinRule | None:
        return None

    @property
    def lanes(self) -> LaneRule | None:
        return None

    @property
    def lookup(self) -> Lookup | None:
        return None

    @property
    def gives_scores(self) -> bool:
        return False

    @property
    def weight_bits(self) -> int:
        return 0

    @property
    def operations(self) -> int:
        return 0

    @property
    def format_version(self) -> int:
        return 3

    @property
    def shows(self) -> int:
        return 0

    def arrays(self) -> dict[str, NDArray[np.integer]]:
        return {}


def edge_behind(operator: Operator, before: Edge, giver: str = "what comes before it") -> Edge:
    """What an operator of one input gives for `before`. Raises NetworkError if it does not take it."""
    return operator.infer([Value(name="before", giver=giver, edge=before)])


def check_image(name: str, shape: tuple[int, ...], given: Value) -> None:
    """Raises NetworkError unless `given` is an image (height, width, channels) of just this shape."""
    if shape != given.edge.shape:
        raise NetworkError(
            f"layer {name} takes images (height, width, channels) of {_sizes(shape)} but {given.giver} gives "
            f"{_sizes(given.edge.shape)}" + ("" if len(given.edge.shape) == 3 else ", which is flat")
        )


def check_size(name: str, inputs: int, given: Value) -> None:
    """Raises NetworkError unless `given` has so many values, whatever its shape."""
    if inputs != given.edge.size:
        raise NetworkError(f"layer {name} takes {inputs} inputs but {given.giver} gives {given.edge.size} values")


def check_number(name: str, takes: object, given: Value) -> None:
    """Raises NetworkError unless the values of `given` are of the type that a layer takes."""
    if takes != given.edge.number:
        raise NetworkError(f"layer {name} takes {takes} values but {given.giver} gives {given.edge.number}")


def check_shape(name: str, shape: tuple[int, ...], given: Value, does: str = "takes") -> None:
    """Raises NetworkError unless the values of `given` have the shape that a layer takes, or adds."""
    if given.edge.shape != shape:
        raise NetworkError(
            f"layer {name} {does} values of shape {list(shape)}, but {given.giver} gives {list(given.edge.shape)}"
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

"""The class of each pixel: which of its channels is the largest."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS, MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType, unsigned_type
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts, Weightless, check_number, check_shape
from bitwright_core.tensors import Tensors


class ChannelArgMaxFacts(Facts, omit_defaults=True, tag="arg_max"):
    """The class of each pixel in the header of a network file."""

    shape: list[int]
    takes: NumberFacts

    def build(self, tensors: Tensors) -> "ChannelArgMax":
        takes = NumberType(kind=self.takes.kind, bits=self.takes.bits)
        return ChannelArgMax(name=self.name, shape=tuple(self.shape), takes=takes)


@dataclass(frozen=True, kw_only=True)
class ChannelArgMax(Weightless):
    """The number of the first largest channel of each pixel, or of the first largest value of a flat frame.

    What it gives has one channel, of unsigned numbers that hold the last channel's.
    """

    kind: ClassVar[str] = "arg_max"
    facts_type: ClassVar[type[Facts]] = ChannelArgMaxFacts

    name: str
    shape: tuple[int, ...]  # (height, width, channels), or flat
    takes: NumberType

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        if len(self.shape) not in (1, 3):
            raise NetworkError(f"{where}: a shape is (height, width, channels) or flat, not {list(self.shape)}")
        object.__setattr__(self, "shape", sizes(self.shape, len(self.shape), f"{where}: the shape", 1))
        if math.prod(self.shape) > MAX_VALUES:
            raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(self.shape)}")
        if self.shape[-1] < 2:
            raise NetworkError(f"{where}: the largest of one channel is always that one; it takes at least 2")
        if self.takes.bits > MAX_INTEGER_BITS:
            raise NetworkError(f"{where}: values of at most {MAX_INTEGER_BITS} bits, not {self.takes}")

    @property
    def edge(self) -> Edge:
        """Shape and number type of what it gives."""
        return Edge(shape=(*self.shape[:-1], 1), number=unsigned_type((self.shape[-1] - 1).bit_length()))

    @property
    def size_text(self) -> str:
        return f"m{self.shape[-1]}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_shape(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The classes, (n, *edge shape)."""
        images = given[0].reshape(len(given[0]), *self.shape)
        return images.argmax(axis=-1)[..., None].astype(np.int32)

    def facts(self) -> ChannelArgMaxFacts:
        takes = NumberFacts(kind=self.takes.kind, bits=self.takes.bits)
        return ChannelArgMaxFacts(name=self.name, shape=list(self.shape), takes=takes)

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape)).encode()

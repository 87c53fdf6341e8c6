"""Nearest upsampling: each pixel of an image several times, down and across."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS, MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts, Weightless, check_image, check_number
from bitwright_core.ops.windows import Windows
from bitwright_core.tensors import Tensors


class Upsample2dFacts(Facts, omit_defaults=True, tag="upsample2d"):
    """An upsampling in the header of a network file."""

    shape: tuple[int, int, int]
    factors: tuple[int, int]
    takes: NumberFacts

    def build(self, tensors: Tensors) -> "Upsample2d":
        takes = NumberType(kind=self.takes.kind, bits=self.takes.bits)
        return Upsample2d(name=self.name, shape=self.shape, factors=self.factors, takes=takes)


@dataclass(frozen=True, kw_only=True)
class Upsample2d(Weightless):
    """Nearest upsampling: pixel (y, x) of what it gives is pixel (y // down, x // across) of what it takes.

    Values of any number type pass unchanged.
    """

    kind: ClassVar[str] = "upsample2d"
    facts_type: ClassVar[type[Facts]] = Upsample2dFacts

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    factors: tuple[int, int]  # (down, across); one number is taken, too
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        shape = sizes(self.shape, 3, f"{where}: the shape (height, width, channels)", 1)
        factors = (self.factors, self.factors) if isinstance(self.factors, int) else self.factors
        down, across = sizes(factors, 2, f"{where}: factors", 1)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "factors", (down, across))
        if math.prod(self.edge.shape) > MAX_VALUES:
            raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(self.edge.shape)}")
        if self.takes.bits > MAX_INTEGER_BITS:
            raise NetworkError(f"{where}: values of at most {MAX_INTEGER_BITS} bits, not {self.takes}")

    @cached_property
    def windows(self) -> Windows:
        """Windows of one pixel each, every one given down x across times."""
        return Windows(image=self.shape[:2], kernel=(1, 1), stride=(1, 1), padding=(0, 0, 0, 0), repeat=self.factors)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        return Edge(shape=(*self.windows.shape, self.shape[2]), number=self.takes)

    @property
    def size_text(self) -> str:
        return f"up{self.factors[0]}x{self.factors[1]}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_image(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The larger images (n, *edge shape)."""
        images = given[0].reshape(-1, *self.shape)
        return images.repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2)

    def facts(self) -> Upsample2dFacts:
        takes = NumberFacts(kind=self.takes.kind, bits=self.takes.bits)
        return Upsample2dFacts(name=self.name, shape=self.shape, factors=self.factors, takes=takes)

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape, self.factors)).encode()

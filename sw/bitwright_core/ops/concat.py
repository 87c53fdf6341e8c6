"""Concatenation: values side by side, among them the outputs of several heads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS, MAX_LANES, MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType, joined_type
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts, JoinRule, Weightless, check_number
from bitwright_core.tensors import Tensors

MAX_JOINED = 64  # values


class ConcatFacts(Facts, omit_defaults=True, tag="concat"):
    """A concatenation in the header of a network file."""

    sizes: list[int]
    image: tuple[int, int] | None = None
    takes: tuple[NumberFacts, ...] = ()

    def build(self, tensors: Tensors) -> "Concat":
        takes = tuple(NumberType(kind=number.kind, bits=number.bits) for number in self.takes)
        return Concat(name=self.name, sizes=tuple(self.sizes), image=self.image, takes=takes)


@dataclass(frozen=True, kw_only=True)
class Concat(Weightless):
    """The channels of images side by side, those of the first value first; or values one behind the other, each flat or
    an image in raster order.

    Images side by side have one height and width. Values are of one number type, which it gives; or of those that
    `takes` names, and then it gives the narrowest signed or unsigned integers that hold all of them, a bit as -1 or +1.
    """

    kind: ClassVar[str] = "concat"
    facts_type: ClassVar[type[Facts]] = ConcatFacts

    name: str
    sizes: tuple[int, ...]  # of the last axis of each value: channels, or all its values
    image: tuple[int, int] | None = None  # (height, width) of the images; None of values one behind the other
    takes: tuple[NumberType, ...] = ()  # of each value where they differ

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        if not 2 <= len(self.sizes) <= MAX_JOINED:
            raise NetworkError(f"{where}: a concatenation joins 2 to {MAX_JOINED} values, not {len(self.sizes)}")
        object.__setattr__(self, "sizes", sizes(self.sizes, len(self.sizes), f"{where}: sizes", 1))
        if self.image is not None:
            height, width = sizes(self.image, 2, f"{where}: the image (height, width)", 1)
            object.__setattr__(self, "image", (height, width))
        takes = tuple(self.takes)
        object.__setattr__(self, "takes", () if len(set(takes)) == 1 and len(takes) == len(self.sizes) else takes)
        if self.takes and len(takes) != len(self.sizes):
            raise NetworkError(f"{where}: {len(self.sizes)} values but {len(takes)} number types")
        if self.takes and joined_type(takes).bits > MAX_INTEGER_BITS:
            raise NetworkError(
                f"{where}: {joined_type(takes)} values would hold those that it takes; at most {MAX_INTEGER_BITS} bits"
            )
        if sum(self.sizes) > MAX_LANES or sum(self.sizes) * self.pixels > MAX_VALUES:
            raise NetworkError(f"{where}: at most {MAX_LANES} channels and {MAX_VALUES} values")

    @property
    def input_names(self) -> tuple[str, ...]:
        """x0, x1 and so on."""
        return tuple(f"x{k}" for k in range(len(self.sizes)))

    @property
    def join(self) -> JoinRule:
        return JoinRule(sizes=self.sizes, pixels=None if self.image is None else self.pixels, beside=False)

    @property
    def pixels(self) -> int:
        return 1 if self.image is None else self.image[0] * self.image[1]

    @property
    def size_text(self) -> str:
        return f"cat{len(self.sizes)}"

    def infer(self, given: Sequence[Value]) -> Edge:
        for value, size in zip(given, self.sizes, strict=True):
            shape = (*(self.image or ()), size)
            if value.edge.shape != shape and (self.image is not None or value.edge.size != size):
                raise NetworkError(
                    f"layer {self.name} takes {_text(shape)} of {value.giver}, which gives {_text(value.edge.shape)}"
                )
        first = given[0]
        for value, number in zip(given, self.takes or (first.edge.number,) * len(given), strict=True):
            if self.takes:
                check_number(self.name, number, value)
            elif value.edge.number != number:
                raise NetworkError(
                    f"layer {self.name} takes values of one type, but {first.giver} gives {number} and "
                    f"{value.giver} {value.edge.number}; say the type of each in takes"
                )
        number = joined_type(self.takes) if self.takes else first.edge.number
        return Edge(shape=(*(self.image or ()), sum(self.sizes)), number=number)

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The values along the last axis, (n, *edge shape)."""
        if self.takes:
            given = tuple(number.integers(value) for number, value in zip(self.takes, given, strict=True))
        shaped = [
            value.reshape(len(value), *(self.image or ()), size) for value, size in zip(given, self.sizes, strict=True)
        ]
        return np.concatenate(shaped, axis=-1)

    def facts(self) -> ConcatFacts:
        takes = tuple(NumberFacts(kind=number.kind, bits=number.bits) for number in self.takes)
        return ConcatFacts(name=self.name, sizes=list(self.sizes), image=self.image, takes=takes)

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.sizes, self.image)).encode()


def _text(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} values" if len(shape) == 1 else f"images of {' x '.join(map(str, shape))}"

"""Max-pooling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.edge import Edge
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.ops.number_facts import NumberFacts, number_facts, number_type, number_version
from bitwright_core.ops.operator import Facts
from bitwright_core.ops.pool2d import Pool2d
from bitwright_core.ops.windows import PoolRule, pad
from bitwright_core.tensors import Tensors


class MaxPool2dFacts(Facts, omit_defaults=True, tag="max_pool2d"):
    """A pool in the header of a network file."""

    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    integer_bits: int = 0
    takes: NumberFacts | None = None

    def build(self, tensors: Tensors) -> "MaxPool2d":
        return MaxPool2d(
            name=self.name,
            shape=self.shape,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            takes=number_type(self.integer_bits, self.takes),
        )


@dataclass(frozen=True, kw_only=True)
class MaxPool2d(Pool2d):
    """The largest of each window, channel by channel: OR on bits. What pads is the least value, never the largest."""

    kind: ClassVar[str] = "max_pool2d"
    facts_type: ClassVar[type[Facts]] = MaxPool2dFacts
    rule: ClassVar[PoolRule] = "max"

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    kernel: tuple[int, int]
    stride: tuple[int, int]  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "padding", self.windows.padding)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        return Edge(shape=(*self.windows.shape, self.channels), number=self.takes)

    @property
    def size_text(self) -> str:
        return f"mp{self.kernel[0]}x{self.kernel[1]}"

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The largest value of each window, (n, *edge shape): of stored numbers, which are in the order of values."""
        least = self.takes.stored[0]
        images = pad(given[0].reshape(-1, *self.shape), self.windows, least)
        (rows, columns), (down, across) = self.windows.shape, self.stride
        result = np.full((len(images), rows, columns, self.channels), least, images.dtype)
        for y in range(self.kernel[0]):
            for x in range(self.kernel[1]):
                tap = images[:, y : y + down * (rows - 1) + 1 : down, x : x + across * (columns - 1) + 1 : across]
                np.maximum(result, tap, out=result)
        return result

    def facts(self) -> MaxPool2dFacts:
        bits, takes = number_facts(self.takes)
        return MaxPool2dFacts(
            name=self.name,
            shape=self.shape,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            integer_bits=bits,
            takes=takes,
        )

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape, self.kernel, self.stride, self.padding)).encode()

    @property
    def format_version(self) -> int:
        return 1 if self.takes == BINARY else max(3, number_version(self.takes))

"""Max-pooling."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.ops.number_facts import NumberFacts, number_facts, number_type, number_version
from bitwright_core.ops.operator import Facts, Value, Weightless, check_image, check_number
from bitwright_core.ops.windows import Pooling, Windows, pad, windows
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
class MaxPool2d(Weightless):
    """The largest of each window, channel by channel: OR on bits. What pads is the least value, never the largest."""

    kind: ClassVar[str] = "max_pool2d"
    facts_type: ClassVar[type[Facts]] = MaxPool2dFacts

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    kernel: tuple[int, int]
    stride: tuple[int, int]  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        shape = sizes(self.shape, 3, f"{where}: the shape (height, width, channels)", 1)
        kernel = (self.kernel, self.kernel) if isinstance(self.kernel, int) else self.kernel
        down, across = sizes(kernel, 2, f"{where}: kernel", 1)
        checked = windows(where, shape=shape, kernel=(down, across), stride=self.stride, padding=self.padding)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "kernel", (down, across))
        object.__setattr__(self, "stride", checked.stride)
        object.__setattr__(self, "padding", checked.padding)
        for image in (self.shape, self.edge.shape):
            if math.prod(image) > MAX_VALUES:
                raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(image)}")

    @cached_property
    def windows(self) -> Windows:
        """Where the windows stand."""
        return windows(
            f"layer {self.name}", shape=self.shape, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    @property
    def pooling(self) -> Pooling:
        """What it does with each window."""
        return Pooling(windows=self.windows, channels=self.channels, rule="max")

    @property
    def channels(self) -> int:
        return self.shape[2]

    @property
    def inputs(self) -> int:
        """Lanes of a window, of all channels."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def outputs(self) -> int:
        """Channels of each pixel."""
        return self.channels

    @property
    def pixels(self) -> int:
        """Windows of a frame."""
        return self.windows.pixels

    @property
    def source(self) -> Edge:
        """Shape and number type of what the layer takes."""
        return Edge(shape=self.shape, number=self.takes)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        return Edge(shape=(*self.windows.shape, self.channels), number=self.takes)

    @property
    def size_text(self) -> str:
        return f"mp{self.kernel[0]}x{self.kernel[1]}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_image(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

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

"""What max-pools and pools of sums share: the image, the kernel's windows on it, and the checks of both."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from bitwright_core.checks import MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType
from bitwright_core.ops.operator import Weightless, check_image, check_number
from bitwright_core.ops.windows import Pooling, PoolRule, Windows, windows


class Pool2d(Weightless):
    """A pool of images, channel by channel; the base of MaxPool2d and SumPool2d.

    Each of them is a frozen dataclass with the fields `name` to `takes`, and adds `rule`, `edge` and `compute`.
    """

    rule: ClassVar[PoolRule]

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    kernel: tuple[int, int]
    stride: tuple[int, int]  # (down, across)
    takes: NumberType

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
        for image in (self.shape, self.edge.shape):
            if math.prod(image) > MAX_VALUES:
                raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(image)}")

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """(top, bottom, left, right): nothing, unless a pool says so."""
        return 0, 0, 0, 0

    @cached_property
    def windows(self) -> Windows:
        """Where the windows stand."""
        return windows(
            f"layer {self.name}", shape=self.shape, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    @property
    def pooling(self) -> Pooling:
        """What it does with each window."""
        return Pooling(windows=self.windows, channels=self.channels, rule=self.rule)

    @property
    def channels(self) -> int:
        """Channels of the image that it takes, and of what it gives."""
        return self.shape[2]

    @property
    def inputs(self) -> int:
        """Values of a window, of all channels."""
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
        raise NotImplementedError

    def infer(self, given: Sequence[Value]) -> Edge:
        """What it gives for an image of its shape and number type; NetworkError for another."""
        (before,) = given
        check_image(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

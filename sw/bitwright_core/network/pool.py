"""Max-pooling of bits."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from bitwright_core.errors import NetworkError
from bitwright_core.network.values import BINARY, MAX_VALUES, Edge, check_name, sizes
from bitwright_core.network.windows import Pooling, Windows, windows


@dataclass(frozen=True, kw_only=True)
class MaxPool2d:
    """The largest of each window, channel by channel: OR on bits. What pads is -1, and never the largest."""

    kind: ClassVar[str] = "max_pool2d"

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    kernel: tuple[int, int]
    stride: tuple[int, int]  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too

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
    def matrix(self) -> None:
        """None: it has no weights (see `Operator`)."""

    @property
    def pooling(self) -> Pooling:
        """What it does with each window."""
        return Pooling(windows=self.windows, channels=self.channels, rule="max")

    @property
    def gives_scores(self) -> bool:
        return False

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
        return Edge(shape=self.shape, number=BINARY)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        return Edge(shape=(*self.windows.shape, self.channels), number=BINARY)

    @property
    def weight_bits(self) -> int:
        return 0

    @property
    def operations(self) -> int:
        """Operations a frame, as the field counts them: multiplications and additions alone, so none."""
        return 0

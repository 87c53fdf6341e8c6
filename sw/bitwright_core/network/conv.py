"""Convolutional layers."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError
from bitwright_core.network.matrix import MatrixLayer
from bitwright_core.network.outputs import Thresholds
from bitwright_core.network.values import BINARY, MAX_VALUES, Edge, NumberType, sizes
from bitwright_core.network.windows import Windows, windows

PaddingValue = Literal["minus_one", "plus_one", "zero"]
PADDING_VALUES: tuple[PaddingValue, ...] = ("minus_one", "plus_one", "zero")


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(MatrixLayer):
    """A convolution of +-1 weights over an image, bits or integers in, bits out.

    The lanes of a window run (ky, kx, channel), channel fastest. What pads is -1 or +1 (a lane of bit 0 or 1), or
    zero: a lane that adds nothing. With zeros, accumulators and thresholds are dot products, and one threshold
    holds everywhere; `engine_thresholds` has what follows for engines that count bits, which differs at borders.
    Integers are padded with zeros alone.
    """

    kind: ClassVar[str] = "conv2d"

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    weights: NDArray[np.uint8]  # (outputs, ky, kx, channels), 1 is +1 and 0 is -1
    output: Thresholds
    stride: tuple[int, int] = (1, 1)  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too
    padding_value: PaddingValue = "minus_one"  # where nothing pads always minus_one, so popcounts
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        self._check_matrix("outputs, kernel rows, kernel columns, channels")
        where = f"layer {self.name}"
        shape = sizes(self.shape, 3, f"{where}: the shape (height, width, channels)", 1)
        object.__setattr__(self, "shape", shape)
        if shape[2] != self.weights.shape[3]:
            raise NetworkError(f"{where}: weights for {self.weights.shape[3]} channels, an image of {shape[2]}")
        checked = windows(where, shape=shape, kernel=self.kernel, stride=self.stride, padding=self.padding)
        object.__setattr__(self, "stride", checked.stride)
        object.__setattr__(self, "padding", checked.padding)
        for image in (self.shape, self.edge.shape):
            if math.prod(image) > MAX_VALUES:
                raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(image)}")
        if self.padding_value not in PADDING_VALUES:
            raise NetworkError(
                f"{where}: padding_value must be one of {', '.join(PADDING_VALUES)}, not {self.padding_value!r}"
            )
        if not any(self.padding):
            object.__setattr__(self, "padding_value", "minus_one")
        elif not self.takes.is_binary and self.padding_value != "zero":
            raise NetworkError(f"{where}: integers can be padded with zero alone, not {self.padding_value}")
        if not isinstance(self.output, Thresholds):
            raise NetworkError(f"{where}: a convolution needs thresholds; scores come from a dense layer")
        self._check_output()

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weights.shape[1], self.weights.shape[2]

    @cached_property
    def windows(self) -> Windows:
        """Where the windows stand, and their classes at the borders."""
        return windows(
            f"layer {self.name}", shape=self.shape, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    @property
    def pixels(self) -> int:
        return self.windows.pixels

    @property
    def source(self) -> Edge:
        """Shape and number type of what the layer takes."""
        return Edge(shape=self.shape, number=self.takes)

    @property
    def padding_lane(self) -> int:
        return int(self.padding_value == "plus_one")

    @property
    def sums_dots(self) -> bool:
        """Whether accumulators are dot products instead of popcounts."""
        return not self.takes.is_binary or self.padding_value == "zero"

    @property
    def _border(self) -> bool:
        return self.takes.is_binary and self.padding_value == "zero"

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,): for each pixel, in raster order, the row of `engine_thresholds` that holds there.

        All 0 unless bits are padded with zeros; then the class of `windows`.
        """
        return self.windows.border_class if self._border else super().border_class

    @property
    def engine_offsets(self) -> NDArray[np.int64]:
        if not self._border:
            return super().engine_offsets
        padded = ~self.windows.border_taps  # (classes, ky, kx)
        signs = 2 * self.weights.astype(np.int64) - 1
        return -np.einsum("byx,oyxc->bo", padded.astype(np.int64), signs)

    @cached_property
    def engine_thresholds(self) -> NDArray[np.int64]:
        if not self._border:
            return super().engine_thresholds
        # dot >= T, the dot over the lanes inside, exactly when popcount >= ceil((T + inputs + offset) / 2)
        needed = self.output.values[None, :, 0] + self.inputs + self.engine_offsets
        # a threshold below the least or above the largest popcount of a class decides as 0 or inputs + 1 do
        return np.clip((needed + 1) // 2, 0, self.inputs + 1)

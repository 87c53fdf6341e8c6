"""Windows over images: where a kernel of some size, stride and padding stands, and what of it lies outside."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import sizes
from bitwright_core.errors import NetworkError


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows (ky, kx) over an image (height, width), `stride` apart, `padding` added on each side.

    Window (y, x) begins at row y * stride[0] - top and column x * stride[1] - left of the image. Rows and columns
    that no further stride reaches are left out.
    """

    image: tuple[int, int]  # (height, width)
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # (top, bottom, left, right)

    @property
    def shape(self) -> tuple[int, int]:
        """Windows down and across."""
        (height, width), (top, bottom, left, right) = self.image, self.padding
        down = (height + top + bottom - self.kernel[0]) // self.stride[0] + 1
        across = (width + left + right - self.kernel[1]) // self.stride[1] + 1
        return down, across

    @property
    def pixels(self) -> int:
        down, across = self.shape
        return down * across

    @cached_property
    def row_outside(self) -> tuple[tuple[int, int], ...]:
        """For each row of windows: the rows of its kernel that lie (above, below) the image."""
        return _outside(self.image[0], self.kernel[0], self.stride[0], self.padding[0], self.shape[0])

    @cached_property
    def column_outside(self) -> tuple[tuple[int, int], ...]:
        """For each column of windows: the columns of its kernel that lie (left, right) of the image."""
        return _outside(self.image[1], self.kernel[1], self.stride[1], self.padding[2], self.shape[1])

    @property
    def row_classes(self) -> tuple[tuple[int, int], ...]:
        """The different entries of `row_outside`, in the order in which they first occur."""
        return tuple(dict.fromkeys(self.row_outside))

    @property
    def column_classes(self) -> tuple[tuple[int, int], ...]:
        """The different entries of `column_outside`, in the order in which they first occur."""
        return tuple(dict.fromkeys(self.column_outside))

    @property
    def row_class(self) -> NDArray[np.int64]:
        """(windows down,): the index into `row_classes` of each row of windows."""
        return np.array([self.row_classes.index(outside) for outside in self.row_outside])

    @property
    def column_class(self) -> NDArray[np.int64]:
        """(windows across,): the index into `column_classes` of each column of windows."""
        return np.array([self.column_classes.index(outside) for outside in self.column_outside])

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,) in raster order: row class * column classes + column class."""
        return (self.row_class[:, None] * len(self.column_classes) + self.column_class).reshape(-1)

    @property
    def border_taps(self) -> NDArray[np.bool_]:
        """(border classes, ky, kx): which taps of the kernel lie inside the image."""
        masks = [
            _inside(self.kernel[0], *rows)[:, None] & _inside(self.kernel[1], *columns)
            for rows in self.row_classes
            for columns in self.column_classes
        ]
        return np.array(masks)


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """The reduction of each window to one pixel, channel by channel, without weights."""

    windows: Windows
    channels: int
    rule: Literal["max", "sum"]


def pad(images: NDArray[Any], windows: Windows, value: float) -> NDArray[Any]:
    """Images (n, height, width, channels) with the padding of `windows` around them."""
    if not any(windows.padding):
        return images
    top, bottom, left, right = windows.padding
    return np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def taps(padded: NDArray[Any], windows: Windows) -> NDArray[Any]:
    """A view (n, windows down, windows across, ky, kx, channels) of padded images."""
    down, across = windows.stride
    view = np.lib.stride_tricks.sliding_window_view(padded, windows.kernel, axis=(1, 2))[:, ::down, ::across]
    return view.transpose(0, 1, 2, 4, 5, 3)


def _outside(size: int, kernel: int, stride: int, before: int, count: int) -> tuple[tuple[int, int], ...]:
    starts = [index * stride - before for index in range(count)]
    return tuple((max(0, -start), max(0, start + kernel - size)) for start in starts)


def _inside(kernel: int, before: int, after: int) -> NDArray[np.bool_]:
    taps = np.arange(kernel)
    return (taps >= before) & (taps < kernel - after)


def windows(where: str, *, shape: tuple[int, ...], kernel: tuple[int, int], stride: object, padding: object) -> Windows:
    """Checked windows over images of `shape` (height, width, channels). Raises NetworkError beginning with `where`.

    `stride` is one number or (down, across); `padding` one number, (down, across), or (top, bottom, left, right).
    """
    if isinstance(stride, int):
        stride = (stride, stride)
    if isinstance(padding, int):
        padding = (padding, padding)
    down, across = sizes(stride, 2, f"{where}: stride", 1)
    if isinstance(padding, tuple | list) and len(padding) == 2:
        padding = (padding[0], padding[0], padding[1], padding[1])
    top, bottom, left, right = sizes(padding, 4, f"{where}: padding (top, bottom, left, right)", 0)
    for axis, size, added in (("height", kernel[0], (top, bottom)), ("width", kernel[1], (left, right))):
        if max(added) >= size:
            raise NetworkError(
                f"{where}: padding of {max(added)} must be less than the kernel's {axis} {size}, or windows "
                "would hold padding alone"
            )
    result = Windows(
        image=(shape[0], shape[1]), kernel=kernel, stride=(down, across), padding=(top, bottom, left, right)
    )
    if shape[0] + top + bottom < kernel[0] or shape[1] + left + right < kernel[1]:
        raise NetworkError(
            f"{where}: a kernel of {kernel[0]} x {kernel[1]} does not fit an image of {shape[0]} x {shape[1]}"
            f" with its padding"
        )
    return result

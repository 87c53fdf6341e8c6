"""Windows over images: where a kernel stands (size, stride, padding, dilation), and what of it lies outside."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import sizes
from bitwright_core.errors import NetworkError

PoolRule = Literal["max", "sum"]  # what becomes of the values of a window, channel by channel


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows (ky, kx) over an image (height, width), `stride` apart, `padding` added on each side.

    Window (y, x) begins at row y * stride[0] - top and column x * stride[1] - left of the image. Rows and columns
    that no further stride reaches are left out. The taps of a window lie `dilation` apart. Each place is taken by
    `repeat` windows one after the other, down and across.
    """

    image: tuple[int, int]  # (height, width)
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # (top, bottom, left, right)
    dilation: tuple[int, int] = (1, 1)  # rows from tap to tap down, columns across
    repeat: tuple[int, int] = (1, 1)

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from a window's first tap to its last, both included."""
        down, across = ((size - 1) * apart + 1 for size, apart in zip(self.kernel, self.dilation, strict=True))
        return down, across

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Windows down and across."""
        (height, width), (top, bottom, left, right) = self.image, self.padding
        down = (height + top + bottom - self.extent[0]) // self.stride[0] + 1
        across = (width + left + right - self.extent[1]) // self.stride[1] + 1
        return down * self.repeat[0], across * self.repeat[1]

    def corners(self, axis: int) -> list[int]:
        """Where the windows begin, down (axis 0) or across (1)."""
        places = (k // self.repeat[axis] for k in range(self.shape[axis]))
        return [place * self.stride[axis] - self.padding[2 * axis] for place in places]

    @property
    def pixels(self) -> int:
        down, across = self.shape
        return down * across

    @cached_property
    def row_outside(self) -> tuple[tuple[int, int], ...]:
        """For each row of windows: the rows of its kernel that lie (above, below) the image."""
        return self._outside(0)

    @cached_property
    def column_outside(self) -> tuple[tuple[int, int], ...]:
        """For each column of windows: the columns of its kernel that lie (left, right) of the image."""
        return self._outside(1)

    def _outside(self, axis: int) -> tuple[tuple[int, int], ...]:
        """For each place of a window along an axis: the taps that lie (before, behind) the image."""
        size, kernel, apart = self.image[axis], self.kernel[axis], self.dilation[axis]
        places = [[start + tap * apart for tap in range(kernel)] for start in self.corners(axis)]
        return tuple((sum(p < 0 for p in taps_), sum(p >= size for p in taps_)) for taps_ in places)

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
    rule: PoolRule


def pad(images: NDArray[Any], windows: Windows, value: float) -> NDArray[Any]:
    """Images (n, height, width, channels) with the padding of `windows` around them."""
    if not any(windows.padding):
        return images
    top, bottom, left, right = windows.padding
    return np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def taps(padded: NDArray[Any], windows: Windows) -> NDArray[Any]:
    """A view (n, windows down, windows across, ky, kx, channels) of padded images."""
    (down, across), (y, x) = windows.stride, windows.dilation
    view = np.lib.stride_tricks.sliding_window_view(padded, windows.extent, axis=(1, 2))[:, ::down, ::across]
    return view[..., ::y, ::x].transpose(0, 1, 2, 4, 5, 3)


def _inside(kernel: int, before: int, after: int) -> NDArray[np.bool_]:
    taps = np.arange(kernel)
    return (taps >= before) & (taps < kernel - after)


def windows(
    where: str,
    *,
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: object,
    padding: object,
    dilation: object = (1, 1),
) -> Windows:
    """Checked windows over images of `shape` (height, width, channels). Raises NetworkError beginning with `where`.

    `stride` and `dilation` are one number or (down, across); `padding` one number, (down, across), or (top, bottom,
    left, right).
    """
    if isinstance(stride, int):
        stride = (stride, stride)
    if isinstance(dilation, int):
        dilation = (dilation, dilation)
    if isinstance(padding, int):
        padding = (padding, padding)
    down, across = sizes(stride, 2, f"{where}: stride", 1)
    if isinstance(padding, tuple | list) and len(padding) == 2:
        padding = (padding[0], padding[0], padding[1], padding[1])
    top, bottom, left, right = sizes(padding, 4, f"{where}: padding (top, bottom, left, right)", 0)
    y, x = sizes(dilation, 2, f"{where}: dilation", 1)
    result = Windows(
        image=(shape[0], shape[1]),
        kernel=kernel,
        stride=(down, across),
        padding=(top, bottom, left, right),
        # of one tap a dilation says nothing
        dilation=(y if kernel[0] > 1 else 1, x if kernel[1] > 1 else 1),
    )
    dilated = "" if result.dilation == (1, 1) else " dilated"
    for axis, size, added in (("height", result.extent[0], (top, bottom)), ("width", result.extent[1], (left, right))):
        if max(added) >= size:
            raise NetworkError(
                f"{where}: padding of {max(added)} must be less than the{dilated} kernel's {axis} {size}, or windows "
                "would hold padding alone"
            )
    if shape[0] + top + bottom < result.extent[0] or shape[1] + left + right < result.extent[1]:
        raise NetworkError(
            f"{where}: a{dilated} kernel of {result.extent[0]} x {result.extent[1]} does not fit an image of {shape[0]}"
            f" x {shape[1]} with its padding"
        )
    return result

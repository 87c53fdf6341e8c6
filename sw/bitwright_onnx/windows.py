"""Convolutions and pools: windows of lanes, and what pads them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.form import OnnxNode
from bitwright_onnx.lanes import Lanes
from bitwright_onnx.shapes import window_sizes
from bitwright_onnx.signals import Plane


def window_lanes(images: Plane, kernel: tuple[int, ...], lanes: Lanes) -> Lanes:
    """The lanes of one window, (ky, kx, channel, level), for lanes of a whole image. Raises ValueError."""
    levels = lanes.lane.shape[1]
    order = _raster(images, lanes.lane.reshape(*images.shape, levels))
    if not np.array_equal(order.reshape(-1), np.arange(lanes.size)):
        raise ValueError("it takes pixels in another order than the image's")
    middle, half = (_raster(images, values.reshape(images.shape)) for values in (lanes.middle, lanes.half))
    if (middle != middle[:1, :1]).any() or (half != half[:1, :1]).any():
        raise ValueError("what its input bits stand for differs from pixel to pixel")
    taps = kernel[0] * kernel[1]
    return Lanes(
        lane=np.arange(taps * images.channels * levels).reshape(-1, levels),
        middle=np.tile(middle[0, 0], taps),
        half=np.tile(half[0, 0], taps),
        number=lanes.number,
        idle=None if lanes.idle is None else np.tile(_raster(images, lanes.idle.reshape(images.shape))[0, 0], taps),
    )


def image_size(images: Plane) -> tuple[int, ...]:
    """Height and width."""
    return tuple(size for axis, size in enumerate(images.shape) if axis != images.axis)


def _raster(images: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Values in the graph's axes as (height, width, channels, ...)."""
    return np.moveaxis(values, images.axis, 2)


def pads_of(
    node: OnnxNode, kernel: tuple[int, ...], images: Plane
) -> tuple[tuple[int, int, int, int], NDArray[np.float64]]:
    """(top, bottom, left, right) of a convolution, and what pads each channel (channels,). Raises ValueError."""
    _, pads = window_sizes(node, kernel, image_size(images))
    around = tuple(node.attributes.get("around", (0, 0, 0, 0)))  # of a Pad before it
    total = [a + b for a, b in zip(pads, around, strict=True)]
    value = np.asarray(node.attributes.get("around_value", 0.0), np.float64).reshape(-1)
    if any(around) and any(pads) and (value != 0).any():
        raise ValueError(f"it is padded twice, with {value[0]:g} and with 0")
    if len(value) not in (1, images.channels):
        raise ValueError(f"it is padded with {len(value)} values, for {images.channels} channels")
    return (total[0], total[2], total[1], total[3]), np.broadcast_to(value, images.channels)


def padding_of(node: OnnxNode, kernel: tuple[int, ...], images: Plane, window: Lanes) -> dict[str, Any]:
    """Stride, padding and padding value of a convolution, as Conv2d has them. Raises ValueError.

    `window` are the lanes of one window. A lane outside the image adds nothing where what pads is the middle between
    its values (0 for -1 and +1), or, of integers, what 0 stands for.
    """
    strides, _ = window_sizes(node, kernel, image_size(images))
    padding, value = pads_of(node, kernel, images)
    found = {"stride": tuple(strides), "padding": padding, "padding_value": "minus_one"}
    if not any(padding):
        return found
    levels = window.lane.shape[1]
    middle, reach = window.middle[: images.channels], window.half[: images.channels] * levels
    idle = None if window.idle is None else window.idle[: images.channels]
    for name, what, lane in (("zero", middle, 0), ("minus_one", middle - reach, -1), ("plus_one", middle + reach, 1)):
        same = what == value
        if idle is not None:  # a channel that is not used must pad as it always is
            same = np.where(np.isnan(idle), same, idle == lane * levels)
        if same.all() and (name == "zero" or not window.integers):
            return found | {"padding_value": name}
    wrong = int(np.argmax(middle != value))
    low, high = middle[wrong] - abs(reach[wrong]), middle[wrong] + abs(reach[wrong])
    raise ValueError(f"it is padded with {value[wrong]:g}, which values between {low:g} and {high:g} have no bit for")

"""Convolutions and pools: windows of lanes, what pads them, and the pool's own layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.network import MaxPool2d
from bitwright.onnx.canonical import integers
from bitwright.onnx.form import Node
from bitwright.onnx.lanes import Lanes
from bitwright.onnx.shapes import window_sizes
from bitwright.onnx.signals import Plane


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
        integers=lanes.integers,
    )


def _image(images: Plane) -> tuple[int, ...]:
    """Height and width."""
    return tuple(size for axis, size in enumerate(images.shape) if axis != images.axis)


def _raster(images: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Values in the graph's axes as (height, width, channels, ...)."""
    return np.moveaxis(values, images.axis, 2)


def padding_of(node: Node, weights: NDArray[Any], images: Plane, lanes: Lanes) -> dict[str, Any]:
    """Stride, padding and padding value of a convolution, as Conv2d has them. Raises ValueError."""
    kernel = weights.shape[2:] if node.op == "Conv" else weights.shape[1:3]
    strides, pads = window_sizes(node, tuple(kernel), _image(images))
    around = tuple(node.attributes.get("around", (0, 0, 0, 0)))  # of a Pad before it
    total = [a + b for a, b in zip(pads, around, strict=True)]
    padding = (total[0], total[2], total[1], total[3])
    found = {"stride": tuple(strides), "padding": padding, "padding_value": "minus_one"}
    if not any(padding):
        return found
    value = float(node.attributes.get("around_value", 0.0))
    if any(around) and any(pads) and value != 0:
        raise ValueError(f"it is padded twice, with {value:g} and with 0")
    levels = lanes.lane.shape[1]
    if value == 0 and (lanes.middle == 0).all():
        found["padding_value"] = "zero"
    elif not lanes.integers and (lanes.middle - lanes.half * levels == value).all():
        found["padding_value"] = "minus_one"
    elif not lanes.integers and (lanes.middle + lanes.half * levels == value).all():
        found["padding_value"] = "plus_one"
    else:
        low, high = lanes.middle[0] - abs(lanes.half[0]) * levels, lanes.middle[0] + abs(lanes.half[0]) * levels
        raise ValueError(f"it is padded with {value:g}, which values between {low:g} and {high:g} have no bit for")
    return found


def pool_layer(node: Node, name: str, images: Plane) -> MaxPool2d:
    """The layer of a MaxPool node. Raises ValueError or NetworkError."""
    kernel = integers(node.attributes.get("kernel_shape", ()), "kernel_shape")
    height, width = _image(images)
    strides, pads = window_sizes(node, tuple(kernel), (height, width))
    return MaxPool2d(
        name=name,
        shape=(height, width, images.channels),
        kernel=(kernel[0], kernel[1]),
        stride=(strides[0], strides[1]),
        padding=(pads[0], pads[2], pads[1], pads[3]),
    )

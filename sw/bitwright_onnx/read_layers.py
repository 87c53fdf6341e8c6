"""The operators that nodes of an ONNX graph become."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Conv2d, Dense, MaxPool2d, Operator, Thresholds
from bitwright_core.outputs import Output
from bitwright_onnx.canonical import integers
from bitwright_onnx.form import Node
from bitwright_onnx.shapes import window_sizes
from bitwright_onnx.signals import Accumulators, Plane
from bitwright_onnx.windows import image_size


def matrix_layer(signal: Accumulators, falling: NDArray[np.bool_], output: Output) -> Operator:
    """The layer with `output`, rows complemented where `falling`. Raises ValueError for scores of each pixel."""
    bits = np.where(falling[:, None], 1 - signal.rows.bits, signal.rows.bits)
    window = signal.convolution
    if window is None or (window["whole"] and not isinstance(output, Thresholds)):
        return Dense(name=signal.name, weights=bits, output=output, takes=signal.takes)
    if not isinstance(output, Thresholds):
        raise ValueError("it gives scores for each pixel; the last layer must be a dense one")
    return Conv2d(
        name=signal.name,
        shape=window["shape"],
        weights=bits.reshape(window["weights"]),
        output=output,
        stride=window["stride"],
        padding=window["padding"],
        padding_value=window["padding_value"],
        takes=signal.takes,
    )


def silenced(layer: Operator, outputs: NDArray[np.int64], bit: int) -> Operator:
    """`layer` with some of its outputs always `bit`."""
    assert isinstance(layer, Dense | Conv2d) and isinstance(layer.output, Thresholds)  # it gives bits
    least, largest = layer.accumulator_range
    values = layer.output.values.copy()
    values[outputs] = least if bit else largest + 1
    return replace(layer, output=Thresholds(values=values))


def pool_layer(node: Node, name: str, images: Plane) -> MaxPool2d:
    """The layer of a MaxPool node. Raises ValueError or NetworkError."""
    kernel = integers(node.attributes.get("kernel_shape", ()), "kernel_shape")
    height, width = image_size(images)
    strides, pads = window_sizes(node, tuple(kernel), (height, width))
    return MaxPool2d(
        name=name,
        shape=(height, width, images.channels),
        kernel=(kernel[0], kernel[1]),
        stride=(strides[0], strides[1]),
        padding=(pads[0], pads[2], pads[1], pads[3]),
    )

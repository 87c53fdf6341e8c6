"""The operators that nodes of an ONNX graph become."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import (
    BINARY,
    Conv2d,
    Dense,
    MaxPool2d,
    NumberType,
    Operator,
    Scores,
    Sums,
    Thresholds,
    Votes,
)
from bitwright_core.ops.matrix import dot_range
from bitwright_core.outputs import Output
from bitwright_onnx.canonical import integers
from bitwright_onnx.few_bits import holding
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.shapes import window_sizes
from bitwright_onnx.signals import Accumulators, Plane
from bitwright_onnx.windows import image_size


@dataclass(frozen=True, kw_only=True)
class Hint:
    """What an export of bitwright's own says of a layer: the types that its numbers alone do not tell."""

    weight_type: NumberType = BINARY
    levels: int = 1
    base: int = 0
    kind: str = ""  # of the operator
    sums: bool = False  # whether it gives whole sums
    scales: tuple[int, ...] = ()  # of an addition


def matrix_layer(signal: Accumulators, falling: NDArray[np.bool_], output: Output) -> Operator:
    """The layer with `output`, rows complemented where `falling`; scores of each pixel are its sums.

    Raises ValueError for votes of each pixel.
    """
    weights, weight_type = signal.rows.weights, signal.rows.weight_type
    if weight_type.xnor:
        weights = np.where(falling[:, None], 1 - weights, weights)
    else:
        turned = np.where(falling[:, None], -weights.astype(np.int16), weights)
        weights, weight_type = turned, holding(turned, weight_type)
    if isinstance(output, Thresholds):
        # beyond what can occur, a threshold is reached always or never
        least, largest = dot_range(weights, weight_type, signal.takes)
        least, largest = (least, largest) if signal.sums_dots else (0, signal.largest)
        output = replace(output, values=np.clip(output.values, least, largest + 1))
    elif isinstance(output, Votes):
        least, largest = dot_range(weights, weight_type, signal.takes)
        least, largest = (least, largest) if signal.sums_dots else (0, signal.largest)
        output = replace(output, thresholds=np.clip(output.thresholds, least, largest + 1))
    window = signal.convolution
    if window is None or (window["whole"] and not isinstance(output, Thresholds | Sums)):
        return Dense(name=signal.name, weights=weights, output=output, takes=signal.takes, weight_type=weight_type)
    if isinstance(output, Votes):
        raise ValueError(
            "it chooses a class of each pixel by bits; only the sums of a convolution are scores of pixels"
        )
    if not isinstance(output, Thresholds | Sums):
        output = Sums(scale=output.scale, offset=output.offset)
    return Conv2d(
        name=signal.name,
        shape=window["shape"],
        weights=weights.reshape(window["weights"]),
        output=output,
        stride=window["stride"],
        padding=window["padding"],
        padding_value=window["padding_value"],
        groups=window["groups"],
        dilation=window["dilation"],
        takes=signal.takes,
        weight_type=weight_type,
    )


def with_sums(layer: Operator) -> Operator:
    """A layer whose scores are one output of several: its sums."""
    if isinstance(layer, Dense) and isinstance(layer.output, Scores):
        return replace(layer, output=Sums(scale=layer.output.scale, offset=layer.output.offset))
    return layer


def silenced(layer: Operator, outputs: NDArray[np.int64], bit: int) -> Operator:
    """`layer` with some of its outputs always `bit`."""
    assert isinstance(layer, Dense | Conv2d) and isinstance(layer.output, Thresholds)  # it gives bits
    least, largest = layer.accumulator_range
    values = layer.output.values.copy()
    values[outputs] = least if bit else largest + 1
    return replace(layer, output=replace(layer.output, values=values))


def pool_layer(node: OnnxNode, name: str, images: Plane, takes: NumberType) -> MaxPool2d:
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
        takes=takes,
    )

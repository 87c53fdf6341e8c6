"""How each operator is written as ONNX nodes: a handler for each, in one table."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    ENCODED,
    Add,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    MatrixLayer,
    MaxPool2d,
    Network,
    Operator,
    Quantize,
    Scores,
    SumPool2d,
    Sums,
    Thresholds,
    Upsample2d,
    Votes,
)
from bitwright_core.numbers import PADDING
from bitwright_onnx.writer import Layout, Writer

Handler = Callable[[Writer, Any], None]  # takes the operator's own type


def write_layers(writer: Writer, network: Network) -> dict[str, str]:
    """Writes all layers, from the encoded input on, and leaves the result as the value at hand.

    Returns the name of the value that each layer gives.
    """
    at = {ENCODED: (writer.value, writer.layout)}
    for node in network.nodes:
        writer.branches = [at[name] for name in node.takes]
        writer.value, writer.layout = writer.branches[0]
        HANDLERS[type(node.operator)](writer, node.operator)
        at[node.name] = writer.value, writer.layout
    return {name: value for name, (value, _) in at.items()}


def check_writable(network: Network) -> None:
    """Raises NetworkError, naming the layer, for what no handler writes."""
    for node in network.nodes:
        layer = node.operator
        if type(layer) not in HANDLERS:
            raise NetworkError(f"layer {node.name} is of kind {layer.kind}, which is not exported to ONNX")


def _dense(writer: Writer, layer: Dense) -> None:
    writer.flat()
    writer.node("MatMul", layer.name, writer.weights(layer.name, layer.weights.T, layer.weight_type))
    _output(writer, layer, ())


def _conv2d(writer: Writer, layer: Conv2d) -> None:
    writer.channels_first()
    top, bottom, left, right = layer.padding
    if any(layer.padding) and layer.padding_value != "zero":
        amounts = writer.constant(f"{layer.name}_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
        value = writer.constant(f"{layer.name}_pad", np.array(PADDING[layer.padding_value], np.float32))
        writer.node("Pad", f"{layer.name}_padded", amounts, value, mode="constant")
        top = bottom = left = right = 0
    writer.node(
        "Conv",
        layer.name,
        writer.weights(layer.name, layer.weights.transpose(0, 3, 1, 2), layer.weight_type),
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        pads=[top, left, bottom, right],
        **({} if layer.groups == 1 else {"group": layer.groups}),
        **({} if layer.dilation == (1, 1) else {"dilations": list(layer.dilation)}),
    )
    _output(writer, layer, (1, 1))


def _max_pool2d(writer: Writer, layer: MaxPool2d) -> None:
    writer.channels_first()
    top, bottom, left, right = layer.padding
    writer.node(
        "MaxPool",
        layer.name,
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        pads=[top, left, bottom, right],
    )


def _sum_pool2d(writer: Writer, layer: SumPool2d) -> None:
    """An average times the size of its window, rounded to the whole number that it is."""
    writer.channels_first()
    kernel, strides = list(layer.kernel), list(layer.stride)
    writer.node("AveragePool", layer.name, kernel_shape=kernel, strides=strides)
    count = writer.constant(f"{layer.name}_count", np.array(kernel[0] * kernel[1], np.float32))
    writer.node("Mul", f"{layer.name}_times", count)
    writer.node("Round", f"{layer.name}_sum")


def _branches(writer: Writer, *, flat: bool = False) -> list[tuple[str, Layout]]:
    """What a join takes, each image with its channels first, or `flat` in raster order."""
    found: list[tuple[str, Layout]] = []
    for value, layout in list(writer.branches):
        writer.value, writer.layout = value, layout
        if flat:
            writer.flat()
        elif writer.layout != "flat":
            writer.channels_first()
        found.append((writer.value, writer.layout))
    return found


def _add(writer: Writer, layer: Add) -> None:
    terms = []
    for place, ((value, _), scale) in enumerate(zip(_branches(writer), layer.scales, strict=True)):
        writer.value = value
        if scale != 1:
            factor = writer.constant(f"{layer.name}_scale{place}", np.array(scale, np.float32))
            writer.node("Mul", f"{layer.name}_times{place}", factor)
        terms.append(writer.value)
    writer.named_node("Sum", layer.name, terms, f"{layer.name}_out")


def _concat(writer: Writer, layer: Concat) -> None:
    values = [value for value, _ in _branches(writer, flat=layer.image is None)]
    writer.named_node("Concat", layer.name, values, f"{layer.name}_out", axis=1)


def _arg_max(writer: Writer, layer: ChannelArgMax) -> None:
    if writer.layout != "flat":
        writer.channels_first()
    writer.node("ArgMax", layer.name, axis=1, keepdims=1)
    writer.node("Cast", f"{layer.name}_number", to=TensorProto.FLOAT)


def _quantize(writer: Writer, layer: Quantize) -> None:
    if writer.layout != "flat":
        writer.channels_first()
    _thresholds(writer, layer.name, layer.output, layer.output.values, () if writer.layout == "flat" else (1, 1))


def _upsample2d(writer: Writer, layer: Upsample2d) -> None:
    """To the nearest pixel, asymmetric and rounded down, which is the pixel that each repeats."""
    writer.channels_first()
    scales = writer.constant(f"{layer.name}_scales", np.array([1, 1, *layer.factors], np.float32))
    writer.node(
        "Resize",
        layer.name,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


HANDLERS: Mapping[type[Operator], Handler] = {
    Add: _add,
    ChannelArgMax: _arg_max,
    Concat: _concat,
    Conv2d: _conv2d,
    Dense: _dense,
    MaxPool2d: _max_pool2d,
    Quantize: _quantize,
    SumPool2d: _sum_pool2d,
    Upsample2d: _upsample2d,
}


def _output(writer: Writer, layer: MatrixLayer, after: tuple[int, ...]) -> None:
    """Thresholds on the dot product, or scores of the accumulator; `after` are the axes behind the channels."""
    match layer.output:
        case Sums(scale=scale, offset=offset):
            # of the dot product, also where it is of the popcount (dot + inputs) / 2
            factor, term = (scale, offset) if layer.sums_dots else (scale / 2, offset + scale * layer.inputs / 2)
            for op, name, array in (("Mul", "scale", factor), ("Add", "offset", term)):
                key = writer.constant(f"{layer.name}_{name}", np.float32(array).reshape(-1, *after))
                writer.node(op, f"{layer.name}_{op.lower()}", key)
        case Scores(scale=scale, offset=offset):
            _accumulators(writer, layer)
            writer.node("Mul", f"{layer.name}_scaled", writer.constant(f"{layer.name}_scale", scale))
            writer.node("Add", f"{layer.name}_scores", writer.constant(f"{layer.name}_offset", offset))
        case Votes(thresholds=thresholds, votes=votes):
            _accumulators(writer, layer)
            key = writer.constant(f"{layer.name}_thresholds", thresholds)
            fires = writer.node("GreaterOrEqual", f"{layer.name}_reached", key)
            won = writer.constant(f"{layer.name}_votes", votes)
            nothing = writer.constant(f"{layer.name}_none", np.array(0, np.int64))
            writer.named_node("Where", f"{layer.name}_vote", [fires, won, nothing], f"{layer.name}_scores")
        case thresholds:
            bounds = thresholds.values if layer.sums_dots else 2 * thresholds.values - layer.inputs
            _thresholds(writer, layer.name, thresholds, bounds, after)


def _thresholds(
    writer: Writer, name: str, output: Thresholds, bounds: NDArray[np.int64], after: tuple[int, ...]
) -> None:
    """One bit, or a number of several levels, by what the value at hand reaches of `bounds` (outputs, levels)."""
    floats = bounds.astype(np.float32)
    if (output.levels, output.base) == (1, 0):
        writer.sign(name, floats.reshape(-1, *after))
    else:
        writer.levels(name, floats, output.base, after)


def _accumulators(writer: Writer, layer: MatrixLayer) -> None:
    """The dot product as int64, and from it the popcount where that is what scores are of."""
    writer.node("Cast", f"{layer.name}_integers", to=TensorProto.INT64)
    if not layer.sums_dots:
        inputs = writer.constant(f"{layer.name}_inputs", np.array(layer.inputs, np.int64))
        writer.node("Add", f"{layer.name}_twice", inputs)
        writer.node("Div", f"{layer.name}_counts", writer.constant(f"{layer.name}_two", np.array(2, np.int64)))

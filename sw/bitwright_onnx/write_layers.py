"""How each operator is written as ONNX nodes: a handler for each, in one table."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from bitwright_core.errors import NetworkError
from bitwright_core.network import ENCODED, Conv2d, Dense, MatrixLayer, MaxPool2d, Network, Operator, Scores, Votes
from bitwright_core.numbers import PADDING
from bitwright_onnx.writer import Writer

Handler = Callable[[Writer, Any], None]  # takes the operator's own type


def write_layers(writer: Writer, network: Network) -> None:
    """Writes all layers, from the encoded input on, and leaves the result as the value at hand."""
    at = {ENCODED: (writer.value, writer.layout)}
    for node in network.nodes:
        writer.value, writer.layout = at[node.takes[0]]
        HANDLERS[type(node.operator)](writer, node.operator)
        at[node.name] = writer.value, writer.layout


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


HANDLERS: Mapping[type[Operator], Handler] = {Dense: _dense, Conv2d: _conv2d, MaxPool2d: _max_pool2d}


def _output(writer: Writer, layer: MatrixLayer, after: tuple[int, ...]) -> None:
    """Thresholds on the dot product, or scores of the accumulator; `after` are the axes behind the channels."""
    match layer.output:
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
            floats = bounds.astype(np.float32)
            if layer.edge.number.xnor:
                writer.sign(layer.name, floats.reshape(-1, *after))
            else:
                writer.levels(layer.name, floats, thresholds.base, after)


def _accumulators(writer: Writer, layer: MatrixLayer) -> None:
    """The dot product as int64, and from it the popcount where that is what scores are of."""
    writer.node("Cast", f"{layer.name}_integers", to=TensorProto.INT64)
    if not layer.sums_dots:
        inputs = writer.constant(f"{layer.name}_inputs", np.array(layer.inputs, np.int64))
        writer.node("Add", f"{layer.name}_twice", inputs)
        writer.node("Div", f"{layer.name}_counts", writer.constant(f"{layer.name}_two", np.array(2, np.int64)))

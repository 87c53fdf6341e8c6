"""`export_onnx`: a Network to an ONNX file, in standard operators alone or with QONNX's BipolarQuant.

Both compute the golden model's integers: sums of +-1 in float32 are exact (a Network has at most 2^20 lanes),
scores are int64. The graph takes raw frames (uint8, or uint16 above 8 bits), HWC behind an open batch axis.
"""

import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bitwright_core.atomic import write_bytes
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    Conv2d,
    Dense,
    Encoding,
    IntegerEncoding,
    MaxPool2d,
    Network,
    Scores,
    Thresholds,
    Votes,
)
from bitwright_onnx.importer import METADATA_KEY

Dialect = Literal["standard", "qonnx"]
OPSET = 13  # the oldest that has every operator used here in its present form
IR_VERSION = 8
QONNX_DOMAIN = "qonnx.custom_op.general"
_EXACT = 1 << 24  # every whole number up to it is a float32
_PAD_VALUES = {"minus_one": -1.0, "plus_one": 1.0, "zero": 0.0}


def export_onnx(network: Network, path: str | os.PathLike[str], *, dialect: Dialect = "standard") -> None:
    """Writes `network` to `path`. Raises OSError, or ValueError for a dialect that there is not."""
    write_bytes(Path(path), to_model(network, dialect=dialect).SerializeToString(deterministic=True))


def to_model(network: Network, *, dialect: Dialect = "standard") -> onnx.ModelProto:
    """The ONNX model of `network`, the same bytes for the same network."""
    if dialect not in ("standard", "qonnx"):
        raise ValueError(f"no ONNX dialect {dialect!r}; there are standard and qonnx")
    _check_sums(network)
    return _Writer(network, dialect).model()


def _check_sums(network: Network) -> None:
    """Raises NetworkError for a first layer on integers whose sums float32 rounds."""
    first, tables = network.layers[0].matrix, network.encoding.tables
    if tables is None or first is None:
        return
    largest = np.abs(tables).max(axis=1)
    if first.windows is not None and len(largest) == network.input.size:
        largest = largest.reshape(-1, first.channels).max(axis=0)
    bound = int(np.resize(largest, first.channels).sum()) * (first.inputs // first.channels)
    if bound > _EXACT:
        raise NetworkError(
            f"layer {first.name} adds up integers to sums of up to {bound:,}, which float32 does not hold exactly, so "
            "that no ONNX graph of standard operators computes this network; import it with coarser inputs"
        )


class _Writer:
    """Nodes and constants so far, and the name of the value that the next node takes."""

    def __init__(self, network: Network, dialect: Dialect) -> None:
        self.network = network
        self.qonnx = dialect == "qonnx"
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.value = "frames"
        self.images: tuple[int, int, int] | None = None  # (height, width, channels) where values are NCHW

    def model(self) -> onnx.ModelProto:
        network = self.network
        self._encode()
        for layer in network.layers:
            match layer:
                case MaxPool2d():
                    self._pool(layer)
                case Conv2d():
                    self._convolve(layer)
                case Dense():
                    self._dense(layer)
        self._flat()
        kind = TensorProto.INT64 if network.gives_scores else TensorProto.FLOAT
        outputs = [helper.make_tensor_value_info(self.value, kind, ["frames", network.outputs])]
        raw = TensorProto.UINT8 if network.input.bits <= 8 else TensorProto.UINT16
        inputs = [helper.make_tensor_value_info("frames", raw, ["frames", *network.input.shape])]
        graph = helper.make_graph(self.nodes, network.name, inputs, outputs, self.constants)
        domains = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid(QONNX_DOMAIN, 1)] if self.qonnx else [])
        model = helper.make_model(graph, opset_imports=domains, producer_name="bitwright", ir_version=IR_VERSION)
        facts: dict[str, Any] = {
            "name": network.name,
            "input_bits": network.input.bits,
            "input_layout": "nhwc",
            "layers": [layer.name for layer in network.layers],
            "labels": list(network.labels),
            "outputs": {"class": "class", "values": "scores", "bits": "labels"}[network.gives],
        }
        if network.values is not None:
            facts["values"] = {"step": network.values.step, "error": network.values.error}
        helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
        return model

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, op: str, name: str, *extra: str, **attributes: Any) -> str:
        """Appends a node on the value at hand, which becomes its result."""
        domain = QONNX_DOMAIN if op == "BipolarQuant" else ""
        self.nodes.append(
            helper.make_node(op, [self.value, *extra], [f"{name}_out"], name=name, domain=domain, **attributes)
        )
        self.value = f"{name}_out"
        return self.value

    def _encode(self) -> None:
        """Raw frames to +-1, or to integers."""
        network = self.network
        match network.encoding:
            case Encoding(rows=rows, levels=levels):
                edge = network.encoded_edge.shape
                shape = (*edge[:-1], -1, 1)
                thresholds = rows  # (1, levels) and (channels, levels) are broadcast
                if len(rows) == network.input.size:
                    thresholds = rows.reshape(*edge[:-1], -1, levels)
                self._node("Cast", "input_cast", to=TensorProto.FLOAT)
                self._node("Reshape", "input_values", self._constant("input_shape", np.array([0, *shape])))
                self._sign("input", (thresholds if len(rows) > 1 else rows[0]).astype(np.float32))
                self._node(
                    "Reshape", "encoded", self._constant("encoded_shape", np.array([0, *network.encoded_edge.shape]))
                )
            case IntegerEncoding(rows=rows):
                shape = network.encoded_edge.shape
                self._node("Cast", "input_cast", to=TensorProto.INT64)
                self._node("Reshape", "input_values", self._constant("input_shape", np.array([0, *shape])))
                if len(rows) > 1:  # one table, in which each channel or value has a part of its own
                    parts = np.arange(len(rows)) * rows.shape[1]
                    parts = parts if len(rows) == shape[-1] else parts.reshape(shape)
                    self._node("Add", "input_parts", self._constant("input_part", parts))
                self._constant("input_table", rows.reshape(-1).astype(np.float32))
                self.nodes.append(
                    helper.make_node("Gather", ["input_table", self.value], ["encoded"], name="encode", axis=0)
                )
                self.value = "encoded"

    def _sign(self, name: str, thresholds: NDArray[np.float32]) -> None:
        """+1 where the value reaches its threshold, else -1."""
        key = self._constant(f"{name}_thresholds", thresholds)
        if self.qonnx:
            self._node("Sub", f"{name}_less", key)
            self._node("BipolarQuant", f"{name}_sign", self._constant(f"{name}_scale", np.ones(1, np.float32)))
            return
        fires = self._node("GreaterOrEqual", f"{name}_fires", key)
        one, minus = (
            self._constant(f"{name}_{text}", np.array(value, np.float32)) for text, value in (("one", 1), ("minus", -1))
        )
        self.nodes.append(helper.make_node("Where", [fires, one, minus], [f"{name}_sign_out"], name=f"{name}_sign"))
        self.value = f"{name}_sign_out"

    def _weights(self, name: str, bits: NDArray[np.uint8]) -> str:
        """+-1 weights; in QONNX behind their quantizer."""
        signs = self._constant(f"{name}_weights", 2 * bits.astype(np.float32) - 1)
        if not self.qonnx:
            return signs
        scale = self._constant(f"{name}_weight_scale", np.ones(1, np.float32))
        self.nodes.append(
            helper.make_node(
                "BipolarQuant", [signs, scale], [f"{name}_quantized"], name=f"{name}_quant", domain=QONNX_DOMAIN
            )
        )
        return f"{name}_quantized"

    def _channels_first(self, shape: tuple[int, int, int]) -> None:
        if self.images is None:
            self._node("Transpose", f"to_nchw_{len(self.nodes)}", perm=[0, 3, 1, 2])
        self.images = shape

    def _flat(self) -> None:
        """Images to rows, in raster order with the channels fastest."""
        if self.images is not None:
            self._node("Transpose", f"to_nhwc_{len(self.nodes)}", perm=[0, 2, 3, 1])
            self.images = None
            self._node("Flatten", f"flatten_{len(self.nodes)}", axis=1)

    def _dense(self, layer: Dense) -> None:
        if self.images is None and len(self.network.encoded_edge.shape) > 1 and layer is self.network.layers[0]:
            self._node("Flatten", "input_flat", axis=1)
        self._flat()
        self._node("MatMul", layer.name, self._weights(layer.name, layer.weights.T))
        self._output(layer, ())

    def _convolve(self, layer: Conv2d) -> None:
        self._channels_first(layer.shape)
        top, bottom, left, right = layer.padding
        if any(layer.padding) and layer.padding_value != "zero":
            amounts = self._constant(f"{layer.name}_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
            value = self._constant(f"{layer.name}_pad", np.array(_PAD_VALUES[layer.padding_value], np.float32))
            self._node("Pad", f"{layer.name}_padded", amounts, value, mode="constant")
            top = bottom = left = right = 0
        self._node(
            "Conv",
            layer.name,
            self._weights(layer.name, layer.weights.transpose(0, 3, 1, 2)),
            kernel_shape=list(layer.kernel),
            strides=list(layer.stride),
            pads=[top, left, bottom, right],
        )
        self._output(layer, (1, 1))

    def _pool(self, layer: MaxPool2d) -> None:
        self._channels_first(layer.shape)
        top, bottom, left, right = layer.padding
        self._node(
            "MaxPool",
            layer.name,
            kernel_shape=list(layer.kernel),
            strides=list(layer.stride),
            pads=[top, left, bottom, right],
        )

    def _output(self, layer: Dense | Conv2d, after: tuple[int, ...]) -> None:
        """Thresholds on the dot product, or scores of the accumulator; `after` are the axes behind the channels."""
        dots = layer.sums_dots
        match layer.output:
            case Thresholds(values=values):
                bound = values[:, 0] if dots else 2 * values[:, 0] - layer.inputs
                self._sign(layer.name, bound.astype(np.float32).reshape(-1, *after))
            case Scores(scale=scale, offset=offset):
                self._accumulators(layer)
                self._node("Mul", f"{layer.name}_scaled", self._constant(f"{layer.name}_scale", scale))
                self._node("Add", f"{layer.name}_scores", self._constant(f"{layer.name}_offset", offset))
            case Votes(thresholds=thresholds, votes=votes):
                self._accumulators(layer)
                key = self._constant(f"{layer.name}_thresholds", thresholds)
                fires = self._node("GreaterOrEqual", f"{layer.name}_reached", key)
                won = self._constant(f"{layer.name}_votes", votes)
                nothing = self._constant(f"{layer.name}_none", np.array(0, np.int64))
                self.value = f"{layer.name}_scores"
                self.nodes.append(
                    helper.make_node("Where", [fires, won, nothing], [self.value], name=f"{layer.name}_vote")
                )

    def _accumulators(self, layer: Dense | Conv2d) -> None:
        """The dot product as int64, and from it the popcount where that is what scores are of."""
        self._node("Cast", f"{layer.name}_integers", to=TensorProto.INT64)
        if not layer.sums_dots:
            inputs = self._constant(f"{layer.name}_inputs", np.array(layer.inputs, np.int64))
            self._node("Add", f"{layer.name}_twice", inputs)
            self._node("Div", f"{layer.name}_counts", self._constant(f"{layer.name}_two", np.array(2, np.int64)))

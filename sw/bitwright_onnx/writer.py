"""An ONNX graph that is being written: nodes and constants so far, and the value that the next node takes."""

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bitwright_core.network import Network, NumberType, ThresholdEncoding
from bitwright_core.numbers import signed_bits

QONNX_DOMAIN = "qonnx.custom_op.general"
Layout = Literal["flat", "nhwc", "nchw"]  # of the axes behind that of the frames


class Writer:
    """Nodes and constants so far; `value` is the name of the value at hand, `layout` its order of axes."""

    def __init__(self, network: Network, *, qonnx: bool) -> None:
        self.network = network
        self.qonnx = qonnx
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.value = "frames"
        self.branches: list[tuple[str, Layout]] = []  # the values, with their layouts, that an operator takes
        self.layout: Layout = "nhwc" if len(network.encoded_edge.shape) > 1 else "flat"

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, op: str, name: str, *extra: str, **attributes: Any) -> str:
        """Appends a node on the value at hand, which becomes its result."""
        domain = QONNX_DOMAIN if op in ("BipolarQuant", "MultiThreshold") else ""
        self.nodes.append(
            helper.make_node(op, [self.value, *extra], [f"{name}_out"], name=name, domain=domain, **attributes)
        )
        self.value = f"{name}_out"
        return self.value

    def named_node(self, op: str, name: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Appends a node of standard ONNX on values of its own; `output` becomes the value at hand."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        self.value = output
        return output

    def encode(self) -> None:
        """Raw frames to +-1, or to integers."""
        network = self.network
        if isinstance(network.encoding, ThresholdEncoding):
            self._compared(network.encoding)
        else:
            self._looked_up(network.encoding.rows)

    def _compared(self, encoding: ThresholdEncoding) -> None:
        rows, edge = encoding.rows, self.network.encoded_edge.shape
        thresholds = rows  # (1, levels) and (channels, levels) are broadcast
        if len(rows) == self.network.input.size:
            thresholds = rows.reshape(*edge[:-1], -1, encoding.levels)
        self.node("Cast", "input_cast", to=TensorProto.FLOAT)
        self.node("Reshape", "input_values", self.constant("input_shape", np.array([0, *edge[:-1], -1, 1])))
        self.sign("input", (thresholds if len(rows) > 1 else rows[0]).astype(np.float32))
        self.node("Reshape", "encoded", self.constant("encoded_shape", np.array([0, *edge])))

    def _looked_up(self, rows: NDArray[np.int64]) -> None:
        shape = self.network.encoded_edge.shape
        self.node("Cast", "input_cast", to=TensorProto.INT64)
        self.node("Reshape", "input_values", self.constant("input_shape", np.array([0, *shape])))
        if len(rows) > 1:  # one table, in which each channel or value has a part of its own
            parts = np.arange(len(rows)) * rows.shape[1]
            parts = parts if len(rows) == shape[-1] else parts.reshape(shape)
            self.node("Add", "input_parts", self.constant("input_part", parts))
        table = self.constant("input_table", rows.reshape(-1).astype(np.float32))
        self.named_node("Gather", "encode", [table, self.value], "encoded", axis=0)

    def sign(self, name: str, thresholds: NDArray[np.float32]) -> None:
        """+1 where the value reaches its threshold, else -1."""
        key = self.constant(f"{name}_thresholds", thresholds)
        if self.qonnx:
            self.node("Sub", f"{name}_less", key)
            self.node("BipolarQuant", f"{name}_sign", self.constant(f"{name}_scale", np.ones(1, np.float32)))
            return
        fires = self.node("GreaterOrEqual", f"{name}_fires", key)
        one, minus = (
            self.constant(f"{name}_{text}", np.array(value, np.float32)) for text, value in (("one", 1), ("minus", -1))
        )
        self.named_node("Where", f"{name}_sign", [fires, one, minus], f"{name}_sign_out")

    def levels(self, name: str, thresholds: NDArray[np.float32], base: int, after: tuple[int, ...]) -> None:
        """`base` and how many of the thresholds (outputs, levels) the value reaches.

        `after` are the axes behind the channels, an axis of 1 each.
        """
        if self.qonnx:
            most = base + thresholds.shape[1]
            out = f"UINT{most.bit_length()}" if base == 0 else f"INT{max(signed_bits(base), signed_bits(most))}"
            key = self.constant(f"{name}_thresholds", thresholds)
            layout = "NCHW" if after else "NC"
            self.node("MultiThreshold", f"{name}_levels", key, out_dtype=out, out_bias=float(base), data_layout=layout)
            return
        source, terms = self.value, []
        for level, column in enumerate(thresholds.T):
            self.value = source
            key = self.constant(f"{name}_level{level}", column.reshape(-1, *after))
            self.node("GreaterOrEqual", f"{name}_fires{level}", key)
            terms.append(self.node("Cast", f"{name}_one{level}", to=TensorProto.FLOAT))
        while len(terms) > 1:  # balanced, so that the tree stays shallow
            added = []
            for left, right in zip(terms[::2], terms[1::2], strict=False):
                self.value = left
                added.append(self.node("Add", f"{name}_add{len(self.nodes)}", right))
            terms = [*added, *terms[2 * len(added) :]]
        self.value = terms[0]
        self.node("Add", f"{name}_based", self.constant(f"{name}_base", np.array(base, np.float32)))

    def weights(self, name: str, stored: NDArray[np.integer], number: NumberType) -> str:
        """The name of weights, as they are worth; in QONNX behind their quantizer."""
        values = self.constant(f"{name}_weights", number.values(stored, np.float32))
        if not self.qonnx:
            return values
        parameters = [self.constant(f"{name}_weight_scale", np.ones(1, np.float32))]
        settings: dict[str, Any] = {}
        if not number.xnor:
            parameters.append(self.constant(f"{name}_weight_zero", np.zeros(1, np.float32)))
            parameters.append(self.constant(f"{name}_weight_bits", np.array([number.bits], np.float32)))
            settings = {"signed": 1, "narrow": int(-number.least == number.largest), "rounding_mode": "ROUND"}
        self.nodes.append(
            helper.make_node(
                "BipolarQuant" if number.xnor else "Quant",
                [values, *parameters],
                [f"{name}_quantized"],
                name=f"{name}_quant",
                domain=QONNX_DOMAIN,
                **settings,
            )
        )
        return f"{name}_quantized"

    def channels_first(self) -> None:
        """Images with the channels before height and width, as Conv and MaxPool take them."""
        if self.layout == "nhwc":
            self.node("Transpose", f"to_nchw_{len(self.nodes)}", perm=[0, 3, 1, 2])
        self.layout = "nchw"

    def flat(self) -> None:
        """Rows, of images in raster order with the channels fastest."""
        if self.layout == "nchw":
            self.node("Transpose", f"to_nhwc_{len(self.nodes)}", perm=[0, 2, 3, 1])
            self.node("Flatten", f"flatten_{len(self.nodes)}", axis=1)
        elif self.layout == "nhwc":
            again = any(node.name == "input_flat" for node in self.nodes)  # several layers may take it
            self.node("Flatten", f"input_flat_{len(self.nodes)}" if again else "input_flat", axis=1)
        self.layout = "flat"

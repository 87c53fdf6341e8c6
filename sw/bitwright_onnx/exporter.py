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
from onnx import TensorProto, helper

from bitwright_core.atomic import write_bytes
from bitwright_core.errors import NetworkError
from bitwright_core.network import ENCODED, Add, MatrixLayer, Network, Sums, Thresholds
from bitwright_onnx.importer import METADATA_KEY
from bitwright_onnx.write_layers import check_writable, write_layers
from bitwright_onnx.writer import QONNX_DOMAIN, Writer

Dialect = Literal["standard", "qonnx"]
OPSET = 13  # the oldest that has every operator used here in its present form
IR_VERSION = 8
_EXACT = 1 << 24  # every whole number up to it is a float32


def export_onnx(network: Network, path: str | os.PathLike[str], *, dialect: Dialect = "standard") -> None:
    """Writes `network` to `path`. Raises OSError, ValueError for a dialect that there is not, or NetworkError."""
    write_bytes(Path(path), to_model(network, dialect=dialect).SerializeToString(deterministic=True))


def to_model(network: Network, *, dialect: Dialect = "standard") -> onnx.ModelProto:
    """The ONNX model of `network`, the same bytes for the same network. Raises NetworkError, naming the layer."""
    if dialect not in ("standard", "qonnx"):
        raise ValueError(f"no ONNX dialect {dialect!r}; there are standard and qonnx")
    check_writable(network)
    _check_sums(network)
    return _model(network, dialect)


def _check_sums(network: Network) -> None:
    """Raises NetworkError for sums that float32 rounds, of a layer on integers or of branches."""
    tables = network.encoding.tables
    for node in network.nodes:
        layer = node.operator.matrix
        if layer is None:
            _check_size(node.name, node.edge.number.magnitude if node.edge.number.bits > 25 else 0)
        elif tables is None or node.takes != (ENCODED,):
            _check_size(node.name, layer.largest_dot)
        else:
            _check_first(layer, tables, network.input.size)


def _check_size(name: str, size: int) -> None:
    if size > _EXACT:
        raise NetworkError(f"layer {name} has sums of up to {size:,}, which float32 does not hold exactly")


def _check_first(first: MatrixLayer, tables: NDArray[np.int64], values: int) -> None:
    """Raises NetworkError for a layer on the integers of an encoding whose sums float32 rounds."""
    largest = np.abs(tables).max(axis=1)
    if first.windows is not None and len(largest) == values:
        largest = largest.reshape(-1, first.channels).max(axis=0)
    bound = int(np.resize(largest, first.channels).sum()) * (first.inputs // first.channels)
    bound *= 1 if first.weight_type.xnor else int(np.abs(first.weights.astype(np.int64)).max())
    if bound > _EXACT:
        raise NetworkError(
            f"layer {first.name} adds up integers to sums of up to {bound:,}, which float32 does not hold exactly, so "
            "that no ONNX graph of standard operators computes this network; import it with coarser inputs"
        )


def _graph_facts(network: Network, values: dict[str, str]) -> dict[str, Any]:
    """What a graph, or a chain of operators that say less of themselves, tells of each layer."""
    layers = []
    for node in network.nodes:
        fact: dict[str, Any] = {"name": node.name, "kind": node.operator.kind, "value": values[node.name]}
        output = getattr(node.operator, "output", None)
        if isinstance(output, Sums):
            fact["sums"] = True
        elif isinstance(output, Thresholds):
            fact |= {"levels": output.levels, "base": output.base}
        if isinstance(node.operator, Add):
            fact["scales"] = list(node.operator.scales)
        layers.append(fact)
    return {"encoded": values[ENCODED], "layers": layers}


def _is_plain(network: Network) -> bool:
    """Whether a network is a chain whose layers an import finds without being told of them."""
    known = {"dense", "conv2d", "max_pool2d"}
    sums = any(isinstance(layer.output, Sums) for layer in network.matrix_layers)
    return network.is_chain and not sums and all(layer.kind in known for layer in network.layers)


def _types(layer: MatrixLayer) -> dict[str, Any]:
    """What the graph does not tell of a layer's types."""
    weights = {"kind": layer.weight_type.kind, "bits": layer.weight_type.bits}
    return {"weights": weights, "levels": layer.output.levels, "base": layer.output.base}


def _model(network: Network, dialect: Dialect) -> onnx.ModelProto:
    writer = Writer(network, qonnx=dialect == "qonnx")
    writer.encode()
    values = write_layers(writer, network)
    writer.flat()
    kind = TensorProto.INT64 if network.gives_scores else TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info(writer.value, kind, ["frames", network.outputs])]
    raw = TensorProto.UINT8 if network.input.bits <= 8 else TensorProto.UINT16
    inputs = [helper.make_tensor_value_info("frames", raw, ["frames", *network.input.shape])]
    graph = helper.make_graph(writer.nodes, network.name, inputs, outputs, writer.constants)
    domains = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid(QONNX_DOMAIN, 1)] if writer.qonnx else [])
    model = helper.make_model(graph, opset_imports=domains, producer_name="bitwright", ir_version=IR_VERSION)
    facts: dict[str, Any] = {
        "name": network.name,
        "input_bits": network.input.bits,
        "input_layout": "nhwc",
        "layers": [layer.name for layer in network.layers],
        "labels": list(network.labels),
        "outputs": {"class": "class", "values": "scores", "bits": "labels", "integers": "integers"}[network.gives],
    }
    types: dict[str, Any] = {layer.name: _types(layer) for layer in network.matrix_layers if layer.format_version > 2}
    if types:
        facts["types"] = types
    if not _is_plain(network):
        facts["graph"] = _graph_facts(network, values)
    if network.values is not None:
        facts["values"] = {"step": network.values.step, "error": network.values.error}
    helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    return model

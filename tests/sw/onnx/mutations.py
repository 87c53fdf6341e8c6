"""Damaged and hostile ONNX files: bytes changed at random, and graphs changed at random."""

import numpy as np
import onnx
from onnx import TensorProto

from .graphs import random_conv, random_dense

OPERATORS = (
    "Relu",
    "Sign",
    "MatMul",
    "Conv",
    "Reshape",
    "Transpose",
    "Shape",
    "Loop",
    "Gather",
    "Quant",
    "TopK",
    "Add",
)
NUMBERS = (0, 1, -1, 2, 3, 7, 255, 2**31 - 1, -(2**31), 2**62, -(2**62))


def seeds(count: int = 12) -> list[onnx.ModelProto]:
    """Sound graphs of all dialects to start from."""
    made = []
    for seed in range(count):
        dialect = ("standard", "qonnx", "finn")[seed % 3]
        made.append((random_conv if seed % 2 else random_dense)(seed, dialect)[0])
    return made


def damaged_bytes(rng: np.random.Generator, content: bytes) -> bytes:
    """Bytes flipped, cut off, doubled or left out."""
    data = bytearray(content)
    way = int(rng.integers(4))
    if way == 0:
        return bytes(data[: int(rng.integers(len(data)))])
    start = int(rng.integers(len(data)))
    if way == 1:
        stop = start + int(rng.integers(1, 64))
        return bytes(data[:start] + data[start:stop] + data[start:])
    if way == 2:
        return bytes(data[:start] + data[start + int(rng.integers(1, 64)) :])
    for place in rng.integers(0, len(data), int(rng.integers(1, 12))):
        data[int(place)] = int(rng.integers(256))
    return bytes(data)


def damaged_graph(rng: np.random.Generator, model: onnx.ModelProto) -> bytes:
    """One to three changes of nodes, attributes, tensors and shapes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(int(rng.integers(1, 4))):
        _change(rng, copy.graph, copy)
    return copy.SerializeToString()


def _number(rng: np.random.Generator) -> int:
    return NUMBERS[int(rng.integers(len(NUMBERS)))]


def _change(rng: np.random.Generator, graph: onnx.GraphProto, model: onnx.ModelProto) -> None:
    node = graph.node[int(rng.integers(len(graph.node)))] if graph.node else onnx.NodeProto()
    tensor = graph.initializer[int(rng.integers(len(graph.initializer)))] if graph.initializer else TensorProto()
    names = [*(t.name for t in graph.initializer), *(out for n in graph.node for out in n.output), "nowhere", ""]
    way = int(rng.integers(14))
    if way == 0:
        node.op_type = OPERATORS[int(rng.integers(len(OPERATORS)))]
    elif way == 1 and node.input:
        node.input[int(rng.integers(len(node.input)))] = names[int(rng.integers(len(names)))]
    elif way == 2 and node.output:
        node.output[0] = names[int(rng.integers(len(names)))]
    elif way == 3 and graph.node:
        del graph.node[int(rng.integers(len(graph.node)))]
    elif way == 4 and tensor.dims:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = _number(rng)
    elif way == 5:
        tensor.data_type = int(rng.integers(0, 24))
    elif way == 6:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    elif way == 7 and node.attribute:
        attribute = node.attribute[int(rng.integers(len(node.attribute)))]
        attribute.i = _number(rng)
        if attribute.ints:
            attribute.ints[int(rng.integers(len(attribute.ints)))] = _number(rng)
    elif way == 8 and node.attribute:
        node.attribute[0].type = int(rng.integers(0, 15))
    elif way == 9 and graph.input:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[int(rng.integers(len(dims)))].dim_value = _number(rng)
    elif way == 10 and tensor.raw_data:  # other numbers, NaN and infinities among them
        values = np.frombuffer(tensor.raw_data, np.uint8).copy()
        values[int(rng.integers(len(values))) :] = int(rng.choice([0, 255, 127]))
        tensor.raw_data = values.tobytes()
    elif way == 11 and node.input:
        del node.input[int(rng.integers(len(node.input)))]
    elif way == 12:
        model.opset_import[0].version = _number(rng)
    elif node.input:
        node.input.append(names[int(rng.integers(len(names)))])

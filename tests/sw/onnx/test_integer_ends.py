"""Graphs that end in integers: a convolution, several outputs; and what is exported of such networks."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core import golden
from bitwright_core.network import Conv2d, Sums
from bitwright_onnx import Options, export_onnx, import_onnx
from bitwright_onnx.exporter import to_model

from ..integer_networks import heads_network, map_network
from .graphs import reference

RNG = np.random.default_rng(3)
RAW = RNG.integers(0, 256, (50, 2, 5, 4)).astype(np.uint8)
FRAMES = RAW.transpose(0, 2, 3, 1)  # as the Network takes them


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
@pytest.mark.parametrize("seed", [0, 1, 4, *(pytest.param(k, marks=pytest.mark.slow) for k in range(5, 40))])
@pytest.mark.parametrize("make", [map_network, heads_network])
def test_what_is_exported_computes_and_comes_back(tmp_path, make, seed, dialect):
    network = make(seed)
    frames = np.random.default_rng(seed).integers(0, 4, (20, *network.input.shape), dtype=np.uint8)
    told = reference(to_model(network, dialect=dialect), frames)
    expected = golden.outputs(network, frames)
    assert np.array_equal(told, 2 * expected - 1 if network.gives == "bits" else expected)
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    assert import_onnx(tmp_path / "n.onnx").network == network


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1, 1).astype(np.float32)


FIRST = signs(3, 2, 1, 1)


def model(tail, outputs, **constants):
    """Pixels of 0..1, each +1 from 0.5, through a convolution to 3 bits a pixel, `s`; then `tail`."""
    tensors = {"half": 0.5, "one": 1.0, "minus": -1.0, "zero": 0.0, "W": FIRST, **constants}
    nodes = [
        ("GreaterOrEqual", "x half", "l"),
        ("Where", "l one minus", "e"),
        ("Conv", "e W", "t"),
        ("GreaterOrEqual", "t zero", "f"),
        ("Where", "f one minus", "s"),
        *tail,
    ]
    made = [
        helper.make_node(op, names.split(), [output], name=f"n_{output}", **(rest[0] if rest else {}))
        for op, names, output, *rest in nodes
    ]
    used = {name for node in made for name in node.input}
    graph = helper.make_graph(
        made,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 5, 4])],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [
            numpy_helper.from_array(
                np.asarray(value, None if np.asarray(value).dtype.kind == "i" else np.float32), name
            )
            for name, value in tensors.items()
            if name in used
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def both(tmp_path, given, output=None):
    """The import, and what onnxruntime gives for RAW, of one output."""
    onnx.save(given, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1)))
    if output is not None:
        del given.graph.output[:]
        given.graph.output.append(helper.make_empty_tensor_value_info(output))
    return found, reference(given, RAW.astype(np.float32) / np.float32(255))


KERNEL, BIAS = signs(4, 3, 2, 2), np.float32([0.25, -1.5, 0.0, 3.0])


def test_a_last_convolution_gives_a_map_of_numbers(tmp_path):
    given = model([("Conv", "s V b", "a"), ("Mul", "a k", "y")], ["y"], V=KERNEL, b=BIAS, k=0.5)
    found, expected = both(tmp_path, given)
    network = found.network
    assert network.gives == "integers" and isinstance(network.last, Conv2d) and isinstance(network.last.output, Sums)
    assert network.nodes[-1].edge.shape == (4, 3, 4) and "4 of each of 12 pixels" in found.outputs
    assert np.array_equal(golden.values(network, FRAMES).reshape(-1, 4, 3, 4), expected.transpose(0, 2, 3, 1))


def test_classes_of_pixels_are_the_first_largest_scores(tmp_path):
    given = model([("Conv", "s V b", "a"), ("Softmax", "a", "y", {"axis": 1})], ["y"], V=KERNEL, b=BIAS)
    found, expected = both(tmp_path, given)
    scores = golden.outputs(found.network, FRAMES).reshape(-1, 4, 3, 4)
    assert (
        np.array_equal(scores.argmax(axis=3), expected.argmax(axis=1))
        and "4 scores of each of 12 pixels" in found.outputs
    )


def test_a_last_convolution_of_one_pixel_is_a_dense_layer(tmp_path):
    given = model([("Conv", "s V b", "y")], ["y"], V=signs(4, 3, 5, 4), b=BIAS)
    found, expected = both(tmp_path, given)
    assert found.network.is_classifier and found.network.last.kind == "dense"
    assert np.array_equal(golden.classify(found.network, FRAMES), expected.reshape(len(RAW), -1).argmax(axis=1))


HEADS = [
    ("Conv", "s V b", "map"),
    ("Flatten", "s", "r"),
    ("MatMul", "r D", "m"),
    ("Add", "m c", "n"),
    ("Softmax", "n", "class", {"axis": 1}),
    ("MatMul", "r E", "q"),
    ("Sigmoid", "q", "label"),
]


def test_several_outputs_are_one_result(tmp_path):
    """A map of numbers, scores of a class, and labels, of one trunk."""
    constants = {"V": KERNEL, "b": BIAS, "D": signs(60, 5), "c": RNG.random(5), "E": signs(60, 3)}
    outputs = ["map", "class", "label"]
    results = {}
    for output in outputs:
        found, results[output] = both(tmp_path, model(HEADS, outputs, **constants), output)
    network = found.network
    assert network.gives == "integers" and len(network.heads) == 3 and found.outputs.startswith("3 outputs")
    told = golden.outputs(network, FRAMES)
    numbers, scores, labels = (head.of(told) for head in network.heads)
    assert np.array_equal(numbers * 0.25, results["map"].transpose(0, 2, 3, 1))
    assert np.array_equal(scores.argmax(axis=1), results["class"].argmax(axis=1))
    assert np.array_equal(labels > 0, results["label"] >= 0.5)

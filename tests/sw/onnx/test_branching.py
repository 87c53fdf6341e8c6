"""Graphs that fork and join, in and out: against onnxruntime and qonnx, and back to the same network."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core import golden
from bitwright_core.errors import BitwrightError
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Add,
    Concat,
    Conv2d,
    Edge,
    Input,
    Network,
    Quantize,
    SumPool2d,
    ThresholdEncoding,
    Upsample2d,
)
from bitwright_onnx import OnnxError, Options, export_onnx, import_onnx
from bitwright_onnx.exporter import to_model

from ..graph_maker import GraphMaker
from ..graph_networks import random_graph_network
from ..networks import random_frames
from ..test_sums import residual
from .branching import random_branching
from .graphs import FRAMES, reference

SLOW = pytest.mark.slow


def order(scores):
    """The classes of each frame from the largest score to the smallest, the first first among equals."""
    return np.argsort(-scores, axis=1, kind="stable")


def compare(tmp_path, model, span, seed, frames=FRAMES):
    """How many different results the frames have, after all their classes stand in the reference's order."""
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found = import_onnx(tmp_path / "m.onnx", Options(input_range=span, score_bits=0))
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
    raw = np.random.default_rng(seed).integers(0, 256, (frames, *shape)).astype(np.uint8)
    expected = reference(model, raw.astype(np.float32) / np.float32(255)).reshape(frames, -1)
    scores = golden.outputs(found.network, raw.transpose(0, 2, 3, 1) if found.layout == "nchw" else raw)
    np.testing.assert_array_equal(order(scores), order(expected))
    return len(np.unique(scores, axis=0)), found.network


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
def test_an_image_that_two_dense_layers_take(tmp_path, dialect):
    rng = np.random.default_rng(1)
    maker = GraphMaker(rng, Edge(shape=(2, 3, 2), number=BINARY), 4, False)
    ends = [maker.dense(ENCODED, 4), maker.dense(ENCODED, 3)]
    maker.conv(ENCODED)
    maker.concat(*ends, maker.dense(maker.layers[-1].name, 2))
    network = Network(
        name="fork",
        input=Input(shape=(2, 3, 2), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=tuple(maker.layers),
        takes=tuple(maker.takes),
    )
    frames = random_frames(network, 50).astype(np.uint8)
    got = reference(to_model(network, dialect=dialect), frames)
    np.testing.assert_array_equal(got, 2.0 * golden.outputs(network, frames) - 1)
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    assert import_onnx(tmp_path / "n.onnx").network == network


@pytest.mark.parametrize("count", [5, pytest.param(150, marks=SLOW)])
@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
def test_random_graphs(tmp_path, dialect, count):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    if dialect != "standard":
        pytest.importorskip("qonnx", reason="needs qonnx, of the development group")
    varied, refused, kinds = [], 0, set()
    for seed in range(count):
        try:
            different, network = compare(
                tmp_path, *random_branching(seed, dialect), seed, 1000 if dialect == "standard" else FRAMES
            )
        except OnnxError as error:  # scales that no whole numbers of one unit make up
            assert "node " in str(error)
            refused += 1
            continue
        varied.append(different > 1)
        kinds.update(layer.kind for layer in network.layers)
    assert refused <= 0.03 * count and np.mean(varied) > 0.8
    assert kinds >= {"add", "conv2d", "dense", "quantize", "sum_pool2d"}


def networks(seed):
    shape = (7,) if seed % 3 == 2 else (4, 5, 2)
    classes = 0 if seed % 5 == 4 else 3
    return random_graph_network(seed, shape=shape, integers=seed % 4 == 3, classes=classes, sums=seed % 2 == 0)


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=SLOW) for seed in range(6, 120))])
@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
def test_what_is_exported_computes_and_comes_back(tmp_path, dialect, seed):
    network = networks(seed)
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    found = import_onnx(tmp_path / "n.onnx")
    assert found.network == network and found.network.digest == network.digest and not found.notes
    frames = random_frames(network, 60).astype(np.uint8)
    got = reference(to_model(network, dialect=dialect), frames).reshape(len(frames), -1)
    expected = golden.outputs(network, frames).reshape(len(frames), -1)
    np.testing.assert_array_equal(got, expected if network.is_classifier else 2.0 * expected - 1)


def test_an_export_without_its_metadata_is_another_network_that_computes_the_same(tmp_path):
    network = residual()
    model = to_model(network)
    del model.metadata_props[:]
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found = import_onnx(tmp_path / "m.onnx", Options(input_bits=network.input.bits, score_bits=0)).network
    frames = random_frames(network, 200).astype(np.uint8)
    np.testing.assert_array_equal(order(golden.outputs(found, frames)), order(golden.outputs(network, frames)))


def block(nodes, constants, shape=(3, 6, 6)):
    """A model of nodes on `bits`, which are -1 and +1 of an image; its last value is the output."""
    first = [
        helper.make_node("Sub", ["x", "half"], ["d"]),
        helper.make_node("GreaterOrEqual", ["d", "zero"], ["f"]),
        helper.make_node("Where", ["f", "one", "minus"], ["bits"]),
    ]
    made = [helper.make_node(op, i.split(" "), [o], name=f"n_{o}", **more) for op, i, o, more in nodes]
    given = {"half": 0.5, "zero": 0.0, "one": 1.0, "minus": -1.0, **constants}
    tensors = [
        numpy_helper.from_array(np.asarray(v, np.int64) if k == "sizes" else np.asarray(v, np.float32), k)
        for k, v in given.items()
    ]
    graph = helper.make_graph(
        [*first, *made],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_empty_tensor_value_info(made[-1].output[0])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def signs(*shape):
    return np.random.default_rng(len(shape)).choice([-1.0, 1.0], shape)


SIGN = [("GreaterOrEqual", "n zero", "g", {}), ("Where", "g one minus", "q", {})]
END = [("Flatten", "q", "r", {"axis": 1}), ("MatMul", "r last", "y", {})]
CASES = {
    "sums of two convolutions with norms of one ratio a channel": (
        [
            ("Conv", "bits w", "a", {}),
            ("Mul", "a scale", "s", {}),
            ("Conv", "bits v", "b", {}),
            ("Mul", "b twice", "t", {}),
            ("Add", "s t", "u", {}),
            ("Add", "u shift", "n", {}),
            *SIGN,
            *END,
        ],
        {
            "w": signs(3, 3, 3, 3),
            "v": signs(3, 3, 3, 3)[::-1],
            "scale": np.array([0.3, -0.7, 0.11]).reshape(3, 1, 1),
            "twice": np.array([0.9, -1.4, 0.22]).reshape(3, 1, 1),
            "shift": np.array([0.1, 1.0, -0.3]).reshape(3, 1, 1),
            "last": signs(48, 4),
        },
        {Add},
    ),
    "a depthwise and a dilated convolution, and a mean over the image": (
        [
            ("Conv", "bits w", "a", {"group": 3, "pads": [1, 1, 1, 1]}),
            ("Add", "a zero", "n", {}),
            *SIGN,
            ("Conv", "q v", "b", {"dilations": [2, 1]}),
            ("ReduceMean", "b", "m", {"axes": [2, 3], "keepdims": 0}),
            ("Clip", "m minus one", "c", {}),
            ("Round", "c", "k", {}),
            ("MatMul", "k last", "y", {}),
        ],
        {"w": signs(6, 1, 3, 3), "v": signs(4, 6, 3, 3), "last": signs(4, 3)},
        {Conv2d, SumPool2d, Quantize},
    ),
    "an image made larger beside one that was small": (
        [
            ("AveragePool", "bits", "a", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("Resize", "a  up", "m", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
            ("Add", "m bits", "u", {}),
            ("GreaterOrEqual", "u zero", "g", {}),
            ("Where", "g one minus", "q", {}),
            *END,
        ],
        {"up": np.array([1, 1, 2, 2]), "last": signs(108, 4)},
        {Upsample2d, Add},
    ),
    "scores that are averages": (
        [("Conv", "bits w", "a", {}), ("GlobalAveragePool", "a", "m", {}), ("Flatten", "m", "y", {"axis": 1})],
        {"w": signs(5, 3, 3, 3)},
        {SumPool2d},
    ),
    "branches of different steps side by side": (
        [
            ("Conv", "bits w", "a", {"pads": [1, 1, 1, 1]}),
            ("Mul", "a half", "h", {}),
            ("Clip", "h minus one", "c", {}),
            ("Concat", "c bits", "q", {"axis": 1}),
            *END,
        ],
        {"w": signs(2, 3, 3, 3), "last": signs(180, 4)},
        {Concat, Quantize},
    ),
    "sums that fall as they grow before a shortcut": (
        [
            ("Add", "bits bits", "two", {}),
            ("Conv", "bits w", "a", {"pads": [1, 1, 1, 1]}),
            ("Add", "a two", "u", {}),
            ("Mul", "u scale", "n", {}),
            *SIGN,
            ("Add", "q bits", "k", {}),
            ("Flatten", "k", "r", {"axis": 1}),
            ("MatMul", "r last", "y", {}),
        ],
        {"w": signs(3, 3, 3, 3), "scale": np.array([1.0, -1.0, 0.5]).reshape(3, 1, 1), "last": signs(108, 4)},
        {Add},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_way_to_join(tmp_path, name):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    nodes, constants, wanted = CASES[name]
    different, network = compare(tmp_path, block(nodes, constants), (0.0, 1.0), 3, 2000)
    assert different > 30 and wanted <= {type(layer) for layer in network.layers}


def test_a_shortcut_is_decided_once(tmp_path):
    """A quantized value that two layers take is one layer's, and nothing of it is made twice."""
    nodes = [
        ("Conv", "bits w", "n", {"pads": [1, 1, 1, 1]}),
        *SIGN,
        ("Conv", "q w", "b", {"pads": [1, 1, 1, 1]}),
        ("Add", "b q", "k", {}),
        ("GreaterOrEqual", "k zero", "h", {}),
        ("Where", "h one minus", "l", {}),
        ("Flatten", "l", "r", {"axis": 1}),
        ("MatMul", "r last", "y", {}),
    ]
    constants = {"w": signs(3, 3, 3, 3), "last": signs(108, 4)}
    _, network = compare(tmp_path, block(nodes, constants), (0.0, 1.0), 1, 500)
    assert [layer.kind for layer in network.layers] == ["conv2d", "conv2d", "add", "quantize", "dense"]
    assert network.takes[2] == ("conv1", "conv0")


RESIZES = {
    "half pixels": ({}, (3, 2), None),
    "sizes": ({}, (2, 2), np.array([200, 3, 12, 12])),
    "up to two, rounded": ({"coordinate_transformation_mode": "asymmetric"}, (2, 2), None),
    "thrice, rounded": ({"coordinate_transformation_mode": "asymmetric"}, (3, 3), "is not the one that it repeats"),
    "linear": ({"mode": "linear"}, (2, 2), "mode linear is not supported"),
    "smaller": ({}, (0.5, 1), "only whole numbers"),
}


@pytest.mark.parametrize("name", RESIZES)
def test_resizing(tmp_path, name):
    """What repeats pixels is taken, in each way to say it; anything else is refused."""
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    attributes, factors, more = RESIZES[name]
    sizes = isinstance(more, np.ndarray)
    nodes = [("Resize", "bits   sizes" if sizes else "bits  up", "q", attributes), *END]
    given = {"sizes": more} if sizes else {"up": np.array([1, 1, *factors])}
    count = 108 * int(np.prod(factors))
    model = block(nodes, {**given, "last": signs(max(1, count), 4)})
    if isinstance(more, str):
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(OnnxError, match=rf"n_q \(Resize\): .*{more}"):
            import_onnx(tmp_path / "m.onnx", Options(input_range=(0.0, 1.0)))
        return
    _, network = compare(tmp_path, model, (0.0, 1.0), 1, 200)
    assert network.layers[0].factors == factors
    export_onnx(network, tmp_path / "n.onnx")
    assert import_onnx(tmp_path / "n.onnx").network == network


def test_metadata_that_does_not_fit_changes_no_result(tmp_path):
    """What the metadata of a file says of its layers is believed where the graph agrees, and harms nothing else."""
    network, frames = residual(), random_frames(residual(), 60).astype(np.uint8)
    expected, rng, taken = order(golden.outputs(network, frames)), np.random.default_rng(1), 0
    for _ in range(60):
        model = to_model(network)
        facts = json.loads(model.metadata_props[0].value)
        layers = facts["graph"]["layers"]
        fact = layers[int(rng.integers(len(layers)))]
        key = str(rng.choice(["kind", "value", "name", "levels", "base", "sums", "scales", "gone", "encoded"]))
        if key == "gone":
            layers.remove(fact)
        elif key == "encoded":
            facts["graph"]["encoded"] = fact["value"]
        else:
            other = layers[int(rng.integers(len(layers)))]
            fact[key] = {"levels": 3, "base": -2, "sums": not fact.get("sums"), "scales": [3, 1, 2]}.get(
                key, other.get(key)
            )
        model.metadata_props[0].value = json.dumps(facts)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        try:
            found = import_onnx(tmp_path / "m.onnx", Options(score_bits=0)).network
        except BitwrightError:
            continue
        taken += 1
        np.testing.assert_array_equal(order(golden.outputs(found, frames)), expected)
    assert taken > 20

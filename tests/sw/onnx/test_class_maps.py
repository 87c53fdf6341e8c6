"""The class of each pixel: `ArgMax` along the channels, in and out, in both dialects, and what of it is refused."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from bitwright_core import golden
from bitwright_core.network import ChannelArgMax, Conv2d, Quantize, Sums
from bitwright_core.numbers import unsigned_type
from bitwright_onnx import OnnxError, Options, export_onnx, import_onnx
from bitwright_onnx.exporter import to_model

from ..integer_networks import map_network
from ..networks import random_frames
from ..test_arg_max import class_map
from ..test_graph_legs import TABLES, random_mix
from .graphs import reference
from .test_integer_ends import BIAS, FRAMES, KERNEL, RAW, both, model, signs

CLASSES = ("ArgMax", "a", "y", {"axis": 1, "keepdims": 0})
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
NORM = {  # scales of both signs
    "g": np.float32([0.5, -1.25, 2.0, -0.75]),
    "h": np.float32([0.25, 1.5, -0.5, 1.0]),
    "mu": np.float32([0.5, -1.0, 0.25, 2.0]),
    "va": np.float32([1.0, 2.5, 4.0, 0.5]),
}


def mapped(seed):
    """A map of scores, averages or levels, and the class of each of its pixels."""
    network = map_network(seed)
    edge = network.nodes[-1].edge
    layer = ChannelArgMax(name="classes", shape=edge.shape, takes=edge.number)
    takes = (*network.takes, (network.last.name,)) if network.takes else ()
    return replace(network, layers=(*network.layers, layer), takes=takes)


def back_and_forth(tmp_path, network, dialect):
    """That an export computes the golden model's integers, and comes back as it was."""
    frames = random_frames(network, 20).astype(np.uint8)
    told = reference(to_model(network, dialect=dialect), frames).reshape(len(frames), -1)
    expected = golden.outputs(network, frames).reshape(len(frames), -1)
    np.testing.assert_array_equal(told, expected)
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    found = import_onnx(tmp_path / "n.onnx")
    assert found.network == network and found.network.digest == network.digest and not found.notes
    assert found.network.nodes[-1].edge == network.nodes[-1].edge


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 40))])
def test_class_maps_are_exported_and_come_back(tmp_path, seed, dialect):
    edge = map_network(seed).nodes[-1].edge
    back_and_forth(tmp_path, class_map(seed) if edge.shape[-1] < 2 else mapped(seed), dialect)


@pytest.mark.parametrize(
    "seed", [13, 16, 20, *(pytest.param(k, marks=pytest.mark.slow) for k in range(60) if k not in (13, 16, 20))]
)
def test_classes_inside_of_a_graph_come_back(tmp_path, seed):
    """The class of an inner value as a second output, of a frame, of integers in raster order."""
    network = random_mix(seed, image=4, most=4, steps=6)
    kinds = {node.operator.kind for node in network.nodes}
    if kinds & TABLES:
        pytest.skip("no ONNX graph has lookup tables")
    if seed in (13, 16, 20):
        assert "arg_max" in kinds
    if network.gives == "integers":
        back_and_forth(tmp_path, network, ("standard", "qonnx")[seed % 2])


@pytest.mark.parametrize(
    "tail",
    [
        [("Conv", "s V b", "a"), CLASSES],
        [("Conv", "s V b", "a"), ("ArgMax", "a", "y", {"axis": -3})],
        [("Conv", "s V b", "a"), ("Softmax", "a", "p", {"axis": 1}), ("ArgMax", "p", "y", {"axis": 1})],
        [("Conv", "s V b", "a"), ("LogSoftmax", "a", "p", {"axis": 1}), ("ArgMax", "p", "y", {"axis": 1})],
        [("Conv", "s V b", "a"), ("Sigmoid", "a", "p"), ("ArgMax", "p", "y", {"axis": 1})],
        [("Conv", "s V b", "c"), ("BatchNormalization", "c g h mu va", "a"), CLASSES],
        [("Conv", "s V b", "a"), ("Transpose", "a", "r", {"perm": [0, 2, 3, 1]}), ("ArgMax", "r", "y", {"axis": -1})],
        [("Conv", "s V b", "a"), ("ArgMin", "a", "y", {"axis": 1})],
        [("Conv", "s V b", "a"), ("ArgMax", "a", "m", {"axis": 1}), ("Cast", "m", "y", {"to": 1})],
        [("Conv", "s V b", "a"), ("ArgMax", "a", "m", {"axis": 1}), ("Flatten", "m", "y")],
    ],
)
def test_the_classes_of_a_graph_are_the_map(tmp_path, tail):
    found, expected = both(tmp_path, model(tail, ["y"], V=KERNEL, b=BIAS, **NORM))
    network = found.network
    assert network.gives == "integers" and isinstance(network.last, ChannelArgMax)
    assert network.nodes[-1].edge.shape == (4, 3, 1) and network.nodes[-1].edge.number == unsigned_type(2)
    assert found.outputs == "the class of each of 12 pixels, of 4"
    scores = network.layers[-2]
    assert isinstance(scores, Conv2d) and isinstance(scores.output, Sums)
    np.testing.assert_array_equal(golden.outputs(network, FRAMES).reshape(len(RAW), -1), expected.reshape(len(RAW), -1))
    assert len(np.unique(expected)) > 2


@pytest.mark.parametrize(
    ("tail", "kinds"),
    [  # between the last convolution and the classes
        ([("Resize", "c roi sizes", "a", NEAREST)], {"upsample2d"}),
        ([("AveragePool", "c", "a", {"kernel_shape": [2, 2]})], {"sum_pool2d"}),
        ([("Conv", "s U b", "d"), ("Add", "c d", "a")], {"add"}),
        ([("Clip", "c low high", "u"), ("Round", "u", "a")], set()),
    ],
)
def test_classes_of_other_values_than_sums(tmp_path, tail, kinds):
    """Of numbers whose scales differ from channel to channel a layer of one weight a channel makes scores."""
    constants = {"V": KERNEL, "U": signs(4, 3, 2, 2), "b": BIAS, "low": -2.0, "high": 3.0}
    constants |= {"roi": np.float32([]), "sizes": np.float32([1, 1, 2, 2])}
    found, expected = both(tmp_path, model([("Conv", "s V b", "c"), *tail, CLASSES], ["y"], **constants))
    assert kinds <= {node.operator.kind for node in found.network.nodes}
    np.testing.assert_array_equal(
        golden.outputs(found.network, FRAMES).reshape(len(RAW), -1), expected.reshape(len(RAW), -1)
    )
    assert isinstance(found.network.last, ChannelArgMax) and len(np.unique(expected)) > 2


def test_layers_that_follow_take_the_classes(tmp_path):
    """Thresholds on the classes, which are numbers like any others."""
    tail = [
        ("Conv", "s V b", "c"),
        ("ArgMax", "c", "m", {"axis": 1}),
        ("Cast", "m", "f2", {"to": 1}),
        ("GreaterOrEqual", "f2 two", "g"),
        ("Where", "g one minus", "a"),
        ("Flatten", "a", "r"),
        ("MatMul", "r D", "y"),
    ]
    found, expected = both(tmp_path, model(tail, ["y"], V=KERNEL, b=BIAS, two=2.0, D=signs(12, 3)))
    network = found.network
    assert any(isinstance(layer, ChannelArgMax) for layer in network.layers)
    assert any(isinstance(layer, Quantize) for layer in network.layers)
    np.testing.assert_array_equal(golden.classify(network, FRAMES), expected.argmax(axis=1))


@pytest.mark.parametrize(("outputs", "kind"), [("auto", "arg_max"), ("class", "arg_max"), ("scores", "conv2d")])
def test_what_is_asked_for(tmp_path, outputs, kind):
    """`--outputs scores` gives the numbers before the ArgMax."""
    given = model([("Conv", "s V b", "a"), CLASSES], ["y"], V=KERNEL, b=BIAS)
    onnx.save(given, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1), outputs=outputs))
    assert found.network.last.kind == kind


def test_scores_beside_their_classes_are_one_output(tmp_path):
    tail = [("Conv", "s V b", "a"), ("Softmax", "a", "p", {"axis": 1}), CLASSES]
    found, expected = both(tmp_path, model(tail, ["p", "y"], V=KERNEL, b=BIAS), "y")
    scores = golden.outputs(found.network, FRAMES).reshape(-1, 4, 3, 4)
    np.testing.assert_array_equal(scores.argmax(axis=3), expected)


def test_classes_are_one_output_of_several(tmp_path):
    tail = [
        ("Conv", "s V b", "a"),
        CLASSES,
        ("Flatten", "s", "r"),
        ("MatMul", "r D", "q"),
        ("Sigmoid", "q", "label"),
    ]
    found, expected = both(tmp_path, model(tail, ["y", "label"], V=KERNEL, b=BIAS, D=signs(60, 3)), "y")
    told = golden.outputs(found.network, FRAMES)
    classes, labels = (head.of(told) for head in found.network.heads)
    np.testing.assert_array_equal(classes[..., 0], expected)
    assert set(np.unique(labels).tolist()) == {-1, 1} and "y, the class of each of 12 pixels, of 4" in found.outputs


REFUSED = {
    "the last": (
        [("Conv", "s V b", "a"), ("ArgMax", "a", "y", {"axis": 1, "select_last_index": 1})],
        r"node n_y \(ArgMax\): it chooses the last of the largest scores; bitwright chooses the first",
    ),
    "rows": (
        [("Conv", "s V b", "a"), ("ArgMax", "a", "y", {"axis": 2})],
        r"node n_y \(ArgMax\): it chooses along axis 2 of \[1, 4, 4, 3\], which are not the channels",
    ),
    "frames": (
        [("Conv", "s V b", "a"), ("ArgMax", "a", "y")],
        r"node n_y \(ArgMax\): it chooses along axis 0 of \[1, 4, 4, 3\], which are not the channels",
    ),
    "a softmax of rows": (
        [("Conv", "s V b", "a"), ("Softmax", "a", "p", {"axis": 2}), ("ArgMax", "p", "y", {"axis": 1})],
        r"node n_p \(Softmax\): it is followed by further layers",
    ),
    "one channel": (
        [("Conv", "s V", "a"), ("ArgMax", "a", "y", {"axis": 1})],
        r"node n_y \(ArgMax\): .*the largest of one channel is always that one",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_named(tmp_path, case):
    tail, message = REFUSED[case]
    constants = {"V": KERNEL[:1] if case == "one channel" else KERNEL, "b": BIAS}
    onnx.save(model(tail, ["y"], **constants), tmp_path / "net.onnx")
    with pytest.raises(OnnxError, match=message):
        import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1)))

"""The input side: what raw values become, found from the graph or told, and folded into an encoding."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core import golden
from bitwright_core.network import IntegerEncoding, ThresholdEncoding
from bitwright_onnx import OnnxError, Options, import_onnx

from .graphs import reference

RNG = np.random.default_rng(3)
WEIGHTS = np.where(RNG.random((6, 5)) < 0.5, -1, 1).astype(np.float32)


def make(nodes, shape=(6,), kind=TensorProto.FLOAT, weights=WEIGHTS, last="e"):
    """A graph of `nodes` (operator, inputs, output, attributes) with a binary layer on `last` behind it."""
    constants = {
        "w": weights,
        "top": 255.0,
        "part": 1 / 255,
        "middle": 0.42,
        "high": 100.0,
        "zero": 0.0,
        "one": 1.0,
        "minus": -1.0,
        "two": 2.0,
        "eight": 8.0,
        "fine": 1 / 128,
        "step": 85.0,
        "offset": -0.5,
    }
    made = []
    for op, inputs, out, attributes in [*nodes, ("MatMul", f"{last} w", "y", {})]:
        domain = "qonnx.custom_op.general" if op in ("BipolarQuant", "Quant") else ""
        made.append(helper.make_node(op, inputs.split(), [out], name=f"n_{out}", domain=domain, **attributes))
    used = {name for node in made for name in node.input}
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items() if k in used]
    info = helper.make_tensor_value_info("x", kind, ["N", *shape])
    graph = helper.make_graph(made, "g", [info], [helper.make_empty_tensor_value_info("y")], tensors)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def load(tmp_path, model, **options):
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return import_onnx(tmp_path / "m.onnx", Options(**options))


def sign(value="c"):
    return ("BipolarQuant", f"{value} one", "e", {})


SIGNED = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
GRAPHS = {
    "unit range": ([("Sub", "x middle", "c", {}), sign()], (0, 1), [108]),
    "raw": ([("Sub", "x high", "c", {}), sign()], (0, 255), [100]),
    "divided": ([("Div", "x top", "d", {}), ("Sub", "d middle", "c", {}), sign()], (0, 255), [108]),
    "multiplied": ([("Mul", "x part", "d", {}), ("Sub", "d middle", "c", {}), sign()], (0, 255), [108]),
    "levels": (
        [("Quant", "x step zero two", "e", {"signed": 0, "narrow": 0, "rounding_mode": "FLOOR"})],
        (0, 255),
        [85, 170, 255],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_range_is_found_and_folded(tmp_path, name):
    nodes, span, thresholds = GRAPHS[name]
    model = make(nodes)
    found = load(tmp_path, model)
    assert found.input_range == span
    assert found.network.encoding.thresholds.tolist() == thresholds
    raw = RNG.integers(0, 256, (300, 6)).astype(np.uint8)
    raw[:256, 0] = np.arange(256)
    x = raw.astype(np.float32) if span[1] == 255 else raw.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(golden.classify(found.network, raw), reference(model, x).argmax(axis=1))


def test_what_the_graph_does_not_tell_must_be_told(tmp_path):
    model = make([], last="x")
    with pytest.raises(OnnxError, match="--input-range"):
        load(tmp_path, model)
    bits = load(tmp_path, model, input_range=(-1, 1), input_bits=1).network
    assert bits.input.bits == 1 and bits.encoding.thresholds.tolist() == [1]
    raw = RNG.integers(0, 2, (40, 6)).astype(np.uint8)
    np.testing.assert_array_equal(golden.outputs(bits, raw), reference(model, 2 * raw.astype(np.float32) - 1))


def test_pixels_that_are_not_quantized_become_integers(tmp_path):
    model = make([], last="x")
    found = load(tmp_path, model, input_range=(0, 255)).network
    assert isinstance(found.encoding, IntegerEncoding)
    assert found.encoding.table.tolist() == list(range(256))
    raw = RNG.integers(0, 256, (100, 6)).astype(np.uint8)
    np.testing.assert_array_equal(golden.outputs(found, raw), reference(model, raw.astype(np.float32)))


def test_eight_bit_quantized_pixels(tmp_path):
    model = make([("Quant", "x fine zero eight", "e", SIGNED)])
    found = load(tmp_path, model, input_range=(-1, 1)).network
    assert isinstance(found.encoding, IntegerEncoding)
    assert (found.encoding.table[0], found.encoding.table[-1]) == (-128, 127)
    raw = RNG.integers(0, 256, (200, 6)).astype(np.uint8)
    x = raw.astype(np.float32) / np.float32(255) * np.float32(2) - np.float32(1)
    np.testing.assert_array_equal(golden.classify(found, raw), reference(model, x).argmax(axis=1))


def test_normalised_pixels(tmp_path):
    model = make([], last="x")
    found = load(tmp_path, model, mean=(0.1307,), std=(0.3081,)).network
    assert isinstance(found.encoding, IntegerEncoding) and found.encoding.table[-1] - found.encoding.table[0] == 255
    raw = RNG.integers(0, 256, (100, 6)).astype(np.uint8)
    x = (raw.astype(np.float32) / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
    np.testing.assert_array_equal(golden.classify(found, raw), reference(model, x).argmax(axis=1))


@pytest.mark.parametrize("encoding", ["thermometer", "integers"])
def test_both_encodings_of_few_levels_agree(tmp_path, encoding):
    model = make([("Quant", "x step zero two", "e", {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"})])
    found = load(tmp_path, model, input_range=(0, 255), encoding=encoding).network
    assert isinstance(found.encoding, ThresholdEncoding if encoding == "thermometer" else IntegerEncoding)
    raw = RNG.integers(0, 256, (200, 6)).astype(np.uint8)
    np.testing.assert_array_equal(golden.classify(found, raw), reference(model, raw.astype(np.float32)).argmax(axis=1))


def test_bytes_are_taken_as_they_are(tmp_path):
    model = make([("Cast", "x", "f", {"to": 1}), ("Sub", "f high", "c", {}), sign()], kind=TensorProto.UINT8)
    found = load(tmp_path, model)
    assert found.input_range == (0, 255) and found.network.encoding.thresholds.tolist() == [100]
    with pytest.raises(OnnxError, match="uint8 values, which are raw already"):
        load(tmp_path, model, input_range=(0, 1))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_axes_of_images(tmp_path, layout):
    """The same dense weights on images of both layouts: frames are HWC either way."""
    shape = (3, 4, 5) if layout == "nchw" else (4, 5, 3)
    weights = np.where(RNG.random((60, 5)) < 0.5, -1, 1).astype(np.float32)
    model = make([("Flatten", "x", "f", {}), ("Sub", "f middle", "c", {}), sign()], shape=shape, weights=weights)
    found = load(tmp_path, model)
    assert found.layout == layout and found.network.input.shape == (4, 5, 3)
    raw = RNG.integers(0, 256, (50, 4, 5, 3)).astype(np.uint8)
    x = raw.astype(np.float32) / np.float32(255)
    given = x.transpose(0, 3, 1, 2) if layout == "nchw" else x
    np.testing.assert_array_equal(golden.classify(found.network, raw), reference(model, given).argmax(axis=1))


def tie(scale):
    """A layer of six inputs and no bias: the sum 0 is a tie of sign, in float32 decided by rounding unless exact."""
    nodes = [
        ("Sub", "x middle", "c", {}),
        sign(),
        ("MatMul", "e hidden", "s", {}),
        ("BipolarQuant", "s one", "b", {}),
    ]
    model = make(nodes, last="b", weights=np.ones((5, 3), np.float32))
    rows = np.where(RNG.random((6, 5)) < 0.5, -1, 1).astype(np.float32) * np.float32(scale)
    model.graph.initializer.append(numpy_helper.from_array(rows, "hidden"))
    return model


def test_notes_tell_where_rounding_decides(tmp_path):
    exact, rounded = (load(tmp_path, tie(scale)) for scale in (0.25, 0.1))
    assert exact.notes == ()
    (note,) = rounded.notes
    assert note.startswith("dense0: 5 of 5 activations have a sum so near their threshold")
    assert [layer.output.values.tolist() for layer in rounded.network.layers[:1]] == [[[3]] * 5]

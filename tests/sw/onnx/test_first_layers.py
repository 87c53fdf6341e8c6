"""First layers on normalised inputs: what each channel or value becomes, what pads it, weights of 0.

Each output is odd against its threshold (weights of +-1 on an odd number of values, or a bias that no sum has), so that
no decision hangs on the last bit of a float32 sum; outputs are compared with onnxruntime's.
"""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright_core import golden
from bitwright_core.network import IntegerEncoding, ThresholdEncoding
from bitwright_onnx.refusals import OnnxError

FRAMES = 100
MEAN, DEVIATION = np.float32([0.4914, 0.4822, 0.4465]), np.float32([0.247, 0.2435, 0.2616])


def signs(rng, *shape):
    return np.where(rng.random(shape) < 0.5, -1, 1).astype(np.float32)


def node(op, sources, result, **attributes):
    domain = "qonnx.custom_op.general" if op in ("BipolarQuant", "Quant") else ""
    return helper.make_node(op, sources.split(), [result], name=f"n_{result}", domain=domain, **attributes)


def sign(source, result):
    return [node("GreaterOrEqual", f"{source} zero", f"g_{result}"), node("Where", f"g_{result} plus minus", result)]


def write(path, shape, nodes, constants, opset=13):
    constants = {"zero": 0.0, "plus": 1.0, "minus": -1.0, "half": 0.5, "two": 2.0, "top": 255.0, **constants}
    arrays = {
        key: np.asarray(value) if getattr(value, "dtype", None) == np.int64 else np.asarray(value, np.float32)
        for key, value in constants.items()
    }
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
        [numpy_helper.from_array(value, key) for key, value in arrays.items() if key in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def agree(path, shape, *, channels_first=True, scaled=None, **options):
    """Imports the graph and compares every output of FRAMES random frames with onnxruntime's."""
    found = bw.import_onnx(path, **options)
    rng = np.random.default_rng(5)
    raw = rng.integers(0, 256, (FRAMES, *shape))
    x = (raw / np.float32(255)).astype(np.float32) if scaled is None else scaled(raw).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})[0].reshape(FRAMES, -1)
    moved = np.moveaxis(raw, 1, -1) if channels_first and len(shape) > 1 else raw
    outputs = golden.outputs(found.network, moved.reshape(FRAMES, *found.network.input.shape))
    np.testing.assert_array_equal(outputs, expected)
    assert len(np.unique(outputs, axis=0)) > 10  # the graph says something
    return found


def images(rng, before, *, shape=(3, 7, 6), kernel=3, pads=(0, 0, 0, 0), weights=None, **more):
    """A convolution on what `before` makes of the image, a bias, sign, and a dense layer."""
    weights = signs(rng, 5, shape[0], kernel, kernel) if weights is None else weights
    height = shape[1] + pads[0] + pads[2] - kernel + 1
    width = shape[2] + pads[1] + pads[3] - kernel + 1
    height, width = more.pop("grown", (height, width))
    bias = rng.uniform(-0.4, 0.4, (5, 1, 1)) + 0.0123
    nodes = [
        *before,
        node("Conv", "n w", "c", pads=list(pads)),
        node("Add", "c bias", "b"),
        *sign("b", "t"),
        node("Flatten", "t", "f"),
        node("MatMul", "f v", "y"),
    ]
    return nodes, {"w": weights, "bias": bias, "v": signs(rng, 5 * height * width, 3), **more}


def by_channel(*values):
    return np.float32(values).reshape(-1, 1, 1)


NORMALISED = [node("Sub", "x mean", "m"), node("Div", "m deviation", "n")]
CHANNELS = {"mean": MEAN.reshape(3, 1, 1), "deviation": DEVIATION.reshape(3, 1, 1)}
SCALED = [node("Mul", "x two", "d"), node("Sub", "d plus", "n")]
IMAGES = {
    "zeros about pixels in -1..1": (SCALED, {"pads": (1, 1, 1, 1)}),
    "unequal zeros about pixels in -1..1": (SCALED, {"pads": (0, 2, 1, 1)}),
    "normalised by channel": (NORMALISED, CHANNELS),
    "zeros about pixels normalised by channel": (NORMALISED, {**CHANNELS, "pads": (1, 1, 1, 1)}),
    "a factor and a sum a channel": (
        [node("Mul", "x deviation", "m"), node("Add", "m mean", "n")],
        {"mean": -MEAN.reshape(1, 3, 1, 1), "deviation": DEVIATION.reshape(1, 3, 1, 1), "pads": (1, 1, 1, 1)},
    ),
    "deviations on one grid": (
        NORMALISED,
        {"mean": by_channel(0.5, 0.4, 0.6), "deviation": by_channel(0.5, 0.25, 0.2), "pads": (1, 1, 1, 1)},
    ),
    "one channel constant": (
        [node("Mul", "x factor", "m"), node("Sub", "m half", "n")],
        {"factor": by_channel(1, 0, 2), "pads": (1, 1, 1, 1)},
    ),
    "signs by channel": (
        [node("Sub", "x mean", "m"), *sign("m", "n")],
        {"mean": MEAN.reshape(3, 1, 1), "pads": (1, 0, 1, 0)},
    ),
    "signs by channel, one constant": (
        [node("Sub", "x mean", "m"), *sign("m", "n")],
        {"mean": by_channel(0.3, -0.1, 0.6), "pads": (1, 0, 1, 0)},
    ),
    "batch norm on the image": (
        [node("BatchNormalization", "x gamma beta mu var", "n")],
        {
            "gamma": np.array([1.0, -0.5, 0.25]),
            "beta": np.array([0.1, 0.0, -0.2]),
            "mu": MEAN,
            "var": DEVIATION**2,
            "pads": (1, 1, 1, 1),
        },
    ),
    "batch norm and signs": (
        [node("BatchNormalization", "x gamma beta mu var", "e"), *sign("e", "n")],
        {"gamma": np.array([1.0, -0.5, 0.0]), "beta": np.array([0.1, 0.0, -0.2]), "mu": MEAN, "var": DEVIATION**2},
    ),
    "clipped by channel": (
        [*NORMALISED[:-1], node("Div", "m deviation", "e"), node("Clip", "e minus plus", "n")],
        {**CHANNELS, "pads": (1, 1, 1, 1)},
    ),
    "a mean image": (
        [node("Sub", "x mean", "n")],
        {"mean": np.linspace(0, 1, 126).reshape(3, 7, 6), "pads": (1, 1, 1, 1)},
    ),
    "signs against a mean image": (
        [node("Sub", "x mean", "m"), *sign("m", "n")],
        {"mean": np.linspace(-0.1, 1.1, 126).reshape(3, 7, 6), "pads": (1, 1, 1, 1)},
    ),
    "black around before it is normalised": (
        [node("Pad", "x around", "p"), node("Sub", "p mean", "m"), node("Div", "m deviation", "n")],
        {**CHANNELS, "around": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "grown": (7, 6)},
    ),
    "grey around behind the norm": (
        [*NORMALISED[:-1], node("Div", "m deviation", "e"), node("Pad", "e around half", "n")],
        {**CHANNELS, "around": np.array([0, 0, 1, 0, 0, 0, 1, 2], np.int64), "grown": (7, 6)},
    ),
    "uneven levels": (
        [node("Floor", "m4", "l"), node("Mul", "l l", "n")],
        {"pads": (1, 1, 1, 1)},
    ),
}
IMAGES["uneven levels"][0].insert(0, node("Mul", "x m3", "m4"))
IMAGES["uneven levels"][1]["m3"] = 3.9


@pytest.mark.parametrize("case", IMAGES)
def test_images(tmp_path, case):
    before, more = IMAGES[case]
    nodes, constants = images(np.random.default_rng(len(case)), before, **more)
    found = agree(write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants), (3, 7, 6), input_range=(0, 1))
    assert isinstance(found.network.encoding, ThresholdEncoding if "signs" in case else IntegerEncoding)


def test_mean_and_deviation_that_are_told(tmp_path):
    """The same first layer where the normalisation is not in the graph."""
    nodes, constants = images(np.random.default_rng(3), [node("Identity", "x", "n")], pads=(1, 1, 1, 1))
    path = write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants)
    shaped = (MEAN.reshape(1, 3, 1, 1), DEVIATION.reshape(1, 3, 1, 1))

    def scaled(raw):
        return (raw.astype(np.float32) / np.float32(255) - shaped[0]) / shaped[1]

    found = agree(path, (3, 7, 6), scaled=scaled, mean=tuple(MEAN.tolist()), std=tuple(DEVIATION.tolist()))
    assert len(found.network.encoding.rows) == 3 and found.network.encoding.number.bits <= 26
    assert any("on no grid of few integers" in note for note in found.notes)


def test_channels_last(tmp_path):
    """Keras' form: a Transpose behind the normalisation, and Div by 255 before it."""
    rng = np.random.default_rng(4)
    before = [
        node("Div", "x top", "u"),
        node("Sub", "u mean", "m"),
        node("Div", "m deviation", "e"),
        node("Pad", "e around", "p"),
        node("Transpose", "p", "n", perm=[0, 3, 1, 2]),
    ]
    nodes, constants = images(rng, before, mean=MEAN, deviation=DEVIATION, grown=(6, 5))
    constants["around"] = np.array([0, 0, 0, 0, 0, 1, 1, 0], np.int64)
    path = write(tmp_path / "m.onnx", (7, 6, 3), nodes, constants)
    found = agree(path, (7, 6, 3), channels_first=False, scaled=lambda raw: raw)
    assert found.layout == "nhwc" and len(found.network.encoding.rows) == 3


def test_same_upper(tmp_path):
    """auto_pad pads more below and to the right."""
    rng = np.random.default_rng(6)
    nodes, constants = images(rng, NORMALISED, grown=(4, 3), **CHANNELS)
    conv = next(n for n in nodes if n.op_type == "Conv")
    del conv.attribute[:]
    conv.attribute.extend([helper.make_attribute("auto_pad", "SAME_UPPER"), helper.make_attribute("strides", [2, 2])])
    agree(write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants), (3, 7, 6), input_range=(0, 1))


def dense(rng, before, weights, *, bias=None):
    bias = rng.uniform(-0.4, 0.4, weights.shape[1]) + 0.0123 if bias is None else bias
    nodes = [
        *before,
        node("MatMul", "n w", "a"),
        node("Add", "a bias", "b"),
        *sign("b", "t"),
        node("MatMul", "t v", "y"),
    ]
    return nodes, {"w": weights, "bias": bias, "v": signs(rng, weights.shape[1], 4)}


@pytest.mark.parametrize("signed", [False, True])
def test_features_with_a_batch_norm(tmp_path, signed):
    """Each value with its own mean and deviation, one of gamma 0: a threshold or a table for each."""
    rng = np.random.default_rng(7)
    before = [node("BatchNormalization", "x gamma beta mu var", "e" if signed else "n")]
    before += sign("e", "n") if signed else []
    nodes, constants = dense(rng, before, signs(rng, 9, 7))
    constants |= {
        "gamma": np.array([1, 0, -1, 0.5, 0.25, 1, 1, 2, 3]),
        "beta": rng.uniform(-0.3, 0.3, 9),
        "mu": rng.uniform(0.2, 0.8, 9),
        "var": rng.uniform(0.5, 2, 9),
    }
    found = agree(write(tmp_path / "m.onnx", (9,), nodes, constants), (9,), input_range=(0, 1))
    assert len(found.network.encoding.rows) == 9
    if signed:
        assert int(found.network.encoding.rows[1, 0]) in (0, 256)  # the constant


def test_one_deviation_needs_one_table(tmp_path):
    """Means differ, deviations do not: the first layer's thresholds take the means."""
    rng = np.random.default_rng(8)
    nodes, constants = dense(rng, [node("Sub", "x mean", "n")], signs(rng, 9, 7))
    constants["mean"] = rng.uniform(0, 1, 9)
    found = agree(write(tmp_path / "m.onnx", (9,), nodes, constants), (9,), input_range=(0, 1))
    assert found.network.encoding.table.ndim == 1 and found.network.encoding.number.bits == 8


BINARY = [node("Sub", "x half", "d"), *sign("d", "n")]


@pytest.mark.parametrize("transposed", [False, True])
def test_outputs_whose_weights_are_0(tmp_path, transposed):
    """A gamma of 0 folded into the weights leaves a constant output, whichever way its bias points."""
    rng = np.random.default_rng(9)
    weights = signs(rng, 9, 7) * rng.choice([0.5, 2.0], 7)
    weights[:, [2, 5]] = 0
    nodes, constants = dense(rng, BINARY, weights, bias=np.array([0.2, 0.4, -0.2, 0.3, -0.4, 0.5, 0.1]))
    if transposed:
        place = next(k for k, n in enumerate(nodes) if n.name == "n_a")
        nodes[place : place + 2] = [node("Gemm", "n w bias", "b", transB=1)]
        constants["w"] = weights.T
    agree(write(tmp_path / "m.onnx", (9,), nodes, constants), (9,), input_range=(0, 1))


@pytest.mark.parametrize("before", ["bits", "integers"])
def test_inputs_whose_weights_are_0(tmp_path, before):
    """A value that no output takes is one bit or one integer, always the same."""
    rng = np.random.default_rng(10)
    weights = signs(rng, 9, 7)
    weights[[0, 4]] = 0
    nodes, constants = dense(rng, BINARY if before == "bits" else [node("Sub", "x half", "n")], weights)
    found = agree(write(tmp_path / "m.onnx", (9,), nodes, constants), (9,), input_range=(0, 1))
    assert len(found.network.encoding.rows) == 9


def test_hidden_activations_whose_weights_are_0(tmp_path):
    rng = np.random.default_rng(11)
    nodes, constants = dense(rng, BINARY, signs(rng, 9, 6))
    constants["v"][[1, 3]] = 0
    agree(write(tmp_path / "m.onnx", (9,), nodes, constants), (9,), input_range=(0, 1))


def test_channels_whose_weights_are_0(tmp_path):
    """In a convolution: of an input image padded with zeros, exactly; of activations, unless zeros pad them."""
    rng = np.random.default_rng(12)
    weights = signs(rng, 5, 3, 3, 3)
    weights[:, 1] = 0
    nodes, constants = images(rng, SCALED, weights=weights, pads=(1, 1, 1, 1))
    agree(write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants), (3, 7, 6), input_range=(0, 1))
    second = signs(rng, 4, 5, 3, 3)
    second[:, 2] = 0
    for pads, refused in (([0] * 4, False), ([1] * 4, True)):
        nodes, constants = images(rng, SCALED)
        at = next(k for k, n in enumerate(nodes) if n.name == "n_f")
        nodes[at:at] = [node("Conv", "t w2", "c2", pads=pads), node("Add", "c2 half", "b2"), *sign("b2", "t2")]
        nodes[at + 4] = node("Flatten", "t2", "f")
        constants |= {"w2": second, "v": signs(rng, 4 * (20 if refused else 6), 3)}
        path = write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants)
        if refused:
            with pytest.raises(OnnxError, match="all 0, and zeros pad it: prune the channel"):
                bw.import_onnx(path, input_range=(0, 1))
        else:
            agree(path, (3, 7, 6), input_range=(0, 1))


def test_sums_of_too_many_values_behind_something_uneven(tmp_path):
    """Sums of wide integers are not looked at one by one, so only what is monotone by itself may follow."""
    rng = np.random.default_rng(13)
    nodes, constants = images(rng, NORMALISED, **CHANNELS)
    at = next(k for k, n in enumerate(nodes) if n.name == "n_b")
    nodes[at : at + 1] = [node("Add", "c bias", "b0"), node("Abs", "b0", "b1"), node("Sub", "b1 two", "b")]
    with pytest.raises(OnnxError, match="too many to look at each"):
        bw.import_onnx(write(tmp_path / "m.onnx", (3, 7, 6), nodes, constants), input_range=(0, 1))

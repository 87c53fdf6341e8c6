"""Signals: convolutions and pools of one axis in the forms that torch, tf2onnx and Keras write, against onnxruntime."""

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden
from bitwright_onnx.refusals import OnnxError

from .test_first_layers import FRAMES, node, sign, signs, write

T, C = 15, 4
AXIS = {"one": np.array([1], np.int64), "two": np.array([2], np.int64), "three": np.array([3], np.int64)}
BITS = [node("Sub", "x half", "d"), *sign("d", "s")]
BIASED = [node("Add", "c bias", "b"), *sign("b", "t")]
END = [node("Flatten", "t", "f"), node("MatMul", "f v", "y")]


def agree(path, shape, *, first, options=None):
    """Every score of FRAMES random frames; `first` tells whether a frame's channels come first."""
    import onnxruntime

    found = bw.import_onnx(path, **{"input_range": (0, 1), **(options or {})})
    raw = np.random.default_rng(5).integers(0, 256, (FRAMES, *shape))
    x = (raw / np.float32(255)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})[0].reshape(FRAMES, -1)
    frames = np.moveaxis(raw, 1, -1) if first and len(shape) > 1 else raw
    outputs = golden.outputs(found.network, frames)
    np.testing.assert_array_equal(outputs, expected)
    assert len(np.unique(outputs, axis=0)) > 5
    return found.network


def rng_of(case):
    return np.random.default_rng(len(case))


def constants(rng, weights, length, **more):
    outputs = more.pop("outputs", 6)
    return {
        **AXIS,
        "w": weights,
        "bias": rng.uniform(-0.4, 0.4, (outputs, 1)) + 0.0123,
        "v": signs(rng, outputs * length, 3),
        **more,
    }


FIRST = {
    "conv1d": ([*BITS, node("Conv", "s w", "c")], (5, 6, C, 3), 13),
    "conv1d padded by its own bias": ([*BITS, node("Conv", "s w bias1", "c", pads=[1, 1])], (5, 6, C, 3), 15),
    "conv1d padded and strided": ([*BITS, node("Conv", "s w", "c", pads=[2, 1], strides=[2])], (5, 6, C, 3), 8),
    "conv1d same upper": ([*BITS, node("Conv", "s w", "c", auto_pad="SAME_UPPER", strides=[2])], (5, 6, C, 3), 8),
    "a pad before it": ([*BITS, node("Pad", "s around minus", "p"), node("Conv", "p w", "c")], (5, 6, C, 3), 16),
    "integers": ([node("Conv", "x w", "c", pads=[1, 1])], (5, 6, C, 3), 15),
}


@pytest.mark.parametrize("case", FIRST)
def test_conv1d(tmp_path, case):
    """(frames, channels, length), weights of three axes."""
    nodes, (_, *weights), length = FIRST[case]
    rng = rng_of(case)
    more = {"bias1": np.zeros(6), "around": np.array([0, 0, 2, 0, 0, 1], np.int64)}
    path = write(
        tmp_path / "m.onnx", (C, T), [*nodes, *BIASED, *END], constants(rng, signs(rng, *weights), length, **more)
    )
    network = agree(path, (C, T), first=True)
    assert network.input.shape == (1, T, C) and network.layers[0].kernel == (1, 3)


TWO = {
    "unsqueezed, channels first": (
        (C, T),
        True,
        [
            node("Unsqueeze", "x two", "u"),
            node("Sub", "u half", "d"),
            *sign("d", "s"),
            node("Conv", "s w", "c4"),
            node("Squeeze", "c4 two", "c"),
        ],
        (6, C, 1, 3),
    ),
    "unsqueezed behind, channels first": (
        (C, T),
        True,
        [
            node("Unsqueeze", "x three", "u"),
            node("Sub", "u half", "d"),
            *sign("d", "s"),
            node("Conv", "s w", "c4"),
            node("Squeeze", "c4 three", "c"),
        ],
        (6, C, 3, 1),
    ),
    "tf2onnx, channels last": (
        (T, C),
        False,
        [
            node("Unsqueeze", "x one", "u"),
            node("Transpose", "u", "p", perm=[0, 3, 1, 2]),
            node("Sub", "p half", "d"),
            *sign("d", "s"),
            node("Conv", "s w", "c4"),
            node("Squeeze", "c4 two", "c"),
        ],
        (6, C, 1, 3),
    ),
    "transposed, then conv1d": (
        (T, C),
        False,
        [
            node("Sub", "x half", "d"),
            *sign("d", "e"),
            node("Transpose", "e", "s", perm=[0, 2, 1]),
            node("Conv", "s w", "c"),
        ],
        (6, C, 3),
    ),
    "padded before it is unsqueezed": (
        (C, T),
        True,
        [
            node("Sub", "x half", "d"),
            *sign("d", "e"),
            node("Pad", "e around minus", "q"),
            node("Unsqueeze", "q two", "s"),
            node("Conv", "s w", "c4"),
            node("Squeeze", "c4 two", "c"),
        ],
        (6, C, 1, 3),
    ),
}


@pytest.mark.parametrize("case", TWO)
def test_convolutions_of_two_axes_around_signals(tmp_path, case):
    shape, first, nodes, weights = TWO[case]
    rng = rng_of(case)
    around = np.array([0, 0, 1, 0, 0, 1], np.int64)
    length = T if "padded" in case else 13
    path = write(
        tmp_path / "m.onnx", shape, [*nodes, *BIASED, *END], constants(rng, signs(rng, *weights), length, around=around)
    )
    network = agree(path, shape, first=first)
    assert sorted(network.input.shape) == [1, C, T] and network.input.shape[2] == C


@pytest.mark.parametrize("shape", [(T,), (1, T), (T, 1)])
def test_one_channel(tmp_path, shape):
    rng = np.random.default_rng(len(shape))
    before = {
        (T,): [node("Unsqueeze", "x one", "x3")],
        (1, T): [node("Identity", "x", "x3")],
        (T, 1): [node("Transpose", "x", "x3", perm=[0, 2, 1])],
    }[shape]
    nodes = [*before, node("Sub", "x3 half", "d"), *sign("d", "s"), node("Conv", "s w", "c"), *BIASED, *END]
    network = agree(
        write(tmp_path / "m.onnx", shape, nodes, constants(rng, signs(rng, 6, 1, 3), 13)), shape, first=False
    )
    assert network.input.size == T and network.layers[0].channels == 1


def test_layers_of_one_axis(tmp_path):
    """Pools, batch norm, a second convolution, a Linear on each step, and a pool over all of the signal."""
    rng = np.random.default_rng(1)
    nodes = [
        *BITS,
        node("Conv", "s w", "c", pads=[1, 1]),
        node("BatchNormalization", "c gamma beta mu var", "n"),
        *sign("n", "q"),
        node("MaxPool", "q", "p", kernel_shape=[2], strides=[2]),
        node("Transpose", "p", "l", perm=[0, 2, 1]),
        node("MatMul", "l w2", "c2"),
        node("Add", "c2 row", "b2"),
        *sign("b2", "t2"),
        node("Transpose", "t2", "r", perm=[0, 2, 1]),
        node("Conv", "r w3", "c3"),
        node("Add", "c3 bias", "b"),
        node("GlobalMaxPool", "b", "g"),
        *sign("g", "t"),
        *END,
    ]
    values = constants(
        rng,
        signs(rng, 5, C, 3),
        1,
        w2=signs(rng, 5, 7),
        row=rng.uniform(-0.5, 0.5, 7) + 0.01,
        w3=signs(rng, 6, 7, 3),
        gamma=np.array([1.0, -1, 0.5, 2, -0.3]),
        beta=rng.normal(size=5) * 0.1,
        mu=rng.normal(size=5),
        var=np.ones(5),
    )
    values["bias"] = values["bias"] - 8
    network = agree(write(tmp_path / "m.onnx", (C, T), nodes, values), (C, T), first=True)
    assert [layer.kind for layer in network.layers] == [
        "conv2d",
        "max_pool2d",
        "conv2d",
        "conv2d",
        "max_pool2d",
        "dense",
    ]


def test_mean_and_deviation_of_a_signals_channels(tmp_path):
    rng = np.random.default_rng(2)
    nodes = [node("Sub", "x mean", "m"), node("Div", "m deviation", "n"), node("Conv", "n w", "c", pads=[1, 1])]
    more = {"mean": np.linspace(0.3, 0.6, C).reshape(C, 1), "deviation": np.linspace(0.2, 0.3, C).reshape(C, 1)}
    path = write(tmp_path / "m.onnx", (C, T), [*nodes, *BIASED, *END], constants(rng, signs(rng, 6, C, 3), T, **more))
    assert len(agree(path, (C, T), first=True).encoding.rows) == C


REFUSED = {
    "groups": ([*BITS, node("Conv", "s w", "y", group=C + 1)], (C, 1, 3), f"group {C + 1} divides not both"),
    "dilated": ([*BITS, node("Conv", "s w", "y", dilations=[0])], (6, C, 3), r"dilations \[0\] do not fit"),
    "weights of two axes more": ([*BITS, node("Conv", "s w", "y")], (6, C, 1, 3), r"its weights have no 3 axes"),
    "float weights": ([*BITS, node("Conv", "s w", "y")], None, r"n_y \(Conv\): float weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_tells_its_reason(tmp_path, case):
    nodes, shape, message = REFUSED[case]
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, C, 3)) if shape is None else signs(rng, *shape)
    with pytest.raises(OnnxError, match=message):
        bw.import_onnx(write(tmp_path / "m.onnx", (C, T), nodes, {"w": weights}), input_range=(0, 1))


def test_frames_of_a_signal_may_leave_out_the_axis_of_size_1(tmp_path):
    rng = np.random.default_rng(3)
    path = write(
        tmp_path / "m.onnx", (C, T), [*FIRST["conv1d"][0], *BIASED, *END], constants(rng, signs(rng, 6, C, 3), 13)
    )
    network = bw.import_onnx(path, input_range=(0, 1)).network
    frames = rng.integers(0, 256, (4, 1, T, C))
    np.testing.assert_array_equal(golden.outputs(network, frames), golden.outputs(network, frames[:, 0]))
    with pytest.raises(bw.BitwrightError, match="frames have shape"):
        golden.outputs(network, frames[:, 0].transpose(0, 2, 1))

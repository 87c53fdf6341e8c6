"""Random graphs as exporters write them agree with their reference executors on every frame."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_onnx import Options, import_onnx

from .graphs import FRAMES, Builder, bits_of, classes_of, random_conv, random_dense, reference

QUICK = 12
SLOW = pytest.param(150, marks=pytest.mark.slow)
MAKERS = {"dense": random_dense, "conv": random_conv}


def compare(tmp_path, make, dialect, seed):
    """Imports graph `seed`; returns how many different results its frames have."""
    model, span = make(seed, dialect)
    file = tmp_path / "random.onnx"
    file.write_bytes(model.SerializeToString())
    found = import_onnx(file, Options(input_range=span))
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
    raw = np.random.default_rng(seed).integers(0, 256, (FRAMES, *shape)).astype(np.uint8)
    x = raw.astype(np.float32) if span[1] == 255 else raw.astype(np.float32) / np.float32(255)
    result = reference(model, x)
    frames = raw.transpose(0, 2, 3, 1) if found.layout == "nchw" else raw
    if found.network.is_classifier:
        expected, got = classes_of(result), golden.classify(found.network, frames)
    else:
        expected, got = bits_of(result), golden.outputs(found.network, frames).reshape(FRAMES, -1)
    np.testing.assert_array_equal(got, expected, err_msg=f"{dialect} graph {seed}")
    return len(np.unique(got, axis=0))


@pytest.mark.parametrize("count", [QUICK, SLOW])
@pytest.mark.parametrize("dialect", ["standard", "qonnx", "finn"])
@pytest.mark.parametrize("kind", MAKERS)
def test_random_graphs(tmp_path, kind, dialect, count):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    if dialect != "standard":
        pytest.importorskip("qonnx", reason="needs qonnx, of the development group")
    varied = [compare(tmp_path, MAKERS[kind], dialect, seed) for seed in range(count)]
    assert np.mean(np.array(varied) > 1) > 0.6  # results differ from frame to frame, in most graphs


def test_the_comparison_can_fail(tmp_path, monkeypatch):
    """A threshold that is off by one is seen."""
    from bitwright_onnx import decide

    sound = decide.activations

    def off_by_one(table):
        found = sound(table)
        object.__setattr__(found, "thresholds", np.minimum(found.thresholds + 1, len(table)))
        return found

    monkeypatch.setattr(decide, "activations", off_by_one)
    with pytest.raises(AssertionError):
        for seed in range(QUICK):
            compare(tmp_path, random_dense, "standard", seed)


def test_channels_last_operators(tmp_path):
    """QONNX's channels-last Conv, BatchNormalization and MaxPool are the standard ones between Transposes."""
    rng = np.random.default_rng(4)
    rows = np.where(rng.random((5, 3, 3, 2)) < 0.5, -1, 1).astype(np.float32)  # (outputs, ky, kx, channels)
    last_rows = np.where(rng.random((5 * 3 * 2, 4)) < 0.5, -1, 1).astype(np.float32)
    networks, span = [], (0.0, 1.0)
    for last in (False, True):
        statistics = np.random.default_rng(5).normal(size=(4, 5)).astype(np.float32)
        b = Builder(opset=13)
        b.then("Sub", b.constant(0.4))
        b.then("BipolarQuant", b.constant(1.0))
        image_ops = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1}
        pool = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0]}
        gamma, beta, mean, deviation = statistics
        norms = [b.constant(array) for array in (gamma, beta, mean, deviation**2 + 1)]
        if not last:
            b.then("Transpose", perm=[0, 3, 1, 2])
        b.then("Conv", b.constant(rows if last else rows.transpose(0, 3, 1, 2)), **image_ops)
        b.then("BatchNormalization", *norms)
        b.then("BipolarQuant", b.constant(1.0))
        b.then("MaxPool", **pool)
        if last:
            for node in b.nodes:
                if node.op_type in ("Conv", "BatchNormalization", "MaxPool"):
                    node.domain = "qonnx.custom_op.channels_last"
        else:
            b.then("Transpose", perm=[0, 2, 3, 1])
        b.then("Flatten", axis=1)
        b.then("MatMul", b.constant(last_rows))
        (tmp_path / "m.onnx").write_bytes(b.model((6, 5, 2), "N").SerializeToString())
        found = import_onnx(tmp_path / "m.onnx", Options(input_range=span))
        assert found.layout == "nhwc"
        networks.append(found.network)
    assert networks[0].digest == networks[1].digest

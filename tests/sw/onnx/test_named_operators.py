"""Activations, normalisations and quantizers that an import folds: every frame that there is, and back again."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_onnx import OnnxError, Options, export_onnx, import_onnx

from .graphs import Builder, reference

INPUTS, HIDDEN = 6, 5
EVERY = np.array([[255 * (frame >> k & 1) for k in range(INPUTS)] for frame in range(1 << INPUTS)])
SLOPES = np.float32([0.25, 0.5, 0.0, 1.0, 0.125])
NORM = {  # scale, bias, mean, variance: channels that differ in size and in sign
    "scale": np.float32([0.5, -1.25, 2.0, 0.75, -0.3]),
    "bias": np.float32([0.25, 1.5, -0.5, 1.0, 0.7]),
    "mean": np.float32([0.5, -1.0, 0.25, 2.0, 0.0]),
    "variance": np.float32([1.0, 2.5, 4.0, 0.5, 3.0]),
}


def normalised(b, count=HIDDEN):
    b.then("BatchNormalization", *(b.constant(values[:count]) for values in NORM.values()), epsilon=1e-5)


def in_steps(b, low, high):
    """Halves from `low` to `high`, limited first, as hardtanh does."""
    b.then("Clip", b.constant(low), b.constant(high))
    b.then("Mul", b.constant(2.0))
    b.then("Round")
    b.then("Mul", b.constant(0.5))


def parametric(b):
    b.then("PRelu", b.constant(SLOPES))
    in_steps(b, -1.0, 2.0)


def leaky(b):
    b.then("LeakyRelu", alpha=0.25)
    in_steps(b, -0.5, 1.0)


def hard_tanh(b):
    normalised(b)
    in_steps(b, -1.0, 1.0)


def many_levels(b):
    levels = np.sort(np.random.default_rng(2).normal(0, 3, (HIDDEN, 15)), axis=1)
    b.then("MultiThreshold", b.constant(levels), out_dtype="INT4", out_bias=-8.0, data_layout="NC")


def truncated(b):
    parameters = b.constant(0.5), b.constant(0.0), b.constant(4.0)
    b.then("Quant", *parameters, signed=1, narrow=0, rounding_mode="ROUND")
    b.then("Trunc", *parameters, b.constant(2.0), rounding_mode="FLOOR")


def by_channel(b):
    normalised(b)
    b.then("Quant", b.constant(0.5), b.constant(0.0), b.constant(2.0), signed=0, narrow=0, rounding_mode="FLOOR")


ACTIVATIONS = (parametric, leaky, hard_tanh, many_levels, truncated, by_channel)


def graph(activation, *, last_norm=False):
    """Bits, a product, the activation, a product, and a batch norm behind it or none."""
    rng = np.random.default_rng(5)
    b = Builder(opset=16)
    fires = b.node("GreaterOrEqual", "x", b.constant(0.5))
    b.value = b.node("Where", fires, b.constant(1.0), b.constant(-1.0))
    b.then("MatMul", b.constant(rng.choice(np.float32([-1, 1]), (INPUTS, HIDDEN))))
    activation(b)
    b.then("MatMul", b.constant(rng.choice(np.float32([-1, 1]), (HIDDEN, 3))))
    if last_norm:
        normalised(b, 3)
    return b.model((INPUTS,), "N")


def order(scores):
    return np.argsort(-scores, axis=1, kind="stable")


def imported(tmp_path, model):
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return import_onnx(tmp_path / "m.onnx", Options(input_range=(0.0, 1.0), score_bits=0)).network


@pytest.mark.parametrize("last_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.__name__)
def test_every_frame_and_back(tmp_path, activation, last_norm):
    model = graph(activation, last_norm=last_norm)
    network = imported(tmp_path, model)
    assert network.layers[0].output.levels > 1
    expected = reference(model, (EVERY / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(order(golden.outputs(network, EVERY)), order(expected))
    assert len(np.unique(expected, axis=0)) > 4
    for dialect in ("standard", "qonnx"):
        export_onnx(network, tmp_path / "back.onnx", dialect=dialect)
        again = import_onnx(tmp_path / "back.onnx").network
        assert again == network and again.digest == network.digest


def test_thresholds_differ_by_channel(tmp_path):
    thresholds = imported(tmp_path, graph(by_channel)).layers[0].output.values
    assert len({tuple(row) for row in thresholds.tolist()}) > 3


def test_a_slope_that_turns_back_is_refused_by_the_nodes_name(tmp_path):
    """PRelu of a negative slope neither rises nor falls."""

    def turned(b):
        b.then("PRelu", b.constant(-SLOPES))
        in_steps(b, -1.0, 2.0)

    with pytest.raises(OnnxError, match=r"node n\d+ \(\w+\): .*(rise|fall|monoton)"):
        imported(tmp_path, graph(turned))


def test_every_refused_node_is_named(tmp_path):
    b = Builder(opset=16)
    names = [b.node("Sin", "x" if k == 0 else f"v{k}") for k in range(30)]
    b.value = names[-1]
    with pytest.raises(OnnxError) as caught:
        imported(tmp_path, b.model((INPUTS,), "N"))
    assert all(f"n{k}" in str(caught.value).replace(" ", ",").split(",") for k in range(1, 31))

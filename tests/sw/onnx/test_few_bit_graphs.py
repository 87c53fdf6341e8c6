"""Graphs of weights and activations of a few bits: random ones against onnxruntime and qonnx, and what they become."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import BitwrightError
from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    Thresholds,
    load,
)
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_onnx import Options, export_onnx, import_onnx
from bitwright_onnx.exporter import to_model
from bitwright_onnx.few_bits import few_bits

from ..few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from ..networks import random_frames
from ..test_few_bits import few_typed_network
from .graphs import Builder, norm, reference

FRAMES = 40
# bits, signed, narrow; and what values of them are, three of which may be ternary
WEIGHTS = ((1, 1, 1), (2, 1, 1), (2, 1, 0), (3, 1, 1), (4, 1, 0))
ACTIVATIONS = ((1, 1, 1), (2, 1, 1), (2, 0, 0), (2, 1, 0), (3, 0, 0), (4, 1, 1))


def quantized(b, name, rng, bits, signed, narrow, scale, *, qonnx):
    """`name` rounded to whole numbers of so many bits, times `scale`: by QONNX's node, or by Div, Round and Mul."""
    if bits == 1:
        fires = b.node("GreaterOrEqual", name, b.constant(0.0))
        return b.node("BipolarQuant", name, b.constant(scale)) if qonnx else _sign(b, fires, scale)
    low, high = (-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1 - narrow)
    if qonnx:
        parameters = (b.constant(scale), b.constant(0.0), b.constant(float(bits)))
        return b.node("Quant", name, *parameters, signed=signed, narrow=narrow, rounding_mode="ROUND")
    steps = b.node("Div", name, b.constant(scale))
    limited = b.node("Max", b.node("Min", steps, b.constant(float(high))), b.constant(float(low)))
    return b.node("Mul", b.node("Round", limited), b.constant(scale))


def _sign(b, fires, scale):
    return b.node("Where", fires, b.constant(scale), b.constant(-scale))


def random_graph(seed):
    """Products of random types, batch norms with negative scales, pools; scales are powers of two: sums are exact."""
    rng = np.random.default_rng(seed)
    b, qonnx = Builder(opset=13), seed % 2 == 1
    shape = (2, 7, 6) if seed % 3 else (12,)
    b.shape, b.top = shape, 1.0
    b.value = _encoded(b, rng, seed)
    channels = shape[0]
    for index in range(2 if len(shape) == 3 else 0):
        outputs, k = int(rng.integers(3, 6)), int(rng.integers(1, 4))
        pads = [0, 0, 0, 0] if index == 0 or k == 1 else [1, 1, 1, 1]
        b.then("Conv", _weights(b, rng, (outputs, channels, k, k), qonnx), kernel_shape=[k, k], pads=pads)
        norm(b, rng, outputs, 4)
        before = rng.random() < 0.5
        if before:
            b.then("MaxPool", kernel_shape=[2, 2], strides=[1, 1])
        _activation(b, rng, outputs, qonnx, "NCHW")
        if not before and index:
            b.then("MaxPool", kernel_shape=[2, 2], strides=[1, 1])
        channels = outputs
    if len(shape) == 3:
        b.then("Flatten", axis=1)
    size = reference(b.model(shape, 1), np.zeros((1, *shape), np.float32)).shape[1]
    for outputs in (7, 5):
        b.then("MatMul", _weights(b, rng, (size, outputs), qonnx))
        norm(b, rng, outputs, 2)
        _activation(b, rng, outputs, qonnx)
        size = outputs
    b.then("MatMul", _weights(b, rng, (size, 3), qonnx))
    return b.model(shape, "N"), shape


def _encoded(b, rng, seed):
    """One bit, two bits or eight of each pixel."""
    if seed % 3 == 0:
        return quantized(b, b.node("Sub", "x", b.constant(0.5)), rng, 1, 1, 1, 1.0, qonnx=False)
    bits = 2 if seed % 3 == 1 else 8
    return quantized(b, "x", rng, bits, 0, 0, 2.0**-bits, qonnx=False)


def _weights(b, rng, shape, qonnx):
    bits, signed, narrow = WEIGHTS[int(rng.integers(len(WEIGHTS)))]
    scale = float(2.0 ** rng.integers(-3, 2))
    latent = (rng.normal(size=shape) * scale * max(1, (1 << bits) / 4)).astype(np.float32)
    latent.reshape(-1)[:2] = scale, -scale  # no tensor of zeros
    return quantized(b, b.constant(latent), rng, bits, signed, narrow, scale, qonnx=qonnx)


def _activation(b, rng, channels, qonnx, layout="NC"):
    bits, signed, narrow = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
    if qonnx and bits > 1 and rng.random() < 0.4:
        levels = np.sort(rng.normal(size=(channels, (1 << bits) - 1)), axis=1)
        bias = 0.0 if not signed else -float(1 << (bits - 1))
        b.then("MultiThreshold", b.constant(levels), out_dtype="FLOAT32", out_bias=bias, data_layout=layout)
        return
    b.value = quantized(b, b.value, rng, bits, signed, narrow, float(2.0 ** rng.integers(-2, 1)), qonnx=qonnx)


def imported(tmp_path, model, **options):
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return import_onnx(tmp_path / "m.onnx", Options(**{"input_range": (0.0, 1.0), "outputs": "scores", **options}))


@pytest.mark.parametrize("seed", range(16))
def test_random_graphs_give_the_very_numbers(tmp_path, seed):
    model, shape = random_graph(seed)
    found = imported(tmp_path, model)
    network = found.network
    raw = np.random.default_rng(seed).integers(0, 256, (FRAMES, *shape))
    frames = raw.transpose(0, 2, 3, 1) if len(shape) == 3 else raw
    expected = reference(model, (raw / np.float32(255)).astype(np.float32))
    assert network.values.error == 0
    np.testing.assert_array_equal(golden.values(network, frames), expected)
    assert len(np.unique(expected)) > 3


def test_the_random_graphs_have_all_types(tmp_path):
    layers = [layer for seed in range(16) for layer in imported(tmp_path, random_graph(seed)[0]).network.matrix_layers]
    assert {layer.weight_type for layer in layers} >= {BINARY, TERNARY, signed_type(3), signed_type(4)}
    assert {layer.takes for layer in layers} >= {BINARY, TERNARY, unsigned_type(2), unsigned_type(3), signed_type(2)}
    padded = [layer for layer in layers if isinstance(layer, Conv2d) and any(layer.padding)]
    assert padded and {layer.padding_value for layer in padded} == {"zero"}


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
@pytest.mark.parametrize("seed", range(6))
def test_an_export_computes_the_same_and_comes_back(tmp_path, seed, dialect):
    network = few_typed_network(seed)
    frames = random_frames(network, 20).astype(np.uint8)
    got = reference(to_model(network, dialect=dialect), frames).reshape(len(frames), -1)
    expected = golden.outputs(network, frames)
    np.testing.assert_array_equal(got, expected if network.is_classifier else 2.0 * expected - 1)
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    found = import_onnx(tmp_path / "n.onnx")
    assert found.network == network and found.network.digest == network.digest and not found.notes
    found.network.save(tmp_path / "n")
    assert load(tmp_path / "n") == network


def test_pools_of_integers_export():
    """The least of the type pads them, which no other value is below."""
    pool = MaxPool2d(name="pool", shape=(4, 4, 2), kernel=(2, 2), stride=(1, 1), padding=(1, 1), takes=signed_type(4))
    weights = np.random.default_rng(0).integers(-1, 2, (2, pool.edge.size), dtype=np.int8)
    output = Thresholds(values=np.array([[0], [3]]))
    network = Network(
        name="pooled",
        input=Input(shape=(4, 4, 2), bits=4),
        encoding=IntegerEncoding(table=np.arange(16) - 8),
        layers=(pool, Dense(name="last", weights=weights, output=output, takes=pool.takes, weight_type=TERNARY)),
    )
    frames = random_frames(network, 30).astype(np.uint8)
    np.testing.assert_array_equal(reference(to_model(network), frames), 2.0 * golden.outputs(network, frames) - 1)


def test_the_exports_have_all_types():
    layers = [layer for seed in range(6) for layer in few_typed_network(seed).matrix_layers]
    assert {layer.weight_type for layer in layers} == set(FEW_WEIGHTS)
    assert {layer.edge.number for layer in layers if not layer.gives_scores} >= set(FEW_ACTIVATIONS)


def test_what_weights_are_whole_numbers():
    scaled = few_bits(np.float32([[0.3, -0.6, 0.0], [0.1, 0.1, -0.1], [0, 0, 0]]))
    assert scaled.numbers.tolist() == [[1, -2, 0], [1, 1, -1], [0, 0, 0]] and scaled.number == signed_type(2)
    np.testing.assert_allclose(scaled.scale, [0.3, 0.1, 0.3], rtol=1e-6)
    whole = few_bits(np.float32([[2, 0, -2]]))
    assert whole.numbers.tolist() == [[2, 0, -2]] and whole.scale.tolist() == [1] and whole.number == signed_type(3)
    assert few_bits(np.float32([[1, 0]])).number == TERNARY
    assert few_bits(np.float32([[1, 0]]), signed_type(4)).number == signed_type(4)
    assert few_bits(np.float32([[0.3, 0.7071, 1.1]])) is None
    assert few_bits(np.float32([[np.nan, 1]])) is None and few_bits(np.zeros((2, 2), np.float32)) is None


def one_layer(activation):
    """Four bits, a product, `activation(b)`, and a last product."""
    b = Builder(opset=13)
    b.value = _encoded(b, None, 0)
    b.then("MatMul", b.constant(np.float32([[1, -1, 1], [1, 1, 0], [-1, 1, 1], [1, -1, -1]])))
    activation(b)
    b.then("MatMul", b.constant(np.float32([[1, -1], [1, 1], [-1, 1]])))
    return b.model((4,), "N")


def test_ternary_weights_and_sign_of_zero(tmp_path):
    """Sign gives 0 where a sum is 0: a ternary activation, and no bit."""
    network = imported(tmp_path, one_layer(lambda b: b.then("Sign"))).network
    first, last = network.layers
    assert first.weight_type == TERNARY and first.edge.number == TERNARY
    assert (last.weight_type, last.takes) == (BINARY, TERNARY)


@pytest.mark.parametrize("channels", [False, True])
def test_linear_quantizers_of_standard_onnx(tmp_path, channels):
    """Weights of integers behind DequantizeLinear, a scale for all or one a column; activations limited to two bits."""
    rng = np.random.default_rng(1)
    b = Builder(opset=13)
    b.value = _encoded(b, rng, 1)
    scale = np.float32([0.5, 0.25, 1.0]) if channels else np.float32(0.5)
    zero = np.zeros_like(scale, np.int8)
    weights = b.constant(rng.integers(-3, 4, (6, 3)), np.int8)
    w = b.node("DequantizeLinear", weights, b.constant(scale), b.constant(zero, np.int8), axis=1)
    b.then("MatMul", w)
    b.then("Mul", b.constant(np.float32([1, -1, 0.5])))
    b.then("Clip", b.constant(0.0), b.constant(1.5))
    step, none = b.constant(0.5), b.constant(0, np.uint8)
    b.then("QuantizeLinear", step, none)
    b.then("DequantizeLinear", step, none)
    b.then("MatMul", b.constant(np.float32([[1, -2], [0, 1], [3, 1]])))
    model = b.model((6,), "N")
    found = imported(tmp_path, model)
    raw = rng.integers(0, 256, (60, 6))
    expected = reference(model, (raw / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(golden.values(found.network, raw), expected)
    first, last = found.network.layers
    assert (first.weight_type, first.edge.number) == (signed_type(3), unsigned_type(2))
    assert last.weight_type == signed_type(3) and len(np.unique(expected)) > 5


def test_trunc_takes_bits_off(tmp_path):
    """Four bits to two: the floor of a quarter, as qonnx executes it."""

    def truncated(b):
        b.value = quantized(b, b.value, None, 4, 1, 0, 0.5, qonnx=True)
        parameters = b.constant(0.5), b.constant(0.0), b.constant(4.0), b.constant(2.0)
        b.then("Trunc", *parameters, rounding_mode="FLOOR")

    model = one_layer(truncated)
    network = imported(tmp_path, model).network
    raw = np.random.default_rng(0).integers(0, 256, (30, 4))
    expected = reference(model, (raw / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(golden.values(network, raw), expected)
    assert network.layers[0].edge.number.signed and len(np.unique(expected)) > 1


def test_a_row_that_falls_is_negated_into_a_wider_type(tmp_path):
    """-2 has no negative in two bits."""
    weights = np.float32([[-2, 1], [1, 1], [0, -1], [1, 0]])

    def falling(b):
        b.then("Mul", b.constant(np.float32([-1, 1])))
        b.value = quantized(b, b.value, None, 2, 0, 0, 1.0, qonnx=True)

    b = Builder(opset=13)
    b.value = _encoded(b, None, 0)
    b.then("MatMul", b.constant(weights))
    falling(b)
    b.then("MatMul", b.constant(np.float32([[1, -1], [1, 1]])))
    model = b.model((4,), "N")
    first = imported(tmp_path, model).network.layers[0]
    assert first.weight_type == signed_type(3) and first.weights.tolist() == [[2, -1, 0, -1], [1, 1, -1, 0]]
    raw = np.random.default_rng(0).integers(0, 256, (30, 4))
    expected = reference(model, (raw / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(golden.values(imported(tmp_path, model).network, raw), expected)


def test_thresholds_of_each_channel(tmp_path):
    """A normalisation that differs from channel to channel: thresholds of their own, one number type."""

    def normalised(b):
        b.then("Mul", b.constant(np.float32([0.5, 1, -0.25])))
        b.then("Add", b.constant(np.float32([0.1, -0.6, 0.3])))
        b.value = quantized(b, b.value, None, 2, 0, 0, 0.5, qonnx=True)

    first = imported(tmp_path, one_layer(normalised)).network.layers[0]
    assert first.edge.number == unsigned_type(2) and len({tuple(row) for row in first.output.values.tolist()}) == 3


REFUSED = {
    "steps of two sizes": (
        lambda b: (b.then("Round"), b.then("Mul", b.constant(np.float32([1, 1.41, 1])))),
        "not whole steps of one size for all channels|steps of different sizes",
    ),
    "not monotone": (lambda b: (b.then("Abs"), b.then("Round")), "is not monotone in its accumulator"),
    "too many values": (
        lambda b: (b.then("Pow", b.constant(9.0)),),
        "its activations take 524289 steps of 1; at most 256",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path, case):
    make, message = REFUSED[case]
    with pytest.raises(BitwrightError, match=message):
        imported(tmp_path, one_layer(make))


def test_types_of_an_edited_export_are_not_believed(tmp_path):
    """Metadata that says less than the graph gives is left aside."""
    network = few_typed_network(2)
    model = to_model(network)
    for prop in model.metadata_props:
        prop.value = prop.value.replace('"levels": 3', '"levels": 1').replace('"base": -2', '"base": 0')
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    frames = random_frames(network, 20)
    found = import_onnx(tmp_path / "n.onnx").network
    assert np.array_equal(golden.outputs(found, frames), golden.outputs(network, frames))

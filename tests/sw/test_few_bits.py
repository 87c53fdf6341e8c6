"""Activations of a few bits: thresholds of several levels, in the golden model, in files, and where refused."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    Conv2d,
    Dense,
    Edge,
    Input,
    MaxPool2d,
    Network,
    NumberType,
    ThresholdEncoding,
    Thresholds,
    load,
)
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type
from tests.plain import plain_outputs

from .conv_networks import random_conv_network
from .few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from .networks import random_frames, random_network

THREE = np.array([[1, 2, 4], [0, 3, 3]])


def few(levels=THREE, **options):
    weights = np.random.default_rng(4).integers(0, 2, (2, 6), dtype=np.uint8)
    return Dense(name="few", weights=weights, output=Thresholds(values=levels), **options)


def two_bit_network(first=None):
    """6 bits, two neurons of 2 bits, then one of a bit."""
    last = Dense(
        name="last",
        weights=np.array([[1, 0]], np.uint8),
        output=Thresholds(values=np.array([[1]])),
        takes=NumberType(kind="unsigned", bits=2),
    )
    return Network(
        name="two_bits",
        input=Input(shape=(6,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(few() if first is None else first, last),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_golden_model_is_the_plain_rules(seed):
    network = random_conv_network(
        seed,
        act_levels=(3, 7)[seed % 2],
        integers=seed % 3 == 0,
        votes=seed % 4 == 0,
        classes=0 if seed % 5 == 0 else 3,
    )
    frames = random_frames(network, 4, seed)
    traced = golden.trace(network, frames)
    for index, frame in enumerate(frames):
        for layer, (sums, values) in zip(traced.layers, plain_outputs(network, frame), strict=True):
            assert (layer.accumulators is None) == (sums is None)
            if sums is not None:
                assert layer.accumulators[index].reshape(-1).tolist() == sums
            assert layer.values[index].reshape(-1).tolist() == values
    assert np.array_equal(golden.outputs(network, frames), traced.layers[-1].values.reshape(4, -1))


def few_typed_network(seed, **options):
    """A random network of weights and activations of all types of a few bits."""
    options = {"integers": seed % 3 == 0, "votes": seed % 4 == 0, "classes": 0 if seed % 5 == 0 else 3, **options}
    return random_conv_network(seed, weight_types=FEW_WEIGHTS, act_types=FEW_ACTIVATIONS, **options)


@pytest.mark.parametrize("seed", range(12))
def test_weights_and_activations_of_all_types_are_the_plain_rules(seed):
    network = few_typed_network(seed)
    frames = random_frames(network, 4, seed)
    traced = golden.trace(network, frames)
    for index, frame in enumerate(frames):
        for layer, (sums, values) in zip(traced.layers, plain_outputs(network, frame), strict=True):
            if sums is not None:
                assert layer.accumulators[index].reshape(-1).tolist() == sums
            assert layer.values[index].reshape(-1).tolist() == values
    for layer, found in zip(network.layers, traced.layers, strict=True):
        least, largest = layer.edge.number.stored
        assert least <= found.values.min() and found.values.max() <= largest
        if layer.matrix is not None:
            least, largest = layer.accumulator_range
            assert least <= found.accumulators.min() and found.accumulators.max() <= largest
    assert np.array_equal(golden.outputs(network, frames), traced.layers[-1].values.reshape(4, -1))


def test_the_random_networks_have_all_types():
    layers = [layer for seed in range(12) for layer in few_typed_network(seed).matrix_layers]
    assert {layer.weight_type for layer in layers} == set(FEW_WEIGHTS)
    assert {layer.takes for layer in layers} >= set(FEW_ACTIVATIONS)
    padded = [layer for layer in layers if layer.borders is not None and not layer.weight_type.xnor]
    assert padded, "bits padded with zeros under weights of a few bits"


@pytest.mark.parametrize("seed", range(8))
def test_an_engine_that_reads_padding_as_bit_0_decides_the_same(seed):
    """`engine_levels`: thresholds on the sum of all lanes, by the class of the border."""
    network = few_typed_network(seed)
    frames = random_frames(network, 2, seed)
    trace = golden.trace(network, frames)
    given = trace.encoded
    for layer, traced in zip(network.layers, trace.layers, strict=True):
        if isinstance(layer, Conv2d):
            top, bottom, left, right = layer.padding
            images = np.asarray(given, np.int64).reshape(2, *layer.shape)
            around = ((0, 0), (top, bottom), (left, right), (0, 0))
            images = np.pad(images, around, constant_values=layer.padding_lane)
            lanes = layer.takes.values(images, np.float64)
            weights = layer.weight_type.values(layer.rows, np.float64)
            assert layer.engine_levels.shape[1:] == (layer.outputs, layer.output.levels)
            for pixel, at in enumerate(layer.border_class):
                y, x = (pixel // layer.windows.shape[1]) * layer.stride[0], pixel % layer.windows.shape[1]
                x *= layer.stride[1]
                window = lanes[:, y : y + layer.kernel[0], x : x + layer.kernel[1]].reshape(2, -1)
                counts = window @ weights.T
                if layer.counts_bits:
                    counts = (counts + layer.inputs) / 2
                reached = (counts[:, :, None] >= layer.engine_levels[at]).sum(axis=2) + layer.output.base
                assert np.array_equal(reached, traced.values.reshape(2, layer.pixels, -1)[:, pixel])
                held = golden.margins(layer, traced.accumulators).reshape(2, layer.pixels, -1)[:, pixel]
                assert np.array_equal(held, counts - layer.engine_levels[at][:, layer.output.levels // 2])
        given = traced.values


@pytest.mark.parametrize(
    "base, levels, number",
    [
        (0, 1, BINARY),
        (0, 3, unsigned_type(2)),
        (-1, 2, TERNARY),
        (-1, 1, signed_type(1)),
        (-1, 3, signed_type(3)),
        (-2, 3, signed_type(2)),
        (-7, 14, signed_type(4)),
        (-128, 255, signed_type(8)),
    ],
)
def test_what_levels_from_below_zero_give(base, levels, number):
    layer = few_from(base, levels)
    assert layer.edge.number == number
    lanes = np.random.default_rng(1).integers(0, 2, (50, 6), dtype=np.uint8)
    expected = base + (layer.accumulators(lanes)[:, :, None] >= layer.output.values).sum(axis=2)
    assert np.array_equal(layer.compute(lanes), expected)
    assert np.array_equal(layer.output.of(layer.accumulators(lanes)), expected)


def few_from(base, levels):
    values = np.sort(np.random.default_rng(levels).integers(0, 8, (2, levels)), axis=1)
    weights = np.random.default_rng(4).integers(0, 2, (2, 6), dtype=np.uint8)
    return Dense(name="few", weights=weights, output=Thresholds(values=values, base=base))


def test_what_thresholds_cannot_count_from():
    for base in (1, -1.0, True):
        with pytest.raises(NetworkError, match="thresholds count from a whole number of 0 or less"):
            Thresholds(values=THREE, base=base)
    with pytest.raises(NetworkError, match=r"at most 8 bits, but 255 levels from -1 reach -1\.\.254"):
        Thresholds(values=np.zeros((1, 255), np.int64), base=-1)


def typed(weights, weight_type, *, takes=BINARY, threshold=0, name="few"):
    values = np.full((len(weights), 1), threshold)
    return Dense(
        name=name, weights=np.array(weights), output=Thresholds(values=values), takes=takes, weight_type=weight_type
    )


def test_what_accumulators_of_few_bit_weights_reach():
    """Of the weights that are there: a row 1, 0, -1 and one of zeros on values 0 .. 3."""
    layer = typed([[1, 0, -1], [0, 0, 0]], TERNARY, takes=unsigned_type(2))
    assert (layer.accumulator_range, layer.largest_dot, layer.sums_dots) == ((-3, 3), 3, True)
    assert typed([[3, -4]], signed_type(3), takes=signed_type(2)).accumulator_range == (-10, 11)
    zeros = typed([[0, 0]], TERNARY)
    assert zeros.accumulator_range == (0, 0) and zeros.compute(np.array([[0, 1]])).tolist() == [[1]]
    assert typed([[1, -1]], TERNARY).accumulator_range == (-2, 2)
    with pytest.raises(NetworkError, match=r"layer few: thresholds must lie in -3\.\.4 \(the largest dot product"):
        typed([[1, 0, -1]], TERNARY, takes=unsigned_type(2), threshold=5)


WRONG_WEIGHTS = {
    "beyond ternary": ([[1, -2]], TERNARY, BINARY, "layer few: weights must be -1 to 1, not -2"),
    "beyond signed": ([[2, -2]], signed_type(2), BINARY, "layer few: weights must be -2 to 1, not 2"),
    "beyond bits": ([[2, 0]], BINARY, BINARY, "layer few: weights must be 0 or 1, not 2"),
    "unsigned": (
        [[1, 0]],
        unsigned_type(2),
        BINARY,
        "must be binary, ternary or signed of 2 to 8 bits, not unsigned 2",
    ),
    "too wide": (
        [[1, 0]],
        signed_type(9),
        BINARY,
        "must be binary, ternary or signed of 2 to 8 bits, not signed 9-bit",
    ),
    "too far": ([[1] * (1 << 15)], signed_type(8), signed_type(32), "32768 products .* may need more than 53 bits"),
}


@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_what_weights_cannot_be(case):
    weights, weight_type, takes, message = WRONG_WEIGHTS[case]
    with pytest.raises(NetworkError, match=message):
        typed(weights, weight_type, takes=takes)


def typed_network(weights=((1, 0, -1, 1), (0, -1, 1, 0)), weight_type=TERNARY, base=-1, levels=2):
    values = np.arange(levels)[None].repeat(2, axis=0)
    first = Dense(
        name="few",
        weights=np.array(weights),
        output=Thresholds(values=values, base=base),
        weight_type=weight_type,
    )
    last = typed([[1, -1]], signed_type(4), takes=first.edge.number, name="last")
    return Network(
        name="typed",
        input=Input(shape=(4,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(first, last),
    )


def test_types_count_in_the_digest():
    networks = [
        typed_network(),
        typed_network(weight_type=signed_type(2)),
        typed_network(weight_type=signed_type(3)),
        typed_network(base=-2),
        typed_network(base=0),
        typed_network(weights=((1, 0, -1, 1), (0, -1, 1, 1))),
        typed_network(weights=((1, 0, 1, 1), (0, 1, 1, 0)), weight_type=BINARY),
    ]
    assert len({network.digest for network in networks}) == len(networks)


def test_types_in_the_file_and_in_the_network_s_line(tmp_path):
    network = typed_network()
    network.save(tmp_path / "n")
    raw = (tmp_path / "n").read_bytes()
    assert load(tmp_path / "n") == network and network.format_version == 3
    assert b'\\"base\\":-1,\\"weight_type\\":{\\"kind\\":\\"ternary\\",\\"bits\\":2}' in raw
    assert b'\\"weight_type\\":{\\"kind\\":\\"signed\\",\\"bits\\":4}' in raw
    assert repr(network).startswith("<Network typed: 4-2wtat-1w4,")
    (tmp_path / "old").write_bytes(raw.replace(b'\\"version\\":3', b'\\"version\\":2'))
    with pytest.raises(NetworkError, match=r"a file of format 2 with what only format 3 has: .*weights other than -1"):
        load(tmp_path / "old")


@pytest.mark.parametrize("seed", range(6))
def test_random_types_through_a_file(seed, tmp_path):
    network = few_typed_network(seed)
    network.save(tmp_path / "n")
    again = load(tmp_path / "n")
    assert again == network
    for mine, theirs in zip(network.matrix_layers, again.matrix_layers, strict=True):
        assert mine.weight_type == theirs.weight_type and mine.output.base == theirs.output.base
        assert np.array_equal(mine.weights, theirs.weights) and mine.weights.dtype == theirs.weights.dtype


def test_the_random_networks_have_few_bits_in_every_place():
    layers = [layer for seed in range(12) for layer in random_conv_network(seed, act_levels=(3, 7)[seed % 2]).layers]
    takes = {(type(layer), layer.takes == BINARY) for layer in layers}
    assert {(kind, binary) for kind in (Conv2d, Dense, MaxPool2d) for binary in (True, False)} <= takes
    padded = [layer for layer in layers if isinstance(layer, Conv2d) and layer.takes != BINARY and any(layer.padding)]
    assert padded


@pytest.mark.parametrize("levels, bits", [(2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (255, 8)])
def test_levels_give_unsigned_integers(levels, bits):
    layer = few(np.sort(np.random.default_rng(levels).integers(0, 8, (2, levels)), axis=1))
    assert layer.edge == Edge(shape=(2,), number=NumberType(kind="unsigned", bits=bits))
    lanes = np.random.default_rng(1).integers(0, 2, (20, 6), dtype=np.uint8)
    expected = (layer.accumulators(lanes)[:, :, None] >= layer.output.values).sum(axis=2)
    assert np.array_equal(layer.compute(lanes), expected)


def test_what_accumulators_of_few_bit_values_reach():
    layer = Dense(
        name="last",
        weights=np.ones((1, 5), np.uint8),
        output=Thresholds(values=np.array([[16]])),
        takes=NumberType(kind="unsigned", bits=2),
    )
    assert layer.accumulator_range == (-15, 15) and layer.sums_dots
    with pytest.raises(NetworkError, match=r"thresholds must lie in -15\.\.16"):
        Dense(name="x", weights=layer.weights, output=Thresholds(values=np.array([[17]])), takes=layer.takes)


def test_files_and_digests(tmp_path):
    seen = set()
    for seed in range(12):
        network = random_conv_network(seed, act_levels=3)
        network.save(tmp_path / "n")
        again = load(tmp_path / "n")
        assert again == network and [layer.takes for layer in again.layers] == [layer.takes for layer in network.layers]
        seen |= {network.digest}
    assert len(seen) == 12
    network = two_bit_network()
    network.save(tmp_path / "few")
    raw = (tmp_path / "few").read_bytes()
    assert network.format_version == 3 and b'\\"levels\\":3' in raw
    assert b'\\"takes\\":{\\"kind\\":\\"unsigned\\",\\"bits\\":2}' in raw
    (tmp_path / "old").write_bytes(raw.replace(b'\\"version\\":3', b'\\"version\\":2'))
    with pytest.raises(NetworkError, match="a file of format 2 with what only format 3 has: thresholds of several"):
        load(tmp_path / "old")


def test_levels_count_in_the_digest():
    base = two_bit_network()
    assert two_bit_network(few(np.array([[1, 2, 4], [0, 3, 4]]))).digest != base.digest
    assert two_bit_network(few(np.array([[1, 4], [0, 3]]))).digest != base.digest


def test_old_networks_stay_in_their_versions():
    assert [random_conv_network(seed).format_version for seed in range(6)] == [1] * 6
    assert random_network(1).format_version == 1


def test_a_layer_that_takes_few_bits_is_refused_too():
    first = few(THREE[:, :1])
    middle = Dense(
        name="middle",
        weights=np.ones((1, 2), np.uint8),
        output=Thresholds(values=np.array([[1]])),
        takes=NumberType(kind="unsigned", bits=2),
    )
    with pytest.raises(NetworkError, match="layer middle takes unsigned 2-bit values but layer few gives binary"):
        Network(
            name="x",
            input=Input(shape=(6,), bits=1),
            encoding=ThresholdEncoding(thresholds=np.array([1])),
            layers=(first, middle),
        )


def test_an_engine_starts_below_the_middle_level():
    assert few().engine_thresholds.tolist() == [[2, 3]]

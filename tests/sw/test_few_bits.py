"""Activations of a few bits: thresholds of several levels, in the golden model, in files, and where refused."""

import numpy as np
import pytest

from bitwright.api import export_onnx, size
from bitwright_core import golden
from bitwright_core.errors import BitwrightError, NetworkError, PlanError
from bitwright_core.network import (
    BINARY,
    Conv2d,
    Dense,
    Edge,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    NumberType,
    ThresholdEncoding,
    Thresholds,
    load,
    save,
)
from bitwright_core.network.file import format_version
from bitwright_core.plan import LayerPlan, Plan, default_plan
from tests.plain import plain_outputs

from .conv_networks import random_conv_network
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
        save(network, tmp_path / "n")
        again = load(tmp_path / "n")
        assert again == network and [layer.takes for layer in again.layers] == [layer.takes for layer in network.layers]
        seen |= {network.digest}
    assert len(seen) == 12
    network = two_bit_network()
    save(network, tmp_path / "few")
    raw = (tmp_path / "few").read_bytes()
    assert format_version(network) == 3 and b'\\"levels\\":3' in raw
    assert b'\\"takes\\":{\\"kind\\":\\"unsigned\\",\\"bits\\":2}' in raw
    (tmp_path / "old").write_bytes(raw.replace(b'\\"version\\":3', b'\\"version\\":2'))
    with pytest.raises(NetworkError, match="a file of format 2 with what only format 3 has: thresholds of several"):
        load(tmp_path / "old")


def test_levels_count_in_the_digest():
    base = two_bit_network()
    assert two_bit_network(few(np.array([[1, 2, 4], [0, 3, 4]]))).digest != base.digest
    assert two_bit_network(few(np.array([[1, 4], [0, 3]]))).digest != base.digest


def test_old_networks_stay_in_their_versions():
    assert [format_version(random_conv_network(seed)) for seed in range(6)] == [1] * 6
    assert format_version(random_network(1)) == 1


def _pool_of_integers():
    pool = MaxPool2d(
        name="pool", shape=(4, 4, 2), kernel=(2, 2), stride=(2, 2), takes=NumberType(kind="signed", bits=4)
    )
    last = Dense(name="last", weights=np.ones((2, 8), np.uint8), output=Thresholds(values=[[0], [1]]), takes=pool.takes)
    return Network(
        name="pooled",
        input=Input(shape=(4, 4, 2), bits=4),
        encoding=IntegerEncoding(table=np.arange(16) - 8),
        layers=(pool, last),
    )


REFUSED = {
    "levels": (two_bit_network, "layer few has thresholds of 3 levels, but engines compare with one"),
    "pool": (_pool_of_integers, "layer pool takes signed 4-bit values, but hardware pools bits alone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hardware_refuses_it_in_one_sentence(case):
    make, message = REFUSED[case]
    network = make()
    plan = Plan(layers=tuple(LayerPlan(name=layer.name, pe=1, simd=1) for layer in network.matrix_layers))
    for attempt in (
        lambda: plan.check(network),
        lambda: default_plan(network),
        lambda: size(network, board="pynq-z1"),
    ):
        with pytest.raises(PlanError, match=f"^{message}$"):
            attempt()


ONNX = {
    "levels": (two_bit_network, "layer few has thresholds of 3 levels; only those of one go to ONNX"),
    "pool": (_pool_of_integers, "layer pool takes signed 4-bit values; only bits between layers go to ONNX"),
}


@pytest.mark.parametrize("case", ONNX)
def test_an_onnx_file_is_refused_in_one_sentence(case, tmp_path):
    make, message = ONNX[case]
    with pytest.raises(NetworkError, match=f"^{message}$"):
        export_onnx(make(), tmp_path / "n.onnx")
    assert list(tmp_path.iterdir()) == []


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


def test_an_engine_has_one_threshold():
    with pytest.raises(TypeError, match="layer few: an engine compares with one threshold, not 3"):
        _ = few().engine_thresholds
    assert issubclass(PlanError, BitwrightError)

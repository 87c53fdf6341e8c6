"""Convolutions, pools, integers and votes: the golden model against the rules in plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core import golden
from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    NumberType,
    ThresholdEncoding,
    Thresholds,
    Votes,
    load,
)
from bitwright_core.ops import matrix
from tests.plain import plain_outputs

from .conv_networks import random_conv_network
from .few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from .networks import random_frames


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(9, 8, 2), (5, 7), (1, 11, 3), (6, 6, 1), (4, 4, 17)]),
    integers=st.booleans(),
    convs=st.integers(0, 3),
    dense=st.sampled_from([(), (6,)]),
    classes=st.sampled_from([0, 3]),
    votes=st.booleans(),
    grouped=st.booleans(),
    dilated=st.booleans(),
)
def test_equals_the_rules_in_plain_python(*, seed, shape, integers, convs, dense, classes, votes, grouped, dilated):
    if not convs and not dense and not classes:
        convs = 1
    network = random_conv_network(
        seed,
        shape=shape,
        integers=integers,
        convs=convs,
        dense=dense,
        classes=classes,
        votes=votes,
        grouped=grouped,
        dilated=dilated,
    )
    frames = random_frames(network, 3, seed)
    trace = golden.trace(network, frames)
    for index, frame in enumerate(frames):
        for layer, plain in zip(trace.layers, plain_outputs(network, frame), strict=True):
            sums, values = plain
            assert layer.values[index].reshape(-1).tolist() == values, layer.name
            if sums is None:
                assert layer.accumulators is None
            else:
                assert layer.accumulators[index].reshape(-1).tolist() == sums, layer.name
        if classes:
            assert trace.classes[index] == values.index(max(values))
    for layer, traced in zip(network.layers, trace.layers, strict=True):
        assert traced.values.shape == (3, *layer.edge.shape)
    flat = trace.layers[-1].values.reshape(3, -1)
    assert np.array_equal(golden.outputs(network, frames), flat) and flat.shape[1] == network.outputs


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), integers=st.booleans())
def test_an_engine_that_counts_bits_decides_as_the_golden_model(*, seed, integers):
    """Padding read as bit 0 (as +1 where that pads), thresholds by the border's class: the engine's view."""
    network = random_conv_network(seed, integers=integers, convs=2, dense=(), classes=0)
    frames = random_frames(network, 2, seed)
    trace = golden.trace(network, frames)
    given_values = trace.encoded
    for layer, traced in zip(network.layers, trace.layers, strict=True):
        if isinstance(layer, Conv2d):
            images = np.asarray(given_values).reshape(2, *layer.shape)
            top, bottom, left, right = layer.padding
            pad = 1 if layer.padding_value == "plus_one" else 0
            around = ((0, 0), (top, bottom), (left, right), (0, 0))
            images = np.pad(images.astype(np.int64), around, constant_values=pad)
            held = golden.margins(layer, traced.accumulators).reshape(2, layer.pixels, layer.outputs)
            classes = layer.border_class
            assert classes.shape == (layer.pixels,) and classes.max() < len(layer.engine_thresholds)
            columns = layer.windows.shape[1]
            for pixel in range(layer.pixels):
                y, x = (pixel // columns) * layer.stride[0], (pixel % columns) * layer.stride[1]
                window = images[:, y : y + layer.kernel[0], x : x + layer.kernel[1]].reshape(2, 1, -1)
                if layer.counts_bits:
                    counts = (window == layer.rows).sum(axis=2)
                else:
                    counts = (window * (2 * layer.rows.astype(np.int64) - 1)).sum(axis=2)
                margin = counts - layer.engine_thresholds[classes[pixel]]
                assert np.array_equal(held[:, pixel], margin)
                assert np.array_equal(margin >= 0, traced.values.reshape(2, layer.pixels, -1)[:, pixel] == 1)
            if layer.counts_bits:
                assert layer.engine_thresholds.min() >= 0 and layer.engine_thresholds.max() <= layer.inputs + 1
        given_values = traced.values


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), few=st.booleans(), votes=st.booleans())
def test_what_an_engine_holds_tells_what_it_gives(*, seed, few, votes):
    """Activations of any number of levels, whatever pads, from what probes show; votes as whether each is cast."""
    types = {"weight_types": FEW_WEIGHTS, "act_types": FEW_ACTIVATIONS} if few else {"integers": seed % 2 == 0}
    network = random_conv_network(seed, convs=2, votes=votes, grouped=seed % 3 == 0, act_levels=3, **types)
    traced = golden.trace(network, random_frames(network, 3, seed))
    for layer, made in zip(network.layers, traced.layers, strict=True):
        if layer.matrix is not None:
            values = layer.values_of(layer.margins(made.accumulators).reshape(3, -1))
            cast = isinstance(layer.output, Votes)
            expected = made.accumulators >= layer.output.thresholds if cast else made.values
            assert values.shape == made.values.shape and np.array_equal(values, expected), layer.name


def test_border_classes_are_those_of_the_kernel_that_is_left():
    weights = np.ones((1, 3, 3, 1), np.uint8)
    layer = Conv2d(
        name="borders",
        shape=(5, 6, 1),
        weights=weights,
        output=Thresholds(values=np.array([[1]])),
        padding=(1, 1, 1, 1),
        padding_value="zero",
    )
    assert layer.windows.row_classes == ((1, 0), (0, 0), (0, 1))
    assert layer.windows.column_classes == ((1, 0), (0, 0), (0, 1))
    assert layer.border_class.reshape(5, 6).tolist() == [
        [0, 1, 1, 1, 1, 2],
        *[[3, 4, 4, 4, 4, 5]] * 3,
        [6, 7, 7, 7, 7, 8],
    ]
    # dot >= 1 of 4, 6 or 9 lanes of +1 weights, the others read as bit 0 and so never agreeing
    assert layer.engine_thresholds[:, 0].tolist() == [3, 4, 3, 4, 5, 4, 3, 4, 3]
    assert layer.windows.border_taps[0].tolist() == [[False] * 3, [False, True, True], [False, True, True]]


def test_votes_that_rise_give_the_highest_set_bit():
    """Every combination of thresholds reached: the class is the last of them, and 0 where there is none."""
    last = Dense(
        name="last",
        weights=np.ones((3, 4), np.uint8),
        output=Votes(thresholds=np.array([2, 3, 1]), votes=np.array([1, 2, 3])),
    )
    reached = np.array([[n >> k & 1 for k in range(3)] for n in range(8)])
    scores = golden.layer_values(last, np.where(reached, [2, 3, 1], [1, 2, 0]))
    assert scores.tolist() == (reached * [1, 2, 3]).tolist()
    assert scores.argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    network = Network(
        name="votes",
        input=Input(shape=(4,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(last,),
    )
    assert network.is_classifier and network.outputs == 3 and last.score_range == (0, 3)
    assert last.edge.number == NumberType(kind="signed", bits=3)
    assert golden.classify(network, np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]])).tolist() == [0, 2, 2]


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_integers_are_exact_where_float32_is_not(bits):
    """Sums of 16-bit integers over many lanes pass 2^24; they must still be whole."""
    rng = np.random.default_rng(bits)
    lanes = 4096
    table = np.arange(1 << bits) - (1 << (bits - 1))
    layer = Dense(
        name="wide",
        weights=rng.integers(0, 2, (3, lanes)),
        output=Thresholds(values=np.zeros((3, 1), int)),
        takes=NumberType(kind="signed", bits=bits),
    )
    network = Network(
        name="wide",
        input=Input(shape=(lanes,), bits=bits),
        encoding=IntegerEncoding(table=table),
        layers=(layer,),
    )
    frames = rng.integers(0, 1 << bits, (4, lanes))
    frames[0] = np.where(layer.weights[0], (1 << bits) - 1, 0)
    sums = golden.trace(network, frames).layers[0].accumulators
    signs = 2 * layer.weights.astype(np.int64) - 1
    assert np.array_equal(sums, table[frames] @ signs.T)
    assert bits < 16 or sums[0, 0] > 1 << 26


def test_pooling_takes_the_largest_of_each_window():
    network = Network(
        name="pool",
        input=Input(shape=(4, 5, 1), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(MaxPool2d(name="pool", shape=(4, 5, 1), kernel=(2, 2), stride=(2, 2)),),
    )
    image = np.array([[0, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 1]])
    assert golden.outputs(network, image[None, :, :, None]).tolist() == [[0, 1, 1, 0]]
    assert network.last.edge.shape == (2, 2, 1) and not network.is_classifier


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), integers=st.booleans(), votes=st.booleans(), more=st.booleans())
def test_files_come_back(tmp_path_factory, *, seed, integers, votes, more):
    network = random_conv_network(seed, integers=integers, votes=votes, grouped=more, dilated=more)
    file = tmp_path_factory.mktemp("network") / "n.safetensors"
    network.save(file)
    again = load(file)
    assert again == network and again.digest == network.digest
    frames = random_frames(network, 2, seed)
    assert np.array_equal(golden.outputs(again, frames), golden.outputs(network, frames))
    again.save(file.with_name("again"))
    assert file.read_bytes() == file.with_name("again").read_bytes()


def test_memory_is_bounded_by_chunks(monkeypatch):
    network = random_conv_network(3)
    frames = random_frames(network, 41)
    whole = golden.outputs(network, frames)
    monkeypatch.setattr(golden, "_CHUNK_VALUES", 500)
    monkeypatch.setattr(matrix, "_WINDOW_VALUES", 200)
    assert len(list(golden.chunks(network, 41))) > 10
    assert np.array_equal(golden.outputs(network, frames), whole)

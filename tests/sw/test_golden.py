"""The golden model against the rules written out in plain Python, and its own contracts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core import golden
from bitwright_core.errors import DataError
from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds
from tests.plain import plain_outputs

from .networks import random_frames, random_network


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(1,), (13,), (2, 3), (2, 2, 3)]),
    bits=st.sampled_from([1, 3, 8, 16]),
    levels=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 17), min_size=1, max_size=3),
    classes=st.sampled_from([None, 1, 2, 11]),
)
def test_equals_the_rules_in_plain_python(*, seed, shape, bits, levels, hidden, classes):
    levels = min(levels, (1 << bits) - 1)
    network = random_network(seed, shape=shape, bits=bits, levels=levels, hidden=tuple(hidden), classes=classes)
    frames = random_frames(network, 5, seed)
    trace = golden.trace(network, frames)
    for index, frame in enumerate(frames):
        layers = plain_outputs(network, frame)
        assert [layer.values[index].tolist() for layer in trace.layers] == [values for _, values in layers]
        if classes is not None:
            assert trace.classes[index] == layers[-1][1].index(max(layers[-1][1]))
    assert np.array_equal(golden.outputs(network, frames), trace.layers[-1].values)


def test_the_worked_example_of_the_spec():
    """docs/network.md, "A network by hand"."""
    network = Network(
        name="by_hand",
        input=Input(shape=(2,), bits=8),
        encoding=ThresholdEncoding(thresholds=np.array([100, 200])),
        layers=(
            Dense(
                name="hidden",
                weights=np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]]),
                output=Thresholds(values=np.array([[4], [2], [0]])),
            ),
            Dense(
                name="last",
                weights=np.array([[1, 1, 1], [0, 1, 1]]),
                output=Scores(scale=np.array([2, 2]), offset=np.array([-3, -4])),
            ),
        ),
    )
    trace = golden.trace(network, np.array([[150, 250]], np.uint8))
    assert trace.encoded.tolist() == [[1, 0, 1, 1]]
    assert trace.layers[0].accumulators.tolist() == [[4, 2, 1]]
    assert trace.layers[0].values.tolist() == [[1, 1, 1]]
    assert trace.layers[1].accumulators.tolist() == [[3, 2]]
    assert trace.layers[1].values.tolist() == [[3, 0]]
    assert trace.classes.tolist() == [0]


def test_the_first_of_equal_scores_wins():
    weights = np.zeros((3, 1), np.uint8)
    layer = Dense(name="last", weights=weights, output=Scores(scale=np.zeros(3, int), offset=np.array([1, 2, 2])))
    network = Network(
        name="tie",
        input=Input(shape=(1,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(layer,),
    )
    assert golden.classify(network, np.array([[0], [1]])).tolist() == [1, 1]


def test_thresholds_at_both_ends_are_constants():
    rng = np.random.default_rng(0)
    layer = Dense(
        name="ends",
        weights=rng.integers(0, 2, (2, 9)),
        output=Thresholds(values=np.array([[0], [10]])),
    )
    network = Network(
        name="ends",
        input=Input(shape=(9,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(layer,),
    )
    frames = np.array([[lane >> b & 1 for b in range(9)] for lane in range(512)])
    assert golden.outputs(network, frames).tolist() == [[1, 0]] * 512


def test_popcounts_are_exact_on_wide_rows():
    rng = np.random.default_rng(1)
    inputs = (1 << 18) + 3
    weights = rng.integers(0, 2, (3, inputs), dtype=np.uint8)
    layer = Dense(name="wide", weights=weights, output=Thresholds(values=np.zeros((3, 1), int)))
    bits = rng.integers(0, 2, (4, inputs), dtype=np.uint8)
    bits[0] = weights[0]
    counts = golden.accumulators(layer, bits)
    assert counts[0, 0] == inputs
    assert np.array_equal(counts, (bits[:, None] == weights[None]).sum(axis=2))


def test_chunks_join_to_the_whole(monkeypatch):
    network = random_network(2)
    frames = random_frames(network, 41)
    whole = golden.outputs(network, frames)
    monkeypatch.setattr(golden, "_CHUNK_VALUES", 100)
    parts = list(golden.chunks(network, 41))
    assert len(parts) > 3 and [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert np.array_equal(golden.outputs(network, frames), whole)


def test_no_frames_give_no_results():
    network = random_network(2)
    assert golden.outputs(network, np.zeros((0, 3, 2), np.uint8)).shape == (0, 3)
    assert golden.classify(network, np.zeros((0, 3, 2), np.uint8)).shape == (0,)


def test_flat_frames_and_bool_frames_are_taken():
    network = random_network(2, bits=1, levels=1)
    frames = random_frames(network, 9)
    flat = golden.outputs(network, frames.reshape(9, -1))
    assert np.array_equal(flat, golden.outputs(network, frames))
    assert np.array_equal(flat, golden.outputs(network, frames.astype(bool)))


MISTAKES = {
    "shape": (np.zeros((5, 2, 3), int), "frames have shape (5, 2, 3), but network random takes (n, 3, 2)"),
    "one frame alone": (np.zeros(6, int), "frames"),
    "a number": (np.array(3), "frames"),
    "floats": (np.zeros((5, 6)), "frames must be unsigned integers of 4 bits, not float64"),
    "too large": (np.full((5, 6), 16), "frame values must lie in 0..15, not 16..16"),
    "negative": (np.full((5, 6), -1), "frame values must lie in 0..15, not -1..-1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(mistake):
    frames, message = MISTAKES[mistake]
    with pytest.raises(DataError) as caught:
        golden.outputs(random_network(2), frames)
    assert message in str(caught.value)


def test_bits_have_no_classes():
    network = random_network(2, classes=None)
    with pytest.raises(DataError, match="gives bits, not classes"):
        golden.classify(network, random_frames(network, 2))
    assert golden.trace(network, random_frames(network, 2)).classes is None

"""The Network's rules: each message, and what the digest and equality cover."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright_core.bits import pack_bits, unpack_bits
from bitwright_core.errors import BitwrightError, NetworkError
from bitwright_core.network import (
    MAX_LANES,
    Dense,
    Input,
    IntegerEncoding,
    Network,
    NumberType,
    Scores,
    ThresholdEncoding,
    Thresholds,
    Values,
    signed_bits,
)

from .networks import random_network

W = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], np.uint8)
BITS = Thresholds(values=np.array([[2], [3]]))


def dense(name="hidden", weights=W, output=BITS):
    return Dense(name=name, weights=weights, output=output)


def scores(scale=(1, 2), offset=(0, -3)):
    return Scores(scale=np.array(scale), offset=np.array(offset))


def network(**changes):
    parts = {
        "name": "small",
        "input": Input(shape=(4,), bits=8),
        "encoding": ThresholdEncoding(thresholds=np.array([128])),
        "layers": (dense(), dense("last", np.array([[1, 0], [0, 1]]), scores())),
    }
    return Network(**{**parts, **changes})


MISTAKES = {
    "no values in the input": (
        lambda: Input(shape=()),
        "input shape [] must have one to three positive sizes",
    ),
    "four axes": (lambda: Input(shape=(1, 2, 3, 4)), "input shape [1, 2, 3, 4] must have one to three"),
    "empty axis": (lambda: Input(shape=(3, 0)), "input shape [3, 0] must have"),
    "too many values": (lambda: Input(shape=(MAX_LANES, 2)), f"at most {MAX_LANES} values"),
    "no input bits": (lambda: Input(shape=(4,), bits=0), "input values must have 1 to 16 bits, not 0"),
    "17 input bits": (lambda: Input(shape=(4,), bits=17), "input values must have 1 to 16 bits, not 17"),
    "no levels": (
        lambda: ThresholdEncoding(thresholds=np.zeros(0, int)),
        "encoding thresholds must be a list of levels, or rows of such lists, not of shape (0,)",
    ),
    "levels in a cube": (lambda: ThresholdEncoding(thresholds=np.ones((2, 2, 2), int)), "must be a list of levels"),
    "falling levels in rows": (lambda: ThresholdEncoding(thresholds=np.array([[1, 2], [2, 1]])), "must not decrease"),
    "negative level in rows": (lambda: ThresholdEncoding(thresholds=np.array([[-1, 2], [2, 3]])), "begin at 0 or more"),
    "rows for other values": (
        lambda: network(encoding=ThresholdEncoding(thresholds=np.array([[1, 2], [1, 3], [1, 4]]))),
        "one row of thresholds for all values, 4 (one a channel) or 4 (one a value), not 3",
    ),
    "row beyond the input": (
        lambda: network(encoding=ThresholdEncoding(thresholds=np.array([[1, 2], [1, 257]] * 2))),
        "encoding threshold 257 is beyond the 8-bit input",
    ),
    "the same constant for all values": (
        lambda: network(encoding=ThresholdEncoding(thresholds=np.array([[0, 2]] * 4))),
        "thresholds that differ, from 1 to 255, not [0, 2]",
    ),
    "integers of 33 bits": (
        lambda: IntegerEncoding(table=np.array([0, 1 << 32])),
        "more than 32 bits hold",
    ),
    "tables for other values": (
        lambda: network(encoding=IntegerEncoding(table=np.arange(3 * 256).reshape(3, 256))),
        "one row of integers for all values, 4 (one a channel) or 4 (one a value), not 3",
    ),
    "equal levels": (lambda: ThresholdEncoding(thresholds=np.array([3, 3])), "must increase strictly from at least 1"),
    "level of zero": (
        lambda: ThresholdEncoding(thresholds=np.array([0, 3])),
        "must increase strictly from at least 1",
    ),
    "float levels": (
        lambda: ThresholdEncoding(thresholds=np.array([1.5])),
        "encoding thresholds: values must be integers, not float64",
    ),
    "huge levels": (
        lambda: ThresholdEncoding(thresholds=np.array([1 << 63], np.uint64)),
        "encoding thresholds: values must lie in",
    ),
    "flat thresholds": (
        lambda: Thresholds(values=np.array([1, 2])),
        "thresholds must have shape (outputs, levels)",
    ),
    "falling thresholds": (lambda: Thresholds(values=np.array([[3, 2]])), "thresholds must not decrease"),
    "NaN thresholds": (
        lambda: Thresholds(values=np.array([[np.nan]])),
        "values must be integers, not float64",
    ),
    "score lengths": (lambda: scores((1, 2), (0,)), "score scale and offset must be two lists of one length"),
    "negative scale": (
        lambda: scores((1, -2)),
        "score scales must not be negative: complement the weight row",
    ),
    "layer name": (lambda: dense("Hidden"), "layer name 'Hidden' must be a lower-case identifier"),
    "long layer name": (lambda: dense("a" * 49), "at most 48 characters"),
    "weights in a list": (
        lambda: dense(weights=np.array([1, 0])),
        "weights must have shape (outputs, inputs)",
    ),
    "weight of two": (lambda: dense(weights=W + 1), "layer hidden: weights must be 0 or 1, not 2"),
    "weight of -1": (
        lambda: dense(weights=W.astype(int) * 2 - 1),
        "layer hidden, weights: values must lie in 0..255",
    ),
    "float weights": (lambda: dense(weights=W * 1.0), "layer hidden, weights: values must be integers"),
    "rows": (
        lambda: dense(output=Thresholds(values=np.array([[1]]))),
        "layer hidden: 2 weight rows but 1 rows of thresholds or scores",
    ),
    "threshold too high": (
        lambda: dense(output=Thresholds(values=np.array([[0], [6]]))),
        "layer hidden: thresholds must lie in 0..5 (inputs + 1), not 0..6",
    ),
    "threshold too low": (
        lambda: dense(output=Thresholds(values=np.array([[-1], [1]]))),
        "thresholds must lie in 0..5 (inputs + 1), not -1..1",
    ),
    "too many levels": (
        lambda: Thresholds(values=np.zeros((2, 256), int)),
        "thresholds may have at most 255 levels, not 256",
    ),
    "wide scores": (
        lambda: dense(output=scores((1 << 60, 1))),
        f"layer hidden: scores reach {1 << 62}, which needs more than 62 bits",
    ),
    "network name": (lambda: network(name="2small"), "network name '2small' must be a lower-case identifier"),
    "no layers": (lambda: network(layers=()), "network small has no layers"),
    "level beyond the input": (
        lambda: network(encoding=ThresholdEncoding(thresholds=np.array([256]))),
        "encoding threshold 256 is beyond the 8-bit input",
    ),
    "same names": (
        lambda: network(layers=(dense(), dense("hidden", np.array([[1, 0]]), scores((1,), (0,))))),
        "two layers are named 'hidden'; names must differ",
    ),
    "first width": (
        lambda: network(input=Input(shape=(5,))),
        "layer hidden takes 4 inputs but the encoded input gives 5 values",
    ),
    "second width": (
        lambda: network(layers=(dense(), dense("last", np.ones((2, 3), int), scores()))),
        "layer last takes 3 inputs but layer hidden gives 2 values",
    ),
    "scores first": (
        lambda: network(layers=(dense(output=scores()), dense("last", np.ones((2, 2), int), scores()))),
        "layer hidden gives scores but is not the last layer",
    ),
    "labels": (lambda: network(labels=("a", "b", "c")), "3 labels for 2 outputs; give one for each output"),
    "labels of bits": (lambda: network(layers=(dense(),), labels=("a",)), "1 labels for 2 outputs"),
    "values of bits": (
        lambda: network(layers=(dense(),), values=Values(step=1.0, error=0.0)),
        "gives bits, and only scores can stand for values",
    ),
    "a step of 0": (lambda: Values(step=0.0, error=0.0), "a finite step above 0"),
    "an error that is NaN": (lambda: Values(step=1.0, error=float("nan")), "a finite error of at least 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(NetworkError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, BitwrightError)


def test_arrays_are_copied_and_read_only():
    mine = W.copy()
    layer = dense(weights=mine)
    mine[0, 0] = 0
    assert layer.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0, 0] = 0


def test_bool_weights_are_bits():
    assert np.array_equal(dense(weights=W.astype(bool)).weights, W)


def test_digest_covers_what_is_computed_and_no_more():
    base = network()
    same = [
        network(),
        network(name="other"),
        network(labels=("cat", "dog")),
        network(layers=(dense("front"), base.layers[1])),
    ]
    assert {other.digest for other in same} == {base.digest}
    flipped = W.copy()
    flipped[1, 3] ^= 1
    different = [
        network(layers=(dense(weights=flipped), base.layers[1])),
        network(layers=(dense(output=Thresholds(values=np.array([[2], [4]]))), base.layers[1])),
        network(layers=(base.layers[0], dense("last", base.layers[1].weights, scores((1, 3))))),
        network(layers=(base.layers[0], dense("last", base.layers[1].weights, scores(offset=(0, -4))))),
        network(encoding=ThresholdEncoding(thresholds=np.array([127]))),
        network(input=Input(shape=(2, 2), bits=8)),
        network(input=Input(shape=(4,), bits=9)),
    ]
    assert len({base.digest, *(other.digest for other in different)}) == 1 + len(different)
    assert base == same[0] and base != same[1] and hash(base) == hash(same[0])
    assert base != different[0] and base != "a network"


def test_facts_of_a_network():
    net = random_network(1)
    assert net.encoded_size == 12 and net.outputs == 3 and net.is_classifier
    assert net.weight_bits == 12 * 7 + 7 * 5 + 5 * 3
    assert net.operations == 2 * net.weight_bits
    assert [edge.size for edge in net.edges] == [6, 12, 7, 5, 3]
    assert net.edges[1].shape == (3, 2, 2)
    assert net.edges[0].number == NumberType(kind="unsigned", bits=4)
    assert str(net.edges[2].number) == "binary"
    assert repr(net).startswith("<Network random: 12-7-5-3, digest ")
    assert random_network(1, classes=None).is_classifier is False


def test_score_edge_is_as_wide_as_the_scores():
    layer = dense("last", np.ones((2, 4), int), scores((3, 1), (-20, 2)))
    assert layer.score_range == (-20, 6)
    assert layer.edge.number == NumberType(kind="signed", bits=6)
    assert str(layer.edge.number) == "signed 6-bit"
    with pytest.raises(TypeError, match="gives bits"):
        _ = dense().score_range


@given(st.integers(-(1 << 70), 1 << 70))
def test_signed_bits_is_the_smallest_width(value):
    bits = signed_bits(value)
    assert -(1 << (bits - 1)) <= value < 1 << (bits - 1)
    assert bits == 1 or not -(1 << (bits - 2)) <= value < 1 << (bits - 2)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=70))
def test_lane_0_is_the_least_significant_bit(lanes):
    bits = np.array(lanes, np.uint8)
    word = int.from_bytes(pack_bits(bits).tobytes(), "little")
    assert word == sum(bit << lane for lane, bit in enumerate(lanes))
    assert np.array_equal(unpack_bits(pack_bits(bits), len(lanes)), bits)
    assert pack_bits(bits).size == -(-len(lanes) // 8)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        network().name = "other"

"""Integer scores that keep the order of float scores: against brute force, and at the edges."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core.errors import ExportError
from bitwright_core.score_order import keeps_order, order_keeping_scores


def brute_force(table, scale, offset):
    """The definition itself: every pair of classes c < d, every pair of popcounts."""
    counts, classes = table.shape
    scores = scale * np.arange(counts)[:, None] + offset
    for c in range(classes):
        for d in range(c + 1, classes):
            wanted = table[:, c, None] >= table[None, :, d]
            if not np.array_equal(wanted, scores[:, c, None] >= scores[None, :, d]):
                return False
    return True


def norm(rng, inputs, classes, *, mean=None, scale=None, bias=None):
    """A batch norm's table (inputs + 1, classes) as float32 computes it, all slopes positive."""
    x = (2 * np.arange(inputs + 1) - inputs).astype(np.float32)[:, None]
    mean = rng.normal(0, np.sqrt(inputs), classes) if mean is None else mean
    scale = np.abs(rng.normal(0.1, 0.03, classes)) if scale is None else scale
    bias = rng.normal(-2, 1, classes) if bias is None else bias
    return (x - np.float32(mean)) * np.float32(scale) + np.float32(bias)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.integers(1, 40),
    classes=st.integers(1, 7),
    spread=st.sampled_from([0.0, 1e-6, 0.3, 3.0]),
)
def test_order_is_kept_for_every_pair(seed, inputs, classes, spread):
    rng = np.random.default_rng(seed)
    scale = np.abs(0.1 * (1 + spread * rng.normal(size=classes)))
    table = norm(rng, inputs, classes, scale=scale)
    scores = order_keeping_scores(table, "layer last")
    assert brute_force(table, scores.scale, scores.offset)


@settings(max_examples=80)
@given(data=st.data(), counts=st.integers(1, 6), classes=st.integers(1, 4))
def test_the_fast_check_is_the_definition(data, counts, classes):
    """Small values, so that ties between classes and wrong answers are both common."""
    draw = lambda low, high: data.draw(st.lists(st.integers(low, high), min_size=classes, max_size=classes))  # noqa: E731
    slope, start = np.array(draw(0, 2)), np.array(draw(-3, 3))
    table = np.float32(slope * np.arange(counts)[:, None] + start)
    scale, offset = np.array(draw(0, 2)), np.array(draw(-3, 3))
    assert keeps_order(table, scale, offset) == brute_force(table, scale, offset)


def test_integer_tables_need_no_more_than_their_own_integers():
    slope, start = np.array([1, 2, 1]), np.array([0, -3, 4])
    scores = order_keeping_scores(np.float32(slope * np.arange(9)[:, None] + start), "layer last")
    assert scores.scale.max() <= 2


def test_ties_go_to_the_earlier_class():
    table = np.float32([[1.0, 1.0], [2.0, 2.0]])
    scores = order_keeping_scores(table, "layer last")
    at = lambda c, p: int(scores.scale[c] * p + scores.offset[c])  # noqa: E731
    assert at(0, 0) >= at(1, 0)
    assert at(0, 0) < at(1, 1)
    assert at(0, 1) >= at(1, 1)


def test_equal_scores_that_float32_rounding_makes():
    """Means that differ by less than float32 can add to 1: ties that the exact lines do not have."""
    mean = np.array([1e-9, 0, 2e-9, 0])
    table = norm(None, 30, 4, mean=mean, scale=np.full(4, 0.7), bias=np.ones(4))
    assert np.all(table == table[:, :1])
    scores = order_keeping_scores(table, "layer last")
    assert brute_force(table, scores.scale, scores.offset)


@pytest.mark.parametrize(
    "scale", [[0.0, 0.0, 0.0], [0.0, 1.0, 0.5], [1e-30, 1.0, 1e-3], [1e30, 1e-30, 1.0], [1e-45, 1e-45, 2e-45]]
)
@pytest.mark.parametrize("bias", [[0.0, 0.0, 0.0], [1e30, -1e30, 0.0]])
def test_extreme_scales_and_biases(scale, bias):
    table = norm(None, 24, 3, mean=np.array([1.0, -2.0, 0.0]), scale=np.array(scale), bias=np.array(bias))
    scores = order_keeping_scores(table, "layer last")
    assert brute_force(table, scores.scale, scores.offset)


@pytest.mark.parametrize(("inputs", "classes", "bits"), [(256, 10, 26), (1024, 10, 32), (24, 300, 26)])
def test_real_sizes_stay_small_and_quick(inputs, classes, bits):
    table = norm(np.random.default_rng(7), inputs, classes)
    start = time.monotonic()
    scores = order_keeping_scores(table, "layer last")
    assert time.monotonic() - start < 60
    assert keeps_order(table, scores.scale, scores.offset)
    values = np.stack([scores.offset, scores.offset + scores.scale * inputs])
    assert max(int(values.max()), -int(values.min())).bit_length() + 1 <= bits


def test_more_classes_than_a_byte_counts():
    table = norm(np.random.default_rng(11), 12, 300)
    scores = order_keeping_scores(table, "layer last")
    assert scores.outputs == 300
    picks = np.random.default_rng(1).integers(0, 13, (4000, 300))
    floats = table[picks, np.arange(300)]
    integers = scores.scale * picks + scores.offset
    np.testing.assert_array_equal(floats.argmax(axis=1), integers.argmax(axis=1))


def test_orders_that_no_lines_have_are_refused():
    """Class 0 lies between 1 and 2 at one end only in a way that straight lines cannot follow."""
    table = np.float32([[0, 0.5], [1, 0.6], [1.2, 3], [4, 3.1]])
    with pytest.raises(ExportError, match=r"layer last: no integer scores .* keep the order of all 2 classes"):
        order_keeping_scores(table, "layer last")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite(value):
    with pytest.raises(ExportError, match="layer last: class scores overflow float32 or are NaN"):
        order_keeping_scores(np.float32([[0, 1], [1, value]]), "layer last")


def test_scores_that_fall():
    with pytest.raises(ExportError, match="layer last: class scores decrease with the popcount"):
        order_keeping_scores(np.float32([[1, 1], [0, 1]]), "layer last")

"""Class scores of bounded width: what is kept, what differs, and that both are told truly."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core.class_scores import class_scores, differing_pairs, inversions
from bitwright_core.errors import ExportError
from bitwright_core.network import signed_bits


def lines(rng, classes, indices, *, equal, spread=1.0):
    rise = np.full(classes, 2.0) if equal else np.abs(rng.normal(0.1, 0.03, classes)) + 1e-3
    bias = np.float32(rng.uniform(-spread, spread, classes))
    return -(indices // 2) * rise + bias.astype(np.float64), rise


def table_of(base, rise, indices):
    return (base + rise * np.arange(indices)[:, None]).astype(np.float32)


def width(found, indices):
    return max(map(signed_bits, found.scores.range(0, indices - 1)))


@given(st.permutations(list(range(17))))
@settings(max_examples=30)
def test_inversions_are_counted(order):
    assert inversions(np.array(order)) == sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])


@pytest.mark.parametrize("seed", range(6))
def test_pairs_in_another_order_are_counted(seed):
    rng = np.random.default_rng(seed)
    values, scores, classes, index = (rng.integers(0, 6, 40) for _ in range(4))
    key = lambda a: list(zip(a.tolist(), (-classes).tolist(), index.tolist(), strict=True))  # noqa: E731
    a, b = key(values), key(scores)
    unique = np.unique(np.stack([classes, index]), axis=1, return_index=True)[1]
    a, b = [a[k] for k in unique], [b[k] for k in unique]
    brute = sum((a[i] < a[j]) != (b[i] < b[j]) for i in range(len(a)) for j in range(i))
    assert differing_pairs(values[unique], scores[unique], classes[unique], index[unique]) == brute


@pytest.mark.parametrize(("classes", "indices"), [(62, 1025), (100, 1025), (200, 513), (40, 9)])
def test_biases_keep_the_order_of_the_exact_sums(classes, indices):
    rng = np.random.default_rng(classes)
    base, rise = lines(rng, classes, indices, equal=True, spread=indices**-0.5)
    found = class_scores(table_of(base, rise, indices), (base, rise), indices, "layer last")
    assert found.exact and width(found, indices) <= 20
    index = np.arange(indices)[:, None]
    exact, scores = (base + rise * index).ravel(), (found.scores.scale * index + found.scores.offset).ravel()
    kind = np.tile(np.arange(classes), indices)
    assert differing_pairs(exact, scores, kind, np.repeat(np.arange(indices), classes)) == 0


@pytest.mark.parametrize("bits", [16, 20, 24])
def test_different_slopes_change_near_ties_alone(bits):
    indices, classes = 257, 50
    rng = np.random.default_rng(bits)
    base, rise = lines(rng, classes, indices, equal=False)
    base[7] -= 1e6  # a class that never wins takes no part
    table = table_of(base, rise, indices)
    found = class_scores(table, (base, rise), indices, "layer last", bits=bits)
    assert width(found, indices) <= max(bits, 17) + 1 and not found.exact
    assert found.within <= 4 * np.ptp(np.delete(table, 7, axis=1)) * indices / 2.0**bits
    picks = rng.integers(0, indices, (20000, classes))
    floats = table[picks, np.arange(classes)]
    told = (found.scores.scale * picks + found.scores.offset).argmax(axis=1)
    row = np.arange(len(picks))
    assert (floats.max(axis=1) - floats[row, told] <= found.within).all() and not (told == 7).any()
    assert found.differing is not None and (found.differing > 0) == (found.note is not None)
    assert (told != floats.argmax(axis=1)).mean() < 0.01


def test_wider_scores_differ_less():
    indices, rng = 257, np.random.default_rng(3)
    base, rise = lines(rng, 50, indices, equal=False)
    table = table_of(base, rise, indices)
    counts = [class_scores(table, (base, rise), indices, "x", bits=bits).differing for bits in (17, 22, 28)]
    assert counts[0] > counts[1] > counts[2]


@pytest.mark.parametrize("equal", [True, False])
def test_a_thousand_classes_take_seconds(equal):
    indices, rng = 1025, np.random.default_rng(1)
    base, rise = lines(rng, 1000, indices, equal=equal)
    start = time.process_time()
    found = class_scores(table_of(base, rise, indices), (base, rise), indices, "layer last")
    assert time.process_time() - start < 15 and width(found, indices) <= 25
    assert found.differing < found.pairs / 1e4


def test_few_classes_keep_the_order_of_float32_where_it_fits():
    indices = 65
    base, rise = lines(np.random.default_rng(2), 10, indices, equal=False)
    found = class_scores(table_of(base, rise, indices), (base, rise), indices, "layer last")
    assert found.differing == 0 and found.note is None and found.within == 0


def test_the_exact_mode_keeps_all_or_refuses():
    indices = 1025
    base, rise = lines(np.random.default_rng(9), 10, indices, equal=False)
    table = table_of(base, rise, indices)
    found = class_scores(table, (base, rise), indices, "layer last", bits=0)
    assert found.differing == 0 and width(found, indices) > 24
    assert width(class_scores(table, (base, rise), indices, "layer last"), indices) <= 25
    # ties that float32 makes here and not there: no integer lines have them
    table = np.float32([[0, 0.5], [1, 0.6], [1.2, 3], [4, 3.1]])
    with pytest.raises(ExportError, match=r"layer last: no integer scores of up to 58 bits"):
        class_scores(table, None, 4, "layer last", bits=0)


def test_too_many_sums_for_a_table():
    indices, classes = 1 << 20, 40
    base, rise = lines(np.random.default_rng(4), classes, indices, equal=False)
    found = class_scores(None, (base, rise), indices, "layer last", rounding=0.5)
    assert found.differing is None and "some are not in the order" in found.note and width(found, indices) <= 31
    with pytest.raises(ExportError, match="too many to keep the order of all scores"):
        class_scores(None, (base, rise), indices, "layer last", bits=0)

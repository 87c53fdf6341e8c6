"""Thresholds by tables and by halving, scores, and what bits stand for."""

import numpy as np
import pytest

from bitwright_onnx import decide as deciding
from bitwright_onnx.bisection import bisect, is_monotone
from bitwright_onnx.expression import MAX_DEPTH, SOURCE, Expr, evaluate
from bitwright_onnx.lanes import Lanes, product
from bitwright_onnx.tables import activations, integer_scores


def constant(value):
    return np.full((1, 1), value, np.float32)


def step(threshold, rows=6, falling=False, low=-1, high=1):
    column = np.where(np.arange(rows) >= threshold, high, low)
    return column[::-1] if falling else column


def test_thresholds_are_read_off_a_table():
    table = np.stack([step(2), step(4, falling=True), step(0), step(6)], axis=1).astype(np.float32)
    found = activations(table)
    assert found.thresholds.tolist() == [2, 4, 0, 6]
    assert found.falling.tolist() == [False, True, False, False]
    assert (found.low == -1).all() and (found.high == 1).all()


def test_what_constant_columns_stand_for():
    """Always +1, always -1 and always something else, beside columns that change."""
    table = np.stack([step(2), np.full(6, 1), np.full(6, -1)], axis=1).astype(np.float32)
    found = activations(table)
    assert found.thresholds.tolist() == [2, 0, 6]
    np.testing.assert_array_equal(found.high - found.low, 2)
    for value in (-3.0, 0.0, 5.0):
        only = activations(np.full((4, 2), value, np.float32))
        bit = only.thresholds <= 3
        np.testing.assert_array_equal(np.where(bit, only.high, only.low), value)
        assert (only.high > only.low).all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([-1, 0, 1], "is 0, neither -1 nor .1, at popcount 1 of 2"),
        ([1, 2, 3], "takes 3 values .1, 2, 3."),
        ([1, -1, 1], "is not monotone"),
        ([1, np.nan, 1], "is NaN"),
    ],
)
def test_tables_that_no_threshold_gives(column, message):
    sound = np.array([-1, -1, 1])
    with pytest.raises(ValueError, match=f"output 1 {message}"):
        activations(np.stack([sound, column], axis=1).astype(np.float32))


def chains():
    """Monotone chains as graphs have them, rising and falling, and some that never change."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        scale, shift, mean = (rng.normal(size=(1, 5)).astype(np.float32) for _ in range(3))
        x = Expr(op="Mul", args=(Expr(op="Sub", args=(SOURCE, 300 * mean)), scale))
        x = Expr(op="Add", args=(shift * 50, x))
        x = Expr(op="Div", args=(x, np.abs(scale) + constant(0.5)))
        if rng.random() < 0.5:
            yield Expr(op="BipolarQuant", args=(x, constant(-0.5)))
        else:
            fires = Expr(op="Not", args=(Expr(op="Less", args=(x, constant(3.0))),))
            yield Expr(op="Where", args=(fires, constant(0.0), constant(2.0)))


def test_halving_finds_what_the_table_says():
    dots = np.arange(-700, 701)
    for expression in chains():
        assert is_monotone(expression)
        table = evaluate(expression, np.repeat(dots[:, None], 5, axis=1).astype(np.float32))
        table = np.broadcast_to(table, (len(dots), 5))

        def at(index, expression=expression):
            return np.broadcast_to(evaluate(expression, dots[index][None].astype(np.float32)), (1, 5))[0]

        expected, found = activations(table), bisect(at, len(dots), 5)
        for name in ("thresholds", "falling", "low", "high"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_halving_refuses_a_third_value():
    def at(index):
        return np.sign(index - 500).astype(np.float32)

    with pytest.raises(ValueError, match=r"output 0 takes more than 2 values .-1, 0, 1."):
        bisect(at, 1001, 1)


def test_what_is_not_proven_monotone():
    turning = Expr(op="Abs", args=(SOURCE,))
    assert not is_monotone(Expr(op="BipolarQuant", args=(turning, constant(1.0))))
    assert not is_monotone(Expr(op="Div", args=(constant(1.0), SOURCE)))
    assert not is_monotone(Expr(op="Div", args=(SOURCE, constant(0.0))))
    assert not is_monotone(Expr(op="Mul", args=(SOURCE, SOURCE)))
    assert not is_monotone(Expr(op="Add", args=(SOURCE, constant(np.inf))))
    assert is_monotone(Expr(op="Sub", args=(constant(1.0), SOURCE)))


def test_halving_and_tables_import_the_same(tmp_path, monkeypatch):
    """A first layer on integers, both ways."""
    from bitwright_onnx import export_onnx, import_onnx

    from ..conv_networks import random_conv_network

    network = random_conv_network(3, integers=True, convs=2, bits=7)
    export_onnx(network, tmp_path / "n.onnx")
    assert import_onnx(tmp_path / "n.onnx").network == network
    monkeypatch.setattr(deciding, "MANY", 10)
    monkeypatch.setattr(deciding, "_table", None)  # not called
    without_pools = random_conv_network(3, integers=True, convs=2, bits=7, pools=False)
    export_onnx(without_pools, tmp_path / "n.onnx")
    assert import_onnx(tmp_path / "n.onnx").network == without_pools


def test_integer_scores_are_kept():
    table = np.stack([3 * np.arange(5) - 7, np.zeros(5)], axis=1)
    found = integer_scores(table.astype(np.float32))
    assert found.scale.tolist() == [3, 0] and found.offset.tolist() == [-7, 0]
    assert integer_scores((table / 2).astype(np.float32)) is None
    assert integer_scores((table**2).astype(np.float32)) is None
    assert integer_scores((table * 2.0**30).astype(np.float32)) is None  # float32 has not all of these integers


def test_products_of_values_that_are_not_symmetric():
    """Activations of 0 and 1, some the other way round, and weights of +-2: the sums are those of the graph."""
    rng = np.random.default_rng(1)
    weights = np.where(rng.random((3, 6)) < 0.5, -2, 2).astype(np.float32)
    half = np.where(rng.random(6) < 0.5, -0.5, 0.5)
    order = rng.permutation(6)
    rows = product(weights, Lanes(lane=order[:, None], middle=np.full(6, 0.5), half=half))
    bits = rng.integers(0, 2, (20, 6))
    values = 0.5 + half * (2 * bits[:, order] - 1)
    dots = (2 * bits - 1) @ (2 * rows.weights.astype(int) - 1).T
    np.testing.assert_array_equal(rows.exact(dots), values @ weights.T)


def test_expressions_end_somewhere():
    x = SOURCE
    with pytest.raises(ValueError, match="follow each other"):
        for _ in range(MAX_DEPTH + 1):
            x = Expr(op="Relu", args=(x,))

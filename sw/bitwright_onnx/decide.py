"""Accumulators to thresholds: the expression after a layer, at every value its accumulator can take."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Operator, Thresholds
from bitwright_onnx.bisection import MANY, bisect, is_monotone, parts
from bitwright_onnx.expression import SOURCE, Expr
from bitwright_onnx.lanes import ScaledRows
from bitwright_onnx.read_layers import matrix_layer
from bitwright_onnx.signals import Accumulators, Integers, Plane, channel_table, chunk_channels
from bitwright_onnx.tables import Activations, activations

CHUNK = 1 << 23  # values of one table
Values = Callable[[NDArray[np.int64]], NDArray[Any]]  # dot products (n, 1) or (n, outputs) to sums (n, outputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """Which rows to complement, thresholds on the accumulator's index, and what the bits stand for."""

    falling: NDArray[np.bool_]
    thresholds: NDArray[np.int64]  # 0 .. number of accumulator values
    zero: NDArray[np.float64]
    one: NDArray[np.float64]
    rounding: int  # how many activations another order of float32 operations could change


def decide(signal: Accumulators | Integers, expression: Expr, *, then: Expr = SOURCE) -> Decision:
    """The thresholds of `signal` followed by `expression`.

    With `then`, a pool stands between the two: the bit says what `then` makes of the largest in a window, which
    is the OR of the bits only if `then` rises with what is pooled, or, turned round, falls. Raises ValueError.
    """
    short = then is SOURCE and signal.count > MANY and is_monotone(expression)
    step = signal.plane.channels if short else max(1, CHUNK // signal.count)
    found = []
    for start in range(0, signal.plane.channels, step):
        found.append(_decide(signal, slice(start, min(start + step, signal.plane.channels)), expression, then, short))
    joined = {
        name: np.concatenate([getattr(part, name) for part in found])
        for name in ("falling", "thresholds", "zero", "one")
    }
    return Decision(**joined, rounding=sum(part.rounding for part in found))


def _decide(signal: Accumulators | Integers, part: slice, expression: Expr, then: Expr, short: bool) -> Decision:
    rows = signal.rows.part(part)
    cut, plane = chunk_channels(expression, signal.plane, part)
    behind, _ = chunk_channels(then, signal.plane, part)

    def activate(values: Values, exact: bool) -> tuple[Activations, NDArray[np.bool_]]:
        if short and _finite_ends(values, signal, cut, plane, exact):
            return _bisected(values, signal, cut, plane, exact), np.zeros(plane.channels, bool)
        return _table(values(signal.dots[:, None]), cut, behind, plane, exact=exact)

    found, turned = activate(rows.values, False)
    differs = np.zeros(plane.channels, bool)
    for margin in rows.margins(signal.largest):
        try:
            near, _ = activate(functools.partial(_shifted, rows, margin), True)
            differs |= (near.thresholds != found.thresholds) | (near.falling != found.falling)
        except ValueError:
            differs[:] = True
    zero, one = np.where(turned, found.high, found.low), np.where(turned, found.low, found.high)
    return Decision(
        # a turned bit is 1 for the low value: the row and the threshold change sides once more
        falling=found.falling ^ turned,
        thresholds=np.where(turned, signal.count - found.thresholds, found.thresholds),
        zero=zero,
        one=one,
        rounding=int(differs.sum()),
    )


def _shifted(rows: ScaledRows, margin: NDArray[np.float64], dots: NDArray[np.int64]) -> NDArray[np.float64]:
    return rows.exact(dots) + margin


def _finite_ends(values: Values, signal: Accumulators | Integers, expression: Expr, plane: Plane, exact: bool) -> bool:
    """Whether nothing within a monotone expression overflows: what is finite at both ends is so between them."""
    ends = values(np.array([[-signal.largest], [signal.largest]]))
    return all(np.isfinite(channel_table(part, plane, ends, exact=exact)).all() for part in parts(expression))


def _bisected(
    values: Values, signal: Accumulators | Integers, expression: Expr, plane: Plane, exact: bool
) -> Activations:
    def at(index: NDArray[np.int64]) -> NDArray[Any]:
        return channel_table(expression, plane, values(signal.dots_at(index)[None]), exact=exact)[0]

    return bisect(at, signal.count, plane.channels)


def _table(
    sums: NDArray[Any], expression: Expr, then: Expr, plane: Plane, *, exact: bool
) -> tuple[Activations, NDArray[np.bool_]]:
    """The activations of some channels, and which of their bits a pool needs turned round."""
    before = channel_table(expression, plane, sums, exact=exact)
    if then is SOURCE:
        return activations(before), np.zeros(plane.channels, bool)
    after = channel_table(then, plane, before, exact=exact)
    found = activations(after)
    order = np.argsort(before, axis=0, kind="stable")
    pooled = np.take_along_axis(before, order, axis=0)
    result = np.take_along_axis(after, order, axis=0).astype(np.float64)
    if np.isnan(pooled.astype(np.float64)).any():
        raise ValueError("what is pooled is NaN")
    change = np.diff(result, axis=0)
    # equal values that are pooled give equal results, so a stable order decides nothing
    up, down = (change >= 0).all(axis=0), (change <= 0).all(axis=0)
    if not (up | down).all():
        raise ValueError(f"what follows the pool is not monotone in output {int(np.argmin(up | down))}")
    turned: NDArray[np.bool_] = np.logical_not(up)
    return found, turned


def emit(signal: Accumulators, decision: Decision) -> Operator:
    """The layer with its thresholds."""
    shift = signal.largest if signal.sums_dots else 0
    return matrix_layer(signal, decision.falling, Thresholds(values=(decision.thresholds - shift)[:, None]))

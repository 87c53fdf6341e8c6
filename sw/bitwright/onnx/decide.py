"""Accumulators to thresholds or scores: the expression after a layer, at every value its accumulator can take."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.network import Conv2d, Dense, Scores, Thresholds, Votes
from bitwright.onnx.expression import SOURCE, Expr
from bitwright.onnx.signals import Accumulators, Plane, channel_table, chunk_channels
from bitwright.onnx.tables import Activations, activations, scores

_CHUNK = 1 << 23  # values of one table


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """Which rows to complement, thresholds on the accumulator's index, and what the bits stand for."""

    falling: NDArray[np.bool_]
    thresholds: NDArray[np.int64]  # 0 .. number of accumulator values
    zero: NDArray[np.float64]
    one: NDArray[np.float64]
    rounding: int  # how many activations another order of float32 operations could change


def decide(signal: Accumulators, expression: Expr, *, then: Expr = SOURCE) -> Decision:
    """The thresholds of `signal` followed by `expression`.

    With `then`, a pool stands between the two: the bit says what `then` makes of the largest in a window, which
    is the OR of the bits only if `then` rises with what is pooled, or, turned round, falls. Raises ValueError.
    """
    step = max(1, _CHUNK // len(signal.dots))
    parts = []
    for start in range(0, signal.plane.channels, step):
        part = slice(start, min(start + step, signal.plane.channels))
        parts.append(_decide(signal, part, expression, then, start))
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("falling", "thresholds", "zero", "one")
    }  # fmt: skip
    return Decision(**joined, rounding=sum(part.rounding for part in parts))


def _decide(signal: Accumulators, part: slice, expression: Expr, then: Expr, first: int) -> Decision:
    cut, plane = chunk_channels(expression, signal.plane, part)
    behind, _ = chunk_channels(then, signal.plane, part)
    found, turned = _table(signal.rows.values(signal.dots)[:, part], cut, behind, plane, exact=False)
    differs = np.zeros(plane.channels, bool)
    for sums in signal.rows.nearby(signal.dots):
        try:
            near, _ = _table(sums[:, part], cut, behind, plane, exact=True)
            differs |= (near.thresholds != found.thresholds) | (near.falling != found.falling)
        except ValueError:
            differs[:] = True
    zero, one = np.where(turned, found.high, found.low), np.where(turned, found.low, found.high)
    return Decision(
        # a turned bit is 1 for the low value: the row and the threshold change sides once more
        falling=found.falling ^ turned,
        thresholds=np.where(turned, len(signal.dots) - found.thresholds, found.thresholds),
        zero=zero,
        one=one,
        rounding=int(differs.sum()),
    )


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


def _layer(signal: Accumulators, falling: NDArray[np.bool_], output: Thresholds | Scores | Votes) -> Dense | Conv2d:
    bits = np.where(falling[:, None], 1 - signal.rows.bits, signal.rows.bits)
    window = signal.convolution
    if window is None or (window["whole"] and not isinstance(output, Thresholds)):
        return Dense(name=signal.name, weights=bits, output=output, takes=signal.takes)
    if not isinstance(output, Thresholds):
        raise ValueError("it gives scores for each pixel; the last layer must be a dense one")
    return Conv2d(
        name=signal.name,
        shape=window["shape"],
        weights=bits.reshape(window["weights"]),
        output=output,
        stride=window["stride"],
        padding=window["padding"],
        padding_value=window["padding_value"],
        takes=signal.takes,
    )


def emit(signal: Accumulators, decision: Decision) -> Dense | Conv2d:
    """The layer with its thresholds."""
    shift = signal.largest if signal.sums_dots else 0
    return _layer(signal, decision.falling, Thresholds(values=(decision.thresholds - shift)[:, None]))


def emit_scores(signal: Accumulators, expression: Expr) -> Dense | Conv2d:
    """The last layer with its scores. Raises ValueError or ExportError."""
    dots = signal.dots
    table: NDArray[Any] = channel_table(expression, signal.plane, signal.rows.values(dots))
    falling, found = scores(table, f"layer {signal.name}")
    if signal.sums_dots:
        found = Scores(scale=found.scale, offset=found.offset + found.scale * signal.largest)
    return _layer(signal, falling, found)


def votes_of(expression: Expr) -> NDArray[np.int64] | None:
    """The votes (classes,), or one for all, of `Where(reached, votes, 0)` of integers; None for anything else."""
    if expression.op != "Where" or not isinstance(expression.args[0], Expr):
        return None
    won, lost = expression.args[1:]
    if not isinstance(won, np.ndarray) or not isinstance(lost, np.ndarray) or won.dtype.kind != "i":
        return None
    return won.reshape(-1).astype(np.int64) if (lost == 0).all() and (won >= 0).all() else None


def emit_votes(signal: Accumulators, expression: Expr) -> Dense | Conv2d:
    """The last layer with its votes. Raises ValueError."""
    reached, votes = expression.args[0], votes_of(expression)
    if not isinstance(reached, Expr) or votes is None:
        raise ValueError("it gives no votes")
    decision = decide(signal, reached)
    # a condition that never or always holds has its other value from its neighbours: 0 and 1 all the same
    thresholds = decision.thresholds - (signal.largest if signal.sums_dots else 0)
    output = Votes(thresholds=thresholds, votes=np.broadcast_to(votes, thresholds.shape))
    return _layer(signal, decision.falling, output)

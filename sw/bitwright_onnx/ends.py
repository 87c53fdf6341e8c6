"""The last layer: its sums to class scores, to numbers, to votes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.class_scores import class_scores
from bitwright_core.network import Operator, Scores, Values, Votes
from bitwright_onnx.decide import CHUNK, Decision, decide
from bitwright_onnx.expression import Expr
from bitwright_onnx.lanes import NEAR
from bitwright_onnx.numbers import number_scores
from bitwright_onnx.read_layers import matrix_layer
from bitwright_onnx.signals import Accumulators, channel_table
from bitwright_onnx.tables import integer_scores

_TRIED = 1025  # sums at which a line is looked at
_STRAIGHT = 2.0**-40  # of the largest value: how straight a line computed in float64 is


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatClasses:
    """The class that the graph's own float scores give, for sums of a last layer whose Network scores are rounded."""

    signal: Accumulators
    expression: Expr
    falling: NDArray[np.bool_]  # (classes,): scores that fall with the graph's sum; the layer's weights are turned

    def of(self, accumulators: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first largest score of accumulators (n, classes): (n,)."""
        index = accumulators + (self.signal.largest if self.signal.sums_dots else 0)
        index = np.where(self.falling, self.signal.count - 1 - index, index)
        columns = self.signal.rows.values(self.signal.dots_at(index))
        return channel_table(self.expression, self.signal.plane, columns).argmax(axis=1)


def emit_scores(signal: Accumulators, expression: Expr, bits: int) -> tuple[Operator, str | None, FloatClasses | None]:
    """The last layer with class scores of about `bits` bits (0: exact), what to note, and what the graph's classes are.

    The last is None where scores are the graph's own. Raises ValueError or ExportError.
    """
    where = f"layer {signal.name}"
    small = signal.count * signal.plane.channels <= CHUNK
    table = channel_table(expression, signal.plane, signal.rows.values(signal.dots[:, None])) if small else None
    if table is not None:
        falling = table[-1] < table[0]
        table = np.ascontiguousarray(np.where(falling, table[::-1], table))
        exact = integer_scores(table)
        if exact is not None:
            return _with_scores(signal, falling, exact), None, None
        table = table.astype(np.float32)
    lines = None
    try:
        base, rise = _lines(signal, expression)
        if table is None:
            falling = rise < 0
        lines = np.where(falling, base + rise * (signal.count - 1), base), np.where(falling, -rise, rise)
        flat = lines[1] < 0  # in float32, and not quite so exactly
        lines = np.where(flat, lines[0] + lines[1] * (signal.count // 2), lines[0]), np.maximum(lines[1], 0)
    except ValueError:
        if table is None:
            raise
    size = 0.0 if lines is None else float(np.abs(lines[0]).max() + (lines[1] * signal.count).max())
    found = class_scores(table, lines, signal.count, where, bits=bits, rounding=NEAR * size)
    note = found.note
    classes = FloatClasses(signal=signal, expression=expression, falling=falling)
    told = None if note is None else f"{signal.name}: {note}"
    return _with_scores(signal, falling, found.scores), told, classes


def _with_scores(signal: Accumulators, falling: NDArray[np.bool_], scores: Scores) -> Operator:
    """The layer with scores of its accumulator, for scores of the accumulator's index."""
    if signal.sums_dots:
        scores = Scores(scale=scores.scale, offset=scores.offset + scores.scale * signal.largest)
    return matrix_layer(signal, falling, scores)


def is_one(signal: Accumulators, expression: Expr) -> Expr:
    """Whether the value is 0 or more: what a label of its own says."""
    dtype = channel_table(expression, signal.plane, signal.rows.values(signal.dots[:1, None])).dtype
    zero = np.zeros((1,) * (len(signal.plane.shape) + 1), dtype)
    return Expr(op="GreaterOrEqual", args=(expression, zero))


def emit_numbers(signal: Accumulators, expression: Expr) -> tuple[Operator, Values]:
    """The last layer with scores that are numbers, and what they are worth. Raises ValueError."""
    base, rise = _lines(signal, expression)
    falling = rise < 0
    found = number_scores(np.where(falling, base + rise * (signal.count - 1), base), np.abs(rise), signal.count)
    error = max(found.error, _error(signal, expression, falling, found.scores, found.step))
    return _with_scores(signal, falling, found.scores), Values(step=found.step, error=error)


def _lines(signal: Accumulators, expression: Expr) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact values (outputs,) at the least accumulator, and how much each rises a step. Raises ValueError."""
    last = signal.count - 1
    tried = np.unique(np.linspace(0, last, min(last + 1, _TRIED)).astype(np.int64))
    table = channel_table(expression, signal.plane, signal.rows.exact(signal.dots_at(tried)[:, None]), exact=True)
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise ValueError(f"output {int(np.argmin(np.isfinite(table).all(axis=0)))} overflows or is NaN")
    base, rise = table[0], (table[-1] - table[0]) / max(last, 1)
    size = np.abs(table).max(axis=0)
    odd = (np.abs(base + rise * tried[:, None] - table) > _STRAIGHT * size).any(axis=0)
    if odd.any():
        raise ValueError(
            f"output {int(np.argmax(odd))} is no straight line of its sum (Clip, Relu, Round or the like), which"
            " scores must be"
        )
    return base, rise


def _error(signal: Accumulators, expression: Expr, falling: NDArray[np.bool_], scores: Scores, step: float) -> float:
    """How far step * score lies from what the graph computes in float32, at every sum; orders of adding included."""
    last = signal.count - 1
    dots = signal.dots
    worst = size = 0.0
    chunk = max(1, CHUNK // signal.plane.channels)
    for start in range(0, len(dots), chunk):
        index = np.arange(start, min(start + chunk, len(dots)))[:, None]
        table = channel_table(expression, signal.plane, signal.rows.values(dots[index])).astype(np.float64)
        if not np.isfinite(table).all():
            raise ValueError("its values overflow float32 or are NaN")
        number = step * (scores.scale * np.where(falling, last - index, index) + scores.offset).astype(np.float64)
        worst, size = max(worst, float(np.abs(number - table).max())), max(size, float(np.abs(table).max()))
    return worst + (0.0 if signal.rows.dyadic else NEAR * size)


def emit_choice(signal: Accumulators, decision: Decision) -> Operator:
    """The last layer of a class that is the first bit set, as votes of 1. Raises ValueError."""
    if (decision.zero != decision.zero[0]).any() or (decision.one != decision.one[0]).any():
        raise ValueError("a class is chosen among bits that stand for different values in each output")
    thresholds = decision.thresholds - (signal.largest if signal.sums_dots else 0)
    return matrix_layer(signal, decision.falling, Votes(thresholds=thresholds, votes=np.ones_like(thresholds)))


def votes_of(expression: Expr) -> NDArray[np.int64] | None:
    """The votes (classes,), or one for all, of `Where(reached, votes, 0)` of integers; None for anything else."""
    if expression.op != "Where" or not isinstance(expression.args[0], Expr):
        return None
    won, lost = expression.args[1:]
    if not isinstance(won, np.ndarray) or not isinstance(lost, np.ndarray) or won.dtype.kind != "i":
        return None
    return won.reshape(-1).astype(np.int64) if (lost == 0).all() and (won >= 0).all() else None


def emit_votes(signal: Accumulators, expression: Expr) -> Operator:
    """The last layer with its votes. Raises ValueError."""
    reached, votes = expression.args[0], votes_of(expression)
    if not isinstance(reached, Expr) or votes is None:
        raise ValueError("it gives no votes")
    decision = decide(signal, reached)
    # a condition that never or always holds has its other value from its neighbours: 0 and 1 all the same
    thresholds = decision.thresholds - (signal.largest if signal.sums_dots else 0)
    output = Votes(thresholds=thresholds, votes=np.broadcast_to(votes, thresholds.shape))
    return matrix_layer(signal, decision.falling, output)

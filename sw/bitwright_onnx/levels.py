"""Accumulators to activations of several values: as many thresholds as there are steps, all steps of one size.

As for one bit, what the graph makes of a sum is evaluated at every value of it. Each column must be monotone; where it
changes are the thresholds, and what it gives between them must lie on one grid: a middle of each channel, and whole
steps from it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Operator, Thresholds
from bitwright_core.outputs.thresholds import MAX_LEVELS
from bitwright_onnx.expression import SOURCE, Expr
from bitwright_onnx.read_layers import Hint, matrix_layer
from bitwright_onnx.signals import Accumulators, Integers, Plane, channel_table, chunk_channels

_CHUNK = 1 << 23  # values of one table
_SAME = 2.0**-20  # of the largest value: unevenness that float32 arithmetic alone explains
_SHOWN = 4
_PARTS = 8  # of the smallest difference between two values may the step be
Values = Callable[[NDArray[np.int64]], NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """One channel: what it gives, and from which index of its rising accumulator on."""

    falling: bool  # the row must be complemented
    starts: NDArray[np.int64]  # the first is 0
    values: NDArray[np.float64]  # rising, or, of a pool that what follows turns round, falling


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelDecision:
    """Rows to complement, thresholds on the accumulator's index, and what a stored number s stands for."""

    falling: NDArray[np.bool_]
    thresholds: NDArray[np.int64]  # (channels, levels)
    base: int
    middle: NDArray[np.float64]  # (channels,): what s = 0 stands for
    step: NDArray[np.float64]  # (channels,): what s + 1 stands for more
    rounding: int  # how many channels another order of float32 operations could change


def decide_levels(
    signal: Accumulators | Integers, expression: Expr, *, then: Expr = SOURCE, hint: Hint | None = None
) -> LevelDecision:
    """The thresholds of `signal` followed by `expression`, and, behind a pool, by `then`. Raises ValueError."""
    width = max(1, _CHUNK // signal.count)
    found: list[Steps] = []
    rounding = 0
    for start in range(0, signal.plane.channels, width):
        part = slice(start, min(start + width, signal.plane.channels))
        steps, differing = _part(signal, part, expression, then)
        found += steps
        rounding += differing
    step, anchored, numbers = _grid(found, hint)
    if hint is not None and not _holds(hint, anchored, numbers):
        hint = None
        step, anchored, numbers = _grid(found, None)
    most = max(int(k.max()) for k in numbers)
    base = min(int(k.min()) for k in numbers) if anchored else 0
    base = min(base, 0) if hint is None else hint.base
    levels = most - base if hint is None else hint.levels
    if levels > MAX_LEVELS:
        raise ValueError(
            f"its activations take {levels + 1} steps of {step:.6g}; at most {MAX_LEVELS + 1} are supported"
        )
    turned = np.array([len(of.values) > 1 and of.values[0] > of.values[-1] for of in found])
    signed = np.where(turned, -step, step)
    firsts = np.array([of.values[0] for of in found])
    wanted = base + 1 + np.arange(levels)
    reached = [np.searchsorted(k, wanted) for k in numbers]
    ends = [np.append(of.starts, signal.count) for of in found]
    return LevelDecision(
        falling=np.array([of.falling for of in found]),
        thresholds=np.stack([end[place] for end, place in zip(ends, reached, strict=True)]),
        base=base,
        middle=np.zeros(len(found)) if anchored else firsts,
        step=signed,
        rounding=rounding,
    )


def _holds(hint: Hint, anchored: bool, numbers: list[NDArray[np.int64]]) -> bool:
    """Whether the graph gives no other numbers than what was exported says."""
    least, most = min(int(k.min()) for k in numbers), max(int(k.max()) for k in numbers)
    return anchored and hint.base <= least and most <= hint.base + hint.levels


def _part(signal: Accumulators | Integers, part: slice, expression: Expr, then: Expr) -> tuple[list[Steps], int]:
    """The steps of some channels, and how many of them hang on rounding."""
    rows = signal.rows.part(part)
    cut, plane = chunk_channels(expression, signal.plane, part)
    behind, _ = chunk_channels(then, signal.plane, part)

    def steps(values: Values, exact: bool) -> list[Steps]:
        return _steps(values(signal.dots[:, None]), cut, behind, plane, part.start, exact=exact)

    def shifted(margin: NDArray[np.float64], dots: NDArray[np.int64]) -> NDArray[np.float64]:
        return rows.exact(dots) + margin

    found = steps(rows.values, False)
    differs = np.zeros(plane.channels, bool)
    for margin in rows.margins(signal.largest):
        try:
            near = steps(functools.partial(shifted, margin), True)
            differs |= [not np.array_equal(a.starts, b.starts) for a, b in zip(found, near, strict=True)]
        except ValueError:
            differs[:] = True
    return found, int(differs.sum())


def _steps(sums: NDArray[Any], expression: Expr, then: Expr, plane: Plane, first: int, *, exact: bool) -> list[Steps]:
    table = channel_table(expression, plane, sums, exact=exact)
    order = table.astype(np.float64)
    result = order if then is SOURCE else channel_table(then, plane, table, exact=exact).astype(np.float64)
    found = []
    for channel in range(plane.channels):
        pooled, values = order[:, channel], result[:, channel]
        where = f"output {first + channel}"
        if not np.isfinite(values).all() or np.isnan(pooled).any():
            raise ValueError(f"the activation of {where} overflows or is NaN")
        change = np.diff(pooled)
        falling = bool((change <= 0).all() and (change < 0).any())
        if not falling and not (change >= 0).all():
            raise ValueError(f"the activation of {where} is not monotone in its accumulator")
        values = values[::-1] if falling else values
        moves = np.flatnonzero(np.diff(values)) + 1
        if len(moves) > MAX_LEVELS:
            shown = ", ".join(f"{value:.6g}" for value in values[np.append(0, moves[: _SHOWN - 1])])
            raise ValueError(
                f"the activation of {where} takes {len(np.unique(values))} values ({shown}, ...); at most "
                f"{MAX_LEVELS + 1} evenly spaced ones are supported"
            )
        starts = np.append(0, moves)
        steps = np.diff(values[starts])
        if not ((steps > 0).all() or (steps < 0).all()):
            raise ValueError(f"what follows the pool is not monotone in {where}")
        found.append(Steps(falling=falling, starts=starts, values=values[starts]))
    return found


def _grid(found: list[Steps], hint: Hint | None) -> tuple[float, bool, list[NDArray[np.int64]]]:
    """The step, whether values are whole numbers of it, and the number of each channel's values, rising."""
    size = max(float(np.abs(of.values).max()) for of in found)
    if hint is not None:
        step = 1.0
    else:
        step = min((float(np.abs(np.diff(of.values)).min()) for of in found if len(of.values) > 1), default=1.0)
        widest = max(abs(float(of.values[-1] - of.values[0])) for of in found)
        if widest:
            step = widest / round(widest / step)
    signs = [-1 if len(of.values) > 1 and of.values[0] > of.values[-1] else 1 for of in found]

    def numbers(anchors: list[float], step: float) -> list[NDArray[np.int64]] | None:
        rising = [s * (of.values - a) / step for s, of, a in zip(signs, found, anchors, strict=True)]
        if any(np.abs(k - np.rint(k)).max() * step > _SAME * size for k in rising):
            return None
        return [np.rint(k).astype(np.int64) for k in rising]

    firsts = [float(of.values[0]) for of in found]
    for parts in range(1, _PARTS + 1 if hint is None else 2):  # channels may lack values that lie between theirs
        whole = numbers([0.0] * len(found), step / parts)
        if whole is not None and max(int(np.abs(k).max()) for k in whole) <= MAX_LEVELS:
            return step / parts, True, whole
        even = numbers(firsts, step / parts)
        if even is not None:
            return step / parts, False, even
    odd = max(found, key=lambda of: len(of.values))
    shown = ", ".join(f"{value:.6g}" for value in odd.values[:_SHOWN]) + (", ..." if len(odd.values) > _SHOWN else "")
    raise ValueError(
        f"its activations take {len(odd.values)} values ({shown}) that are not whole steps of one size for all "
        "channels, so that the next layer cannot add them as integers"
    )


def emit_levels(signal: Accumulators, decision: LevelDecision) -> Operator:
    """The layer with its thresholds."""
    shift = signal.largest if signal.sums_dots else 0
    thresholds = Thresholds(values=decision.thresholds - shift, base=decision.base)
    return matrix_layer(signal, decision.falling, thresholds)

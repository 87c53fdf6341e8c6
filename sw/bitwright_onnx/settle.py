"""Values that several operators take, or one that joins: raw input, sums and expressions, as bits or numbers.

Sums whose expression decides get thresholds; those that are a straight line of themselves are given as whole numbers
(`Sums`), and what the graph makes of them is only remembered. Numbers whose expression is no straight line get
thresholds of their own (`Quantize`).
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import BINARY, Quantize, Sums, Thresholds
from bitwright_core.numbers import TERNARY
from bitwright_core.ops.matrix import dot_range
from bitwright_onnx.decide import Decision, decide
from bitwright_onnx.encoder import Taken, input_table, integer_encoding, most_levels, threshold_encoding
from bitwright_onnx.expression import DECIDING, SOURCE, Expr, operations
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.lanes import SAME_STEP, ScaledRows
from bitwright_onnx.levels import LevelDecision, decide_levels
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.read_layers import Hint, matrix_layer
from bitwright_onnx.signals import (
    Accumulators,
    Bits,
    Integers,
    Levels,
    Plane,
    RawInput,
    Signal,
    UnevenError,
    channel_table,
    counted,
    in_channels,
)
from bitwright_onnx.tables import ManyValuesError
from bitwright_onnx.view import View

Fits = Callable[[Plane, Decision], bool]
_WHOLE = 2.0**-16  # how far from a whole number what is one may be computed
_STRAIGHT = 2.0**-40  # of the largest value: how straight a line computed in float64 is


def even(plane: Plane, decision: Decision) -> bool:
    """Whether bits stand for the same two values in all channels, so that any layer can take them."""
    size = np.abs(decision.one - decision.zero).max()
    return all(bool(np.ptp(values) <= SAME_STEP * size) for values in (decision.zero, decision.one))


def settled(lowering: Lowering, signal: Signal, view: View, name: str) -> tuple[Bits | Levels, View]:
    """Value `name` as the bits or numbers of a layer, and where each of them is among those of that layer.

    Raises ValueError where the graph's values have no such form.
    """
    if isinstance(signal, RawInput):
        return encoded(lowering, signal, view)
    expression = in_channels(view, signal.plane)
    plain = replace(view, expression=SOURCE)
    if isinstance(signal, Accumulators):
        hint = lowering.hints.get(signal.name)
        if hint is not None and hint.sums:
            with contextlib.suppress(UnevenError):
                return whole_sums(lowering, signal, expression), plain
        elif hint is None and not operations(expression) & DECIDING:
            with contextlib.suppress(UnevenError):
                line = line_of(signal, expression)
                return sums(lowering, signal, line), plain
        return lowering.decided(signal, expression, fits=even), plain
    hint = lowering.hints.get(lowering.layer_of.get(name, ""))
    if hint is not None and hint.kind == "quantize" and isinstance(signal, Levels):
        return quantized(lowering, signal, expression, hint=hint, wanted=lowering.layer_of[name]), plain
    return straight(lowering, signal, expression, rising=True), plain


def worth_of(signal: Bits | Levels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a value of 0 stands for, and what one more adds, for each channel."""
    if isinstance(signal, Bits):
        return (signal.zero + signal.one) / 2, (signal.one - signal.zero) / 2
    return signal.middle, signal.step


def straight(
    lowering: Lowering,
    signal: Bits | Levels,
    expression: Expr,
    *,
    fits: Fits = even,
    rising: bool = False,
) -> Bits | Levels:
    """What an expression makes of bits or numbers: only noted if it is a straight line, else by thresholds."""
    if isinstance(signal, Bits):
        values = channel_table(expression, signal.plane, signal.values).astype(np.float64)
        if operations(expression) & DECIDING and (values[0] == values[1]).any():
            return quantized(lowering, signal, expression, fits=fits, rising=rising)
        return replace(signal, zero=values[0], one=values[1])
    if expression is SOURCE:
        return signal
    try:
        return signal.behind(channel_table(expression, signal.plane, signal.values).astype(np.float64))
    except UnevenError:
        return quantized(lowering, signal, expression, fits=fits, rising=rising)


def line_of(signal: Accumulators, expression: Expr) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each channel what a dot product of 0 is worth, and what each further 1 adds. Raises UnevenError."""
    last = signal.count - 1
    tried = np.unique(np.linspace(0, last, min(last + 1, 1025)).astype(np.int64))
    dots = signal.dots_at(tried)
    table = channel_table(expression, signal.plane, signal.rows.exact(dots[:, None]), exact=True).astype(np.float64)
    step = (table[-1] - table[0]) / max(1, dots[-1] - dots[0])
    middle = table[0] - step * dots[0]
    size = np.abs(table).max(axis=0)
    if not np.isfinite(table).all() or (np.abs(middle + step * dots[:, None] - table) > _STRAIGHT * size).any():
        raise UnevenError("what is made of sums is no straight line of them in each channel")
    return middle, step


def sums(
    lowering: Lowering,
    signal: Accumulators,
    line: tuple[NDArray[np.float64], NDArray[np.float64]],
    times: NDArray[np.int64] | None = None,
) -> Levels:
    """The layer that gives its dot products as numbers, those of each channel `times` (channels,) a whole number."""
    middle, step = line
    times = np.ones(signal.plane.channels, np.int64) if times is None else times
    falling = times < 0
    size = np.abs(times)
    if signal.sums_dots:
        output = Sums(scale=size, offset=np.zeros_like(size))
    else:
        output = Sums(scale=2 * size, offset=-size * signal.largest)
    layer = matrix_layer(signal, falling, output)
    lowering.emit(layer, signal.source)
    unit = step / np.where(times == 0, 1, times)
    assert layer.matrix is not None
    return Levels(plane=signal.plane, number=layer.matrix.edge.number, middle=middle, step=unit, giver=layer.name)


def whole_sums(lowering: Lowering, signal: Accumulators, expression: Expr) -> Levels:
    """The layer that gives as numbers just what the graph makes of its sums, as bitwright's own exports mean it.

    Raises UnevenError where that is no whole number.
    """
    middle, step = line_of(signal, expression)
    dots = signal.dots_at(np.array([0, 1]))
    first, rise = middle + step * dots[0], step * (dots[1] - dots[0])
    if any((np.abs(values - np.rint(values)) > _WHOLE).any() for values in (first, rise)) or (rise < -_WHOLE).any():
        raise UnevenError("what is made of sums is no whole number of them")
    scale, first = np.rint(rise).astype(np.int64), np.rint(first).astype(np.int64)
    offset = first + scale * signal.largest if signal.sums_dots else first
    layer = matrix_layer(signal, np.zeros(signal.plane.channels, bool), Sums(scale=scale, offset=offset))
    lowering.emit(layer, signal.source)
    assert layer.matrix is not None
    ones = np.ones(signal.plane.channels)
    number = layer.matrix.edge.number
    return Levels(plane=signal.plane, number=number, middle=0 * ones, step=ones, giver=layer.name)


def quantized(
    lowering: Lowering,
    signal: Bits | Levels,
    expression: Expr,
    *,
    hint: Hint | None = None,
    wanted: str | None = None,
    fits: Fits = even,
    rising: bool = False,
    last: bool = False,
) -> Bits | Levels:
    """Thresholds by themselves (`Quantize`), for what an expression makes of numbers. Raises ValueError.

    With `last` the result is bits. With `rising` a larger number stands for more, in all channels.
    """
    decision = None
    middle, step = worth_of(signal)
    if isinstance(signal, Bits):
        (least, most), stride = (-1, 1), 2
    else:
        (least, most), stride = signal.reach if hint is None else signal.number.stored, 1
    name = lowering.names.give("quantize", wanted)
    source = Integers(
        plane=signal.plane,
        name=name,
        node=OnnxNode(name=signal.giver, op="Quantize", inputs=(), outputs=()),
        rows=ScaledRows.of_numbers(middle, step),
        least=least,
        most=most,
        stride=stride,
    )
    if hint is None or (hint.levels, hint.base) == (1, 0):
        try:
            decision = decide(source, expression)
            if rising and decision.falling.any():
                return lowering.decided(depthwise(signal, source.name, source.node), expression, fits=fits)
            if last or fits(signal.plane, decision):
                return _bits(lowering, signal, source, decision)
        except ManyValuesError:
            if last:
                raise
    try:
        levels = decide_levels(source, expression, hint=hint)
    except ValueError:
        if hint is not None or decision is None:
            raise
        return _bits(lowering, signal, source, decision)
    if rising and levels.falling.any():
        return lowering.decided(depthwise(signal, source.name, source.node), expression, fits=fits)
    return _levels(lowering, signal, source, levels)


def depthwise(signal: Bits | Levels, name: str, node: OnnxNode) -> Accumulators:
    """The numbers as the sums of a layer of one weight a channel, which turns round what falls as its number grows."""
    plane, number = signal.plane, signal.number
    middle, step = worth_of(signal)
    positive = (step > 0).astype(np.uint8)
    rows, window = positive[:, None], None
    if len(plane.shape) == 3:
        height, width = (size for axis, size in enumerate(plane.shape) if axis != plane.axis)
        window = {
            "shape": (height, width, plane.channels),
            "weights": (plane.channels, 1, 1, 1),
            "whole": False,
            "groups": plane.channels,
            "dilation": (1, 1),
            "stride": (1, 1),
            "padding": (0, 0, 0, 0),
            "padding_value": "minus_one",
        }
    else:  # on the diagonal of a matrix
        rows = np.diag(2 * positive.astype(np.int8) - 1)
    weight_type = BINARY if window else TERNARY
    return Accumulators(
        plane=plane,
        name=name,
        node=node,
        rows=ScaledRows(weights=rows, weight_type=weight_type, scale=np.abs(step), offset=middle),
        sums_dots=not (number.xnor and weight_type.xnor),
        largest=max(map(abs, dot_range(rows, weight_type, number))),
        takes=number,
        convolution=window,
        source=signal.giver,
    )


def _bits(lowering: Lowering, signal: Bits | Levels, source: Integers, decision: Decision) -> Bits:
    """One threshold a channel; where the bit falls as the number grows, 0 and 1 change sides."""
    lowering.note_rounding(source, decision.rounding)
    falling = decision.falling
    places = np.where(falling, source.count - decision.thresholds, decision.thresholds)
    _emit(lowering, signal, source, places[:, None], 0)
    return Bits(
        plane=signal.plane,
        zero=np.where(falling, decision.one, decision.zero),
        one=np.where(falling, decision.zero, decision.one),
        giver=source.name,
    )


def _levels(lowering: Lowering, signal: Bits | Levels, source: Integers, decision: LevelDecision) -> Bits | Levels:
    """Several thresholds a channel.

    A number that falls as its source grows is counted from the other end: as its negative where numbers are whole steps
    from 0, for which all channels reach as far down as up; else from where it ends.
    """
    lowering.note_rounding(source, decision.rounding)
    falling, base, middle, step = decision.falling, decision.base, decision.middle, decision.step
    levels = decision.thresholds.shape[1]
    turned = np.where(falling[:, None], source.count - decision.thresholds[:, ::-1], decision.thresholds)
    places = turned
    if falling.any() and not middle.any():
        low, high = min(base, -(base + levels)), max(base + levels, -base)
        places = np.full((len(turned), high - low), source.count, np.int64)
        for row, (falls, its) in enumerate(zip(falling, turned, strict=True)):
            start = (-(base + levels) if falls else base) - low
            places[row, :start], places[row, start : start + levels] = 0, its
        base = low
    else:
        middle = np.where(falling, middle + step * levels, middle)
    layer = _emit(lowering, signal, source, places, base)
    number = layer.edge.number
    step = np.where(falling, -step, step)
    return counted(signal.plane, number, middle, step, source.name)


def _emit(
    lowering: Lowering, signal: Bits | Levels, source: Integers, places: NDArray[np.int64], base: int
) -> Quantize:
    plane = signal.plane
    shape = tuple(size for axis, size in enumerate(plane.shape) if axis != plane.axis) if len(plane.shape) == 3 else ()
    if len(plane.shape) != 3 and plane.channels != int(np.prod(plane.shape)):
        raise ValueError(f"thresholds of values of shape {list(plane.shape)} are not supported")
    values = np.minimum(source.least + source.stride * places, signal.number.largest + 1)
    output = Thresholds(values=values, base=base)
    layer = Quantize(name=source.name, shape=(*shape, plane.channels), takes=signal.number, output=output)
    lowering.emit(layer, signal.giver)
    return layer


def encoded(lowering: Lowering, signal: RawInput, view: View) -> tuple[Bits | Levels, View]:
    """The encoded input where several operators take it, or one that is no product: bits if it becomes two values.

    The second result says which lane each of the view's values is. Raises ValueError.
    """
    raw = signal.plane
    columns, kinds = input_table(view, lowering.graph.input_dtype, lowering.input_bits)
    source = raw.position[view.indices.reshape(-1)]
    channel = np.indices(raw.shape)[raw.axis].reshape(-1)[view.indices.reshape(-1)]
    taken = Taken(
        columns=columns,
        kinds=kinds,
        source=source,
        values=int(np.prod(raw.shape)),
        used=np.ones(len(source), np.bool_),
        group=channel,
        pad=np.zeros(raw.channels),
    )
    taken.check()
    plain = replace(view, expression=SOURCE)
    if most_levels(columns) == 1 and lowering.input_encoding != "integers":
        lowering.encoding, lanes = threshold_encoding(taken)
    else:
        if len(source) != taken.values:
            raise ValueError("it takes some values of the input more than once")
        lowering.encoding, lanes, note = integer_encoding(taken)
        lowering.notes += [] if note is None else [f"the input: {note}"]
    plane = raw
    if len(source) != taken.values:  # some lanes for each value, as an export has them
        plane = next((p for p in _planes(view) if np.array_equal(p.position, lanes.lane[:, 0])), raw)
        if plane is raw:
            raise ValueError("it takes bits of the input in another order than the image's")
        plain = View(source=view.source, shape=view.shape, index=None, expression=SOURCE)
        channel = np.indices(plane.shape)[plane.axis].reshape(-1)
    middle, half = (_of_channels(values, channel, plane.channels) for values in (lanes.middle, lanes.half))
    if lanes.number.xnor:
        return Bits(plane=plane, zero=middle - half, one=middle + half), plain
    return Levels(plane=raw, number=lanes.number, middle=middle, step=half), plain


def _planes(view: View) -> list[Plane]:
    return [Plane(shape=view.shape, axis=axis) for axis in range(len(view.shape))]


def _of_channels(values: NDArray[np.float64], channel: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(channels,): of elements those of each channel. Raises ValueError if they differ."""
    found = np.zeros(count)
    found[channel] = values
    if (found[channel] != values).any():
        raise ValueError("what the input becomes differs from pixel to pixel, and more than one layer takes it")
    return found

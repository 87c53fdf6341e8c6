"""Where branches meet, and average pools: additions, concatenations and sums of windows as operators of a Network.

An addition is exact where the steps of its branches are whole numbers of one unit, in each channel: numbers of a layer
are multiplied by one whole number, sums that a layer gives by one for each channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import ENCODED, Add, Concat, NumberType, Quantize, SumPool2d, Thresholds, Upsample2d
from bitwright_core.numbers import joined_type
from bitwright_onnx.canonical import integers
from bitwright_onnx.expression import DECIDING, operations
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.read_layers import pool_layer
from bitwright_onnx.settle import line_of, settled, sums, worth_of
from bitwright_onnx.shapes import window_sizes
from bitwright_onnx.signals import Accumulators, Bits, Levels, Plane, Signal, UnevenError, in_channels
from bitwright_onnx.view import View
from bitwright_onnx.windows import image_size

_MAX_RATIO = 1 << 7  # of the denominator of a ratio of two steps that is rounded; more would fit any number
_MAX_EXACT = 1 << 12  # of one that is not
_SAME = 2.0**-22  # relative: what rounding scales to float32 explains


@dataclass(frozen=True, kw_only=True, eq=False)
class Branch:
    """One value that an addition takes: numbers of a layer, or the sums of one whose output is not decided yet."""

    signal: Bits | Levels | Accumulators
    view: View
    middle: NDArray[np.float64]
    step: NDArray[np.float64]
    sign: int


def add(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Levels:
    """The sum of branches."""
    branches = [
        _branch(lowering, signal, view, name, -1 if node.op == "Sub" and place else 1)
        for place, ((signal, view), name) in enumerate(zip(taken, node.inputs, strict=True))
    ]
    plane = _plane(lowering, node, branches)
    hint = lowering.hints.get(node.name)
    unit, factors = common_steps(
        np.stack([branch.step * branch.sign for branch in branches]),
        fixed=[not isinstance(branch.signal, Accumulators) for branch in branches],
        wanted=() if hint is None else hint.scales,
    )
    given: list[Bits | Levels] = []
    scales: list[int] = []
    for branch, times in zip(branches, factors, strict=True):
        if isinstance(branch.signal, Accumulators):
            whole = sums(lowering, branch.signal, (branch.middle, branch.step), times)
            given.append(whole)
            scales.append(1)
        else:
            given.append(branch.signal)
            scales.append(int(times[0]))
    layer = Add(
        name=lowering.names.give("add", lowering.wanted_of(node)),
        shape=_shape(plane),
        takes=tuple(signal.number for signal in given),
        scales=tuple(scales),
    )
    lowering.emit(layer, *(signal.giver for signal in given))
    ends = [sorted(scale * end for end in _reach(signal)) for scale, signal in zip(scales, given, strict=True)]
    return Levels(
        plane=plane,
        number=layer.edge.number,
        middle=sum((branch.sign * branch.middle for branch in branches), np.zeros(plane.channels)),
        step=unit,
        giver=layer.name,
        ends=(sum(low for low, _ in ends), sum(high for _, high in ends)),
    )


def _reach(signal: Bits | Levels) -> tuple[int, int]:
    return (-1, 1) if isinstance(signal, Bits) else signal.reach


def _branch(lowering: Lowering, signal: Signal, view: View, name: str, sign: int) -> Branch:
    if isinstance(signal, Accumulators) and signal.name not in lowering.hints:
        expression = in_channels(view, signal.plane)
        if not operations(expression) & DECIDING:
            try:
                middle, step = line_of(signal, expression)
                return Branch(signal=signal, view=view, middle=middle, step=step, sign=sign)
            except UnevenError:
                pass
    given, view = settled(lowering, signal, view, name)
    middle, step = worth_of(given)
    return Branch(signal=given, view=view, middle=middle, step=step, sign=sign)


def common_steps(
    steps: NDArray[np.float64], *, fixed: list[bool], wanted: tuple[int, ...] = ()
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`steps` (branches, channels) as whole multiples of a unit: the units (channels,), the multiples as `steps`.

    Branches that are `fixed` have one multiple for all channels, `wanted` if that is possible. Raises ValueError where
    the steps have no common unit.
    """
    count, channels = steps.shape
    factors = np.zeros((count, channels), np.int64)
    units = np.zeros(channels)
    known: dict[tuple[float, ...], list[int]] = {}
    for channel in range(channels):
        column = steps[:, channel]
        largest = np.abs(column).max()
        if (
            not np.isfinite(column).all()
            or largest == 0
            or any(of == 0 for of, is_ in zip(column, fixed, strict=True) if is_)
        ):
            raise ValueError("a branch of the sum is always the same, or not finite")
        key = tuple(np.round(column / largest, 12).tolist())
        if key not in known:
            known[key] = _ratios(column)
        factors[:, channel] = known[key]
        first = int(np.argmax(np.abs(column)))
        units[channel] = column[first] / factors[first, channel]
    held = [place for place, is_ in enumerate(fixed) if is_]
    if held:
        common = [math.lcm(*np.unique(np.abs(factors[place])).tolist()) for place in held]
        times = np.stack([common[k] // np.abs(factors[place]) for k, place in enumerate(held)])
        signs = np.sign(factors[held])
        if (times != times[0]).any() or (signs != signs[:, :1]).any():
            _refuse(steps, "whose ratio differs from channel to channel")
        factors, units = factors * times[0], units / times[0]
    if len(wanted) == count:
        more = wanted[0] / factors[0, 0]
        if more == int(more) and all((factors[k] * int(more) == scale).all() for k, scale in enumerate(wanted)):
            factors, units = factors * int(more), units / more
    return units, factors


def _ratios(column: NDArray[np.float64]) -> list[int]:
    """The smallest whole numbers that have the ratios of `column`. Raises ValueError if there are none."""
    largest = float(column[np.argmax(np.abs(column))])
    parts = [Fraction(float(of)) / Fraction(largest) for of in column]
    parts = [of if of.denominator <= _MAX_EXACT else of.limit_denominator(_MAX_RATIO) for of in parts]
    common = math.lcm(*(part.denominator for part in parts))
    whole = [int(part * common) for part in parts]
    exact = all(
        abs(k / common - of / largest) <= _SAME * abs(of / largest) for k, of in zip(whole, column, strict=True)
    )
    if not exact or common > _MAX_EXACT:
        _refuse(column[:, None], "that no whole numbers of one unit make up")
    divisor = math.gcd(*whole)
    return [k // divisor for k in whole]


def _refuse(steps: NDArray[np.float64], why: str) -> NoReturn:
    shown = " and ".join(f"{abs(step):.6g}" for step in steps[:, 0])
    raise ValueError(
        f"it adds values in steps of {shown}, {why}: quantize the branches with one scale, or with scales that are "
        "small whole multiples of each other"
    )


def _plane(lowering: Lowering, node: OnnxNode, branches: list[Branch]) -> Plane:
    """The plane of the sum: all branches must have their values in its order. Raises ValueError."""
    shape = lowering.graph.shapes[node.output][1:]
    for branch in branches:
        if branch.view.shape != shape:
            raise ValueError(f"it adds values of shapes {list(branch.view.shape)} and {list(shape)}")
    first = branches[0]
    plane = arranged(first.signal.plane, first.view)
    for branch in branches[1:]:
        other = arranged(branch.signal.plane, branch.view)
        if other.axis != plane.axis and min(plane.channels, other.channels) > 1:
            raise ValueError("its branches have their channels on different axes")
        plane = other if plane.channels == 1 else plane
    return plane


def arranged(plane: Plane, view: View) -> Plane:
    """The plane of a view that leaves all values in their order. Raises ValueError for a view that does not."""
    place = plane.position[view.indices.reshape(-1)]
    axes = range(len(view.shape))
    fits = [a for a in axes if view.shape[a] == plane.channels]
    for axis in sorted(fits, key=lambda a: (a != plane.axis, a)):
        found = Plane(shape=view.shape, axis=axis)
        if len(place) == len(found.position) and np.array_equal(place, found.position):
            return found
    raise ValueError("it takes values in another order than that of its branch")


def _shape(plane: Plane) -> tuple[int, ...]:
    if len(plane.shape) == 1:
        return plane.shape
    if len(plane.shape) != 3:
        raise ValueError(f"branches of shape {list(plane.shape)} are not supported, only images and flat values")
    return (*image_size(plane), plane.channels)


def _size(plane: Plane) -> tuple[int, int]:
    height, width = image_size(plane)
    return height, width


def concat(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Bits | Levels:
    """The channels of branches one behind the other, in one number type that holds the values of all."""
    rank = len(lowering.graph.shapes[node.output])
    axis = int(node.attributes["axis"])
    axis = axis - 1 if axis > 0 else axis + rank - 1
    pairs = [settled(lowering, signal, view, name) for (signal, view), name in zip(taken, node.inputs, strict=True)]
    pairs = [_in_line(given, view) for given, view in pairs]
    planes = [arranged(given.plane, view) for given, view in pairs]
    signals = [given for given, _ in pairs]
    if any(plane.axis != axis for plane in planes):
        raise ValueError("it joins branches along another axis than their channels")
    steps = np.concatenate([np.abs(worth_of(signal)[1]) for signal in signals])
    if steps.max() - steps.min() > _SAME * steps.max():
        signals = _on_one_grid(lowering, signals, planes)
    shape = lowering.graph.shapes[node.output][1:]
    plane = Plane(shape=shape, axis=axis)
    layer = Concat(
        name=lowering.names.give("concat", lowering.wanted_of(node)),
        sizes=tuple(one.channels for one in planes),
        image=_size(plane) if len(shape) == 3 else None,
        takes=tuple(signal.number for signal in signals),
    )
    lowering.emit(layer, *(signal.giver for signal in signals))
    bits = [signal for signal in signals if isinstance(signal, Bits)]
    if len(bits) == len(signals):
        zero, one = (np.concatenate(parts) for parts in ([b.zero for b in bits], [b.one for b in bits]))
        return Bits(plane=plane, zero=zero, one=one, giver=layer.name)
    middle, step = (np.concatenate([worth_of(signal)[k] for signal in signals]) for k in (0, 1))
    reached = [_reach(signal) for signal in signals]
    return Levels(
        plane=plane,
        number=joined_type(layer.takes) if layer.takes else signals[0].number,
        middle=middle,
        step=step,
        giver=layer.name,
        ends=(min(low for low, _ in reached), max(high for _, high in reached)),
    )


def bring_together(lowering: Lowering, givers: Sequence[str], values: Sequence[tuple[int, NumberType]]) -> None:
    """Adds the concatenation of what these layers give, flat values of so many numbers of a type."""
    layer = Concat(
        name=lowering.names.give("outputs"),
        sizes=tuple(size for size, _ in values),
        takes=tuple(number for _, number in values),
    )
    lowering.emit(layer, *givers)


def _in_line(given: Bits | Levels, view: View) -> tuple[Bits | Levels, View]:
    """An image that the graph has made flat, in raster order, channels fastest, as flat values; else as it is."""
    place = given.plane.position[view.indices.reshape(-1)]
    size = len(place)
    if len(view.shape) > 1 or len(given.plane.shape) == 1 or not np.array_equal(place, np.arange(size)):
        return given, view
    plane, times = Plane(shape=(size,), axis=0), size // given.plane.channels
    if isinstance(given, Bits):
        given = replace(given, plane=plane, zero=np.tile(given.zero, times), one=np.tile(given.one, times))
    else:
        given = replace(given, plane=plane, middle=np.tile(given.middle, times), step=np.tile(given.step, times))
    return given, replace(view, index=None)


def _on_one_grid(lowering: Lowering, signals: list[Bits | Levels], planes: list[Plane]) -> list[Bits | Levels]:
    """Branches of different steps as whole numbers of one unit, by thresholds that leave out numbers.

    Raises ValueError for branches whose steps, or middles, have no common unit.
    """
    worths = [worth_of(signal) for signal in signals]
    if any(np.ptp(array) for pair in worths for array in pair):
        raise ValueError("it joins branches whose scales differ from channel to channel")
    # a middle is a branch, too: it must be a whole number of the unit
    column = np.array([[array[0]] for pair in worths for array in pair if array[0]])
    unit = float(abs(common_steps(column, fixed=[True] * len(column))[0][0]))
    starts, factors = ([round(float(pair[k][0]) / unit) for pair in worths] for k in (0, 1))
    reached = [
        sorted((start + factor * _reach(signal)[0], start + factor * _reach(signal)[1]))
        for signal, start, factor in zip(signals, starts, factors, strict=True)
    ]
    least, most = min(0, *(low for low, _ in reached)), max(high for _, high in reached)
    found: list[Bits | Levels] = []
    for signal, plane, start, factor in zip(signals, planes, starts, factors, strict=True):
        if factor < 1:
            raise ValueError("it joins a branch that is always the same, or that a negative scale has turned round")
        low, high = _reach(signal)
        values = np.array([-(-(level - start) // factor) for level in range(least + 1, most + 1)]).clip(low, high + 1)
        name = lowering.names.give("quantize")
        output = Thresholds(values=np.tile(values, (plane.channels, 1)), base=least)
        layer = Quantize(name=name, shape=_shape(plane), takes=signal.number, output=output)
        lowering.emit(layer, signal.giver)
        ones = np.ones(plane.channels)
        number = layer.edge.number
        found.append(Levels(plane=plane, number=number, middle=0 * ones, step=unit * ones, giver=name))
    return found


def average_pool(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Levels:
    """An average pool as the sums of its windows, each worth a step divided by the size of the window."""
    ((signal, view),) = taken
    given, view = settled(lowering, signal, view, node.inputs[0])
    images = arranged(given.plane, view)
    if len(images.shape) != 3 or images.axis != (2 if node.op.endswith("Last") else 0):
        raise ValueError("it averages values in another order than the image's")
    kernel = integers(node.attributes["kernel_shape"], "kernel_shape")
    strides, pads = window_sizes(node, tuple(kernel), image_size(images))
    if any(pads):
        raise ValueError("an average pool with padding is not supported")
    layer = SumPool2d(
        name=lowering.names.give("average", lowering.wanted_of(node)),
        shape=(*_size(images), images.channels),
        kernel=(kernel[0], kernel[1]),
        stride=(strides[0], strides[1]),
        takes=given.number,
    )
    lowering.emit(layer, given.giver)
    if given.giver == ENCODED:
        lowering.image = layer.shape
    count = kernel[0] * kernel[1]
    least, most = (count * end for end in _reach(given))
    middle, step = worth_of(given)
    return Levels(
        plane=Plane(shape=lowering.graph.shapes[node.output][1:], axis=images.axis),
        number=layer.edge.number,
        middle=middle,
        step=step / count,
        giver=layer.name,
        ends=(least, most),
    )


def max_pool(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Bits | Levels:
    """The bits or numbers behind a pool. A layer whose sums are pooled before any quantizer decides what follows it."""
    ((signal, view),) = taken
    images = Plane(shape=view.shape, axis=2 if node.op.endswith("Last") else 0)
    plane = Plane(shape=lowering.graph.shapes[node.output][1:], axis=images.axis)
    given: Bits | Levels
    if isinstance(signal, Accumulators) and signal.name not in lowering.own:
        given = lowering.pooled(signal, view, plane, node)
    else:
        given, view = settled(lowering, signal, view, node.inputs[0])
        rising = (given.one > given.zero) if isinstance(given, Bits) else given.step > 0
        if not rising.all():
            raise ValueError("it pools values that a negative scale has turned round; put the scale behind it")
    order = given.plane.position[view.indices.reshape(-1)]
    if len(view.shape) != 3 or not np.array_equal(order, images.position):
        raise ValueError("it pools values in another order than the image's")
    layer = pool_layer(node, lowering.names.give("pool", lowering.wanted_of(node)), images, given.number)
    lowering.emit(layer, given.giver)
    if given.giver == ENCODED:
        lowering.image = layer.shape
    return replace(given, plane=plane, giver=layer.name)


def repeat(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Bits | Levels:
    """An image whose pixels are repeated down and across."""
    ((signal, view),) = taken
    given, view = settled(lowering, signal, view, node.inputs[0])
    images = arranged(given.plane, view)
    if len(images.shape) != 3 or images.axis != 0:
        raise ValueError("it repeats values in another order than the image's")
    down, across = integers(node.attributes["factors"], "factors")
    layer = Upsample2d(
        name=lowering.names.give("upsample", lowering.wanted_of(node)),
        shape=(*_size(images), images.channels),
        factors=(down, across),
        takes=given.number,
    )
    lowering.emit(layer, given.giver)
    if given.giver == ENCODED:
        lowering.image = layer.shape
    return replace(given, plane=Plane(shape=lowering.graph.shapes[node.output][1:], axis=0), giver=layer.name)

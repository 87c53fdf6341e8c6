"""Products: the sums of nodes with weights, on the lanes that stand for what they take."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import ENCODED, NumberType
from bitwright_core.ops.matrix import dot_range
from bitwright_onnx.encoder import (
    MAX_THERMOMETER,
    Taken,
    input_table,
    integer_encoding,
    most_levels,
    threshold_encoding,
)
from bitwright_onnx.expression import operations
from bitwright_onnx.few_bits import FewBitRows, few_bits
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.lanes import Lanes, ScaledRows, product
from bitwright_onnx.linear import not_binary, weight_rows
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.read_layers import silenced
from bitwright_onnx.settle import straight
from bitwright_onnx.shapes import dilations
from bitwright_onnx.signals import Accumulators, Bits, Levels, Plane, RawInput, Signal, channel_table, in_channels
from bitwright_onnx.uses import fits_bits, outside_kernel, used_values
from bitwright_onnx.view import View
from bitwright_onnx.windows import padding_of, pads_of, window_lanes


def linear(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Accumulators:
    """The sums of a node with weights; the layer follows when it is known what becomes of them."""
    ((signal, view),) = taken
    if isinstance(signal, RawInput):
        return _first_product(lowering, node, view)
    lanes, giver = _inputs(lowering, signal, view, node)
    return _product(lowering, node, lanes, view, giver)


def _first_product(lowering: Lowering, node: OnnxNode, view: View) -> Accumulators:
    """The first product, on bits where they can say what the input becomes, else on integers."""
    columns, kinds = input_table(view, lowering.graph.input_dtype, lowering.input_bits)
    group = pad = None
    if node.op != "MatMul":
        images = Plane(shape=view.shape, axis=0 if node.op == "Conv" else 2)
        padding, value = pads_of(node, outside_kernel(node, lowering.graph.constants[node.inputs[1]]), images)
        group = np.indices(view.shape)[images.axis].reshape(-1)
        lowering.image = (*(size for axis, size in enumerate(view.shape) if axis != images.axis), images.channels)
        pad = value if any(padding) else None
    taken = Taken(
        columns=columns,
        kinds=kinds,
        source=lowering.plane.position[view.indices.reshape(-1)],
        values=int(np.prod(lowering.plane.shape)),
        used=used_values(lowering.graph, node, view),
        group=group,
        pad=pad,
    )
    taken.check()
    auto = lowering.input_encoding == "auto"
    integers = lowering.input_encoding == "integers" or (
        auto and (most_levels(columns) > MAX_THERMOMETER or "Lookup" in operations(view.expression))
    )
    if not integers:
        try:
            lowering.encoding, lanes = threshold_encoding(taken)
            return _product(lowering, node, lanes, view, ENCODED)
        except ValueError:
            if not auto:
                raise
    lowering.encoding, lanes, note = integer_encoding(taken)
    signal = _product(lowering, node, lanes, view, ENCODED)
    if note:
        lowering.notes.append(f"{signal.name}: {note}")
    return signal


def _inputs(lowering: Lowering, signal: Accumulators | Bits | Levels, view: View, node: OnnxNode) -> tuple[Lanes, str]:
    """The lanes that a product takes, in the order of `view`, and the layer that gives them."""
    expression = in_channels(view, signal.plane)
    fits = partial(fits_bits, lowering.graph, node, view)
    if isinstance(signal, Accumulators):
        signal = lowering.decided(signal, expression, fits=fits)
    else:
        signal = straight(lowering, signal, expression, fits=fits)
    plane = signal.plane
    indices = view.indices.reshape(-1)
    channel = np.indices(plane.shape)[plane.axis].reshape(-1)[indices]
    if isinstance(signal, Levels):
        lanes = Lanes(
            lane=plane.position[indices][:, None],
            middle=signal.middle[channel],
            half=signal.step[channel],
            number=signal.number,
        )
        return lanes, signal.giver
    zero, one = signal.zero[channel], signal.one[channel]
    used = used_values(lowering.graph, node, view)
    if ((zero == one) & used).any():
        raise ValueError("an activation before it is always the same")
    middle = np.where(used, (zero + one) / 2, 0.0)
    half = np.where(used, (one - zero) / 2, (one - zero)[used][0] / 2)
    silence = lowering.is_chain and not used.all() and _few(lowering, node) is None
    idle = _silenced(lowering, node, view, channel, used, zero, one) if silence else None
    return Lanes(lane=plane.position[indices][:, None], middle=middle, half=half, idle=idle), signal.giver


def _zeros_within(node: OnnxNode, weights: NDArray[Any]) -> bool:
    """Whether some weights of a channel are 0 in all outputs and others are not, or channels are cut into groups."""
    if node.op == "MatMul":
        return False
    kernel = weights if node.op == "Conv" else np.moveaxis(weights, 3, 1)
    taken = np.abs(kernel).max(axis=0) > 0
    return int(node.attributes.get("group", 1)) > 1 or bool((taken != taken[:, :1, :1]).any())


def accumulators_of(lowering: Lowering, node: OnnxNode, signal: Levels, view: View, few: FewBitRows) -> Accumulators:
    """The sums that the rows of `few` give on the numbers of `signal`."""
    signal = signal.behind(channel_table(in_channels(view, signal.plane), signal.plane, signal.values))
    indices = view.indices.reshape(-1)
    channel = np.indices(signal.plane.shape)[signal.plane.axis].reshape(-1)[indices]
    lanes = Lanes(
        lane=signal.plane.position[indices][:, None],
        middle=signal.middle[channel],
        half=signal.step[channel],
        number=signal.number,
    )
    rows = product(few.numbers.astype(np.float32), lanes, few)
    plane = Plane(shape=(len(rows.scale),), axis=0)
    return _accumulators(lowering, node, "dense", plane, rows, signal.number, None, signal.giver)


def _few(lowering: Lowering, node: OnnxNode) -> FewBitRows | None:
    """The weights of a product as whole numbers; None where they are +-1 times one scale a row."""
    rows = weight_rows(node, lowering.graph.constants[node.inputs[1]])
    hint = lowering.hints.get(lowering.wanted_of(node) or lowering.names.coming or "")
    if hint is not None and not hint.weight_type.xnor:
        return few_bits(rows, hint.weight_type)
    return few_bits(rows) if not_binary(rows) else None


def _silenced(
    lowering: Lowering,
    node: OnnxNode,
    view: View,
    channel: NDArray[np.int64],
    used: NDArray[np.bool_],
    zero: NDArray[np.float64],
    one: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Channels of the layer before that `node` does not use become constant bits; what each element then adds.

    The bit is what the node's padding is, if anything pads it. Raises ValueError where a channel is used in part,
    or zeros pad it.
    """
    silent = np.setdiff1d(channel, channel[used])
    if (np.isin(channel, silent) == used).any():
        raise ValueError(
            f"its weights of input channel {int(channel[~used & ~np.isin(channel, silent)][0])} are 0 for some "
            "pixels only; zeros must be of a whole row or channel"
        )
    name = next(name for name, (layer, _) in reversed(lowering.made.items()) if layer.matrix is not None)
    bit = 0
    if node.op != "MatMul":
        images = Plane(shape=view.shape, axis=0 if node.op == "Conv" else 2)
        padding, value = pads_of(node, outside_kernel(node, lowering.graph.constants[node.inputs[1]]), images)
        around = value[np.indices(view.shape)[images.axis].reshape(-1)]
        if any(padding) and not (around == zero)[used].all():
            if not (around == one)[used].all():
                raise ValueError("its weights of an input channel are all 0, and zeros pad it: prune the channel")
            bit = 1
    layer, takes = lowering.made[name]
    lowering.emit(silenced(layer, silent, bit), *takes)
    return np.where(used, np.nan, 2.0 * bit - 1.0)


def _product(lowering: Lowering, node: OnnxNode, lanes: Lanes, view: View, giver: str) -> Accumulators:
    weights = lowering.graph.constants[node.inputs[1]]
    shape = lowering.graph.shapes[node.output][1:]
    number, few = lanes.number, _few(lowering, node)
    if few is None and not weights.astype(bool).all() and (lanes.idle is None or _zeros_within(node, weights)):
        few = few_bits(weight_rows(node, weights))  # zeros need no lane that never changes
    if node.op == "MatMul":
        if any(size != 1 for size in view.shape[:-1]):
            raise ValueError(f"it takes {list(view.shape)}: several rows a frame; only one is supported")
        rows = product(weight_rows(node, weights), lanes, few)
        return _accumulators(
            lowering, node, "dense", Plane(shape=shape, axis=len(shape) - 1), rows, number, None, giver
        )
    first = node.op == "Conv"
    images = Plane(shape=view.shape, axis=0 if first else 2)
    window = window_lanes(images, weights.shape[2:] if first else weights.shape[1:3], lanes)
    padding = padding_of(node, outside_kernel(node, weights), images, window)
    groups = int(node.attributes.get("group", 1))
    rows = _grouped(weight_rows(node, weights), window, few, groups, images.channels)
    outside = (view.shape[1:] if first else view.shape[:2], padding["padding"])
    plain = outside == (weights.shape[2:] if first else weights.shape[1:3], (0, 0, 0, 0))
    levels = lanes.lane.shape[1]
    height, width = outside[0]
    channels = images.channels * levels
    if giver == ENCODED:
        lowering.image = (height, width, images.channels)
    convolution = {
        "shape": (height, width, channels),
        "weights": (len(weights), *outside_kernel(node, weights), channels // groups),
        "whole": plain and groups == 1,
        "groups": groups,
        "dilation": tuple(dilations(node, 2)),
        **padding,
    }
    plane = Plane(shape=shape, axis=0 if first else 2)
    return _accumulators(lowering, node, "conv", plane, rows, number, convolution, giver)


def _grouped(weights: NDArray[Any], window: Lanes, few: FewBitRows | None, groups: int, channels: int) -> ScaledRows:
    """The rows of a convolution, those of a group on the lanes of its own channels. Raises ValueError."""
    if groups == 1:
        return product(weights, window, few)
    outputs, size = len(weights) // groups, channels // groups
    levels = window.lane.shape[1]
    parts = []
    for group in range(groups):
        chosen = np.arange(len(window.lane)).reshape(-1, channels)[:, group * size : (group + 1) * size].reshape(-1)
        lanes = Lanes(
            lane=np.arange(len(chosen) * levels).reshape(-1, levels),
            middle=window.middle[chosen],
            half=window.half[chosen],
            number=window.number,
            idle=None if window.idle is None else window.idle[chosen],
        )
        rows = slice(group * outputs, (group + 1) * outputs)
        part = few and FewBitRows(numbers=few.numbers[rows], scale=few.scale[rows], number=few.number)
        parts.append(product(weights[rows], lanes, part))
    return ScaledRows.joined(parts)


def _accumulators(
    lowering: Lowering,
    node: OnnxNode,
    kind: str,
    plane: Plane,
    rows: ScaledRows,
    number: NumberType,
    convolution: dict[str, Any] | None,
    giver: str,
) -> Accumulators:
    bits = number.xnor and rows.weight_type.xnor
    # as far down as up, so that a row may be turned round
    largest = max(map(abs, dot_range(rows.weights, rows.weight_type, number)))
    zeros = convolution is not None and any(convolution["padding"]) and convolution["padding_value"] == "zero"
    return Accumulators(
        plane=plane,
        name=lowering.names.give(kind, lowering.wanted_of(node)),
        node=node,
        rows=rows,
        sums_dots=zeros or not bits,
        largest=largest,
        takes=number,
        convolution=convolution,
        source=giver,
    )

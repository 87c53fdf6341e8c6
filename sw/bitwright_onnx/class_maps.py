"""ArgMax along the channels as a layer: the class of each pixel, or one that further layers take.

`choices` brings the nodes to the form that is read here.
"""

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import ENCODED, ChannelArgMax, NumberType
from bitwright_onnx.ends import emit_scores
from bitwright_onnx.expression import SOURCE
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.joins import arranged
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.read_layers import with_sums
from bitwright_onnx.settle import depthwise, line_of, settled, worth_of
from bitwright_onnx.signals import Accumulators, Bits, Levels, Plane, Signal, UnevenError, channel_table, in_channels
from bitwright_onnx.view import View
from bitwright_onnx.windows import image_size


def arg_max(lowering: Lowering, node: OnnxNode, taken: list[tuple[Signal, View]]) -> Levels:
    """The class of each pixel, or of a frame, as a number."""
    ((signal, view),) = taken
    shape, axis = lowering.graph.shapes[node.inputs[0]], int(node.attributes["axis"])
    given: Bits | Levels | None = None
    plane = signal.plane
    if not isinstance(signal, Accumulators) or signal.name in lowering.hints or not _is_straight(signal, view):
        given, view = settled(lowering, signal, view, node.inputs[0])
        plane = given.plane
    images = arranged(plane, view)
    if axis != images.axis + 1:
        raise ValueError(f"it chooses along axis {axis} of {list(shape)}, which are not the channels")
    if given is None:
        assert isinstance(signal, Accumulators)
        giver, number = _scores(lowering, signal, view)
    elif _alike(given):
        giver, number = given.giver, given.number
    else:
        name = lowering.names.give("conv" if len(plane.shape) == 3 else "dense")
        giver, number = _scores(lowering, depthwise(given, name, node), None)
    size = plane.shape if len(plane.shape) == 1 else (*image_size(plane), plane.channels)
    name = lowering.names.give("classes", lowering.wanted_of(node))
    layer = ChannelArgMax(name=name, shape=size, takes=number)
    lowering.emit(layer, giver)
    if giver == ENCODED and len(size) == 3:
        lowering.image = size
    return Levels(
        plane=Plane(shape=lowering.graph.shapes[node.output][1:], axis=images.axis),
        number=layer.edge.number,
        middle=np.zeros(1),
        step=np.ones(1),
        giver=name,
        ends=(0, plane.channels - 1),
    )


def _is_straight(signal: Accumulators, view: View) -> bool:
    """Whether what the graph makes of sums is a straight line of them, in each channel."""
    try:
        line_of(signal, in_channels(view, signal.plane))
    except UnevenError:
        return False
    return True


def _alike(given: Bits | Levels) -> bool:
    """Whether a larger number is worth more, and as much in all channels."""
    middle, step = worth_of(given)
    return bool((step > 0).all()) and not np.ptp(middle) and not np.ptp(step)


def _scores(lowering: Lowering, signal: Accumulators, view: View | None) -> tuple[str, NumberType]:
    """The layer of sums as whole scores, which keep the order of what the graph makes of them; its number type."""
    expression = SOURCE if view is None else in_channels(view, signal.plane)
    layer, note, _ = emit_scores(signal, expression, lowering.score_bits)
    lowering.notes += [] if note is None else [note]
    layer = with_sums(layer)
    lowering.emit(layer, signal.source)
    assert layer.matrix is not None
    return layer.name, layer.matrix.edge.number


def classes_text(lowering: Lowering, signal: Signal, view: View) -> str | None:
    """What an output says that is the classes themselves, as a layer gives them; None for anything else."""
    if not isinstance(signal, Levels):
        return None
    layer, _ = lowering.made.get(signal.giver, (None, ()))
    if not isinstance(layer, ChannelArgMax):
        return None
    values = channel_table(in_channels(view, signal.plane), signal.plane, signal.values)
    if not _counts(values[:, 0]):
        return None
    pixels, classes = int(np.prod(layer.shape[:-1])), layer.shape[-1]
    return f"the class of each of {pixels} pixels, of {classes}" if pixels > 1 else f"the class, of {classes}"


def _counts(values: NDArray[np.generic]) -> bool:
    """Whether values are 0, 1, 2 and so on."""
    return np.array_equal(values, np.arange(len(values)))

"""Ends of a graph that are integers: several outputs, by a Concat, and what an export says of its own."""

from dataclasses import dataclass

import numpy as np

from bitwright_core.errors import BitwrightError
from bitwright_core.network import NumberType
from bitwright_onnx.class_maps import classes_text
from bitwright_onnx.ends import emit_numbers, emit_scores, is_one
from bitwright_onnx.expression import DECIDING, operations
from bitwright_onnx.joins import bring_together
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.meaning import CHOSEN
from bitwright_onnx.read_layers import with_sums
from bitwright_onnx.settle import settled, worth_of
from bitwright_onnx.signals import Accumulators, Bits, RawInput, in_channels


@dataclass(frozen=True, kw_only=True)
class GraphOutput:
    """One of several outputs: the layer that gives it, its size and number type, and what it says."""

    giver: str
    size: int
    number: NumberType
    text: str


def several_outputs(lowering: Lowering) -> None:
    """Adds the layers that give the outputs, and the Concat that brings them together. Refuses what is none."""
    found = []
    for output in lowering.graph.outputs:
        try:
            found.append(_output(lowering, output))
        except (BitwrightError, ValueError) as error:
            lowering.refusals.add(output, "output", str(error))
    lowering.refusals.raise_any()
    lowering.values = None
    bring_together(lowering, [each.giver for each in found], [(each.size, each.number) for each in found])
    lowering.sentence = f"{len(found)} outputs, one behind the other: " + "; ".join(each.text for each in found)


def _output(lowering: Lowering, output: str) -> GraphOutput:
    """The layer that gives an output. Raises ValueError."""
    signal, view = lowering.taken(output)
    if isinstance(signal, RawInput):
        raise ValueError("it is the input as it is")
    ops = set(lowering.graph.heads_of.get(output, ()))
    size = int(np.prod(signal.plane.shape))
    if isinstance(signal, Accumulators):
        expression = in_channels(view, signal.plane)
        if not operations(expression) & DECIDING and ("Sigmoid" not in ops or ops & CHOSEN):
            if ops & CHOSEN:
                layer, note, _ = emit_scores(signal, expression, lowering.score_bits)
                lowering.notes += [] if note is None else [note]
                text = f"{output}, {size} scores, the class is the first largest"
            else:
                layer, worth = emit_numbers(signal, expression)
                text = f"{output}, {size} numbers, {worth.step:.9g} times the integer, within {worth.error:.3g}"
            layer = with_sums(layer)
            lowering.emit(layer, signal.source)
            assert layer.matrix is not None
            return GraphOutput(giver=layer.name, size=size, number=layer.matrix.edge.number, text=text)
        if ops & CHOSEN:
            raise ValueError("a class is chosen among clipped values; among several outputs scores must be sums")
        if not operations(expression) & DECIDING:
            expression = is_one(signal, expression)
        given = lowering.decided(signal, expression, last=True)
    else:
        given, _ = settled(lowering, signal, view, output)
        if ops & CHOSEN and any(np.ptp(part) for part in worth_of(given)):
            raise ValueError("a class is chosen among numbers whose scales differ from class to class")
    if isinstance(given, Bits):
        if (given.one <= given.zero).any():
            raise ValueError("its bits are turned round; negate it in the graph")
        text = f"{output}, {size} bits as -1 and +1"
    else:
        text = classes_text(lowering, signal, view) or f"{size} whole numbers as layer {given.giver} has them"
        text = f"{output}, {text}"
    return GraphOutput(giver=given.giver, size=size, number=given.number, text=text)


def integers(lowering: Lowering, end: str) -> None:
    """The end of bitwright's own export of a network that gives integers: its last layer as it is."""
    signal, view = lowering.taken(end)
    try:
        given, _ = settled(lowering, signal, view, end)
        count = int(np.prod(given.plane.shape))
        lowering.sentence = f"{count} integers, as layer {given.giver} gives them"
    except (BitwrightError, ValueError) as error:
        lowering.refusals.add(end, "output", str(error))

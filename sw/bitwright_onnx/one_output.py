"""The one output of a graph: bits, votes, sums as scores or as numbers, or a class."""

from dataclasses import replace
from typing import Any

import numpy as np

from bitwright_core.errors import BitwrightError
from bitwright_core.numbers import TERNARY
from bitwright_onnx.class_maps import classes_text
from bitwright_onnx.decide import decide
from bitwright_onnx.ends import emit_choice, emit_numbers, emit_scores, emit_votes, is_one, votes_of
from bitwright_onnx.expression import DECIDING, SOURCE, Expr, operations
from bitwright_onnx.few_bits import FewBitRows
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.meaning import Ending, Meaning, Outputs
from bitwright_onnx.products import accumulators_of
from bitwright_onnx.settle import quantized
from bitwright_onnx.signals import Accumulators, Bits, Levels, RawInput, Signal, channel_table, in_channels
from bitwright_onnx.view import View


def one_output(lowering: Lowering, signal: Signal, view: View) -> None:
    if isinstance(signal, RawInput):
        lowering.refusals.add("", "", "the graph has no layer: neither MatMul, Gemm nor Conv")
        return
    try:
        if isinstance(signal, Levels):
            classes = classes_text(lowering, signal, view)
            if classes is not None:
                lowering.values, lowering.sentence = None, classes
                return
            expression = in_channels(view, signal.plane)
            if not operations(expression) & DECIDING:
                sums = _identity_sums(lowering, signal, view)
                _in_sums(lowering, sums, SOURCE)
                return
            signal = quantized(lowering, signal, expression, last=True)
            view = replace(view, expression=SOURCE)
        if isinstance(signal, Bits):
            _in_bits(lowering, signal, view)
        elif isinstance(signal, Accumulators):
            _in_sums(lowering, signal, in_channels(view, signal.plane))
    except (BitwrightError, ValueError) as error:
        node = signal.node if isinstance(signal, Accumulators) else None
        lowering.refusals.add("" if node is None else node.name, "" if node is None else node.op, str(error))


def _identity_sums(lowering: Lowering, signal: Levels, view: View) -> Accumulators:
    """Numbers that the graph ends in as the sums of a layer that takes each of them once."""
    count = int(np.prod(view.shape))
    few = FewBitRows(numbers=np.eye(count, dtype=np.int8), scale=np.ones(count), number=TERNARY)
    node = OnnxNode(name=signal.giver, op="output", inputs=(), outputs=())
    return accumulators_of(lowering, node, signal, view, few)


def _in_bits(lowering: Lowering, signal: Bits, view: View) -> None:
    values = channel_table(in_channels(view, signal.plane), signal.plane, signal.values)
    if (values[1] <= values[0]).any():
        raise ValueError("the bits that the graph ends in are turned round behind a pool")
    found = _outputs(lowering, "bits", int(np.prod(signal.plane.shape)))
    if _meant(lowering, found) == "class":
        raise ValueError("a class is chosen among bits behind a pool; bits of a layer, or its sums, are needed")


def _in_sums(lowering: Lowering, signal: Accumulators, expression: Expr) -> None:
    votes = votes_of(expression)
    count = int(np.prod(signal.plane.shape))
    if votes is not None:
        found = _outputs(lowering, "votes", count, different_votes=len(np.unique(votes)) > 1)
        if _meant(lowering, found) == "class":
            lowering.emit(emit_votes(signal, expression), signal.source)
        else:
            lowering.decided(signal, expression.args[0], last=True)  # type: ignore[arg-type]
    elif operations(expression) & DECIDING:
        if _meant(lowering, _outputs(lowering, "bits", count)) == "class":
            decision = decide(signal, expression)
            lowering.note_rounding(signal, decision.rounding)
            lowering.emit(emit_choice(signal, decision), signal.source)
        else:
            lowering.decided(signal, expression, last=True)
    else:
        pixels = count // signal.plane.channels
        meaning = _meant(lowering, _outputs(lowering, "sums", count, pixels=pixels))
        if meaning == "labels":
            lowering.decided(signal, is_one(signal, expression), last=True)
        elif meaning == "class" or lowering.values is not None:
            layer, note, classes = emit_scores(signal, expression, lowering.score_bits)
            lowering.float_classes = None if pixels > 1 else classes
            lowering.emit(layer, signal.source)
            lowering.notes += [] if note is None else [note]
        else:
            layer, lowering.values = emit_numbers(signal, expression)
            lowering.emit(layer, signal.source)
            lowering.sentence += (
                f", {lowering.values.step:.9g}, within {lowering.values.error:.3g} of the graph's own float32"
            )


def _outputs(lowering: Lowering, ending: Ending, count: int, **more: Any) -> Outputs:
    return Outputs(ending=ending, heads=lowering.graph.heads, count=count, **more)


def _meant(lowering: Lowering, found: Outputs) -> Meaning:
    """The meaning of the outputs, which is then said. Raises ValueError."""
    meaning = found.chosen(lowering.meaning, known=lowering.meaning_known)
    if meaning != "scores":
        lowering.values = None
    lowering.sentence = found.sentence(meaning)
    return meaning

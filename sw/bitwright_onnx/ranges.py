"""What the graph's input is, of raw unsigned values: as they are, scaled to a range, or normalised.

The steps that a training pipeline takes outside the graph (ToTensor, Normalize) become its first nodes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bitwright_onnx.encoder import input_table
from bitwright_onnx.expression import DECIDING, Expr, operations
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.refusals import OnnxError
from bitwright_onnx.view import View


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Raw values 0 .. 2^bits - 1 onto low .. high, then less `mean` and divided by `std` (one, or a channel's each)."""

    low: float
    high: float
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def scale_input(graph: Graph, scaling: Scaling, bits: int, axis: int) -> Graph:
    """Rewrite: the input becomes raw values, and the scaling the first nodes.

    Computed as torchvision does: in float32, value / 255 first. `axis` is that of the channels, frames not
    counted. Raises OnnxError for a scaling that does not fit.
    """
    top = float((1 << bits) - 1)
    if not scaling.low < scaling.high:
        raise OnnxError(f"an input range of {scaling.low:g}..{scaling.high:g} is empty")
    steps: list[tuple[str, Any]] = []
    if (scaling.low, scaling.high) != (0.0, top):
        steps.append(("Div", top))
        if (scaling.low, scaling.high) != (0.0, 1.0):
            steps += [("Mul", scaling.high - scaling.low), ("Add", scaling.low)]
    shape = graph.shapes[graph.input][1:]
    for op, values, what in (("Sub", scaling.mean, "mean"), ("Div", scaling.std, "std")):
        if values:
            if len(values) not in (1, shape[axis]):
                raise OnnxError(f"{len(values)} values of {what} for {shape[axis]} channels")
            if what == "std" and min(values) <= 0:
                raise OnnxError("a standard deviation must be positive")
            ones = [1] * len(shape)
            ones[axis] = len(values)
            steps.append((op, np.array(values, np.float32).reshape(ones)))
    if not steps:
        return graph
    if graph.input_dtype.kind != "f":
        raise OnnxError(
            f"the graph takes {graph.input_dtype} values, which are raw already: give no range, mean or std"
        )
    constants, shapes, nodes = dict(graph.constants), dict(graph.shapes), []
    before = f"{graph.input}:raw"
    shapes[before] = shapes[graph.input]
    value = before
    for number, (op, operand) in enumerate(steps):
        key, output = f"{graph.input}:scaling{number}", f"{graph.input}:scaled{number}"
        output = graph.input if number == len(steps) - 1 else output
        constants[key] = np.asarray(operand, np.float32).astype(graph.input_dtype)
        shapes[output] = shapes[before]
        nodes.append(OnnxNode(name="input", op=op, inputs=(value, key), outputs=(output,)))
        value = output
    return graph.with_(nodes=(*nodes, *graph.nodes), constants=constants, shapes=shapes, input=before)


def found_range(graph: Graph, view: View, scaled: View, bits: int) -> tuple[float, float] | None:
    """The range that the graph itself tells of, None if it does not.

    `view` is what the first layer takes of raw values, `scaled` of values 0..1. Where a quantizer makes something
    of one and nothing of the other, or much more, that is the range; a division by 255 means raw values.
    """
    raw, unit = (0.0, float((1 << bits) - 1)), (0.0, 1.0)
    if graph.input_dtype.kind != "f":
        return raw
    if _divides(view.expression, (1 << bits) - 1):
        return raw
    if not operations(view.expression) & DECIDING:
        return None
    of_raw, of_unit = (_levels(graph, candidate, bits) for candidate in (view, scaled))
    if of_raw[1] <= 1 < of_unit[0] or of_unit[0] >= 2 * max(1, of_raw[1]):
        return unit
    if of_unit[0] <= 1 < of_raw[1] or of_raw[1] >= 2 * max(1, of_unit[0]):
        return raw
    return None


def _levels(graph: Graph, view: View, bits: int) -> tuple[int, int]:
    """The most different values that an input takes, of all, and of all but the raw value 0."""
    columns, _ = input_table(view, graph.input_dtype, bits)
    return (
        max(len(np.unique(column)) for column in columns.T),
        max(len(np.unique(column[1:])) for column in columns.T),
    )


def _divides(expression: Expr, top: int) -> bool:
    waiting: list[Any] = [expression]
    while waiting:
        node = waiting.pop()
        for arg in node.args:
            if isinstance(arg, Expr):
                waiting.append(arg)
            elif arg is not None and arg.size == 1 and arg.dtype.kind == "f":
                value = float(arg.reshape(-1)[0])
                if (node.op == "Div" and value == top) or (
                    node.op == "Mul" and np.float32(value) == np.float32(1 / top)
                ):
                    return True
    return False

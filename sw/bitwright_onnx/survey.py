"""What stands in the way, looked for in the whole graph before any of it is converted."""

import numpy as np

from bitwright_core.ops.matrix import MAX_WEIGHT_BITS
from bitwright_core.outputs.thresholds import MAX_ACTIVATION_BITS
from bitwright_onnx.expression import OPERATIONS
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.layout import LAYOUT
from bitwright_onnx.linear import LINEAR, refused_weights, weight_rows
from bitwright_onnx.quantizers import QUANTIZERS
from bitwright_onnx.refusals import Refusal, Refusals
from bitwright_onnx.shapes import HEADS, POOLS

_ELEMENTWISE = frozenset(OPERATIONS) | QUANTIZERS | {"BatchNormalizationChannelsLast"}
_BRANCHES = frozenset(("Mul", "Div", "Where", "Max", "Min"))
_JOINS = frozenset(("Concat", "Repeat"))


def survey(graph: Graph) -> list[Refusal]:
    """Every node that cannot become part of a Network, each with its reason; none if all are understood."""
    refusals = Refusals()
    roots = {graph.input: graph.input}
    refused: set[str] = set()  # values that follow from something refused already
    weights: set[str] = set()  # of those the ones that come from constants alone
    hidden = _before_linear(graph)
    for node in graph.nodes:
        variable = graph.variable_inputs(node)
        found = {roots[name] for name in variable if name in roots}
        reason = _reason(graph, node, found, hidden)
        if variable and all(name in weights for name in variable):
            weights.update(node.outputs)
        if any(name in refused for name in variable) and node.op in LINEAR | {"Gemm"}:
            reason = None if node.inputs[0] not in refused else reason
        if node.op in LINEAR | {"Gemm"} and len(node.inputs) > 1 and node.inputs[1] in weights:
            reason = None  # what makes its weights is refused already
        if reason is not None:
            refusals.add(node.name, node.op, reason)
            refused.update(node.outputs)
            if not variable:
                weights.update(node.outputs)
        passes = node.op in _ELEMENTWISE or node.op in LAYOUT or node.op in HEADS
        root = next(iter(found)) if passes and len(found) == 1 else node.output
        roots.update((name, root) for name in node.outputs)
    return refusals.found


def _before_linear(graph: Graph) -> set[str]:
    """Values from which a later product is computed."""
    reached: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op in LINEAR or node.op == "Gemm" or reached & set(node.outputs):
            reached.update(graph.variable_inputs(node))
    return reached


def _reason(graph: Graph, node: OnnxNode, roots: set[str], hidden: set[str]) -> str | None:
    op = node.op
    if op in _BRANCHES and len(roots) > 1:
        return "it joins two branches; only their sum (Add, Sub, Sum) and their concatenation are supported"
    if op in LINEAR:
        return _weights(graph, node)
    if op in ("Quant", "MultiThreshold"):
        return _width(graph, node, roots, hidden)
    if op in _ELEMENTWISE or op in LAYOUT or op in HEADS or op in POOLS | _JOINS or op in ("Gemm", "Pad"):
        return None
    return "this operator is not supported"


def _weights(graph: Graph, node: OnnxNode) -> str | None:
    if len(node.inputs) < 2 or node.inputs[0] in graph.constants:
        return "the frame must be its first input and constant weights its second"
    weights = graph.constants.get(node.inputs[1])
    if weights is None:
        return "its weights are not constant"
    if weights.ndim != (2 if node.op == "MatMul" else 4):
        return f"its weights have shape {list(weights.shape)}"
    return refused_weights(weight_rows(node, weights))


def _width(graph: Graph, node: OnnxNode, roots: set[str], hidden: set[str]) -> str | None:
    """Why a quantizer of several bits is refused: on weights, or on activations that a layer follows."""
    parameters = [graph.constants.get(name) for name in node.inputs[1:]]
    if any(parameter is None for parameter in parameters):
        return "its parameters are not constant"
    if node.op == "Quant":
        if len(parameters) != 3:
            return f"it has {len(node.inputs)} inputs, not 4"
        bits = float(np.asarray(parameters[2]).reshape(-1)[0]) if np.asarray(parameters[2]).size else 0.0
    else:
        levels = parameters[0].shape[-1] if parameters and parameters[0] is not None and parameters[0].ndim else 0
        bits = float(int(levels).bit_length())
    if not roots and bits > MAX_WEIGHT_BITS:
        return f"it quantizes weights to {bits:g} bits; at most {MAX_WEIGHT_BITS} are supported"
    if roots and roots != {graph.input} and node.output in hidden and bits > MAX_ACTIVATION_BITS:
        return f"it quantizes activations to {bits:g} bits; at most {MAX_ACTIVATION_BITS} are supported"
    return None

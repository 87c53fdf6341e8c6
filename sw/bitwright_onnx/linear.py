"""Rewrite: Gemm and biased Conv split into the product and elementwise steps, as runtimes compute them.

Also what binary weights are: rows of one magnitude.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.few_bits import few_bits
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.refusals import Refusals

LINEAR = frozenset(("MatMul", "Conv", "ConvChannelsLast"))


def split_linear(graph: Graph) -> Graph:
    """Gemm becomes MatMul, Mul and Add; the bias of a Conv becomes an Add. Raises OnnxError."""
    refusals = Refusals()
    constants = dict(graph.constants)
    shapes = dict(graph.shapes)
    nodes: list[OnnxNode] = []
    for node in graph.nodes:
        parts = [node]
        if node.op == "Gemm":
            parts = _gemm(node, constants, refusals)
        elif node.op.startswith("Conv") and len(node.inputs) > 2 and node.inputs[2]:
            parts = _biased(node, constants, refusals)
        for part in parts[:-1]:
            if node.output in shapes:
                shapes[part.output] = shapes[node.output]
        nodes.extend(parts)
    refusals.raise_any()
    return graph.with_(nodes=tuple(nodes), constants=constants, shapes=shapes)


def _gemm(node: OnnxNode, constants: dict[str, NDArray[Any]], refusals: Refusals) -> list[OnnxNode]:
    if int(node.attributes.get("transA", 0)):
        refusals.add(node.name, node.op, "transA = 1 is not supported")
        return [node]
    weights = node.inputs[1]
    if weights not in constants:
        return [node]
    if int(node.attributes.get("transB", 0)):
        weights = f"{node.output}:weights"
        constants[weights] = constants[node.inputs[1]].T
    # as runtimes have it: alpha times the product, beta times the bias, then their sum
    steps: list[tuple[str, NDArray[Any]]] = []
    alpha, beta = (np.float32(node.attributes.get(key, 1.0)) for key in ("alpha", "beta"))
    if alpha != 1:
        steps.append(("Mul", np.asarray(alpha)))
    if len(node.inputs) > 2 and node.inputs[2]:
        if node.inputs[2] not in constants:
            refusals.add(node.name, node.op, "its bias is not constant")
            return [node]
        bias = constants[node.inputs[2]]
        steps.append(("Add", bias if beta == 1 else bias * beta))
    return _chain(
        node, OnnxNode(name=node.name, op="MatMul", inputs=(node.inputs[0], weights), outputs=()), steps, constants
    )


def _biased(node: OnnxNode, constants: dict[str, NDArray[Any]], refusals: Refusals) -> list[OnnxNode]:
    if node.inputs[2] not in constants:
        refusals.add(node.name, node.op, "its bias is not constant")
        return [node]
    bias = constants[node.inputs[2]].reshape((-1,) if node.op.endswith("Last") else (-1, 1, 1))
    first = OnnxNode(name=node.name, op=node.op, inputs=node.inputs[:2], outputs=(), attributes=node.attributes)
    return _chain(node, first, [("Add", bias)], constants)


def _chain(
    node: OnnxNode, first: OnnxNode, steps: list[tuple[str, NDArray[Any]]], constants: dict[str, NDArray[Any]]
) -> list[OnnxNode]:
    """`first` and the steps after it, ending in the output of `node`."""
    names = [f"{node.output}:{index}" for index in range(len(steps))] + [node.output]
    made = [
        OnnxNode(name=first.name, op=first.op, inputs=first.inputs, outputs=(names[0],), attributes=first.attributes)
    ]
    for index, (op, value) in enumerate(steps):
        key = f"{node.output}:{op.lower()}"
        constants[key] = value
        made.append(OnnxNode(name=node.name, op=op, inputs=(names[index], key), outputs=(names[index + 1],)))
    return made


def weight_rows(node: OnnxNode, weights: NDArray[Any]) -> NDArray[Any]:
    """Weights as (outputs, inputs): of a convolution, inputs run (ky, kx, channel), channel fastest."""
    if node.op == "MatMul":
        return weights.T
    if node.op == "Conv":
        weights = weights.transpose(0, 2, 3, 1)
    return weights.reshape(len(weights), -1)


def refused_weights(rows: NDArray[Any]) -> str | None:
    """Why rows of weights are neither +-1 nor whole numbers of few bits times one scale a row; None if they are."""
    reason = not_binary(rows)
    return None if reason is None or few_bits(rows) is not None else reason


def not_binary(rows: NDArray[Any]) -> str | None:
    """Why rows of weights are not +-1 times one scale a row; None if they are.

    Whole rows may be 0, as a batch norm of gamma 0 that was folded leaves them, and whole columns.
    """
    if rows.ndim != 2 or rows.dtype.kind != "f":
        return f"its weights are a {rows.ndim}-axis tensor of {rows.dtype}"
    if not np.isfinite(rows).all():
        return "its weights hold NaN or infinities"
    size = np.abs(rows)
    if not size.any():
        return "all its weights are 0"
    size = size[:, size.any(axis=0)]
    same = (size == size[:, :1]).all(axis=1)
    if same.all():
        return None
    row = int(np.argmin(same))
    values = np.unique(rows[row])
    if 0 in values and len(np.unique(np.abs(rows[row]))) == 2:
        return (
            f"ternary weights: output {row} has weights of 0 and +-{np.abs(rows[row]).max():.6g}; only whole rows or "
            "columns may be 0; binarise them with BipolarQuant, or Sign without 0"
        )
    shown = ", ".join(f"{value:.6g}" for value in values[:3]) + (", ..." if len(values) > 3 else "")
    kind = "float weights" if len(values) > 4 else "weights that are not +-1 times one scale"
    return (
        f"{kind}: output {row} has {len(values)} values ({shown}); binarise them with BipolarQuant, or Sign without 0"
    )

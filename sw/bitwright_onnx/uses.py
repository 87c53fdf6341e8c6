"""What a product makes of the values before it: which of them it uses, and whether bits can stand for them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.decide import Decision
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.lanes import SAME_STEP
from bitwright_onnx.signals import Plane
from bitwright_onnx.view import View
from bitwright_onnx.windows import pads_of


def used_values(graph: Graph, node: OnnxNode, view: View) -> NDArray[np.bool_]:
    """(elements,): whether some weight that is not 0 meets an element, or, in a convolution, its channel."""
    weights = graph.constants[node.inputs[1]]
    if node.op == "MatMul":
        return np.broadcast_to(weights.astype(bool).any(axis=1), view.shape).reshape(-1)
    channels = 1 if node.op == "Conv" else 3
    groups = int(node.attributes.get("group", 1))
    parts = np.split(weights.astype(bool), groups)  # the outputs of a group see its channels alone
    found = np.concatenate([part.any(axis=tuple(axis for axis in range(4) if axis != channels)) for part in parts])
    return np.broadcast_to(found.reshape(-1, 1, 1) if node.op == "Conv" else found, view.shape).reshape(-1)


def fits_bits(graph: Graph, node: OnnxNode, view: View, plane: Plane, decision: Decision) -> bool:
    """Whether a product can take bits: all of one step, and not padded with a 0 that only numbers have."""
    channel = np.indices(plane.shape)[plane.axis].reshape(-1)[view.indices.reshape(-1)]
    used = used_values(graph, node, view)
    zero, one = decision.zero[channel][used], decision.one[channel][used]
    size = np.abs(one - zero)
    if size.max() - size.min() > SAME_STEP * size.max():
        return False
    if node.op == "MatMul":
        return True
    images = Plane(shape=view.shape, axis=0 if node.op == "Conv" else 2)
    padding, value = pads_of(node, outside_kernel(node, graph.constants[node.inputs[1]]), images)
    around = value[np.indices(view.shape)[images.axis].reshape(-1)][used]
    padded = any(padding) and not around.any()
    return not padded or any((around == what).all() for what in (zero, one, (zero + one) / 2))


def outside_kernel(node: OnnxNode, weights: NDArray[Any]) -> tuple[int, int]:
    """Rows and columns of a convolution's kernel."""
    kernel = weights.shape[2:] if node.op == "Conv" else weights.shape[1:3]
    return int(kernel[0]), int(kernel[1])

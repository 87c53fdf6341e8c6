"""Operators that only move or repeat values: Reshape, Transpose, Flatten, Squeeze, Unsqueeze, Expand.

`relayout` runs one on an array. Run on an array of indices it tells where each value comes from, so that
no case analysis of axes is needed anywhere.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.canonical import integers
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.reader import MAX_ELEMENTS, MAX_RANK

LAYOUT = frozenset(("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand"))


def relayout(node: OnnxNode, array: NDArray[Any], parameter: NDArray[Any] | None, batch: int = 1) -> NDArray[Any]:
    """What `node` makes of `array`; `parameter` is its constant second input, where it has one.

    `batch` is the number of frames that the file declares, by which a Reshape may call axis 0. Raises
    ValueError for sizes that do not fit.
    """
    given = None if parameter is None else integers(parameter, "shape or axes")
    shape = array.shape
    match node.op:
        case "Transpose":
            order = integers(node.attributes.get("perm", range(array.ndim)[::-1]), "perm")
            return array.transpose(order)
        case "Flatten":
            axis = int(node.attributes.get("axis", 1))
            axis += array.ndim if axis < 0 else 0
            if not 0 <= axis <= array.ndim:
                raise ValueError(f"axis {axis} is none of {array.ndim}")
            return array.reshape(math.prod(shape[:axis]), -1)
        case "Squeeze":
            axes = tuple(i for i in range(array.ndim) if i and shape[i] == 1) if given is None else given
            return np.squeeze(array, axis=axes)
    if given is None:
        raise ValueError("its sizes are not constant")
    match node.op:
        case "Reshape":
            if int(node.attributes.get("allowzero", 0)) and 0 in given:
                raise ValueError("it makes values without elements")
            sizes = [shape[i] if size == 0 and i < array.ndim else size for i, size in enumerate(given)]
            if batch > 1 and sizes and sizes[0] == batch:
                sizes[0] = 1
            if len(sizes) > MAX_RANK or any(size < -1 for size in sizes):
                raise ValueError(f"shape {sizes} is no shape")
            return array.reshape(sizes)
        case "Unsqueeze":
            return np.expand_dims(array, given)
        case "Expand":
            result = np.broadcast_shapes(shape, tuple(given))
            if math.prod(result) > MAX_ELEMENTS or len(result) > MAX_RANK:
                raise ValueError(f"shape {list(result)} is larger than any binary network's")
            return np.broadcast_to(array, result)
    raise ValueError("it is no layout operator")

"""The shape of what a node gives, for every operator that the importer knows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.canonical import integers
from bitwright_onnx.expression import OPERATIONS
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.layout import LAYOUT, relayout
from bitwright_onnx.quantizers import QUANTIZERS
from bitwright_onnx.reader import MAX_ELEMENTS, MAX_RANK
from bitwright_onnx.resize import RESIZING, resized

Shape = tuple[int, ...]
HEADS = frozenset(("ArgMax", "ArgMin", "TopK", "Softmax", "LogSoftmax", "Sigmoid"))
POOLS = frozenset(("MaxPool", "MaxPoolChannelsLast", "AveragePool", "AveragePoolChannelsLast"))
WINDOWS = POOLS | {"Conv", "ConvChannelsLast"}


def infer(
    node: OnnxNode, shapes: Mapping[str, Shape], constants: Mapping[str, NDArray[Any]], batch: int
) -> dict[str, Shape]:
    """Shapes of the outputs of `node`; none for an operator that is not known. Raises ValueError."""
    given = [shapes[name] if name in shapes else constants[name].shape for name in node.inputs if name]
    result = _infer(node, given, constants, batch)
    if result is None:
        return {}
    if len(result) > MAX_RANK or np.prod(result, dtype=float) > MAX_ELEMENTS:
        raise ValueError(f"its result of shape {list(result)} is larger than any binary network's")
    if not result or result[0] != 1 or min(result) < 1:
        raise ValueError(f"its result of shape {list(result)} mixes frames, which run along axis 0")
    return {name: result for name in node.outputs if name}


def _infer(node: OnnxNode, given: list[Shape], constants: Mapping[str, NDArray[Any]], batch: int) -> Shape | None:
    op = node.op
    if not given:
        return None
    first = given[0]
    if op in ("ArgMax", "ArgMin", "TopK"):
        return _chosen(node, first, constants)
    if op in QUANTIZERS or op in HEADS or op.startswith("BatchNormalization"):
        return first
    if op in OPERATIONS:
        return np.broadcast_shapes(*given)
    if op in LAYOUT:
        parameter = constants.get(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
        return relayout(node, np.broadcast_to(np.int8(0), first), parameter, batch).shape
    if op == "MatMul" and len(given) == 2:
        return _matmul(first, given[1])
    if op == "Gemm" and len(given) >= 2:
        weights = given[1][::-1] if node.attributes.get("transB") else given[1]
        return _matmul(first, weights)
    if op == "Pad":
        pads = pad_amounts(node, len(first), constants)
        return tuple(size + before + after for size, (before, after) in zip(first, pads, strict=True))
    if op in WINDOWS:
        return _window(node, given)
    if op == "Concat":
        return _joined(node, given)
    if op in RESIZING:
        return resized(node, first, constants)
    if op == "ReduceMean" and len(first) in (3, 4):
        return _reduced(node, first, constants)
    if op in ("GlobalMaxPool", "GlobalAveragePool") and len(first) in (3, 4):
        return (*first[:2], *[1] * (len(first) - 2))
    return None


def _joined(node: OnnxNode, given: list[Shape]) -> Shape:
    """The shape of values side by side."""
    rank = len(given[0])
    axis = int(node.attributes["axis"])
    axis += rank if axis < 0 else 0
    others = [shape[:axis] + shape[axis + 1 :] for shape in given]
    if not 0 < axis < rank or any(
        other != others[0] or len(shape) != rank for other, shape in zip(others, given, strict=True)
    ):
        raise ValueError(f"it joins values of {', '.join(str(list(shape)) for shape in given)} along axis {axis}")
    return (*given[0][:axis], sum(shape[axis] for shape in given), *given[0][axis + 1 :])


def _reduced(node: OnnxNode, shape: Shape, constants: Mapping[str, NDArray[Any]]) -> Shape:
    """The shape of averages along axes."""
    axes = reduced_axes(node, len(shape), constants)
    keep = int(node.attributes.get("keepdims", 1))
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)


def reduced_axes(node: OnnxNode, rank: int, constants: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
    """The axes that a ReduceMean averages over. Raises ValueError where they are not constant."""
    named = len(node.inputs) > 1 and node.inputs[1]
    given = constants.get(node.inputs[1]) if named else node.attributes.get("axes")
    if given is None:
        raise ValueError("its axes are not given as constants")
    return tuple(sorted({axis % rank for axis in integers(given, "axes")}))


def _chosen(node: OnnxNode, shape: Shape, constants: Mapping[str, NDArray[Any]]) -> Shape:
    """The shape of the places of the largest values, or the smallest."""
    axis = int(node.attributes.get("axis", -1 if node.op == "TopK" else 0))
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis < len(shape):
        raise ValueError(f"axis {axis} is none of {len(shape)}")
    if node.op != "TopK" and not int(node.attributes.get("keepdims", 1)):
        return shape[:axis] + shape[axis + 1 :]
    count = 1
    if node.op == "TopK":
        given = constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if given is None or given.size != 1:
            raise ValueError("how many it takes is not constant")
        count = int(given.reshape(-1)[0])
    return (*shape[:axis], count, *shape[axis + 1 :])


def _matmul(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(b) != 2 or a[-1] != b[0]:
        raise ValueError(f"it multiplies {list(a)} by {list(b)}; rows of a frame by a matrix are needed")
    return (*a[:-1], b[1])


def dilations(node: OnnxNode, rank: int) -> Shape:
    """How far the taps of a window lie apart. Raises ValueError for what does not fit."""
    found = integers(node.attributes.get("dilations", [1] * rank), "dilations")
    if len(found) != rank or min(found) < 1:
        raise ValueError(f"dilations {list(found)} do not fit a window of {rank} axes")
    return found


def reach(kernel: Shape, apart: Shape) -> Shape:
    """Rows and columns from the first tap of a window to the last."""
    return tuple((taps - 1) * step + 1 for taps, step in zip(kernel, apart, strict=True))


def window_sizes(node: OnnxNode, kernel: Shape, image: Shape) -> tuple[Shape, Shape]:
    """Strides and pads (top, left, bottom, right) of a convolution or pool over `image` (height, width).

    Raises ValueError for what does not fit, and for dilations of a pool.
    """
    rank = len(kernel)
    apart = dilations(node, rank)
    if node.op in POOLS and any(d != 1 for d in apart):
        raise ValueError(f"dilations {list(apart)} of a pool are not supported, only 1")
    kernel = reach(kernel, apart)
    strides = integers(node.attributes.get("strides", [1] * rank), "strides")
    pads = integers(node.attributes.get("pads", [0] * 2 * rank), "pads")
    automatic = str(node.attributes.get("auto_pad", "NOTSET"))
    if automatic not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad {automatic} is not known")
    if len(strides) != rank or len(pads) != 2 * rank or min(strides) < 1 or min(pads) < 0:
        raise ValueError(f"strides {list(strides)} and pads {list(pads)} do not fit a window of {list(kernel)}")
    if automatic.startswith("SAME"):
        wide = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(image, strides, kernel, strict=True)]
        small, large = [n // 2 for n in wide], [n - n // 2 for n in wide]
        return strides, (*small, *large) if automatic == "SAME_UPPER" else (*large, *small)
    return strides, (0,) * 2 * rank if automatic == "VALID" else pads


def _window(node: OnnxNode, given: list[Shape]) -> Shape:
    last = node.op.endswith("ChannelsLast")
    shape = given[0]
    rank = len(shape)
    if rank not in (3, 4):
        raise ValueError(
            f"it takes values of shape {list(shape)}; only images (frames, channels, height, width) and signals "
            "(frames, channels, length) work"
        )
    spatial, channels = (shape[1:-1], shape[-1]) if last else (shape[2:], shape[1])
    if node.op.startswith("Conv"):
        if len(given) < 2 or len(given[1]) != rank:
            raise ValueError(f"its weights have no {rank} axes, which values of shape {list(shape)} need")
        weights = given[1]
        kernel: Shape
        outputs, inside, kernel = (
            (weights[0], weights[-1], weights[1:-1]) if last else (weights[0], weights[1], weights[2:])
        )
        group = int(node.attributes.get("group", 1))
        if group < 1 or channels % group or outputs % group:
            raise ValueError(f"group {group} divides not both its {channels} channels and its {outputs} outputs")
        if inside * group != channels:
            raise ValueError(f"its weights take {inside * group} channels of {channels}")
    else:
        outputs = channels
        kernel = integers(node.attributes.get("kernel_shape", ()), "kernel_shape")
        if len(kernel) != rank - 2 or min(kernel) < 1:
            raise ValueError(f"kernel_shape {list(kernel)} is no window of values of shape {list(shape)}")
        if int(node.attributes.get("ceil_mode", 0)):
            raise ValueError("ceil_mode = 1 is not supported")
    strides, pads = window_sizes(node, tuple(kernel), spatial)
    kernel = reach(tuple(kernel), dilations(node, rank - 2))
    sizes = tuple(
        (size + pads[i] + pads[i + len(spatial)] - kernel[i]) // strides[i] + 1 for i, size in enumerate(spatial)
    )
    if min(sizes) < 1:
        raise ValueError(f"its window of {list(kernel)} does not fit {list(spatial)}")
    return (1, *sizes, outputs) if last else (1, outputs, *sizes)


def pad_amounts(node: OnnxNode, rank: int, constants: Mapping[str, NDArray[Any]]) -> list[tuple[int, int]]:
    """Before and after each axis, of a Pad node with constant amounts. Raises ValueError."""
    if str(node.attributes.get("mode", "constant")) != "constant":
        raise ValueError(f"mode {node.attributes['mode']} is not supported, only constant")
    source = constants.get(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get("pads")
    if source is None or (len(node.inputs) > 3 and node.inputs[3]):
        raise ValueError("its amounts are not constant, or for some axes only")
    pads = integers(source, "pads")
    if len(pads) != 2 * rank or min(pads) < 0 or max(pads) > 1024:
        raise ValueError(f"pads {list(pads)} do not fit {rank} axes")
    return list(zip(pads[:rank], pads[rank:], strict=True))

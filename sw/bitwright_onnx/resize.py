"""Resize and Upsample to the nearest pixel, by whole numbers: each pixel repeated."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.canonical import integers
from bitwright_onnx.form import OnnxNode

RESIZING = frozenset(("Resize", "Upsample"))
_HALF = frozenset(("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"))


def resized(node: OnnxNode, shape: tuple[int, ...], constants: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
    """The shape of what a Resize or Upsample gives. Raises ValueError for what does not repeat whole pixels."""
    factors = _factors(node, shape, constants)
    if len(shape) not in (3, 4) or any(factor != 1 for factor in factors[:2]):
        raise ValueError("it changes the size of other axes than those of an image or signal, channels first")
    _check_mode(node, max(factors))
    return tuple(size * factor for size, factor in zip(shape, factors, strict=True))


def _factors(node: OnnxNode, shape: tuple[int, ...], constants: Mapping[str, NDArray[Any]]) -> tuple[int, ...]:
    if len(node.inputs) < 2:
        raise ValueError("it has neither scales nor sizes")
    given = [constants.get(name) if name else None for name in node.inputs[1:]]
    scales = given[0] if node.op == "Upsample" or len(given) == 1 else given[1]
    if scales is not None and scales.size:
        found = [float(scale) for scale in scales.reshape(-1)]
    elif len(given) > 2 and given[2] is not None:
        sizes = integers(given[2], "sizes")
        sizes = (shape[0], *sizes[1:])  # frames stay as many as they are
        found = [size / before for size, before in zip(sizes, shape, strict=True)]
    else:
        raise ValueError("its scales are not constant")
    if len(found) != len(shape) or any(not np.isfinite(scale) or scale < 1 or scale != int(scale) for scale in found):
        raise ValueError(f"it resizes by {found}; only whole numbers, for each axis one, are supported")
    return tuple(int(scale) for scale in found)


def _check_mode(node: OnnxNode, factor: int) -> None:
    """Raises ValueError unless the nearest pixel of each is the one that it repeats."""
    mode = str(node.attributes.get("mode", "nearest"))
    if mode != "nearest":
        raise ValueError(f"mode {mode} is not supported, only nearest")
    if node.op == "Upsample" or len(node.inputs) == 2:
        return
    place = str(node.attributes.get("coordinate_transformation_mode", "half_pixel"))
    nearest = str(node.attributes.get("nearest_mode", "round_prefer_floor"))
    whole = place == "asymmetric" and (nearest == "floor" or (nearest == "round_prefer_floor" and factor <= 2))
    if not whole and not (place in _HALF and nearest.startswith("round_prefer")):
        raise ValueError(f"the {nearest} pixel of {place} coordinates is not the one that it repeats")

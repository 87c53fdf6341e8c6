"""From what a hand drew to a frame of a network: cut out, scaled and centred, as the digits of the data sets were."""

import math

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.network import Network

SIDE = 64  # of a drawing, in pixels of 0 .. 255, white on black


def image_shape(network: Network) -> tuple[int, int] | None:
    """Height and width of the grey images that the network takes, flat ones too; None if it takes something else."""
    shape = network.input.shape
    if len(shape) == 3 and shape[2] == 1:
        return shape[0], shape[1]
    if len(shape) == 2:
        return shape
    side = math.isqrt(network.input.size)
    return (side, side) if len(shape) == 1 and side * side == network.input.size and side >= 4 else None


def to_frame(drawing: NDArray[np.uint8], network: Network, largest: int) -> NDArray[np.int64]:
    """The frame (1, values) of a drawing (SIDE, SIDE); its white becomes `largest`.

    MNIST's digits lie in 20 x 20 of 28 x 28 pixels, their centre of mass in the middle (LeCun and others, 1998); in
    images of up to 16 x 16 they fill the height, as those of NIST's forms do in scikit-learn's (Alpaydin and Kaynak,
    1998). Raises DataError for a network that takes no grey images.
    """
    shape = image_shape(network)
    if shape is None:
        raise DataError(f"network {network.name} takes no grey images, so nothing can be drawn for it; pick a frame")
    image = np.zeros(shape)
    rows, columns = np.flatnonzero(drawing.max(axis=1) > 40), np.flatnonzero(drawing.max(axis=0) > 40)
    if len(rows):
        cut = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float) / 255
        fill = 1.0 if max(shape) <= 16 else 20 / 28
        scale = min(shape[0] * fill / cut.shape[0], shape[1] * fill / cut.shape[1])
        size = [max(1, round(scale * n)) for n in cut.shape]
        small = _resized(cut, size[0], size[1])
        y, x = (shape[0] - size[0]) / 2, (shape[1] - size[1]) / 2
        if fill < 1:
            down, across = (float((small.sum(axis=1 - k) * np.arange(size[k])).sum() / small.sum()) for k in (0, 1))
            y, x = shape[0] / 2 - down - 0.5, shape[1] / 2 - across - 0.5
        top, left = (int(np.clip(round(at), 0, shape[k] - size[k])) for k, at in enumerate((y, x)))
        image[top : top + size[0], left : left + size[1]] = small
    values = np.rint(image * largest).astype(np.int64)
    return values.reshape(1, -1)


def _resized(image: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The means over equal parts of the image: each old pixel counts by the share of it that lies in a new one."""
    return _shares(image.shape[0], height) @ image @ _shares(image.shape[1], width).T


def _shares(old: int, new: int) -> NDArray[np.float64]:
    """(new, old): what of each old pixel makes a new one; rows add up to 1."""
    edges = np.arange(new + 1) * old / new
    at = np.arange(old)
    overlap = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return overlap.clip(0) * new / old

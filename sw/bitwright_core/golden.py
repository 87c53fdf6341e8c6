"""The golden model: what a Network computes, exactly, in NumPy. Hardware is judged against this alone.

Dot products come from a floating-point matrix product of whole numbers, which is exact while every partial sum
stays below 2^24 (float32; the Network allows at most 2^20 lanes of +-1) or 2^53 (float64, for many wide integers),
in whatever order the sums are taken. A convolution is such a product on the windows of its image, a few images at
a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.network import (
    Conv2d,
    Encoding,
    Layer,
    MatrixLayer,
    MaxPool2d,
    Network,
    Scores,
    Thresholds,
    Votes,
    Windows,
)

_CHUNK_VALUES = 1 << 24  # values of a chunk's trace, so that memory stays bounded
_WINDOW_VALUES = 1 << 21  # values in the matrix of windows: what a processor's cache can hold
_FLOAT32_EXACT = 1 << 24


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One layer's integers for n frames; arrays have the shape (n, *edge shape): HWC, or flat."""

    name: str
    accumulators: NDArray[np.int64] | None  # popcounts or dot products (see MatrixLayer); None for a pool
    values: NDArray[np.integer]  # activation bits (uint8), or scores (int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Every integer of n frames, from the encoded bits to the scores."""

    encoded: NDArray[np.integer]  # (n, encoded_size): bits (uint8), or signed integers (int32)
    layers: tuple[LayerTrace, ...]
    classes: NDArray[np.int64] | None  # (n,), the first largest score; None for a network that gives bits


def check_frames(network: Network, frames: NDArray[Any]) -> NDArray[np.integer]:
    """Frames as an integer array (n, values), flattened; raises DataError for a wrong shape or range."""
    frames = np.asarray(frames)
    shape = network.input.shape
    given = frames.shape[1:]
    # axes of size 1 say nothing: a signal (length, channels) is an image (1, length, channels)
    same = [size for size in given if size != 1] == [size for size in shape if size != 1] and given != ()
    if frames.ndim >= 1 and not same and given != (network.input.size,):
        raise DataError(
            f"frames have shape {frames.shape}, but network {network.name} takes (n, {', '.join(map(str, shape))})"
        )
    if frames.ndim < 2:
        raise DataError(f"frames need a leading axis of frames; got shape {frames.shape}")
    if frames.dtype == np.bool_:
        frames = frames.astype(np.uint8)
    if not np.issubdtype(frames.dtype, np.integer):
        raise DataError(
            f"frames must be unsigned integers of {network.input.bits} bits, not {frames.dtype}; "
            "scale and round them first"
        )
    if frames.size and (frames.min() < 0 or int(frames.max()) >> network.input.bits):
        raise DataError(
            f"frame values must lie in 0..{(1 << network.input.bits) - 1}, not {int(frames.min())}..{int(frames.max())}"
        )
    return frames.reshape(len(frames), network.input.size)


def encode(network: Network, frames: NDArray[Any]) -> NDArray[np.integer]:
    """Frames (n, ...) of integers to what the first layer takes, (n, encoded_size): bits, or integers."""
    flat = check_frames(network, frames)
    if isinstance(network.encoding, Encoding):
        rows = network.encoding.rows
        bits = flat[:, :, None] >= np.tile(rows, (flat.shape[1] // len(rows), 1))
        return bits.reshape(len(flat), network.encoded_size).astype(np.uint8)
    tables = network.encoding.rows.astype(np.int32)
    if len(tables) == 1:
        return tables[0][flat]
    return tables[np.arange(flat.shape[1]) % len(tables), flat]


def _signed(layer: MatrixLayer, values: NDArray[np.integer]) -> NDArray[np.floating]:
    """What the lanes stand for, -1 or +1 or an integer, in a floating type that holds every sum exactly."""
    dtype = np.float32 if layer.largest_dot < _FLOAT32_EXACT else np.float64
    signed: NDArray[np.floating] = values.astype(dtype)
    return 2 * signed - 1 if layer.takes.is_binary else signed


def _pad(images: NDArray[Any], windows: Windows, value: float) -> NDArray[Any]:
    """Images (n, H, W, C) with the padding of `windows` around them."""
    if not any(windows.padding):
        return images
    top, bottom, left, right = windows.padding
    return np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


_PADDING = {"minus_one": -1.0, "plus_one": 1.0, "zero": 0.0}


def _dots(layer: MatrixLayer, values: NDArray[np.integer]) -> Iterator[NDArray[np.floating]]:
    """Dot products of every row and window, (frames, *edge shape), for a few frames at a time."""
    signs = (2.0 * layer.rows - 1.0).T
    step = max(1, _WINDOW_VALUES // (layer.inputs * layer.pixels))
    for start in range(0, len(values), step):
        part = _signed(layer, values[start : start + step])
        if isinstance(layer, Conv2d):
            part = _pad(part.reshape(-1, *layer.shape), layer.windows, _PADDING[layer.padding_value])
            down, across = layer.stride
            view = np.lib.stride_tricks.sliding_window_view(part, layer.kernel, axis=(1, 2))[:, ::down, ::across]
            part = view.transpose(0, 1, 2, 4, 5, 3)
        product = part.reshape(-1, layer.inputs) @ signs.astype(part.dtype)
        yield product.reshape(-1, *layer.edge.shape)


def _activate(layer: MatrixLayer, dots: NDArray[np.floating]) -> NDArray[np.integer]:
    """Activations, scores or votes for dot products."""
    if isinstance(layer.output, Thresholds) and not layer.sums_dots:
        # popcount >= T exactly when dot >= 2 T - N; both sides are exact in the type of `dots`
        return (dots >= (2 * layer.output.values[:, 0] - layer.inputs).astype(dots.dtype)).astype(np.uint8)
    return layer_values(layer, _accumulators(layer, dots))


def _accumulators(layer: MatrixLayer, dots: NDArray[np.floating]) -> NDArray[np.int64]:
    whole = dots.astype(np.int64)
    return whole if layer.sums_dots else (whole + layer.inputs) >> 1


def _pool(layer: MaxPool2d, bits: NDArray[np.integer]) -> NDArray[np.uint8]:
    """OR of the bits of each window: (n, *edge shape)."""
    images = _pad(bits.reshape(-1, *layer.shape).astype(np.uint8), layer.windows, 0)
    (rows, columns), (down, across) = layer.windows.shape, layer.stride
    result = np.zeros((len(images), rows, columns, layer.channels), np.uint8)
    for y in range(layer.kernel[0]):
        for x in range(layer.kernel[1]):
            result |= images[:, y : y + down * (rows - 1) + 1 : down, x : x + across * (columns - 1) + 1 : across]
    return result


def accumulators(layer: MatrixLayer, values: NDArray[np.integer]) -> NDArray[np.int64]:
    """The accumulators (n, *edge shape) of what a layer takes, (n, ...): bits, or integers."""
    parts = [_accumulators(layer, dots) for dots in _dots(layer, values)]
    return np.concatenate(parts) if parts else np.zeros((0, *layer.edge.shape), np.int64)


def layer_values(layer: MatrixLayer, sums: NDArray[np.int64]) -> NDArray[np.integer]:
    """What a layer gives for its accumulators (n, *edge shape): activation bits, or scores."""
    match layer.output:
        case Thresholds(values=values):
            return (sums >= values[:, 0]).astype(np.uint8)
        case Scores(scale=scale, offset=offset):
            return scale * sums + offset
        case Votes(thresholds=thresholds, votes=votes):
            return np.where(sums >= thresholds, votes, 0)


def margins(layer: MatrixLayer, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """What an engine holds at the end of each sum: its count less `engine_thresholds`, (n, *edge shape).

    The bit of a layer with thresholds is 1 where this is not negative. A layer with scores has its accumulators.
    """
    counts = sums
    if layer.sums_dots and layer.takes.is_binary:
        offsets = layer.engine_offsets[layer.border_class].reshape(layer.edge.shape)
        counts = (sums + layer.inputs + offsets) >> 1
    return counts - layer.engine_thresholds[layer.border_class].reshape(layer.edge.shape)


def _step(layer: Layer, values: NDArray[np.integer]) -> NDArray[np.integer]:
    """What a layer gives, (n, *edge shape), for what it takes, and no more: faster than a trace."""
    if isinstance(layer, MaxPool2d):
        return _pool(layer, values)
    return np.concatenate([_activate(layer, dots) for dots in _dots(layer, values)])


def _traced(layer: Layer, values: NDArray[np.integer]) -> LayerTrace:
    if isinstance(layer, MaxPool2d):
        return LayerTrace(name=layer.name, accumulators=None, values=_pool(layer, values))
    sums = accumulators(layer, values)
    return LayerTrace(name=layer.name, accumulators=sums, values=layer_values(layer, sums))


def chunks(network: Network, count: int) -> Iterator[slice]:
    """Slices of `count` frames, each small enough that a trace of it stays in bounded memory."""
    values = network.encoded_size + sum(layer.edge.size for layer in network.layers)
    step = max(1, _CHUNK_VALUES // values)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def trace(network: Network, frames: NDArray[Any]) -> Trace:
    """Every layer's integers for frames (n, ...). Memory grows with n: use it on chunks of a large set."""
    encoded = values = encode(network, frames)
    layers = []
    for layer in network.layers:
        layers.append(_traced(layer, values))
        values = layers[-1].values
    classes = values.argmax(axis=1) if network.gives_scores else None
    return Trace(encoded=encoded, layers=tuple(layers), classes=classes)


def outputs(network: Network, frames: NDArray[Any]) -> NDArray[np.int64]:
    """What the network gives for frames (n, ...): scores (n, classes), or bits (n, outputs)."""
    flat = check_frames(network, frames)
    parts = [np.zeros((0, network.outputs), np.int64)]
    for part in chunks(network, len(flat)):
        values = encode(network, flat[part])
        for layer in network.layers:
            values = _step(layer, values)
        parts.append(values.reshape(len(values), -1).astype(np.int64))
    return np.concatenate(parts)


def classify(network: Network, frames: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each frame: the first of the largest scores. Raises DataError without scores."""
    if not network.is_classifier:
        raise DataError(f"network {network.name} gives {network.gives}, not classes")
    return outputs(network, frames).argmax(axis=1)


def values(network: Network, frames: NDArray[Any]) -> NDArray[np.float64]:
    """The numbers (n, outputs) that the scores of each frame stand for. Raises DataError where they stand for none."""
    if network.values is None:
        raise DataError(f"network {network.name} gives {network.gives}, not values")
    return outputs(network, frames) * np.float64(network.values.step)

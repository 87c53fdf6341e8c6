"""The golden model: what a Network computes, exactly, in NumPy. Hardware is judged against this alone.

Popcounts come from a float32 matrix product of 0/1 values, which is exact while every partial sum stays
below 2^24 (the Network allows at most 2^20 lanes), in whatever order the sums are taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import DataError
from bitwright.network import Dense, Network, Scores, Thresholds

_CHUNK_VALUES = 1 << 24  # values in the largest temporary array, so that memory stays bounded


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One layer's integers for n frames."""

    name: str
    popcounts: NDArray[np.int64]  # (n, outputs): agreeing lanes
    values: NDArray[np.int64]  # (n, outputs): activation bits, or scores


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Every integer of n frames, from the encoded bits to the scores."""

    encoded: NDArray[np.uint8]  # (n, encoded_size)
    layers: tuple[LayerTrace, ...]
    classes: NDArray[np.int64] | None  # (n,), None for a network that gives bits


def check_frames(network: Network, frames: NDArray) -> NDArray[np.integer]:
    """Frames as an integer array (n, values), flattened; raises DataError for a wrong shape or range."""
    frames = np.asarray(frames)
    shape = network.input.shape
    if frames.ndim >= 1 and frames.shape[1:] not in (shape, (network.input.size,)):
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


def encode(network: Network, frames: NDArray) -> NDArray[np.uint8]:
    """Frames (n, ...) of integers to bits (n, encoded_size)."""
    flat = check_frames(network, frames)
    bits = flat[:, :, None] >= network.encoding.thresholds
    return bits.reshape(len(flat), network.encoded_size).astype(np.uint8)


def popcounts(layer: Dense, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Agreeing lanes of each output: bits (n, inputs) to counts (n, outputs)."""
    weights = layer.weights.astype(np.float32)
    both = bits.astype(np.float32) @ weights.T
    ones = bits.sum(axis=1, dtype=np.int64)[:, None] + layer.weights.sum(axis=1, dtype=np.int64)
    return layer.inputs - ones + 2 * both.astype(np.int64)


def layer_values(layer: Dense, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a layer gives for its popcounts: activations (levels reached), or scores."""
    match layer.output:
        case Thresholds(values=values):
            return (counts[:, :, None] >= values).sum(axis=2, dtype=np.int64)
        case Scores(scale=scale, offset=offset):
            return scale * counts + offset


def _trace(network: Network, frames: NDArray) -> Trace:
    encoded = bits = encode(network, frames)
    layers = []
    for layer in network.layers:
        counts = popcounts(layer, bits)
        values = layer_values(layer, counts)
        layers.append(LayerTrace(name=layer.name, popcounts=counts, values=values))
        bits = values.astype(np.uint8)
    classes = layers[-1].values.argmax(axis=1) if network.is_classifier else None
    return Trace(encoded=encoded, layers=tuple(layers), classes=classes)


def chunks(network: Network, count: int) -> Iterator[slice]:
    """Slices of `count` frames, each small enough that a trace of it stays in bounded memory."""
    widest = max(network.encoded_size, *(layer.outputs for layer in network.layers))
    step = max(1, _CHUNK_VALUES // widest)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def trace(network: Network, frames: NDArray) -> Trace:
    """Every layer's integers for frames (n, ...). Memory grows with n: use it on chunks of a large set."""
    return _trace(network, frames)


def outputs(network: Network, frames: NDArray) -> NDArray[np.int64]:
    """What the network gives for frames (n, ...): scores (n, classes), or bits (n, outputs)."""
    flat = check_frames(network, frames)
    parts = [_trace(network, flat[part]).layers[-1].values for part in chunks(network, len(flat))]
    return np.concatenate(parts) if parts else np.zeros((0, network.outputs), np.int64)


def classify(network: Network, frames: NDArray) -> NDArray[np.int64]:
    """The class of each frame: the first of the largest scores. Raises DataError without scores."""
    if not network.is_classifier:
        raise DataError(f"network {network.name} gives bits, not classes")
    return outputs(network, frames).argmax(axis=1)

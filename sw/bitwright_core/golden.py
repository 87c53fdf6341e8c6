"""The golden model: what a Network computes, exactly, in NumPy. Hardware is judged against this alone.

What an operator computes is its own (`compute` in bitwright_core.ops); here the graph is walked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.network import ENCODED, MatrixLayer, Network, Node

_CHUNK_VALUES = 1 << 24  # values of a chunk's trace, so that memory stays bounded


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One layer's integers for n frames; arrays have the shape (n, *edge shape): HWC, or flat."""

    name: str
    accumulators: NDArray[np.signedinteger] | None  # popcounts or dot products (see MatrixLayer); None without weights
    values: NDArray[np.integer]  # activations as stored (uint8), or scores (int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Every integer of n frames, from the encoded bits to the scores."""

    encoded: NDArray[np.integer]  # (n, encoded_size): bits (uint8), or signed integers (int32)
    layers: tuple[LayerTrace, ...]
    classes: NDArray[np.int64] | None  # (n,), the first largest score; None for a network that gives no scores


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
    return network.encoding.encode(flat)


def accumulators(layer: MatrixLayer, values: NDArray[np.integer]) -> NDArray[np.signedinteger]:
    """The accumulators (n, *edge shape) of what a layer takes, (n, ...): bits, or integers. int32 if all fit."""
    return layer.accumulators(values)


def layer_values(layer: MatrixLayer, sums: NDArray[np.signedinteger]) -> NDArray[np.integer]:
    """What a layer gives for its accumulators (n, *edge shape): activations, or scores."""
    return layer.output.of(sums)


def margins(layer: MatrixLayer, sums: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    """What an engine holds at the end of each sum: its count less `engine_thresholds`, (n, *edge shape)."""
    return layer.margins(sums)


def _walked(network: Network, values: NDArray[np.integer]) -> NDArray[np.integer]:
    """The result for encoded frames, and no more: faster than a trace, and without the values that nobody needs."""
    held = {ENCODED: values}
    last = {name: node for node in network.nodes for name in node.takes}
    for node in network.nodes:
        given = node.operator.compute(*(held[name] for name in node.takes))
        for name in node.takes:
            if last[name] is node:
                held.pop(name, None)
        held[node.name] = given
    return held[network.last.name]


def _traced(node: Node, given: list[NDArray[np.integer]]) -> LayerTrace:
    matrix = node.operator.matrix
    if matrix is None:
        return LayerTrace(name=node.name, accumulators=None, values=node.operator.compute(*given))
    sums = matrix.accumulators(*given)
    return LayerTrace(name=node.name, accumulators=sums, values=matrix.output.of(sums))


def chunks(network: Network, count: int) -> Iterator[slice]:
    """Slices of `count` frames, each small enough that a trace of it stays in bounded memory."""
    values = network.encoded_size + sum(node.edge.size for node in network.nodes)
    step = max(1, _CHUNK_VALUES // values)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def trace(network: Network, frames: NDArray[Any]) -> Trace:
    """Every layer's integers for frames (n, ...). Memory grows with n: use it on chunks of a large set."""
    encoded = encode(network, frames)
    held, layers = {ENCODED: encoded}, []
    for node in network.nodes:
        layers.append(_traced(node, [held[name] for name in node.takes]))
        held[node.name] = layers[-1].values
    classes = layers[-1].values.argmax(axis=1) if network.gives_scores else None
    return Trace(encoded=encoded, layers=tuple(layers), classes=classes)


def outputs(network: Network, frames: NDArray[Any]) -> NDArray[np.int64]:
    """What the network gives for frames (n, ...): scores (n, classes), or bits or integers (n, outputs)."""
    flat = check_frames(network, frames)
    parts = [np.zeros((0, network.outputs), np.int64)]
    for part in chunks(network, len(flat)):
        values = _walked(network, encode(network, flat[part]))
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

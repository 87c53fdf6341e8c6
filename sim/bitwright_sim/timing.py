"""What a run's cycles say: the interval between results in the steady state."""

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.plan import ceil_div
from bitwright_sim.native.model import MISSING, NativeResult


def settling_frames(design: Design) -> int:
    """Frames after which a stream is in its steady state: all buffers have been filled once or more.

    Queues hold frames; the line buffers of all convolutions together hold a few.
    """
    manifest, layers = design.manifest, design.network.matrix_layers
    buffers = sum(layer.windows is None for layer in layers) + 2
    if any(layer.windows is not None for layer in layers):
        buffers += 1
    return 4 * buffers + 2 * ceil_div(manifest.latency_cycles, manifest.interval_cycles)


def steady_interval(result: NativeResult, frames: int) -> float | None:
    """Mean cycles from result to result after the first `frames`; None for too few frames or missing results."""
    return interval_of(result.last_out, frames)


def interval_of(last_out: NDArray[np.int64], frames: int) -> float | None:
    """`steady_interval` of the cycles in which results ended."""
    last = last_out[frames:]
    if len(last) < 2 or bool((last_out == MISSING).any()):
        return None
    steps = np.diff(last)
    mean = float(steps.mean())
    return int(steps[0]) if bool((steps == steps[0]).all()) else mean

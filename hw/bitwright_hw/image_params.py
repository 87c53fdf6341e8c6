"""Derived parameters of the convolutions and pools at the front of a network, up to the first queue."""

from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.errors import PlanError
from bitwright.network import Conv2d, IntegerEncoding, MaxPool2d, Network
from bitwright.plan import Fold, ceil_div
from bitwright_hw.max_pool import Axis, MaxPool, PoolParams
from bitwright_hw.pixel_source import DEPTH, SourceParams
from bitwright_hw.schedule import ConvStage, completing, frame_times, gearbox_times, with_capacities
from bitwright_hw.window_params import WindowParams, storage_lanes


@dataclass(frozen=True, kw_only=True)
class ImageFront:
    """The source, the convolutions, and the pools behind the last of them."""

    source: SourceParams
    stages: tuple[ConvStage, ...]
    pools: tuple[PoolParams, ...]
    repacked: tuple[int, int] | None  # words of (from, to) bits: pixels whose last word is not full are put together
    token_pixels: int  # pixels behind `pools` of which the first takes the token of the queue's frame
    word_bits: int  # of the words that the queue gets
    arrivals: list[int]  # when an idle accelerator gives them to the queue, from the first beat on
    started: int  # when the frame's token was taken
    filling: int  # cycles from the token to the last word in the steady state
    interval: int
    frames: int  # the most that are inside


def image_front(
    network: Network,
    *,
    folds: Sequence[Fold],
    latencies: Sequence[int],
    beat_lanes: int,
    encoded: bool,
    value_bits: int,
    interval: int,
) -> ImageFront:
    """The front of `network`, for values of `value_bits` bits, `beat_lanes` of them a beat (bits if `encoded`).

    `interval` is that of the slowest other stage. Raises PlanError for a pool that hardware cannot be made for.
    """
    height, width, channels = _image(network)
    table: tuple[int, ...] = ()
    out_bits = 1
    if isinstance(network.encoding, IntegerEncoding):
        table, out_bits = tuple(network.encoding.table.tolist()), network.encoding.number.bits
    lane_bits = value_bits if table else 1
    lanes = beat_lanes if table or encoded else beat_lanes * network.encoding.levels
    source_lanes = _source_lanes(network, folds, interval)
    source = SourceParams(
        beat_lanes=lanes, lane_bits=lane_bits, pixels=height * width, channels=channels, width=source_lanes,
        table=table, out_bits=out_bits,
    )  # fmt: skip
    interval = max(interval, source.words)

    stages: list[ConvStage] = []
    pools: list[PoolParams] = []
    words = source_lanes  # lanes of a word
    for layer in network.layers:
        if isinstance(layer, MaxPool2d):
            pools.append(_pool(layer, words))
        elif isinstance(layer, Conv2d):
            fold = folds[len(stages)]
            window = WindowParams(
                windows=layer.windows, channels=layer.channels, in_width=words, simd=fold.simd,
                passes=fold.neuron_folds, capacity=1, lane_bits=layer.takes.bits,
                padding_lane=int(layer.padding_value == "plus_one"),
            )  # fmt: skip
            stages.append(ConvStage(pools=tuple(pools), window=window, engine_latency=latencies[len(stages)]))
            words, pools = fold.pe, []
        else:
            break
    if not stages:
        raise PlanError(f"network {network.name} has pools but no convolution, for which no hardware is made")
    done = with_capacities(source, stages, interval)
    times = frame_times(source, done)[-1]
    last = done[-1]
    outputs = network.matrix_layers[len(stages) - 1].outputs
    pixels = last.window.windows.pixels
    behind = completing(pools, pixels)
    delay = MaxPool.LATENCY * len(pools)
    arrivals = [times[pixel] + word + delay for pixel in behind.tolist() for word in last.word_times]
    repacked = None
    if outputs % words and len(behind) > 1:
        repacked = (words, outputs)
        number = last.window.passes
        arrivals = [
            time
            for k in range(0, len(arrivals), number)
            for time in gearbox_times(arrivals[k : k + number], words, outputs, outputs)
        ]
    tail = arrivals[-1] - times[int(behind[-1])]
    return ImageFront(
        source=source, stages=done, pools=tuple(pools), repacked=repacked, token_pixels=len(behind),
        word_bits=words if repacked is None else outputs, arrivals=arrivals, started=times[int(behind[0])],
        filling=int(behind[-1] - behind[0] + 1) * interval // pixels + tail, interval=interval,
        frames=_frames(source, done),
    )  # fmt: skip


def _image(network: Network) -> tuple[int, int, int]:
    shape = network.encoded_edge.shape
    if len(shape) != 3:
        raise PlanError(f"network {network.name} takes flat frames, but its first layer images")
    return shape


def _source_lanes(network: Network, folds: Sequence[Fold], interval: int) -> int:
    """Lanes of the source's words: what the first window reads at a time, or more if that takes too long."""
    height, width, channels = network.encoded_edge.shape
    if isinstance(network.layers[0], MaxPool2d):
        return int(channels)
    least = min(channels, folds[0].simd)
    return storage_lanes(channels, max(least, ceil_div(height * width * channels, interval)))


def _pool(layer: MaxPool2d, words: int) -> PoolParams:
    windows = layer.windows
    for k, side in enumerate(("below", "to the right")):
        axis = Axis(
            size=windows.image[k], count=windows.shape[k], kernel=windows.kernel[k], stride=windows.stride[k],
            before=windows.padding[2 * k],
        )  # fmt: skip
        if not axis.ends_differ:
            raise PlanError(
                f"layer {layer.name}: two windows of the pool reach the padding {side}, for which no hardware is "
                "made; use less padding there, or a larger stride"
            )
    return PoolParams(windows=windows, width=words, words=ceil_div(layer.channels, words))


def _frames(source: SourceParams, stages: Sequence[ConvStage]) -> int:
    """The most frames of which the last beat is in and the last pixel is not out.

    In a line buffer they are frames whose last output pixel is not done, so all pixels between their ends are kept.
    """
    total = ceil_div(DEPTH + 8, source.beats) + 2
    for stage in stages:
        frame = stage.window.cycles * stage.window.windows.pixels
        total += ceil_div(stage.window.capacity, stage.window.image_pixels) + 1
        total += ceil_div(stage.engine_latency + MaxPool.LATENCY * len(stage.pools) + 8, frame) + 1
    return total

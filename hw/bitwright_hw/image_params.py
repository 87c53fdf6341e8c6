"""Derived parameters of the convolutions and pools at the front of a network, up to the first queue."""

from collections.abc import Sequence
from dataclasses import dataclass

from bitwright_core.errors import PlanError
from bitwright_core.network import Conv2d, IntegerEncoding, MaxPool2d, Network, Windows
from bitwright_core.plan import Fold, ceil_div
from bitwright_hw.max_pool import Axis, MaxPool, PoolParams
from bitwright_hw.pixel_source import DEPTH, SourceParams
from bitwright_hw.schedule import ConvStage, completing, frame_times, gearbox_times, with_capacities
from bitwright_hw.window_params import WindowParams, storage_lanes


@dataclass(frozen=True, kw_only=True)
class ImageFront:
    """The source, the convolutions, and the pools behind the last of them."""

    source: SourceParams
    stages: tuple[ConvStage, ...]  # those without an engine pad images for a pool
    pools: tuple[PoolParams, ...]
    repacked: tuple[int, int] | None  # words of (from, to) bits: pixels whose last word is not full are put together
    token_pixels: int  # pixels behind `pools` of which the first takes the token of the queue's frame
    word_bits: int  # of the words that the queue gets
    arrivals: list[int]  # when an idle accelerator gives them to the queue, from the first beat on
    started: int  # when the frame's token was taken
    filling: int  # cycles from the token to the last word in the steady state
    interval: int
    frames: int  # the most that are inside

    @property
    def stream_cycles(self) -> int:
        """Cycles a frame of the slowest stage that is no layer: the source's words, or the padding for a pool."""
        paddings = [stage.window for stage in self.stages if not stage.has_engine]
        return max(self.source.words, *(window.cycles * window.windows.pixels for window in paddings), 0)


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

    `interval` is that of the slowest other stage. Raises PlanError for pools without a convolution.
    """
    source = image_source(
        network, folds[0], beat_lanes=beat_lanes, encoded=encoded, value_bits=value_bits, interval=interval
    )
    interval = max(interval, source.words)

    stages: list[ConvStage] = []
    pools: list[PoolParams] = []
    words = source.width  # lanes of a word
    convolutions = 0
    for layer in network.layers:
        if isinstance(layer, MaxPool2d):
            pool, padding = pool_params(layer, words)
            if padding is not None:
                stages.append(ConvStage(pools=tuple(pools), window=padding, has_engine=False))
                interval, pools = max(interval, padding.cycles * padding.windows.pixels), []
            pools.append(pool)
        elif isinstance(layer, Conv2d):
            fold = folds[convolutions]
            window = window_params(layer, fold, words)
            stages.append(ConvStage(pools=tuple(pools), window=window, engine_latency=latencies[convolutions]))
            words, pools = fold.pe, []
            convolutions += 1
        else:
            break
    if not convolutions:
        raise PlanError(f"network {network.name} has pools but no convolution, for which no hardware is made")
    done = with_capacities(source, stages, interval)
    times = frame_times(source, done)[-1]
    last = done[-1]
    outputs = network.matrix_layers[convolutions - 1].outputs
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
        source=source,
        stages=done,
        pools=tuple(pools),
        repacked=repacked,
        token_pixels=len(behind),
        word_bits=words if repacked is None else outputs,
        arrivals=arrivals,
        started=times[int(behind[0])],
        filling=int(behind[-1] - behind[0] + 1) * interval // pixels + tail,
        interval=interval,
        frames=_frames(source, done),
    )


def _image(network: Network) -> tuple[int, int, int]:
    shape = network.encoded_edge.shape
    if len(shape) != 3:
        raise PlanError(f"network {network.name} takes flat frames, but its first layer images")
    return shape


def image_source(
    network: Network, fold: Fold | None, *, beat_lanes: int, encoded: bool, value_bits: int, interval: int
) -> SourceParams:
    """The source for a first convolution folded so; `beat_lanes` and so on as for `image_front`.

    Its words have as many lanes as the first window reads at a time, or more if that takes longer than `interval`.
    """
    height, width, channels = _image(network)
    tables: tuple[tuple[int, ...], ...] = ()
    out_bits = 1
    if isinstance(network.encoding, IntegerEncoding):
        tables, out_bits = tuple(map(tuple, network.encoding.rows.tolist())), network.encoding.number.bits
    lanes = channels
    if fold is not None and not isinstance(network.layers[0], MaxPool2d):
        lanes = storage_lanes(channels, max(min(channels, fold.simd), ceil_div(height * width * channels, interval)))
    return SourceParams(
        beat_lanes=beat_lanes * (1 if tables or encoded else network.encoding.levels),
        lane_bits=value_bits if tables else 1,
        pixels=height * width,
        channels=channels,
        width=lanes,
        tables=tables,
        out_bits=out_bits,
    )


def window_params(layer: Conv2d, fold: Fold, in_width: int) -> WindowParams:
    """The window unit of `layer`, folded so, for words of `in_width` lanes; its capacity is still to be found."""
    return WindowParams(
        windows=layer.windows,
        channels=layer.channels,
        in_width=in_width,
        simd=fold.simd,
        passes=fold.neuron_folds,
        capacity=1,
        lane_bits=layer.takes.bits,
        padding_lane=int(layer.padding_value == "plus_one"),
    )


def pool_params(layer: MaxPool2d, words: int) -> tuple[PoolParams, WindowParams | None]:
    """The pool, for words of so many lanes, and the unit that it needs before it where windows overlap in the padding
    below or to the right: with what pads there as pixels of the image, no two windows end at once."""
    windows = layer.windows
    count = ceil_div(layer.channels, words)
    ends = [
        Axis(
            size=windows.image[k],
            count=windows.shape[k],
            kernel=windows.kernel[k],
            stride=windows.stride[k],
            before=windows.padding[2 * k],
        )
        for k in range(2)
    ]
    if all(axis.ends_differ for axis in ends):
        return PoolParams(windows=windows, width=words, words=count), None
    beyond = [max(0, axis.furthest - axis.size) for axis in ends]
    top, _, left, _ = windows.padding
    padded = Windows(image=windows.image, kernel=(1, 1), stride=(1, 1), padding=(0, beyond[0], 0, beyond[1]))
    pool = Windows(image=padded.shape, kernel=windows.kernel, stride=windows.stride, padding=(top, 0, left, 0))
    padding = WindowParams(windows=padded, channels=layer.channels, in_width=words, simd=words, passes=1, capacity=1)
    return PoolParams(windows=pool, width=words, words=count), padding


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

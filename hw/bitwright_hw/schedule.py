"""When the pixels of a chain of convolutions are made, and how many each line buffer must hold.

The chain is a marked graph, as the accelerator behind it is (docs/hardware.md), with pixels in place of frames: an
output pixel starts when the reader has done the one before, when the pixels that it needs were written, and when its
token is there, that is, when the buffer behind has let go of a pixel so far back. Times are therefore maxima of sums.

A marked graph that may fire as early as it can is never later than any periodic schedule that it could follow. So a
schedule is named, and each buffer is made as large as that one needs: in a network whose interval is T, every layer
starts its pixel j of N at floor(j T / N) after its first, as early as its input allows. No layer takes more than T for
its pixels, so that this is possible, and with these buffers nothing is slower than that: the interval is T, and no
sizes of layers or stalls of the streams can bring the chain to a stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import ceil_div
from bitwright_hw.gearbox import shift_params
from bitwright_hw.max_pool import MaxPool, PoolParams
from bitwright_hw.pixel_source import DEPTH, SourceParams
from bitwright_hw.window_params import WindowParams

ENCODING = 1  # cycles from a beat at the guard to the source's memory, which shows it a cycle later
SLACK = 2  # pixels beyond what the schedule asks for


def gearbox_times(arrivals: Sequence[int], in_width: int, out_width: int, bits: int) -> list[int]:
    """When a narrow-to-wide Gearbox gives each word of a frame, given when each input word is taken."""
    if in_width == out_width:
        return list(arrivals)
    times: list[int] = []
    for word in range(ceil_div(bits, out_width)):
        completing = min(ceil_div((word + 1) * out_width, in_width), len(arrivals)) - 1
        earliest = arrivals[completing] + 1
        times.append(max(earliest, times[-1] + 1) if times else earliest)
    return times


@dataclass(frozen=True, kw_only=True)
class ConvStage:
    """A convolution in the chain: the pools before it, its window unit, and its engine of `engine_latency` cycles.

    Without `has_engine` the windows are passed on as they are: pixels of one tap, with padding around the image.
    """

    pools: tuple[PoolParams, ...]
    window: WindowParams
    engine_latency: int = 0
    has_engine: bool = True

    @property
    def word_times(self) -> list[int]:
        """When the engine gives each word of an output pixel, after its start."""
        words = self.window.cycles // self.window.passes
        first = self.window.latency + words - 1 + self.engine_latency
        return [first + words * number for number in range(self.window.passes)]

    def written(self, words: Sequence[int]) -> int:
        """When the last word of a pixel is in the line buffer, for the times of its words before the pools."""
        w = self.window
        times = [time + MaxPool.LATENCY * len(self.pools) for time in words]
        return gearbox_times(times, w.in_width * w.lane_bits, w.storage_lanes * w.lane_bits, w.channels * w.lane_bits)[
            -1
        ]


def completing(pools: Sequence[PoolParams], pixels: int) -> NDArray[np.int64]:
    """For each pixel behind `pools` the pixel in front of them that completes it; without pools itself."""
    found = np.arange(pixels)
    for pool in pools:
        found = found[np.array(pool.completing)]
    return found


def with_capacities(source: SourceParams, stages: Sequence[ConvStage], interval: int) -> tuple[ConvStage, ...]:
    """The stages with the capacities that the schedule of the module's text needs."""
    result: list[ConvStage] = []
    pixels = source.pixels
    taken = np.arange(pixels) * interval // pixels  # when each pixel in front of the pools takes its token
    words = list(range(1, source.pixel_words + 1))
    for stage in stages:
        window = stage.window
        made = taken[completing(stage.pools, pixels)]
        there = made + stage.written(words)
        starts = np.arange(window.windows.pixels) * interval // window.windows.pixels
        starts += max(0, int((there[window.need] + 1 - starts).max()))
        reader = np.searchsorted(window.oldest, np.arange(window.image_pixels), side="right") - 1  # the last one
        released = starts[np.minimum(reader, len(starts) - 1)] + window.cycles + 1
        frames = ceil_div(int(released[-1]), interval) + 2
        every = (released[None, :] - interval * np.arange(frames, 0, -1)[:, None]).reshape(-1)
        every = np.append(every, released)
        kept = np.arange(len(made)) + frames * len(made) + 1 - np.searchsorted(every, made, side="right")
        capacity = max(int(kept.max()), window.least_capacity) + SLACK
        result.append(replace(stage, window=replace(window, capacity=capacity)))
        taken, pixels, words = starts, window.windows.pixels, stage.word_times
    return tuple(result)


@dataclass
class _Reader:
    """A window unit's times in one frame."""

    stage: ConvStage
    before: NDArray[np.int64]  # for each pixel of its image, the pixel in front of the pools that completes it
    taken_for: dict[int, int]  # the way back
    written: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def room(self, pixel: int) -> int | None:
        """When there is room for a pixel from in front of the pools; None while that is not known."""
        index = self.taken_for.get(pixel)
        window = self.stage.window
        if index is None or index < window.capacity:
            return 0
        reader = int(np.searchsorted(window.oldest, index - window.capacity, side="right")) - 1
        return self.starts[reader] + window.cycles + 1 if reader < len(self.starts) else None


class _Source:
    """A source's times in one frame: beats taken, beats into the gearbox, words out of it."""

    def __init__(self, params: SourceParams):
        self.params = params
        self.beats: list[int] = []
        self.entered: list[int] = []
        self.words: list[int] = []
        in_width, out_width = params.beat_lanes * params.lane_bits, params.width * params.lane_bits
        bits = params.pixels * params.channels * params.lane_bits
        self.equal = in_width == out_width
        ratio = max(in_width, out_width) // min(in_width, out_width)
        beats, words = range(params.beats), range(params.words)
        if out_width % in_width == 0:  # the beat that completes a word; words that must have left before a beat enters
            self.completing = [min((word + 1) * ratio, params.beats) - 1 for word in words]
            self.left = [beat // ratio for beat in beats]
        elif in_width % out_width == 0:
            self.completing = [word // ratio for word in words]
            self.left = [beat * ratio for beat in beats]
        else:
            box = shift_params(in_width, out_width, bits)
            units = [(beat + 1) * box.step for beat in beats]
            units[-1] = params.words * box.out_step
            self.completing = [int(np.searchsorted(units, (word + 1) * box.out_step)) for word in words]
            self.left = [max(0, ceil_div(total - box.capacity, box.out_step)) for total in units]

    def advance(self, first: _Reader) -> bool:
        """Adds the times that follow from those known; whether there were any."""
        p = self.params
        count = len(self.beats) + len(self.entered) + len(self.words)
        while len(self.beats) < p.beats:
            k = len(self.beats)
            if k >= DEPTH and k - DEPTH >= len(self.entered):
                break
            token = max(self.beats[-1] if k else -1, self.entered[k - DEPTH] + 1 if k >= DEPTH else -1)
            self.beats.append(token + 1)
        while True:
            before = len(self.entered) + len(self.words)
            k = len(self.entered)
            if not self.equal and k < len(self.beats) and self.left[k] <= len(self.words):
                times = [self.beats[k] + ENCODING + 1, self.entered[-1] + 1 if k else 0]
                self.entered.append(max(*times, self.words[self.left[k] - 1] if self.left[k] else 0))
            self._word(first)
            if len(self.entered) + len(self.words) == before:
                break
        return len(self.beats) + len(self.entered) + len(self.words) > count

    def _word(self, first: _Reader) -> None:
        p = self.params
        k = len(self.words)
        if k == p.words:
            return
        if self.equal:
            if k >= len(self.beats):
                return
            earliest = self.beats[k] + ENCODING + 1
        elif self.completing[k] < len(self.entered):
            earliest = self.entered[self.completing[k]] + 1
        else:
            return
        pixel, word = divmod(k, p.pixel_words)
        room = first.room(pixel) if word == 0 else 0
        if room is None:
            return
        self.words.append(max(earliest, self.words[-1] + 1 if k else 0, room))
        if self.equal:
            self.entered.append(self.words[-1])


def frame_times(source: SourceParams, stages: Sequence[ConvStage]) -> list[list[int]]:
    """When each stage starts each of its pixels, in an idle chain, from the cycle of a frame's first beat on."""
    origin = _Source(source)
    readers: list[_Reader] = []
    pixels = source.pixels
    for stage in stages:
        before = completing(stage.pools, pixels)
        readers.append(_Reader(stage=stage, before=before, taken_for={int(pixel): k for k, pixel in enumerate(before)}))
        pixels = stage.window.windows.pixels
    moved = True
    while moved:
        moved = origin.advance(readers[0])
        for k, reader in enumerate(readers):
            moved |= _written(reader, readers[k - 1] if k else None, origin)
            moved |= _started(reader, readers[k + 1] if k + 1 < len(readers) else None)
    if any(len(reader.starts) != reader.stage.window.windows.pixels for reader in readers):
        raise AssertionError("the chain of convolutions stops: a line buffer is too small")
    return [reader.starts for reader in readers]


def _written(reader: _Reader, before: _Reader | None, origin: _Source) -> bool:
    count = len(reader.written)
    words = origin.params.pixel_words
    while len(reader.written) < reader.stage.window.image_pixels:
        pixel = int(reader.before[len(reader.written)])
        if before is None:
            if (pixel + 1) * words > len(origin.words):
                break
            reader.written.append(reader.stage.written(origin.words[pixel * words : (pixel + 1) * words]))
        elif pixel < len(before.starts):
            reader.written.append(before.starts[pixel] + reader.stage.written(before.stage.word_times))
        else:
            break
    return len(reader.written) > count


def _started(reader: _Reader, behind: _Reader | None) -> bool:
    window = reader.stage.window
    count = len(reader.starts)
    while len(reader.starts) < window.windows.pixels:
        k = len(reader.starts)
        need = int(window.need[k])
        room = behind.room(k) if behind else 0
        if need >= len(reader.written) or room is None:
            break
        earliest = reader.starts[-1] + window.cycles if k else 0
        reader.starts.append(max(earliest, reader.written[need] + 1, room))
    return len(reader.starts) > count

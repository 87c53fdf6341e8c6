# amaranth: UnusedElaboratable=no
"""Specs of the units that images stream through: each word right, in order, with room behind it, and in time."""

from unittest.mock import patch

import numpy as np
from amaranth.hdl import Cat, Const, Mux, Signal, Value

from bitwright_core.network import Windows
from bitwright_hw import pixel_source
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.image_pool import Axis, ImagePool, PoolAxis, PoolParams, Reduction
from bitwright_hw.pixel_source import PixelSource, SourceParams
from bitwright_hw.window import Window
from bitwright_hw.window_params import WindowParams
from tests.hw.images import windows_of
from tests.proofs.spec import Elaborated, Follower, Spec, bits_needed, credits, moves_within, sliced, zero_beyond


def any_of(values: list[Value], width: int) -> Value:
    found: Value = Const(0, width)
    for value in values:
        found = found | value
    return found


def reduced(values: list[Value], how: Reduction) -> Value:
    """What one lane of these values becomes."""
    if how.is_or:
        return any_of(values, 1)
    found = Value.cast(values[0])
    for value in values[1:]:
        if how.rule == "sum":
            found = (found + value)[: how.bits]
        else:
            larger = value.as_signed() > found.as_signed() if how.signed else value > found
            found = Mux(larger, value, found)
    return found


def pool_axis(
    spec: Spec,
    *,
    size: int,
    count: int,
    kernel: int,
    stride: int,
    before: int,
    inner: int,
    how: Reduction | None = None,
) -> None:
    """A PoolAxis behind a writer that pauses at any time."""
    m = spec.m
    axis = Axis(size=size, count=count, kernel=kernel, stride=stride, before=before)
    how = how or Reduction()
    width = how.bits
    m.submodules.pool = pool = PoolAxis(axis=axis, inner=inner, width=width, reduction=how)
    send, word = spec.free("send"), spec.free("word", width)
    m.d.comb += [pool.i.valid.eq(send), pool.i.payload.eq(word)]

    def reach(window: int) -> range:
        """The steps of a window that are there."""
        start = window * stride - before
        return range(max(0, start), min(size, start + kernel))

    def last(window: int) -> int:
        return size - 1 if window == count - 1 else reach(window)[-1]

    Follower(
        spec,
        entering=send,
        word=word,
        words_in=size * inner,
        offered=pool.o.valid,
        leaving=pool.o.valid,
        result=pool.o.payload,
        words_out=count * inner,
        expected=lambda k, frame: reduced([frame[step * inner + k % inner] for step in reach(k // inner)], how),
        needs=lambda k: last(k // inner) * inner + k % inner + 1,
        most=2,
    )


class PixelWriter:
    """Writes pixels of `words` words, each with a token, into a unit whose reader gives grants; pauses at any time."""

    def __init__(self, spec: Spec, unit: ImagePool | Window, *, width: int, words: int, most: int):
        m = spec.m
        send = spec.free("send")
        self.word = spec.free("word", width)
        take = spec.free("take")
        self.grant = spec.free("grant")
        self.at = Signal(range(max(2, words)))  # the word of the pixel
        self.sends = Signal()
        uses = Signal()
        taken, self.given = take & unit.space.valid, self.grant & unit.grant.ready
        self.tokens = credits(spec, "tokens", taken=taken, used=uses, most=most)
        m.d.comb += [
            uses.eq(send & (self.at == 0) & (self.tokens != 0)),
            self.sends.eq(uses | (send & (self.at != 0))),
            unit.i.valid.eq(self.sends),
            unit.i.payload.eq(self.word),
            unit.space.ready.eq(take),
            unit.grant.valid.eq(self.grant),
        ]
        with m.If(self.sends):
            m.d.sync += self.at.eq(count_up(self.at, words))


def max_pool(
    spec: Spec, *, image: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], words: int, most: int = 2
) -> None:
    """An ImagePool behind a writer that takes a token for each pixel, and before a reader that gives them."""
    m = spec.m
    windows = Windows(image=image, kernel=kernel, stride=stride, padding=(0, 0, 0, 0))
    m.submodules.pool = pool = ImagePool(params=PoolParams(windows=windows, width=1, words=words))
    writer = PixelWriter(spec, pool, width=1, words=words, most=most)
    sends, word, grant, given = writer.sends, writer.word, writer.grant, writer.given
    spec.assume(writer.tokens <= most)
    (down, across), width = windows.shape, image[1]

    def pixels(k: int) -> list[int]:
        y, x = divmod(k // words, across)
        return [(y * stride[0] + dy) * width + x * stride[1] + dx for dy in range(kernel[0]) for dx in range(kernel[1])]

    def needed(k: int) -> int:
        # a frame's last row and column of pooled pixels come with its last row and column, whatever they hold
        y, x = divmod(k // words, across)
        row = image[0] - 1 if y == down - 1 else y * stride[0] + kernel[0] - 1
        column = width - 1 if x == across - 1 else x * stride[1] + kernel[1] - 1
        return (row * width + column) * words + k % words + 1

    follower = Follower(
        spec,
        entering=sends,
        word=word,
        words_in=image[0] * width * words,
        offered=pool.o.valid,
        leaving=pool.o.valid,
        result=pool.o.payload,
        words_out=down * across * words,
        expected=lambda k, frame: any_of([frame[pixel * words + k % words] for pixel in pixels(k)], 1),
        needs=needed,
        most=2 + most,
    )
    first = pool.o.valid & (follower.count_out % words == 0)
    granted = credits(spec, "granted", taken=given, used=first, most=most + ImagePool.LATENCY)
    spec.claim("no pooled pixel without its grant", ~first | (granted != 0))
    spec.claim("no more grants than pixels can be on their way", granted <= most + ImagePool.LATENCY + 1)
    moves_within(
        spec,
        "a pooled pixel comes",
        waiting=follower.due & (follower.got >= follower.need),
        moves=pool.o.valid,
        cycles=ImagePool.LATENCY + 1,
    )
    spec.claim("a pixel waits for a grant alone", pool.space.valid | ~grant)


def source(spec: Spec, *, beat_lanes: int, pixels: int, channels: int, width: int, depth: int) -> None:
    """A PixelSource of `depth` beats; the writer takes a token for each beat, the reader gives one for each pixel."""
    m = spec.m
    p = SourceParams(beat_lanes=beat_lanes, lane_bits=1, pixels=pixels, channels=channels, width=width)
    unit = PixelSource(params=p)
    with patch.object(pixel_source, "DEPTH", depth):
        m.submodules.source = Elaborated(unit)
    send, word = spec.free("send"), spec.free("word", beat_lanes)
    take, grant = spec.free("take"), spec.free("grant")
    sends, taken = Signal(), take & unit.space.valid
    tokens = credits(spec, "tokens", taken=taken, used=sends, most=depth)
    m.d.comb += [
        sends.eq(send & (tokens != 0)),
        unit.i.valid.eq(sends),
        unit.i.payload.eq(word),
        unit.space.ready.eq(take),
        unit.grant.valid.eq(grant),
    ]
    bits = pixels * channels
    follower = Follower(
        spec,
        entering=sends,
        word=word,
        words_in=p.beats,
        offered=unit.o.valid,
        leaving=unit.o.valid,
        result=unit.o.payload,
        words_out=p.words,
        expected=sliced(bits, beat_lanes, width),
        needs=bits_needed(bits, beat_lanes, width),
        most=depth + 3,
    )
    zero_beyond(spec, follower.count_in, p.beats, bits, beat_lanes, word)
    first = follower.count_out % p.pixel_words == 0
    spec.claim("a grant with each pixel's first word", (unit.o.valid & first) == (grant & unit.grant.ready))
    waiting = follower.due & (follower.got >= follower.need) & (grant | ~first)
    moves_within(spec, "a pixel comes once there is room", waiting=waiting, moves=unit.o.valid, cycles=3)
    stuck = ~unit.space.valid & (tokens == 0) & (grant | ~first)
    moves_within(spec, "room comes back", waiting=stuck, moves=unit.space.valid | unit.o.valid, cycles=4)


def window(
    spec: Spec,
    *,
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    channels: int = 1,
    in_width: int = 1,
    simd: int,
    passes: int = 1,
    spare: int = 0,
    lane: int = 0,
) -> None:
    """A Window of the least capacity and `spare` more; the writer takes a token for each pixel, the reader gives one
    for each window."""
    m = spec.m
    shape = {"channels": channels, "in_width": in_width, "simd": simd, "passes": passes, "padding_lane": lane}
    windows = Windows(image=image, kernel=kernel, stride=stride, padding=padding)
    least = WindowParams(windows=windows, capacity=1, **shape).least_capacity
    p = WindowParams(windows=windows, capacity=least + spare, **shape)
    m.submodules.window = unit = Window(params=p)
    words = -(-channels // in_width)  # of a pixel
    writer = PixelWriter(spec, unit, width=in_width, words=words, most=p.capacity)
    sends, word, at, tokens = writer.sends, writer.word, writer.at, writer.tokens
    grant, given = writer.grant, writer.given
    zero_beyond(spec, at, words, channels, in_width, word)

    # lane i of the image is 2 + i in this picture of it, padding 0 or 1, so that a window's lanes tell what they are
    lanes = image[0] * image[1] * channels
    picture = np.arange(2, 2 + lanes).reshape(1, *image, channels)
    found = windows_of(picture, windows, lane)[0]
    steps = -(-p.inputs // simd)

    def bit(frame: list[Value], number: int) -> Value:
        if number < 2:
            return Const(number, 1)
        pixel, channel = divmod(number - 2, channels)
        return frame[pixel * words + channel // in_width][channel % in_width]

    def expected(k: int, frame: list[Value]) -> Value:
        pixel, step = divmod(k, p.passes * steps)
        start = step % steps * simd
        return Cat(*(bit(frame, number) for number in found[pixel, start : start + simd].tolist()))

    def needs(k: int) -> int:
        pixel = k // (p.passes * steps)
        if pixel == windows.pixels - 1:
            return image[0] * image[1] * words
        return max(((n - 2) // channels + 1) * words for n in [1, *found[: pixel + 1].reshape(-1).tolist()])

    follower = Follower(
        spec,
        entering=sends,
        word=word,
        words_in=image[0] * image[1] * words,
        offered=unit.o.valid,
        leaving=unit.o.valid,
        result=unit.o.payload,
        words_out=windows.pixels * p.cycles,
        expected=expected,
        needs=needs,
        most=p.capacity + 3,
    )
    ends = unit.o.valid & (follower.count_out % p.cycles == p.cycles - 1)
    granted = credits(spec, "granted", taken=given, used=ends, most=6)
    spec.claim("no window without its grant", ~unit.o.valid | (granted != 0))
    spec.claim("no more grants than windows can be on their way", granted <= p.latency + 2)
    ready = follower.due & (follower.got >= follower.need) & (grant | (granted != 0))
    moves_within(spec, "a window comes", waiting=ready, moves=unit.o.valid, cycles=p.latency + 4)
    stuck = ~unit.space.valid & (tokens == 0) & (at == 0) & (grant | (granted != 0))
    limit = p.cycles + p.latency + 3
    moves_within(spec, "room comes back", waiting=stuck, moves=unit.space.valid | unit.o.valid, cycles=limit)

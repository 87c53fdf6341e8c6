"""Specs of gearboxes, buffers and queues: what comes in goes out, once, in order, and in time."""

from collections.abc import Callable

from amaranth.hdl import Signal
from amaranth.lib import fifo

from bitwright_core.plan import ceil_div
from bitwright_hw.credit_fifo import credit_fifo
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.padding_mask import PaddingMask
from bitwright_hw.tokens import FrameTokens
from tests.proofs.spec import Follower, Spec, Tracker, bits_needed, holds_back, moves_within, sliced, zero_beyond


def gearbox(spec: Spec, *, in_width: int, out_width: int, bits: int, reader_waits: bool = True) -> None:
    """A Gearbox between a writer and a reader that pause at any time; the reader never, if not `reader_waits`."""
    m = spec.m
    m.submodules.box = box = Gearbox(in_width=in_width, out_width=out_width, bits=bits, reader_waits=reader_waits)
    send, word = spec.free("send"), spec.free("word", in_width)
    ready = spec.free("ready") if reader_waits else 1
    m.d.comb += [box.i.valid.eq(send), box.i.payload.eq(word), box.o.ready.eq(ready)]
    taken, leaves = send & box.i.ready, box.o.valid & ready
    follower = Follower(
        spec,
        entering=taken,
        word=word,
        words_in=box.words_in,
        offered=leaves if box.latency == 0 else box.o.valid,
        leaving=leaves,
        result=box.o.payload,
        words_out=box.words_out,
        expected=sliced(bits, in_width, out_width),
        needs=bits_needed(bits, in_width, out_width),
        most=3,
    )
    zero_beyond(spec, follower.count_in, box.words_in, bits, in_width, word)
    whole = follower.due & (follower.got >= follower.need)
    moves_within(spec, "a complete word is offered", waiting=whole, moves=box.o.valid, cycles=2)
    moves_within(spec, "words are taken while words leave", waiting=send & ready, moves=taken | leaves, cycles=2)
    if reader_waits and box.latency:
        holds_back(spec, "o", box.o)
    if not reader_waits:
        spec.claim("the writer never waits", box.i.ready)


def padding_mask(spec: Spec, *, width: int, bits: int) -> None:
    """A PaddingMask behind a writer that pauses at any time, whose padding is anything."""
    m = spec.m
    m.submodules.mask = mask = PaddingMask(width=width, bits=bits)
    send, word = spec.free("send"), spec.free("word", width)
    m.d.comb += [mask.i.valid.eq(send), mask.i.payload.eq(word)]
    Follower(
        spec,
        entering=send,
        word=word,
        words_in=mask.words,
        offered=mask.o.valid,
        leaving=mask.o.valid,
        result=mask.o.payload,
        words_out=mask.words,
        expected=sliced(bits, width, width),
        needs=lambda k: k + 1,
        most=1,
    )
    spec.claim("a word leaves as it comes", mask.o.valid == send)


def amaranths_fifo(*, width: int, depth: int) -> fifo.SyncFIFOBuffered:
    """What stood in place of credit_fifo."""
    return fifo.SyncFIFOBuffered(width=width, depth=depth)


def tokened_fifo(
    spec: Spec, *, depth: int, make: Callable[..., fifo.SyncFIFOBuffered] = credit_fifo, follow: bool = True
) -> None:
    """Entries come in any cycle, up to `depth` of them: each finds room, and leaves in its turn."""
    m = spec.m
    m.submodules.queue = queue = make(width=1, depth=depth)
    write, data, read = spec.free("write"), spec.free("data"), spec.free("read")
    enter, leave = Signal(), Signal()
    track = Tracker(spec, enter=enter, leave=leave, most=depth)
    due = Signal()
    m.d.comb += [
        enter.eq(write & (track.inside < depth)),
        leave.eq(queue.r_en & queue.r_rdy),
        queue.w_en.eq(enter),
        queue.w_data.eq(data),
        queue.r_en.eq(read),
    ]
    with m.If(track.marks):
        m.d.sync += due.eq(data)
    spec.claim("there is room for each entry", ~enter | queue.w_rdy)
    spec.claim("it holds what came and did not go", queue.level == track.inside)
    moves_within(spec, "an entry shows", waiting=track.inside != 0, moves=queue.r_rdy, cycles=2)
    if follow:
        spec.claim("each entry is right and in order", ~(track.due & queue.r_rdy) | (queue.r_data == due))


def frame_tokens(spec: Spec, *, pixels: int) -> None:
    """FrameTokens: as many frames' tokens are taken as pixels begin frames."""
    m = spec.m
    m.submodules.tokens = tokens = FrameTokens(pixels=pixels)
    ready, grant = spec.free("ready"), spec.free("grant")
    m.d.comb += [tokens.space.ready.eq(ready), tokens.grant.valid.eq(grant)]
    given, taken = tokens.space.valid & ready, tokens.grant.ready & grant
    left = Signal(range(pixels + 1))  # pixels that the last frame's token stands for
    m.d.sync += left.eq(left + taken * pixels - given)
    spec.claim("no pixel without its frame's token", ~given | (left != 0) | taken)
    spec.claim("a token only for a frame's first pixel", ~taken | ((left == 0) & given))
    spec.claim("no pixel waits for nothing", tokens.space.valid | ((left == 0) & ~grant))
    spec.cover("a frame's last pixel", given & (left + taken * pixels == 1))


def frame_queue(
    spec: Spec, *, in_width: int, out_width: int, bits: int, banks: int, repeats: int, buffer: bool = False
) -> None:
    """A FrameQueue, or the FrameBuffer alone: a token for each frame, words at any pace, some frames dropped; grants
    and pauses at any time."""
    m = spec.m
    words, given = ceil_div(bits, in_width), ceil_div(bits, out_width)
    queue: FrameQueue | FrameBuffer
    if buffer:
        queue = FrameBuffer(width=in_width, words=words, banks=banks, repeats=repeats)
    else:
        queue = FrameQueue(in_width=in_width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)
    m.submodules.queue = queue
    take, send, data = spec.free("take"), spec.free("send"), spec.free("data", in_width)
    drop, grant, ready = spec.free("drop"), spec.free("grant"), spec.free("ready")

    tokens, word = Signal(range(banks + 2)), Signal(range(words + 1))
    taken, sends, ends = Signal(), Signal(), Signal()
    frame, whole = Signal(bits), Signal(bits)
    m.d.comb += [
        queue.space.ready.eq(take),
        taken.eq(take & queue.space.valid),
        sends.eq(send & ((tokens != 0) | (word != 0))),
        ends.eq(sends & (word == words - 1)),
        queue.i.valid.eq(sends),
        queue.grant.valid.eq(grant),
        queue.o.ready.eq(ready),
        whole.eq(frame),
    ]
    with m.Switch(word):
        for k in range(words):
            with m.Case(k):
                part = slice(k * in_width, min(bits, (k + 1) * in_width))
                m.d.comb += [whole[part].eq(data), queue.i.payload.eq(data[: part.stop - part.start])]
    m.d.sync += tokens.eq(tokens + taken - (sends & (word == 0)))
    with m.If(sends):
        m.d.sync += [frame.eq(whole), word.eq(word + 1)]
        with m.If(ends):
            m.d.sync += word.eq(0)

    # a frame is in when `done` comes, a cycle or so after its last word: the widening box keeps the order
    done, complete, waiting, whole_before = Signal(), Signal(), Signal(), Signal(bits)
    m.d.comb += [queue.drop.eq(drop), done.eq(queue.done & ~drop)]
    spec.claim("a frame is done with its last word", queue.done == complete)
    if in_width < out_width:
        m.d.sync += [waiting.eq(ends), whole_before.eq(whole)]
        m.d.comb += complete.eq(waiting)
    else:
        m.d.comb += [complete.eq(ends), whole_before.eq(whole)]

    out, leave = Signal(range(given * repeats + 1)), Signal()
    o = queue.o
    m.d.comb += leave.eq(o.valid & o.ready & (out == given * repeats - 1))
    with m.If(o.valid & o.ready):
        m.d.sync += out.eq(out + 1)
        with m.If(leave):
            m.d.sync += out.eq(0)
    track = Tracker(spec, enter=done, leave=leave, most=banks + 2)
    due, expected = Signal(bits), Signal(out_width)
    with m.If(track.marks):
        m.d.sync += due.eq(whole_before)
    with m.Switch(out):
        for k in range(given * repeats):
            with m.Case(k):
                m.d.comb += expected.eq(due[k % given * out_width : (k % given + 1) * out_width])
    waits = (track.inside != 0) & (grant | (out != 0))
    moves_within(spec, "a frame that is in comes out", waiting=waits, moves=o.valid, cycles=5)
    spec.claim("no word without its frame", ~o.valid | (track.inside != 0))
    spec.claim("each word is right and in order", ~(o.valid & track.due) | (o.payload == expected))
    spec.claim("no more frames than there is room for", tokens + (word != 0) + track.inside <= banks + 2)
    held = Signal(range(banks + 4))
    m.d.comb += held.eq(tokens + (word != 0) + track.inside)
    freed = (held == 0) & ~queue.space.valid & ~waiting
    moves_within(spec, "room comes back", waiting=freed, moves=queue.space.valid, cycles=3)
    holds_back(spec, "o", o)
    spec.cover("a frame is dropped", queue.done & drop)

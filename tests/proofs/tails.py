# amaranth: UnusedElaboratable=no
"""Specs of the end of a classifier: scores, the class, and the queue that both wait in."""

from collections.abc import Callable
from unittest.mock import patch

from amaranth.hdl import Mux, Signal, Value, signed
from amaranth.lib import fifo, wiring

from bitwright_core.plan import ceil_div
from bitwright_hw import results as results_module
from bitwright_hw.results import ResultQueue
from bitwright_hw.scores import ArgMax, ScoreParams, ScoreUnit
from tests.proofs.spec import Elaborated, Follower, Spec, Tracker, holds_back, moves_within


def scores(
    spec: Spec, *, classes: int, pe: int, spacing: int, bits: int, scale: tuple[int, ...], offset: tuple[int, ...]
) -> None:
    """ScoreUnit and ArgMax: each frame's class is the first of its largest scores, whatever its counts are."""
    m = spec.m
    inputs = (1 << bits) - 1
    p = ScoreParams(pe=pe, bits=bits, spacing=spacing, inputs=inputs, scale=scale, offset=offset)
    m.submodules.scores, m.submodules.argmax = unit, argmax = ScoreUnit(params=p), ArgMax(params=p)
    m.d.comb += [argmax.i.valid.eq(unit.o.valid), argmax.i.payload.as_value().eq(unit.o.payload.as_value())]
    send, word = spec.free("send"), spec.free("word", pe * bits)
    pause, sends = Signal(range(spacing + 1)), Signal()
    m.d.comb += [sends.eq(send & (pause == 0)), unit.i.valid.eq(sends), unit.i.payload.as_value().eq(word)]
    m.d.sync += pause.eq(Mux(sends, spacing - 1, Mux(pause == 0, 0, pause - 1)))
    words = ceil_div(classes, pe)

    def winner(_k: int, frame: list[Value]) -> Value:
        best, found = Signal(signed(16), name="best_0"), Signal(8, name="found_0")
        for c in range(classes):
            count = frame[c // pe][c % pe * bits : (c % pe + 1) * bits]
            score = Signal(signed(16), name=f"wanted_{c}")
            m.d.comb += score.eq(count * scale[c] + offset[c])
            if c == 0:
                m.d.comb += [best.eq(score), found.eq(0)]
                continue
            better, klass = Signal(signed(16), name=f"best_{c}"), Signal(8, name=f"found_{c}")
            m.d.comb += [better.eq(Mux(score > best, score, best)), klass.eq(Mux(score > best, c, found))]
            best, found = better, klass
        return found

    latency = ScoreUnit.LATENCY + p.steps - 1 + p.argmax_latency
    follower = Follower(
        spec,
        entering=sends,
        word=word,
        words_in=words,
        offered=argmax.o.valid,
        leaving=argmax.o.valid,
        result=argmax.o.payload,
        words_out=1,
        expected=winner,
        needs=lambda _k: words,
        most=latency + 1,
    )
    moves_within(
        spec,
        "a class comes as the latency says",
        waiting=follower.due & (follower.got == words),
        moves=argmax.o.valid,
        cycles=latency + 1,
    )


def tail(
    spec: Spec,
    *,
    classes: int,
    pe: int,
    spacing: int,
    slots: int,
    scores: bool,
    queue: Callable[..., fifo.SyncFIFOBuffered] | None = None,
) -> None:
    """ScoreUnit, ArgMax and ResultQueue: frames start with a token each, their words come in any later cycle.

    A frame's class is chosen by the solver: that lane's count is 1, those of others 0. Every frame has its tag.
    """
    m = spec.m
    ones, zeros = (1,) * classes, (0,) * classes
    p = ScoreParams(pe=pe, bits=2, spacing=spacing, inputs=1, scale=ones, offset=zeros)
    m.submodules.scores, m.submodules.argmax = unit, argmax = ScoreUnit(params=p), ArgMax(params=p)
    results = ResultQueue(params=p, slots=slots, scores=scores)
    if queue is None:
        m.submodules.results = results
    else:
        with patch.object(results_module, "credit_fifo", queue):
            m.submodules.results = Elaborated(results)
    wiring.connect(m, argmax.o, results.klass)
    for sink in (argmax.i, results.score):
        m.d.comb += [sink.valid.eq(unit.o.valid), sink.payload.eq(unit.o.payload.as_value())]

    # frames that have a token and have not begun; a frame is `words` words, at least `spacing` cycles apart
    start, send, klass = spec.free("start"), spec.free("send"), spec.free("klass", range(classes))
    tag, ready = spec.free("tag"), spec.free("ready")
    words = ceil_div(p.classes, p.pe)
    waiting, word, pause = Signal(range(slots + 2)), Signal(range(words + 1)), Signal(range(p.spacing + 1))
    begins, sends, ends, started = Signal(), Signal(), Signal(), Signal()
    held, chosen = Signal.like(klass), Signal.like(klass)
    spec.assume(klass < p.classes)
    m.d.comb += [
        results.space.ready.eq(start),
        started.eq(start & results.space.valid),
        sends.eq(send & (pause == 0) & ((waiting != 0) | (word != 0))),
        begins.eq(sends & (word == 0)),
        ends.eq(sends & (word == words - 1)),
        chosen.eq(held),
        unit.i.valid.eq(sends),
    ]
    with m.If(begins):
        m.d.comb += chosen.eq(klass)
        m.d.sync += held.eq(klass)
    m.d.sync += waiting.eq(waiting + started - begins)
    with m.If(sends):
        m.d.sync += [word.eq(word + 1), pause.eq(p.spacing - 1)]
        with m.If(ends):
            m.d.sync += word.eq(0)
    with m.Elif(pause != 0):
        m.d.sync += pause.eq(pause - 1)
    with m.Switch(word):
        for k in range(words):
            with m.Case(k):
                for row in range(p.pe):
                    m.d.comb += unit.i.payload[row].eq(chosen == k * p.pe + row)

    beats = p.classes + 1 if scores else 1
    beat = Signal(range(beats + 1))
    o, leave = results.o, Signal()
    m.d.comb += [o.ready.eq(ready), leave.eq(o.valid & o.ready & (beat == beats - 1))]
    with m.If(o.valid & o.ready):
        m.d.sync += beat.eq(beat + 1)
        with m.If(leave):
            m.d.sync += beat.eq(0)
    track = Tracker(spec, enter=ends, leave=leave, most=slots)
    due = Signal.like(klass)
    waits = Signal()  # a tag stays until it is taken
    held_tag, before = Signal(), Signal()
    m.d.comb += [results.tag.valid.eq(1), results.tag.payload.eq(held_tag), held_tag.eq(Mux(waits, before, tag))]
    m.d.sync += [waits.eq(~results.tag.ready), before.eq(held_tag)]
    with m.If(track.marks):
        m.d.sync += due.eq(chosen)
    is_class = beat == beats - 1
    expected = Signal(64)
    m.d.comb += expected.eq(due == beat)
    with m.If(is_class):
        m.d.comb += expected.eq(due)
    spec.claim("no result without its frame", ~o.valid | (track.inside != 0))
    spec.claim("each result is right and in order", ~(o.valid & track.due) | (o.payload.data == expected))
    spec.claim("the last beat has its tag", ~o.valid | (o.payload.last == (held_tag & is_class)))
    spec.claim("a tag is taken with each result", results.tag.ready == leave)
    # none lost: once the units are empty, what is complete is there; and each slot comes back
    in_time = ScoreUnit.LATENCY + p.steps - 1 + p.argmax_latency + ResultQueue.LATENCY
    since = Signal(range(in_time + 1), init=in_time)
    with m.If(ends):
        m.d.sync += since.eq(1)
    with m.Elif(since != in_time):
        m.d.sync += since.eq(since + 1)
    spec.claim("none is lost", (since != in_time) | (track.inside == 0) | o.valid)
    held_slots = waiting + (word != 0) + track.inside
    spec.claim("each slot comes back", results.space.valid == (held_slots != slots))
    holds_back(spec, "o", o)

# amaranth: UnusedElaboratable=no
"""Proofs that no frame and no result is lost, doubled or overtaken, whatever both sides do.

Each spec drives a component as its contract allows, in every way that there is, and follows one entry (`Tracker`).
"""

import pytest
from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In

from bitwright_core.errors import ToolError
from bitwright_core.plan import ceil_div
from bitwright_hw import results as results_module
from bitwright_hw.credit_fifo import credit_fifo
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.results import ResultQueue
from bitwright_hw.scores import ArgMax, ScoreParams, Scores
from tests.hw.formal_support import Tracker, prove


def amaranths_fifo(*, width, depth):
    """What stood in place of credit_fifo."""
    return fifo.SyncFIFOBuffered(width=width, depth=depth)


class FifoSpec(wiring.Component):
    """Entries come in any cycle, up to `depth` of them: each finds room, and leaves in its turn."""

    def __init__(self, *, make, depth, follow=True):
        self.make, self.depth, self.follow = make, depth, follow
        super().__init__({"write": In(1), "data": In(1), "read": In(1), "mark": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.make(width=1, depth=self.depth)
        enter, leave = Signal(), Signal()
        track = Tracker(m, mark=self.mark, enter=enter, leave=leave, most=self.depth)
        due, late = Signal(), Signal()
        m.d.comb += [
            enter.eq(self.write & (track.inside < self.depth)),
            leave.eq(queue.r_en & queue.r_rdy),
            queue.w_en.eq(enter),
            queue.w_data.eq(self.data),
            queue.r_en.eq(self.read),
            Assert(~enter | queue.w_rdy),
            Assert(queue.level == track.inside),
            Assert(~late | (track.inside == 0) | queue.r_rdy),
        ]
        if self.follow:
            m.d.comb += Assert(~(track.due & queue.r_rdy) | (queue.r_data == due))
        m.d.sync += late.eq((track.inside != 0) & ~queue.r_rdy)
        with m.If(track.marks):
            m.d.sync += due.eq(self.data)
        return m


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_queue_has_room_for_every_token(depth, tmp_path):
    prove(FifoSpec(make=credit_fifo, depth=depth, follow=False), tmp_path, steps=6, for_ever=True)
    prove(FifoSpec(make=credit_fifo, depth=depth), tmp_path, steps=12)


def test_amaranths_queue_of_two_has_not(tmp_path):
    with pytest.raises(ToolError, match="proof did fail"):
        prove(FifoSpec(make=amaranths_fifo, depth=2), tmp_path, steps=12)


class TailSpec(wiring.Component):
    """Scores, ArgMax and ResultQueue: frames start with a token each, their words come in any later cycle.

    A frame's class is chosen by the solver: that lane's count is 1, those of others 0. Every frame has its tag.
    """

    def __init__(self, *, classes, pe, spacing, slots, scores):
        ones, zeros = (1,) * classes, (0,) * classes
        self.params = ScoreParams(pe=pe, bits=2, spacing=spacing, inputs=1, scale=ones, offset=zeros)
        self.slots, self.scores = slots, scores
        super().__init__(
            {"start": In(1), "send": In(1), "klass": In(range(classes)), "tag": In(1), "mark": In(1), "ready": In(1)}
        )

    def elaborate(self, platform):
        m = Module()
        p, slots = self.params, self.slots
        m.submodules.scores = unit = Scores(params=p)
        m.submodules.argmax = argmax = ArgMax(params=p)
        m.submodules.results = results = ResultQueue(params=p, slots=slots, scores=self.scores)
        wiring.connect(m, argmax.o, results.klass)
        for sink in (argmax.i, results.score):
            m.d.comb += [sink.valid.eq(unit.o.valid), sink.payload.eq(unit.o.payload.as_value())]

        # frames that have a token and have not begun; a frame is `words` words, at least `spacing` cycles apart
        words = ceil_div(p.classes, p.pe)
        waiting, word, pause = Signal(range(slots + 1)), Signal(range(words + 1)), Signal(range(p.spacing + 1))
        begins, sends, ends, started = Signal(), Signal(), Signal(), Signal()
        klass, chosen = Signal.like(self.klass), Signal.like(self.klass)
        m.d.comb += [
            Assume(self.klass < p.classes),
            results.space.ready.eq(self.start),
            started.eq(self.start & results.space.valid),
            sends.eq(self.send & (pause == 0) & ((waiting != 0) | (word != 0))),
            begins.eq(sends & (word == 0)),
            ends.eq(sends & (word == words - 1)),
            chosen.eq(klass),
            unit.i.valid.eq(sends),
        ]
        with m.If(begins):
            m.d.comb += chosen.eq(self.klass)
            m.d.sync += klass.eq(self.klass)
        m.d.sync += [waiting.eq(waiting + started - begins)]
        with m.If(sends):
            m.d.sync += [word.eq(word + 1), pause.eq(p.spacing - 1)]
            with m.If(ends):
                m.d.sync += word.eq(0)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.Switch(word):
            for k in range(words):
                with m.Case(k):
                    for pe in range(p.pe):
                        m.d.comb += unit.i.payload[pe].eq(chosen == k * p.pe + pe)

        beats = p.classes + 1 if self.scores else 1
        beat = Signal(range(beats + 1))
        o, leave = results.o, Signal()
        m.d.comb += [o.ready.eq(self.ready), leave.eq(o.valid & o.ready & (beat == beats - 1))]
        with m.If(o.valid & o.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(leave):
                m.d.sync += beat.eq(0)
        track = Tracker(m, mark=self.mark, enter=ends, leave=leave, most=slots)
        due, tag = Signal.like(self.klass), Signal()
        m.d.comb += [results.tag.valid.eq(1), results.tag.payload.eq(self.tag), tag.eq(self.tag)]
        with m.If(track.marks):
            m.d.sync += due.eq(chosen)
        is_class = beat == beats - 1
        expected = Signal(64)
        m.d.comb += expected.eq(due == beat)
        with m.If(is_class):
            m.d.comb += expected.eq(due)
        m.d.comb += [
            Assert(~o.valid | (track.inside != 0)),  # no result without its frame
            Assert(~(o.valid & track.due) | (o.payload.data == expected)),  # each its own, in order
            Assert(~o.valid | (o.payload.last == (tag & is_class))),
            Assert(results.tag.ready == leave),  # a tag a result
        ]
        # none lost: once the units are empty, what is complete is there; and each slot comes back
        in_time = Scores.LATENCY + p.steps - 1 + p.argmax_latency + ResultQueue.LATENCY
        since = Signal(range(in_time + 1), init=in_time)
        with m.If(ends):
            m.d.sync += since.eq(1)
        with m.Elif(since != in_time):
            m.d.sync += since.eq(since + 1)
        m.d.comb += [
            Assert((since != in_time) | (track.inside == 0) | o.valid),
            Assert(results.space.valid == (waiting + (word != 0) + track.inside != slots)),
        ]
        return m


STEPS = 15  # a token, a burst, the latency, and the queue emptied

TAILS = [  # classes, pe, spacing, slots, scores
    (2, 2, 1, 2, False),
    (2, 2, 1, 3, False),
    (3, 3, 1, 2, True),
    (1, 1, 1, 2, True),
    (2, 1, 2, 2, True),
    (3, 2, 1, 2, True),
    (4, 4, 2, 2, False),
]


@pytest.mark.parametrize(("classes", "pe", "spacing", "slots", "scores"), TAILS)
def test_tail_of_a_classifier(classes, pe, spacing, slots, scores, tmp_path):
    spec = TailSpec(classes=classes, pe=pe, spacing=spacing, slots=slots, scores=scores)
    prove(spec, tmp_path, steps=STEPS)


@pytest.mark.parametrize(("classes", "pe", "scores"), [(2, 2, False), (1, 1, True), (2, 2, True)])
def test_tail_with_amaranths_queue_loses_a_result(classes, pe, scores, tmp_path, monkeypatch):
    monkeypatch.setattr(results_module, "credit_fifo", amaranths_fifo)
    spec = TailSpec(classes=classes, pe=pe, spacing=1, slots=2, scores=scores)
    with pytest.raises(ToolError, match="proof did fail"):
        prove(spec, tmp_path, steps=STEPS)


class QueueSpec(wiring.Component):
    """A FrameQueue: a token for each frame, words at any pace, some frames dropped; grants and pauses at any time."""

    def __init__(self, *, in_width, out_width, bits, banks, repeats):
        self.arguments = {
            "in_width": in_width,
            "out_width": out_width,
            "bits": bits,
            "banks": banks,
            "repeats": repeats,
        }
        super().__init__(
            {
                "take": In(1),
                "send": In(1),
                "data": In(in_width),
                "drop": In(1),
                "grant": In(1),
                "ready": In(1),
                "mark": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        a = self.arguments
        m.submodules.queue = queue = FrameQueue(**a)
        bits, banks, repeats = a["bits"], a["banks"], a["repeats"]
        words, given = ceil_div(bits, a["in_width"]), ceil_div(bits, a["out_width"])

        tokens, word = Signal(range(banks + 1)), Signal(range(words + 1))
        taken, sends, ends = Signal(), Signal(), Signal()
        frame, whole = Signal(bits), Signal(bits)
        m.d.comb += [
            queue.space.ready.eq(self.take),
            taken.eq(self.take & queue.space.valid),
            sends.eq(self.send & ((tokens != 0) | (word != 0))),
            ends.eq(sends & (word == words - 1)),
            queue.i.valid.eq(sends),
            queue.grant.valid.eq(self.grant),
            queue.o.ready.eq(self.ready),
            whole.eq(frame),
        ]
        with m.Switch(word):
            for k in range(words):
                with m.Case(k):
                    part = slice(k * a["in_width"], min(bits, (k + 1) * a["in_width"]))
                    m.d.comb += [whole[part].eq(self.data), queue.i.payload.eq(self.data[: part.stop - part.start])]
        m.d.sync += tokens.eq(tokens + taken - (sends & (word == 0)))
        with m.If(sends):
            m.d.sync += [frame.eq(whole), word.eq(word + 1)]
            with m.If(ends):
                m.d.sync += word.eq(0)

        # a frame is in when `done` comes, a cycle or so after its last word: the widening box keeps the order
        done, complete, waiting, whole_before = Signal(), Signal(), Signal(), Signal(bits)
        m.d.comb += [queue.drop.eq(self.drop), done.eq(queue.done & ~self.drop), Assert(queue.done == complete)]
        if a["in_width"] < a["out_width"]:
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
        track = Tracker(m, mark=self.mark, enter=done, leave=leave, most=banks + 2)
        due, expected = Signal(bits), Signal(a["out_width"])
        with m.If(track.marks):
            m.d.sync += due.eq(whole_before)
        with m.Switch(out):
            for k in range(given * repeats):
                with m.Case(k):
                    m.d.comb += expected.eq(due[k % given * a["out_width"] : (k % given + 1) * a["out_width"]])
        late = Signal(4)
        with m.If((track.inside == 0) | o.valid | ~(self.grant | (out != 0))):
            m.d.sync += late.eq(0)
        with m.Else():
            m.d.sync += late.eq(late + 1)
        m.d.comb += [
            Assert(~o.valid | (track.inside != 0)),
            Assert(~(o.valid & track.due) | (o.payload == expected)),
            Assert(late < 5),  # a frame that is in comes out
            Assert(tokens + (word != 0) + track.inside <= banks + 2),
        ]
        return m


QUEUES = [  # in_width, out_width, bits, banks, repeats, steps
    (1, 1, 1, 2, 1, 10),
    (1, 1, 2, 2, 2, 13),
    (1, 2, 3, 2, 1, 14),
    (2, 1, 3, 2, 2, 14),
    (2, 2, 3, 2, 1, 12),
    pytest.param(1, 1, 1, 3, 1, 15, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("in_width", "out_width", "bits", "banks", "repeats", "steps"), QUEUES)
def test_frame_queue(in_width, out_width, bits, banks, repeats, steps, tmp_path):
    spec = QueueSpec(in_width=in_width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)
    prove(spec, tmp_path, steps=steps)

"""The end of a classifier: scores and classes wait here for the output stream."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import RESULT_BITS
from bitwright_hw.credit_fifo import credit_fifo
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.scores import ScoreParams
from bitwright_hw.tokens import Tokens

RESULT_LAYOUT = data.StructLayout({"data": RESULT_BITS, "last": 1})


class ResultQueue(wiring.Component):
    """Keeps the results of up to `slots` frames and sends them as 64-bit beats: the scores, class 0 first, if `scores`;
    then the class.

    `score` (if `scores`) and `klass` bring what ScoreUnit and ArgMax give; whoever starts a frame has taken a
    token of `space` for it. `last` is `tag`'s bit on the class beat; a tag is taken with each class beat.

    Latency: 2 cycles from a class to its beat (scores go first: classes more). Throughput: a beat a cycle.
    """

    LATENCY = 2

    def __init__(self, *, params: ScoreParams, slots: int, scores: bool):
        if slots < 1:
            raise ValueError("slots must be at least 1")
        self.params = params
        self.slots = slots
        self.scores = scores
        layout = data.ArrayLayout(signed(params.score_bits), params.lanes)
        super().__init__(
            {
                "score": In(stream.Signature(layout, always_ready=True)),
                "klass": In(stream.Signature(params.class_bits, always_ready=True)),
                "tag": In(stream.Signature(1)),
                "space": Out(Tokens),
                "o": Out(stream.Signature(RESULT_LAYOUT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.classes = classes = credit_fifo(width=self.params.class_bits, depth=self.slots)
        sent = Signal()  # a frame's last beat leaves
        ready = Signal()
        m.d.comb += [
            classes.w_data.eq(self.klass.payload),
            classes.w_en.eq(self.klass.valid),
            ready.eq(classes.r_rdy & self.tag.valid),
            classes.r_en.eq(sent),
            self.tag.ready.eq(sent),
        ]
        if self.scores:
            self._with_scores(m, ready, classes.r_data, sent)
        else:
            m.d.comb += [
                self.o.valid.eq(ready),
                self.o.payload.data.eq(classes.r_data),
                self.o.payload.last.eq(self.tag.payload),
                sent.eq(self.o.valid & self.o.ready),
            ]
        free = Signal(range(self.slots + 1), init=self.slots)
        m.d.comb += self.space.valid.eq(free != 0)
        m.d.sync += free.eq(free - (self.space.valid & self.space.ready) + sent)
        return m

    def _with_scores(self, m: Module, ready: Signal, klass: Signal, sent: Signal) -> None:
        params = self.params
        width = params.lanes * params.score_bits
        m.submodules.scores = scores = credit_fifo(width=width, depth=self.slots * params.words)
        index = Signal(range(params.classes + 1))  # the class whose score is sent; `classes` for the class beat
        lane = Signal(range(max(2, params.lanes)))
        score = Signal(params.score_bits)
        moved = Signal()
        is_class = Signal()
        m.d.comb += [
            scores.w_data.eq(self.score.payload.as_value()),
            scores.w_en.eq(self.score.valid),
            is_class.eq(index == params.classes),
            score.eq(scores.r_data.word_select(lane, params.score_bits)),
            self.o.valid.eq(ready & (is_class | scores.r_rdy)),
            self.o.payload.data.eq(Mux(is_class, klass, score.as_signed())),
            self.o.payload.last.eq(is_class & self.tag.payload),
            moved.eq(self.o.valid & self.o.ready),
            sent.eq(moved & is_class),
            scores.r_en.eq(moved & ~is_class & ((lane == params.lanes - 1) | (index == params.classes - 1))),
        ]
        # words that hold padding alone (rows beyond the last class) are thrown away as they come
        padding_words = params.words - -(-params.classes // params.lanes)
        if padding_words:
            word = Signal(range(params.words))
            with m.If(self.score.valid):
                m.d.sync += word.eq(count_up(word, params.words))
            m.d.comb += scores.w_en.eq(self.score.valid & (word < params.words - padding_words))
        with m.If(moved):
            m.d.sync += [index.eq(count_up(index, params.classes + 1)), lane.eq(count_up(lane, params.lanes))]
            with m.If(is_class | (index == params.classes - 1)):
                m.d.sync += lane.eq(0)

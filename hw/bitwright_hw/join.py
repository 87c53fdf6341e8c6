"""Where values meet: units of several streams, pixels or frames, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class JoinInput:
    """One stream of a join: units of `bits` bits in words of `in_width`, given on in words of `out_width` bits.

    There is room for `capacity` units.
    """

    in_width: int
    out_width: int
    bits: int
    capacity: int

    def __post_init__(self) -> None:
        if min(self.in_width, self.bits, self.capacity) < 1 or self.out_width < self.in_width:
            raise ValueError("in_width, bits and capacity must be at least 1, and out_width at least in_width")

    @property
    def words(self) -> int:
        """Words of a unit that it gives."""
        return ceil_div(self.bits, self.out_width)


@dataclass(frozen=True, kw_only=True)
class JoinParams:
    """The arguments of Join. The words of a unit follow each other, input by input, or stand `beside` each other.

    Words that follow each other have one width, which divides the bits of every input but the last.
    """

    inputs: tuple[JoinInput, ...]
    beside: bool

    def __post_init__(self) -> None:
        first = self.inputs[0]
        if self.beside and any(i.words != first.words for i in self.inputs):
            raise ValueError("inputs beside each other must have as many words each")
        if not self.beside and any(i.out_width != first.out_width for i in self.inputs):
            raise ValueError("inputs that follow each other must have words of one width")
        if not self.beside and any(i.bits % i.out_width for i in self.inputs[:-1]):
            raise ValueError("a word's width must divide the bits of every input but the last")

    @property
    def out_width(self) -> int:
        """Bits of a word that the join gives."""
        return sum(i.out_width for i in self.inputs) if self.beside else self.inputs[0].out_width

    @property
    def words(self) -> int:
        """Words of a unit that the join gives."""
        return self.inputs[0].words if self.beside else sum(i.words for i in self.inputs)

    def offset(self, k: int) -> int:
        """Cycles after the start of a unit until its words of input k are asked for."""
        return 0 if self.beside else sum(i.words for i in self.inputs[:k])


class Join(wiring.Component):
    """Keeps units of several streams until there is one of each, and gives them together, first in, first out.

    Writers: `i_k` with tokens `space_k`, `drop_k` and `done_k`, as those of FrameBuffer, for each input k. Each stream
    may be ahead of the others by the units that it has room for.

    Reader: starts on a unit when each input has it complete and `grant` gives a token, and sends `params.words` words.

    Latency: the first word shows LATENCY cycles after a start, which may be in the cycle after the last input's last
    word was kept (`FrameQueue`). Throughput: a word a cycle, without a gap between units that wait.
    Reset: forgets every unit.
    """

    LATENCY = 2

    def __init__(self, *, params: JoinParams):
        self.params = params
        members: dict[str, wiring.Member] = {}
        for k, each in enumerate(params.inputs):
            members |= {
                f"i_{k}": In(stream.Signature(each.in_width, always_ready=True)),
                f"space_{k}": Out(Tokens),
                f"drop_{k}": In(1),
                f"done_{k}": Out(1),
            }
        out = Out(stream.Signature(params.out_width, always_ready=True))
        super().__init__({**members, "grant": In(Tokens), "o": out})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.params
        queues = []
        for k, each in enumerate(p.inputs):
            queue = FrameQueue(
                in_width=each.in_width, out_width=each.out_width, bits=each.bits, banks=each.capacity, repeats=1
            )
            m.submodules[f"queue_{k}"] = queue
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{k}")), queue.i)
            wiring.connect(m, wiring.flipped(getattr(self, f"space_{k}")), queue.space)
            m.d.comb += [
                queue.drop.eq(getattr(self, f"drop_{k}")),
                getattr(self, f"done_{k}").eq(queue.done),
                queue.o.ready.eq(1),
            ]
            queues.append(queue)
        self._start(m, queues)
        words = [queue.o.payload for queue in queues]
        valid = [queue.o.valid for queue in queues]
        m.d.comb += self.o.valid.eq(valid[0] if p.beside else reduce(or_, valid))
        if p.beside:
            m.d.comb += self.o.payload.eq(Cat(words))
        else:
            chosen = [Mux(v, word, 0) for v, word in zip(valid, words, strict=True)]
            m.d.comb += self.o.payload.eq(reduce(or_, chosen))
        return m

    def _start(self, m: Module, queues: Sequence[FrameQueue]) -> None:
        """Gives each queue its token when its words' turn comes; all have been complete since the start."""
        p = self.params
        # cycles since the start of a unit whose words are not all asked for, 0 if there is none
        since = Signal(range(max(2, p.words)))
        ready, start = Signal(), Signal(name="start")
        m.d.comb += [
            ready.eq(reduce(and_, (queue.grant.ready for queue in queues)) & (since == 0)),
            self.grant.ready.eq(ready),
            start.eq(ready & self.grant.valid),
        ]
        if p.words > 1:
            with m.If(start | (since != 0)):
                m.d.sync += since.eq(Mux(since == p.words - 1, 0, since + 1))
        for k, queue in enumerate(queues):
            turn: Value = since == p.offset(k) if p.offset(k) else start
            m.d.comb += queue.grant.valid.eq(turn)

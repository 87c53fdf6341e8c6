"""Whole frames, a word each, for engines that take all of a frame at a time and never make it wait."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up, frame_ports


class FrameCollector(wiring.Component):
    """Shifts the words of a frame of `bits` bits into one register, and gives it out as a word.

    A FrameQueue without room: a frame's token is one of `grant`, taken as it is asked for, so that nothing behind ever
    makes a frame wait. `i`, `space`, `drop` and `done` are those of FrameBuffer. The token of a dropped frame serves
    the next one. At most `ahead` frames may have their token and not all their words; others are made wait.

    A shift register moves all of its bits and needs no multiplexer, so it takes no LUT; what the reader does not use
    is left out by synthesis where no later bit passes through it.

    Latency: 1 cycle from a frame's last word to `o`. Throughput: a word a cycle. Reset: forgets frames and tokens.
    """

    LATENCY = 1

    def __init__(self, *, in_width: int, bits: int, ahead: int):
        if min(in_width, bits, ahead) < 1:
            raise ValueError("in_width, bits and ahead must be at least 1")
        self.in_width = in_width
        self.bits = bits
        self.ahead = ahead
        super().__init__(frame_ports(in_width, stream.Signature(bits, always_ready=True)))

    @property
    def words(self) -> int:
        return ceil_div(self.bits, self.in_width)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(self.words * self.in_width)  # with a reset: no shift register in LUTs
        word = Signal(range(max(2, self.words)))
        m.d.comb += [
            self.done.eq(self.i.valid & (word == self.words - 1)),
            self.o.payload.eq(held[: self.bits]),
        ]
        m.d.sync += self.o.valid.eq(self.done & ~self.drop)
        with m.If(self.i.valid):
            m.d.sync += [
                held.eq(self.i.payload if self.words == 1 else held[self.in_width :] | self.i.payload << self._top),
                word.eq(count_up(word, self.words)),
            ]

        # Tokens: `spare` came back from dropped frames, `inside` are with frames on their way.
        spare = Signal(range(self.ahead + 1))
        inside = Signal(range(self.ahead + 1))
        taken = Signal()
        again = Signal()
        room = Signal()
        m.d.comb += [
            room.eq(inside != self.ahead),
            again.eq(spare != 0),
            self.space.valid.eq(room & (again | self.grant.valid)),
            taken.eq(self.space.valid & self.space.ready),
            self.grant.ready.eq(self.space.ready & room & ~again),
        ]
        m.d.sync += [
            inside.eq(inside + taken - self.done),
            spare.eq(spare - (taken & again) + (self.done & self.drop)),
        ]
        return m

    @property
    def _top(self) -> int:
        """Where the last word goes."""
        return (self.words - 1) * self.in_width

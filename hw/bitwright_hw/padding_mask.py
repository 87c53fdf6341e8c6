"""Zeros where a frame's last beat holds no values."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up


class PaddingMask(wiring.Component):
    """Passes words of `width` bits, of frames of `bits` bits, and clears a last word's bits beyond the frame.

    An encoder gives its lanes whatever stands for the value 0, which need not be 0, and queues and engines take it that
    what pads is 0 and adds nothing.

    Latency: 0. Throughput: a word a cycle. Reset: at a frame's first word.
    """

    def __init__(self, *, width: int, bits: int):
        if min(width, bits) < 1:
            raise ValueError("width and bits must be at least 1")
        self.width = width
        self.bits = bits
        super().__init__(
            {
                "i": In(stream.Signature(width, always_ready=True)),
                "o": Out(stream.Signature(width, always_ready=True)),
            }
        )

    @property
    def words(self) -> int:
        """Words of a frame."""
        return ceil_div(self.bits, self.width)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(range(max(2, self.words)))
        m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        with m.If(self.i.valid):
            m.d.sync += word.eq(count_up(word, self.words))
        with m.If(word == self.words - 1):
            m.d.comb += self.o.payload.eq(self.i.payload[: self.bits - (self.words - 1) * self.width])
        return m

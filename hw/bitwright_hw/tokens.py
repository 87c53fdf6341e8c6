"""Credits: how a component asks for room before it starts on a frame.

A token stands for room for one whole frame, or, in front of line buffers, for one pixel. A buffer offers a token
while `valid` is high; whoever feeds it takes the token in a cycle in which `ready` is high too, and may from then on
send that frame's words in any cycle, at any pace, without asking again. Flow control by the frame keeps every
word-level stream in the accelerator free of back pressure, so that no pipeline needs an enable.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

Tokens = wiring.Signature({"valid": Out(1), "ready": In(1)})


class FrameTokens(wiring.Component):
    """Tokens for pixels from tokens for frames: the first of each `pixels` pixels takes one of `grant`, the others
    come free.

    Combinational, but for the count of pixels.
    """

    def __init__(self, *, pixels: int):
        if pixels < 1:
            raise ValueError(f"a frame has at least 1 pixel, not {pixels}")
        self.pixels = pixels
        super().__init__({"space": Out(Tokens), "grant": In(Tokens)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(max(2, self.pixels)))
        first = Signal()
        m.d.comb += [
            first.eq(count == 0),
            self.space.valid.eq(~first | self.grant.valid),
            self.grant.ready.eq(first & self.space.ready),
        ]
        with m.If(self.space.valid & self.space.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.pixels - 1):
                m.d.sync += count.eq(0)
        return m

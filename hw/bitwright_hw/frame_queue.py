"""A frame buffer between words of different widths."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import FrameBuffer, frame_ports
from bitwright_hw.gearbox import Gearbox


class FrameQueue(wiring.Component):
    """A `FrameBuffer` for frames of `bits` bits, written in words of `in_width` bits and read in words of `out_width`.

    The storage is as wide as the wider side, so that a `Gearbox` before it (narrow to wide) or behind it (wide
    to narrow) never makes the writer wait. Ports and contract are those of FrameBuffer; bits of the last input
    word beyond the frame must be zero. Every repeat starts at a word of its own.

    Throughput: as FrameBuffer, ceil(bits / out_width) * repeats cycles a frame without a gap. Latency:
    FrameBuffer's three cycles, and one more for the gearbox.
    """

    def __init__(self, *, in_width: int, out_width: int, bits: int, banks: int, repeats: int):
        self.in_width = in_width
        self.out_width = out_width
        self.bits = bits
        self.banks = banks
        self.repeats = repeats
        super().__init__(frame_ports(in_width, stream.Signature(out_width)))

    @property
    def storage_width(self) -> int:
        return max(self.in_width, self.out_width)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.storage_width
        m.submodules.buffer = buffer = FrameBuffer(
            width=width, words=ceil_div(self.bits, width), banks=self.banks, repeats=self.repeats
        )
        m.submodules.widen = widen = Gearbox(
            in_width=self.in_width, out_width=width, bits=self.bits, reader_waits=False
        )
        m.submodules.narrow = narrow = Gearbox(in_width=width, out_width=self.out_width, bits=self.bits)
        m.d.comb += [
            widen.i.valid.eq(self.i.valid),
            widen.i.payload.eq(self.i.payload),
            widen.o.ready.eq(1),
            buffer.i.valid.eq(widen.o.valid),
            buffer.i.payload.eq(widen.o.payload),
            buffer.drop.eq(self.drop),
            self.done.eq(buffer.done),
        ]
        wiring.connect(m, wiring.flipped(self.space), buffer.space)
        wiring.connect(m, wiring.flipped(self.grant), buffer.grant)
        wiring.connect(m, buffer.o, narrow.i)
        wiring.connect(m, narrow.o, wiring.flipped(self.o))
        return m

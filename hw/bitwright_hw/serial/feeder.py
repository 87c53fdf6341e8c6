"""Bytes of frames to the beats of the accelerator's input stream."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import InputFormat


class Feeder(wiring.Component):
    """Cuts bytes into frames of `format.bytes`, pads each to whole beats, and ends each with TLAST.

    Latency: a beat is offered the cycle after its last byte. Throughput: a byte or a byte of padding a cycle, while no
    beat waits. Reset: waits for a frame's first byte.
    """

    def __init__(self, *, format: InputFormat):
        self.format = format
        width = format.data_bits
        self.axis_layout = data.StructLayout({"data": width, "keep": width // 8, "last": 1})
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(self.axis_layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.format
        lanes = fmt.data_bits // 8
        beat = self.o.payload
        lane = Signal(range(lanes + 1))  # bytes in the beat, padding included
        position = Signal(range(fmt.bytes + 1))  # bytes of the frame so far
        complete = Signal()
        m.d.comb += [complete.eq(position == fmt.bytes), self.o.valid.eq(lane == lanes), beat.last.eq(complete)]
        data_bits, keep_bits = Signal(fmt.data_bits), Signal(lanes, name="keep_bits")
        m.d.comb += [beat.data.eq(data_bits), beat.keep.eq(keep_bits)]
        with m.If(self.o.valid), m.If(self.o.ready):
            m.d.sync += lane.eq(0)
            with m.If(complete):
                m.d.sync += position.eq(0)
        with m.Elif(complete):
            m.d.sync += [
                lane.eq(lane + 1),
                data_bits.eq(Cat(data_bits[8:], 0)),
                keep_bits.eq(Cat(keep_bits[1:], 0)),
            ]
        with m.Else():
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += [
                    lane.eq(lane + 1),
                    position.eq(position + 1),
                    data_bits.eq(Cat(data_bits[8:], self.i.payload)),
                    keep_bits.eq(Cat(keep_bits[1:], 1)),
                ]
        return m

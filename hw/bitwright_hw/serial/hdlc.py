"""Bytes of a line to the bytes of packets, and back: flags, escapes and the CRC of bitwright_core.serial_link."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from bitwright_core.serial_link import ESCAPE, FLAG, INVERT, TRAILER


class Deframer(wiring.Component):
    """Takes flags and escapes out, and checks the CRC.

    Per byte of a packet, CRC included, `o_valid` is high for one cycle with it in `o_data`. `end` is high for one cycle
    when a packet with at least one byte has ended; `good` then tells whether its CRC is right. `error` (a byte that
    the line damaged) spoils the packet that it is in. There is no way to stall it.

    Latency: 1 cycle. Throughput: a byte every other cycle, as the CRC is known a cycle after the byte. Reset: what
    comes up to the next flag is taken for a packet, and its CRC is wrong.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i_data": In(8),
                "i_valid": In(1),
                "error": In(1),
                "o_data": Out(8),
                "o_valid": Out(1),
                "end": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=8).create()
        escaped = Signal()
        begun = Signal()  # bytes since the last flag
        spoiled = Signal()
        m.d.sync += [self.o_valid.eq(0), self.end.eq(0), crc.start.eq(0)]
        m.d.comb += [crc.data.eq(self.o_data), crc.valid.eq(self.o_valid)]
        with m.If(self.error):
            m.d.sync += [spoiled.eq(1), begun.eq(1)]
        with m.If(self.i_valid):
            with m.If(self.i_data == FLAG):
                m.d.sync += [
                    self.end.eq(begun | escaped),
                    self.good.eq(crc.match_detected & ~escaped & ~spoiled),
                    crc.start.eq(1),
                    escaped.eq(0),
                    begun.eq(0),
                    spoiled.eq(0),
                ]
            with m.Elif(self.i_data == ESCAPE):
                m.d.sync += escaped.eq(1)
            with m.Else():
                m.d.sync += [
                    self.o_data.eq(self.i_data ^ (escaped << INVERT.bit_length() - 1)),
                    self.o_valid.eq(1),
                    begun.eq(1),
                    escaped.eq(0),
                ]
        return m


class Framer(wiring.Component):
    """Puts packets on the line: flag, bytes with escapes, CRC, flag.

    `i` has the bytes of a packet, `last` with the last one; the CRC is added here. Throughput: a byte every three
    cycles or slower. Reset: drops the packet; the flag that begins the next ends what the line has of it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": 8, "last": 1}))),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=8).create()
        byte = Signal(8)  # what is to be sent, before escaping
        last = Signal()
        trailer = Signal(range(TRAILER + 1))  # CRC bytes to come
        check = Signal(8 * TRAILER)

        def put(value: object, then: str) -> None:
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(value)]
            with m.If(self.o.ready):
                m.next = then

        m.d.comb += [crc.data.eq(self.i.payload.data), crc.valid.eq(self.i.valid & self.i.ready)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += trailer.eq(TRAILER)
                with m.If(self.i.valid):
                    m.next = "OPEN"
            with m.State("OPEN"):
                put(FLAG, "TAKE")
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [byte.eq(self.i.payload.data), last.eq(self.i.payload.last)]
                with m.If(self.i.valid):
                    m.next = "PUT"
            with m.State("PUT"):
                with m.If((byte == FLAG) | (byte == ESCAPE)):
                    put(ESCAPE, "ESCAPED")
                with m.Else():
                    put(byte, "NEXT")
            with m.State("ESCAPED"):
                put(byte ^ INVERT, "NEXT")
            with m.State("NEXT"):
                with m.If(~last):
                    m.next = "TAKE"
                with m.Elif(trailer == 0):
                    m.next = "CLOSE"
                with m.Else():
                    m.d.sync += [
                        trailer.eq(trailer - 1),
                        byte.eq(check[:8]),
                        check.eq(check >> 8),
                    ]
                    with m.If(trailer == TRAILER):
                        m.d.sync += [byte.eq(crc.crc[:8]), check.eq(crc.crc >> 8)]
                    m.next = "PUT"
            with m.State("CLOSE"):
                put(FLAG, "IDLE")
        return m

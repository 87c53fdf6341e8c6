"""The board's end of bitwright_core.serial_link: requests of the host, carried out on an accelerator's AXI ports."""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import RESULT_BITS, InputFormat, OutputFormat
from bitwright_core.serial_link import (
    ANSWER,
    HEADER,
    LINK_REGISTERS,
    LINK_VERSION,
    MAX_LENGTH,
    REFUSED_KIND,
    Kind,
)
from bitwright_hw.control import AxiLiteSignature
from bitwright_hw.serial.feeder import Feeder
from bitwright_hw.serial.hdlc import Deframer, Framer
from bitwright_hw.serial.inbox import Inbox
from bitwright_hw.serial.uart import UartReceiver, UartTransmitter

RESULT_BYTES = RESULT_BITS // 8
_LINK_BASE = LINK_REGISTERS["LINK_VERSION"]


@dataclass(frozen=True, kw_only=True)
class LinkParams:
    """A link: `divisor` clock cycles a bit; `depth` bytes and `packets` packets wait on the board."""

    input: InputFormat
    output: OutputFormat
    divisor: int
    clock_khz: int
    depth: int
    packets: int = 4

    def __post_init__(self) -> None:
        if self.frames_a_packet < 1:
            raise ValueError(f"a frame of {self.input.bytes} bytes does not go into a buffer of {self.depth}")

    @property
    def answer_bytes(self) -> int:
        """Bytes of a frame's result."""
        return RESULT_BYTES * self.output.beats

    @property
    def frames_a_packet(self) -> int:
        """The most frames of one packet: both it and its answer must be possible."""
        return min(min(self.depth, MAX_LENGTH) // self.input.bytes, MAX_LENGTH // self.answer_bytes)


class SerialLink(wiring.Component):
    """Packets on `rx` and `tx` to the AXI ports of an accelerator: `bus` (AXI4-Lite), `o` its input, `i` its results.

    Requests are carried out one after the other, in order; results leave while frames of the next packet arrive.
    `refused` is high for a cycle with every packet that was refused, `busy` while a request is carried out.

    Reset: drops every packet; a break on the line must cause it, see BreakDetector.
    """

    def __init__(self, *, params: LinkParams):
        self.params = params
        self.feeder = Feeder(format=params.input)
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1, init=1),
                "bus": In(AxiLiteSignature()),
                "o": Out(stream.Signature(self.feeder.axis_layout)),
                "i": In(stream.Signature(RESULT_BITS)),
                "refused": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._join(m)
        inbox, answer = m.submodules.inbox, _Answer()
        with m.If(inbox.refused):
            m.d.sync += [
                answer.refusals.eq(answer.refusals + 1),
                answer.refusing.eq(1),
                answer.reason.eq(inbox.reason),
            ]

        # Frames flow beside the answer: results are drawn while later frames of the packet go in.
        feeder = self.feeder
        with m.If(answer.to_feed != 0):
            m.d.comb += [feeder.i.valid.eq(inbox.bytes.valid), feeder.i.payload.eq(inbox.bytes.payload)]
            with m.If(inbox.bytes.valid & feeder.i.ready):
                m.d.comb += inbox.bytes.ready.eq(1)
                m.d.sync += answer.to_feed.eq(answer.to_feed - 1)

        bus = self.bus
        m.d.comb += [
            bus.araddr.eq(answer.offset),
            bus.awaddr.eq(answer.offset),
            bus.wdata.eq(answer.value),
            bus.wstrb.eq(0xF),
            bus.rready.eq(1),
            bus.bready.eq(1),
        ]
        with m.If(bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If(bus.wready):
            m.d.sync += bus.wvalid.eq(0)
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)

        idle = Signal()
        m.d.comb += self.busy.eq(~idle)
        with m.FSM():
            self._await_packet(m, inbox, answer, idle)
            self._take_arguments(m, inbox, answer)
            self._send_header(m, m.submodules.framer, answer)
            self._send_payload(m, m.submodules.framer, answer)
        return m

    def _join(self, m: Module) -> None:
        """From the line to the inbox, and from the framer to the line."""
        p = self.params
        m.submodules.receiver = receiver = UartReceiver(divisor=p.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=p.divisor)
        m.submodules.deframer = deframer = Deframer()
        m.submodules.framer = framer = Framer()
        m.submodules.feeder = feeder = self.feeder
        m.submodules.inbox = inbox = Inbox(
            depth=p.depth, packets=p.packets, frame_bytes=p.input.bytes, answer_bytes=p.answer_bytes
        )
        wiring.connect(m, framer.o, transmitter.i)
        wiring.connect(m, feeder.o, wiring.flipped(self.o))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            deframer.i_data.eq(receiver.data),
            deframer.i_valid.eq(receiver.valid),
            deframer.error.eq(receiver.error),
            inbox.i_data.eq(deframer.o_data),
            inbox.i_valid.eq(deframer.o_valid),
            inbox.end.eq(deframer.end),
            inbox.good.eq(deframer.good),
            self.refused.eq(inbox.refused),
        ]

    def _await_packet(self, m: Module, inbox: Inbox, answer: "_Answer", idle: Signal) -> None:
        """A refusal is answered before any packet."""
        with m.State("IDLE"):
            m.d.comb += idle.eq(1)
            m.d.sync += answer.index.eq(0)
            with m.If(answer.refusing):
                m.d.sync += [
                    answer.refusing.eq(inbox.refused),
                    answer.request.kind.eq(REFUSED_KIND),
                    answer.request.sequence.eq(0),
                    answer.left.eq(1),
                    answer.word.eq(answer.reason),
                ]
                m.next = "HEADER"
            with m.Elif(inbox.packet.valid):
                m.d.comb += inbox.packet.ready.eq(1)
                packet = inbox.packet.payload
                m.d.sync += [
                    answer.request.kind.eq(packet.kind | ANSWER),
                    answer.request.sequence.eq(packet.sequence),
                    answer.left.eq(0),
                ]
                with m.If(packet.kind == Kind.RUN):
                    m.d.sync += [answer.left.eq(packet.answer), answer.to_feed.eq(packet.length)]
                    m.next = "HEADER"
                with m.Else():
                    m.next = "OFFSET"

    def _take_arguments(self, m: Module, inbox: Inbox, answer: "_Answer") -> None:
        """Of READ, offset and count; of WRITE, offset and value, which go to the bus."""
        bus = self.bus
        with m.State("OFFSET"):
            m.d.comb += inbox.bytes.ready.eq(1)
            m.d.sync += answer.offset.eq(inbox.bytes.payload)
            with m.If(inbox.bytes.valid):
                m.next = "ARGUMENT"
        with m.State("ARGUMENT"):
            m.d.comb += inbox.bytes.ready.eq(1)
            with m.If(inbox.bytes.valid):
                m.d.sync += [
                    answer.index.eq(answer.index + 1),
                    answer.value.eq(Cat(answer.value[8:], inbox.bytes.payload)),
                ]
                with m.If(answer.request.kind == Kind.READ | ANSWER):
                    m.d.sync += [
                        answer.index.eq(0),
                        answer.count.eq(inbox.bytes.payload),
                        answer.left.eq(inbox.bytes.payload << 2),
                    ]
                    m.next = "HEADER"
                with m.Elif(answer.index == 3):
                    m.d.sync += answer.index.eq(0)
                    m.next = "WRITE"
        with m.State("WRITE"):
            m.next = "HEADER"
            with m.If(answer.offset < _LINK_BASE):
                m.d.sync += [bus.awvalid.eq(1), bus.wvalid.eq(1)]
                m.next = "WRITTEN"
        with m.State("WRITTEN"), m.If(bus.bvalid):
            m.next = "HEADER"

    def _send_header(self, m: Module, framer: Framer, answer: "_Answer") -> None:
        """The answer's kind, sequence and length; then to the next bytes of its payload, if there are any."""
        out = framer.i
        with m.State("HEADER"):
            last = answer.index == HEADER - 1
            m.d.comb += [out.valid.eq(1), out.payload.data.eq(answer.fields[answer.index[:2]])]
            m.d.comb += out.payload.last.eq(last & (answer.left == 0))
            with m.If(out.ready):
                m.d.sync += answer.index.eq(answer.index + 1)
                with m.If(last):
                    m.d.sync += answer.index.eq(0)
                    m.next = "NEXT"
        with m.State("NEXT"):  # the next bytes of the payload, if there are any
            with m.If(answer.left == 0), m.If(answer.to_feed == 0):
                m.next = "IDLE"
            with m.Elif(answer.request.kind == REFUSED_KIND):
                m.next = "PUT"
            with m.Elif(answer.request.kind == Kind.READ | ANSWER):
                m.next = "READ"
            with m.Else():
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += answer.word.eq(self.i.payload)
                with m.If(self.i.valid):
                    m.d.sync += answer.index.eq(RESULT_BYTES - 1)
                    m.next = "PUT"

    def _send_payload(self, m: Module, framer: Framer, answer: "_Answer") -> None:
        """The word of a register, of the bus or of the link, and the bytes of a word."""
        bus, out = self.bus, framer.i
        with m.State("READ"):
            m.d.sync += answer.index.eq(3)
            with m.If(answer.offset < _LINK_BASE):
                m.d.sync += bus.arvalid.eq(1)
                m.next = "ANSWERED"
            with m.Else():
                m.d.sync += answer.word.eq(self._link_register(answer.offset, answer.refusals))
                m.next = "PUT"
        with m.State("ANSWERED"):
            m.d.sync += answer.word.eq(bus.rdata)
            with m.If(bus.rvalid):
                m.next = "PUT"
        with m.State("PUT"):
            m.d.comb += [out.valid.eq(1), out.payload.data.eq(answer.word[:8]), out.payload.last.eq(answer.left == 1)]
            with m.If(out.ready):
                m.d.sync += [
                    answer.left.eq(answer.left - 1),
                    answer.word.eq(answer.word >> 8),
                    answer.index.eq(answer.index - 1),
                ]
                with m.If((answer.index == 0) | (answer.left == 1)):
                    m.d.sync += [answer.offset.eq(answer.offset + 4), answer.index.eq(0)]
                    m.next = "NEXT"

    def _link_register(self, offset: Signal, refusals: Signal) -> Mux:
        p = self.params
        values = {
            "LINK_VERSION": LINK_VERSION,
            "LINK_BYTES": p.depth,
            "LINK_PACKETS": p.packets,
            "LINK_REFUSED": refusals,
            "CLOCK_KHZ": p.clock_khz,
            "FRAMES_A_PACKET": p.frames_a_packet,
        }
        found = Const(0, 32)
        for name, value in values.items():
            found = Mux(offset == LINK_REGISTERS[name], value, found)
        return found


class _Answer:
    """The request that is carried out, and how far its answer is."""

    def __init__(self) -> None:
        self.refusals = Signal(32)
        self.refusing = Signal()
        self.reason = Signal(8)
        self.request = Signal(data.StructLayout({"kind": 8, "sequence": 8}))
        self.to_feed = Signal(17)  # frame bytes that the feeder is still to get
        self.left = Signal(16)  # payload bytes that the answer still lacks
        self.index = Signal(range(8))
        self.word = Signal(RESULT_BITS)
        self.offset = Signal(8)
        self.count = Signal(8)
        self.value = Signal(32)
        self.fields = Array([self.request.kind, self.request.sequence, self.left[:8], self.left[8:]])

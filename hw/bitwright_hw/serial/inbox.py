"""Where packets wait: what arrives is stored at once, and counts only when its packet turns out whole and right."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from bitwright_core.serial_link import HEADER, MAX_LENGTH, TRAILER, Kind, Reason
from bitwright_hw.memory_ports import unnamed_write_port

PACKET_LAYOUT = data.StructLayout({"kind": 8, "sequence": 8, "length": 16, "answer": 16})
READ_LENGTH, WRITE_LENGTH = 2, 5


class Inbox(wiring.Component):
    """A ring of `depth` payload bytes, and a queue of `packets` headers in front of it.

    Takes a Deframer's output. A packet with a good CRC, a known kind and the right length is offered on `packet`, with
    the number of payload bytes (`length`) and of those of its results (`answer`, for RUN alone); whoever takes it must
    take its `length` bytes from `bytes`, no more. Any other is dropped with `refused` high for a cycle, and why in
    `reason`.

    Throughput: `bytes` gives one every third cycle, as the ring's word has a register of its own. Reset: empties it.
    """

    def __init__(self, *, depth: int, packets: int, frame_bytes: int, answer_bytes: int):
        if depth & depth - 1:
            raise ValueError(f"depth must be a power of two, not {depth}")
        self.depth = depth
        self.packets = packets
        self.frame_bytes = frame_bytes
        self.answer_bytes = answer_bytes
        super().__init__(
            {
                "i_data": In(8),
                "i_valid": In(1),
                "end": In(1),
                "good": In(1),
                "packet": Out(stream.Signature(PACKET_LAYOUT)),
                "bytes": Out(stream.Signature(8)),
                "refused": Out(1),
                "reason": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.headers = headers = fifo.SyncFIFO(width=PACKET_LAYOUT.size, depth=self.packets)
        m.submodules.ring = ring = Memory(shape=8, depth=self.depth, init=[])
        write = unnamed_write_port(ring)
        read = ring.read_port()
        places = _Places(self.depth)
        packet = _Packet(self.frame_bytes)
        self._store(m, write, places, packet)
        self._judge(m, headers, places, packet)
        self._give(m, read, headers, places)
        return m

    def _store(self, m: Module, write: WritePort, places: "_Places", packet: "_Packet") -> None:
        """Each byte to where it belongs: to the header, to the ring, or nowhere."""
        header, position, payload, trailer = packet.header, packet.position, packet.payload, packet.trailer
        in_frame, answer = packet.in_frame, packet.answer
        full = Signal()
        m.d.comb += [
            full.eq((places.stored - places.taken)[: places.bits + 1] == self.depth),
            write.addr.eq(places.stored[: places.bits]),
            write.data.eq(self.i_data),
        ]
        with m.If(self.i_valid):
            with m.If(position != HEADER):
                m.d.sync += position.eq(position + 1)
                with m.Switch(position):
                    for index, field in enumerate((header.kind, header.sequence, header.length[:8], header.length[8:])):
                        with m.Case(index):
                            m.d.sync += field.eq(self.i_data)
            with m.Elif(payload != header.length):
                m.d.sync += payload.eq(payload + 1)
                with m.If(full):
                    m.d.sync += packet.lost.eq(1)
                with m.Else():
                    m.d.comb += write.en.eq(1)
                    m.d.sync += places.stored.eq(places.stored + 1)
                with m.If(in_frame == self.frame_bytes - 1):
                    m.d.sync += [in_frame.eq(0), answer.eq(answer + self.answer_bytes)]
                    with m.If(answer + self.answer_bytes > MAX_LENGTH):
                        m.d.sync += packet.long.eq(1)
                with m.Else():
                    m.d.sync += in_frame.eq(in_frame + 1)
            with m.Elif(trailer != TRAILER + 1):
                m.d.sync += trailer.eq(trailer + 1)

    def _judge(self, m: Module, headers: fifo.SyncFIFO, places: "_Places", packet: "_Packet") -> None:
        """At a packet's end: its header to the queue and its bytes kept, or all of it dropped, and why."""
        header, answer = packet.header, packet.answer
        whole, shaped, known = Signal(), Signal(), Signal(init=1, name="known")
        m.d.comb += whole.eq(
            (packet.position == HEADER) & (packet.payload == header.length) & (packet.trailer == TRAILER)
        )
        with m.Switch(header.kind):
            with m.Case(Kind.READ):
                m.d.comb += shaped.eq(header.length == READ_LENGTH)
            with m.Case(Kind.WRITE):
                m.d.comb += shaped.eq(header.length == WRITE_LENGTH)
            with m.Case(Kind.RUN):
                m.d.comb += shaped.eq((header.length != 0) & (packet.in_frame == 0) & ~packet.long)
            with m.Default():
                m.d.comb += known.eq(0)
        room = Signal()
        accepted = Signal()
        m.d.comb += [
            room.eq(~packet.lost & headers.w_rdy),
            accepted.eq(self.good & whole & known & shaped & room),
            headers.w_en.eq(self.end & accepted),
            headers.w_data.eq(header.as_value()),
            headers.w_data[PACKET_LAYOUT["answer"].offset :].eq(answer[:16]),
            self.refused.eq(self.end & ~accepted),
            self.reason.eq(
                Mux(
                    ~self.good,
                    Reason.CRC,
                    Mux(~known, Reason.KIND, Mux(~(whole & shaped), Reason.LENGTH, Reason.ROOM)),
                )
            ),
        ]
        with m.If(self.end):
            m.d.sync += [count.eq(0) for count in packet.counts]
            with m.If(accepted):
                m.d.sync += places.committed.eq(places.stored)
            with m.Else():
                m.d.sync += places.stored.eq(places.committed)

    def _give(self, m: Module, read: ReadPort, headers: fifo.SyncFIFO, places: "_Places") -> None:
        """The queue's headers, and the bytes of packets that are kept."""
        valid, fetched = Signal(), Signal(name="fetched")
        byte = Signal(8)
        m.d.sync += byte.eq(read.data)
        m.d.comb += [
            read.addr.eq(places.taken[: places.bits]),
            read.en.eq(1),
            self.packet.valid.eq(headers.r_rdy),
            self.packet.payload.eq(headers.r_data),
            headers.r_en.eq(self.packet.ready),
            self.bytes.valid.eq(valid),
            self.bytes.payload.eq(byte),
        ]
        with m.If(~valid):
            m.d.sync += [fetched.eq((places.taken != places.committed) & ~fetched), valid.eq(fetched)]
        with m.Elif(self.bytes.ready):
            m.d.sync += [valid.eq(0), places.taken.eq(places.taken + 1)]


class _Places:
    """The ring's places, a bit wider than its addresses: the next to store, to keep and to give."""

    def __init__(self, depth: int):
        self.bits = (depth - 1).bit_length()
        self.stored = Signal(self.bits + 1)
        self.committed = Signal(self.bits + 1)
        self.taken = Signal(self.bits + 1)


class _Packet:
    """What is known of the packet that arrives."""

    def __init__(self, frame_bytes: int):
        self.header = Signal(PACKET_LAYOUT)
        self.position = Signal(range(HEADER + 1))  # header bytes so far
        self.payload = Signal(17)
        self.trailer = Signal(range(TRAILER + 2))
        self.lost = Signal()  # a byte found no room
        self.in_frame = Signal(range(frame_bytes))
        self.answer = Signal(17)
        self.long = Signal()  # the results would be longer than a packet

    @property
    def counts(self) -> tuple[Signal, ...]:
        """What begins anew with each packet."""
        return self.position, self.payload, self.trailer, self.lost, self.in_frame, self.answer, self.long

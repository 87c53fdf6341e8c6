"""Where packets wait: what arrives is stored at once, and counts only when its packet turns out whole and right."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitwright_core.serial_link import HEADER, MAX_LENGTH, TRAILER, Kind, Reason

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
        write, read = ring.write_port(), ring.read_port()
        bits = (self.depth - 1).bit_length()
        stored, committed, taken = (Signal(bits + 1, name=name) for name in ("stored", "committed", "taken"))

        header = Signal(PACKET_LAYOUT)
        position = Signal(range(HEADER + 1))  # header bytes so far
        payload = Signal(17)
        trailer = Signal(range(TRAILER + 2))
        lost = Signal()  # a byte found no room
        in_frame = Signal(range(self.frame_bytes))
        answer = Signal(17)
        long = Signal()  # the results would be longer than a packet
        full = Signal()
        m.d.comb += [
            full.eq((stored - taken)[: bits + 1] == self.depth),
            write.addr.eq(stored[:bits]),
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
                    m.d.sync += lost.eq(1)
                with m.Else():
                    m.d.comb += write.en.eq(1)
                    m.d.sync += stored.eq(stored + 1)
                with m.If(in_frame == self.frame_bytes - 1):
                    m.d.sync += [in_frame.eq(0), answer.eq(answer + self.answer_bytes)]
                    with m.If(answer + self.answer_bytes > MAX_LENGTH):
                        m.d.sync += long.eq(1)
                with m.Else():
                    m.d.sync += in_frame.eq(in_frame + 1)
            with m.Elif(trailer != TRAILER + 1):
                m.d.sync += trailer.eq(trailer + 1)

        whole, shaped, known = Signal(), Signal(), Signal(init=1)
        m.d.comb += whole.eq((position == HEADER) & (payload == header.length) & (trailer == TRAILER))
        with m.Switch(header.kind):
            with m.Case(Kind.READ):
                m.d.comb += shaped.eq(header.length == READ_LENGTH)
            with m.Case(Kind.WRITE):
                m.d.comb += shaped.eq(header.length == WRITE_LENGTH)
            with m.Case(Kind.RUN):
                m.d.comb += shaped.eq((header.length != 0) & (in_frame == 0) & ~long)
            with m.Default():
                m.d.comb += known.eq(0)
        room = Signal()
        accepted = Signal()
        m.d.comb += [
            room.eq(~lost & headers.w_rdy),
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
            m.d.sync += [
                position.eq(0),
                payload.eq(0),
                trailer.eq(0),
                lost.eq(0),
                in_frame.eq(0),
                answer.eq(0),
                long.eq(0),
            ]
            with m.If(accepted):
                m.d.sync += committed.eq(stored)
            with m.Else():
                m.d.sync += stored.eq(committed)

        valid, fetched = Signal(), Signal()
        byte = Signal(8)
        m.d.sync += byte.eq(read.data)
        m.d.comb += [
            read.addr.eq(taken[:bits]),
            read.en.eq(1),
            self.packet.valid.eq(headers.r_rdy),
            self.packet.payload.eq(headers.r_data),
            headers.r_en.eq(self.packet.ready),
            self.bytes.valid.eq(valid),
            self.bytes.payload.eq(byte),
        ]
        with m.If(~valid):
            m.d.sync += [fetched.eq((taken != committed) & ~fetched), valid.eq(fetched)]
        with m.Elif(self.bytes.ready):
            m.d.sync += [valid.eq(0), taken.eq(taken + 1)]
        return m

# amaranth: UnusedElaboratable=no
"""Specs of the serial link's parts: bytes over the line, packets of bytes, packets that wait, frames of bytes."""

from types import SimpleNamespace
from unittest.mock import patch

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.lib.crc import Algorithm

from bitwright_core.framing import InputFormat
from bitwright_core.serial_link import HEADER, TRAILER, Kind
from bitwright_hw.serial import hdlc
from bitwright_hw.serial.feeder import Feeder
from bitwright_hw.serial.hdlc import Deframer, Framer
from bitwright_hw.serial.inbox import READ_LENGTH, WRITE_LENGTH, Inbox
from bitwright_hw.serial.uart import BreakDetector, UartReceiver, UartTransmitter
from tests.proofs.spec import Elaborated, Follower, Spec, Tracker, holds_back, moves_within

TURNING = Algorithm(
    crc_width=32,
    polynomial=1,
    initial_crc=0xFFFFFFFF,
    reflect_input=True,
    reflect_output=True,
    xor_output=0xFFFFFFFF,
)


def age(spec: Spec, most: int) -> Signal:
    """Cycles since the last reset, up to `most`."""
    count = Signal(range(most + 1), name="age")
    spec.m.d.sync += count.eq(Mux(count == most, most, count + 1))
    return count


def uart(spec: Spec, *, divisor: int) -> None:
    """A UartTransmitter, its line, a UartReceiver: each byte arrives, once, in order. The line idles for two bits
    behind a reset, as the receiver waits for that."""
    m = spec.m
    m.submodules.sender, m.submodules.receiver = sender, receiver = (
        UartTransmitter(divisor=divisor),
        UartReceiver(divisor=divisor),
    )
    send, word = spec.free("send"), spec.free("word", 8)
    idle = age(spec, 2 * divisor) == 2 * divisor
    m.d.comb += [receiver.rx.eq(sender.tx), sender.i.valid.eq(send & idle), sender.i.payload.eq(word)]
    taken = sender.i.valid & sender.i.ready
    follower = Follower(
        spec,
        entering=taken,
        word=word,
        words_in=1,
        offered=receiver.valid,
        leaving=receiver.valid,
        result=receiver.data,
        words_out=1,
        expected=lambda _k, frame: frame[0],
        needs=lambda _k: 1,
        most=2,
    )
    cycles = 10 * divisor
    moves_within(spec, "a byte arrives", waiting=follower.due, moves=receiver.valid, cycles=cycles + 3)
    moves_within(spec, "a byte is taken", waiting=sender.i.valid, moves=taken, cycles=cycles + 1)
    spec.claim("no byte is damaged", ~receiver.error)


def break_detector(spec: Spec, *, cycles: int) -> None:
    """A BreakDetector beside the line's history."""
    m = spec.m
    m.submodules.detector = detector = BreakDetector(cycles=cycles)
    rx = spec.free("rx")
    m.d.comb += detector.rx.eq(rx)
    history = Signal(cycles + 3)  # bit k: the line k + 1 cycles ago
    m.d.ever += history.eq(Cat(rx, history))
    settled = age(spec, cycles + 4) == cycles + 4
    spec.claim("found while the line was low so long", ~settled | (detector.found == (history[3:] == 0)))
    spec.cover("a break", detector.found)


def packets_through_the_line(spec: Spec) -> None:
    """A Framer, pauses, a Deframer: the bytes of each packet and four more arrive, and that they are right is found.

    With a CRC that only turns its register, since a solver takes long for the real one (`damaged_packets` has that).
    """
    m = spec.m
    framer, deframer = Framer(), Deframer()
    with patch.object(hdlc, "catalog", SimpleNamespace(CRC32_ISO_HDLC=TURNING)):
        m.submodules.framer, m.submodules.deframer = Elaborated(framer), Elaborated(deframer)
    valid, data, last, ready = spec.free("valid"), spec.free("data", 8), spec.free("last"), spec.free("ready")
    byte = Cat(data, last)
    waits, before, busy = Signal(), Signal(9), Signal()
    m.d.sync += [waits.eq(valid & ~framer.i.ready), before.eq(byte), busy.eq(framer.o.valid & framer.o.ready)]
    spec.assume(~waits | (valid & (byte == before)))
    m.d.comb += [
        framer.i.valid.eq(valid),
        framer.i.payload.data.eq(data),
        framer.i.payload.last.eq(last),
        framer.o.ready.eq(ready & ~busy),  # a byte every other cycle
        deframer.i_data.eq(framer.o.payload),
        deframer.i_valid.eq(framer.o.valid & framer.o.ready),
    ]
    taken = valid & framer.i.ready
    pending, waiting, ended, checks = Signal(8), Signal(), Signal(), Signal(range(TRAILER + 2))
    with m.If(deframer.o_valid):
        with m.If(waiting):
            m.d.sync += waiting.eq(0)
        with m.Else():
            m.d.sync += checks.eq(checks + 1)
    with m.If(deframer.end):
        m.d.sync += [ended.eq(0), checks.eq(0)]
    with m.If(taken):
        m.d.sync += [pending.eq(data), waiting.eq(1), ended.eq(last)]
    out = deframer.o_valid
    spec.claim("a byte is taken once the one before arrived", ~taken | (~waiting & ~ended))
    spec.claim("each byte arrives, in order", ~(out & waiting) | (deframer.o_data == pending))
    spec.claim("then four more, behind the last one", ~out | waiting | (ended & (checks < TRAILER)))
    spec.claim("the packet ends behind them", ~deframer.end | (ended & ~waiting & (checks == TRAILER)))
    spec.claim("it is found to be right", ~deframer.end | deframer.good)
    moves_within(spec, "bytes move", waiting=valid | ended, moves=framer.o.valid | taken, cycles=3)
    holds_back(spec, "o", framer.o)
    spec.cover("a packet of two bytes", deframer.end)


def damaged_packets(spec: Spec, *, length: int) -> None:
    """A Deframer that gets a packet of `length` bytes and its CRC as the line brings it, one bit of it changed: it is
    found to be wrong. The packet is any; none of its bytes before or behind the change is a flag or an escape."""
    m = spec.m
    m.submodules.deframer = deframer = Deframer()
    count = length + TRAILER
    packet = [spec.free(f"byte_{k}", 8) for k in range(length)]
    where, bit = spec.free("where", range(count)), spec.free("bit", 3)
    crc: Value = Const(0xFFFFFFFF, 32)
    for k, byte in enumerate(packet):
        for n in range(8):
            step = Signal(32, name=f"crc_{k}_{n}")
            m.d.comb += step.eq(Mux(crc[0] ^ byte[n], (crc >> 1) ^ 0xEDB88320, crc >> 1))
            crc = step
    right = Cat(*packet, ~crc)
    steady, first = Signal(len(right) + len(where) + 3), Signal(init=1)
    m.d.sync += [steady.eq(Cat(right, where, bit)), first.eq(0)]
    spec.assume(first | (steady == Cat(right, where, bit)))
    spec.assume(where < count)
    damaged = spec.free("damaged")
    m.d.sync += (was := Signal()).eq(damaged)
    spec.assume(first | (was == damaged))
    changed = Signal(8 * count)
    m.d.comb += changed.eq(right ^ Mux(damaged, Const(1, 8 * count) << (where * 8 + bit), 0))
    for k in range(count):
        for special in (0x7E, 0x7D):
            spec.assume(changed[8 * k : 8 * k + 8] != special)
    at, phase = Signal(range(count + 3)), Signal()
    m.d.sync += phase.eq(~phase)
    with m.If(phase & (at != count + 2)):
        m.d.sync += at.eq(at + 1)
    m.d.comb += [
        deframer.i_valid.eq(phase & (at != count + 2)),
        deframer.i_data.eq(Mux((at == 0) | (at == count + 1), 0x7E, changed.word_select((at - 1)[:8], 8))),
    ]
    spec.claim("one wrong bit is found, and none where there is none", ~deframer.end | (deframer.good == ~damaged))
    spec.cover("a good packet ends", deframer.end & ~damaged)
    spec.cover("a damaged packet ends", deframer.end & damaged)


def feeder(spec: Spec, *, values: int, data_bits: int) -> None:
    """A Feeder between a writer and a reader that pause at any time."""
    m = spec.m
    fmt = InputFormat(values=values, value_bits=8, data_bits=data_bits, encoded=False)
    m.submodules.feeder = unit = Feeder(format=fmt)
    send, word, ready = spec.free("send"), spec.free("word", 8), spec.free("ready")
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word), unit.o.ready.eq(ready)]
    lanes = data_bits // 8

    def expected(k: int, frame: list[Value]) -> Value:
        part = frame[k * lanes : (k + 1) * lanes]
        padding = lanes - len(part)
        keep = Const((1 << len(part)) - 1, lanes)
        return Cat(*part, Const(0, 8 * padding), keep, Const(k == fmt.beats - 1, 1))

    follower = Follower(
        spec,
        entering=send & unit.i.ready,
        word=word,
        words_in=fmt.bytes,
        offered=unit.o.valid,
        leaving=unit.o.valid & ready,
        result=Cat(unit.o.payload.data, unit.o.payload.keep, unit.o.payload.last),
        words_out=fmt.beats,
        expected=expected,
        needs=lambda k: min(fmt.bytes, (k + 1) * lanes),
        most=1,
    )
    whole = follower.due & (follower.got >= follower.need)
    moves_within(spec, "a beat comes", waiting=whole, moves=unit.o.valid, cycles=lanes + 1)
    moves = (send & unit.i.ready) | (unit.o.valid & ready)
    moves_within(spec, "bytes move", waiting=send & ready, moves=moves, cycles=lanes + 1)
    holds_back(spec, "o", unit.o)


def inbox(spec: Spec, *, depth: int, packets: int, frame_bytes: int, answer_bytes: int) -> None:
    """An Inbox behind a Deframer that brings packets of any kind and length, good and bad, before a reader that takes a
    packet's bytes behind its header, with pauses."""
    m = spec.m
    m.submodules.inbox = unit = Inbox(depth=depth, packets=packets, frame_bytes=frame_bytes, answer_bytes=answer_bytes)
    i_data, i_valid, end, good = spec.free("i_data", 8), spec.free("i_valid"), spec.free("end"), spec.free("good")
    take, read = spec.free("take"), spec.free("read")
    busy = Signal()  # a byte or an end every other cycle
    comes, ends = Signal(), Signal()
    left = Signal(17)  # bytes of the taken packet that are still to be read
    m.d.comb += [comes.eq(i_valid & ~busy), ends.eq(end & ~i_valid & ~busy)]
    m.d.sync += busy.eq(comes | ends)
    m.d.comb += [
        unit.i_data.eq(i_data),
        unit.i_valid.eq(comes),
        unit.end.eq(ends),
        unit.good.eq(good),
        unit.packet.ready.eq(take & (left == 0)),
        unit.bytes.ready.eq(read & (left != 0)),
    ]

    # The packet that comes, by its definition
    count = Signal(range(HEADER + depth + TRAILER + 4))
    most = HEADER + depth + TRAILER + 3
    header, payload = Signal(8 * HEADER), Signal(8 * (depth + 1))
    length = header[16:32]
    is_payload = (count >= HEADER) & (count - HEADER < length)
    with m.If(comes):
        m.d.sync += count.eq(Mux(count == most, most, count + 1))
        with m.If(count < HEADER):
            m.d.sync += header.word_select(count[:2], 8).eq(i_data)
        with m.If(is_payload & (count - HEADER <= depth)):
            m.d.sync += payload.word_select((count - HEADER)[:3], 8).eq(i_data)
    spec.assume(length <= depth + 1)  # longer ones are refused as the one of depth + 1 is
    kind = header[:8]
    frames = Const(0, 17)
    for n in range(1, (depth + 1) // frame_bytes + 1):
        frames = Mux(length == n * frame_bytes, n, frames)
    shaped = Mux(
        kind == Kind.READ,
        length == READ_LENGTH,
        Mux(kind == Kind.WRITE, length == WRITE_LENGTH, (kind == Kind.RUN) & (frames != 0)),
    )
    whole = (count >= HEADER) & (count == HEADER + length + TRAILER)
    held, lost = Signal(range(depth + 2)), Signal()  # bytes of kept packets that are not read; a byte found no room
    stored = Signal(range(2 * depth + 2))  # those of the packet that comes
    now_lost = comes & is_payload & (held + stored >= depth)
    queued = Signal(range(packets + 2))
    accepts = ends & good & whole & shaped & ~lost & (queued != packets)
    takes = unit.packet.valid & unit.packet.ready
    reads = unit.bytes.valid & unit.bytes.ready
    m.d.sync += [
        queued.eq(queued + accepts - takes),
        held.eq(held + Mux(accepts, stored, 0) - reads),
        left.eq(left + Mux(takes, unit.packet.payload.length, 0) - reads),
    ]
    with m.If(now_lost):
        m.d.sync += lost.eq(1)
    with m.Elif(comes & is_payload):
        m.d.sync += stored.eq(stored + 1)
    with m.If(ends):
        m.d.sync += [count.eq(0), header.eq(0), stored.eq(0), lost.eq(0)]
    spec.claim("a packet is refused unless all of it is right and there was room", unit.refused == (ends & ~accepts))

    track = Tracker(spec, enter=accepts, leave=takes, most=packets)
    due, due_bytes = Signal(8 * HEADER), Signal(8 * (depth + 1))
    answer, open_ = Signal(16), Signal()
    with m.If(track.marks):
        m.d.sync += [due.eq(header), due_bytes.eq(payload)]
        m.d.sync += answer.eq(Mux(kind == Kind.RUN, frames * answer_bytes, 0))
    packet = unit.packet.payload
    fields = Cat(packet.kind, packet.sequence, packet.length)
    spec.claim("no packet without one", ~unit.packet.valid | (track.inside != 0))
    spec.claim("each packet is right and in order", ~(unit.packet.valid & track.due) | (fields == due))
    is_run = packet.kind == Kind.RUN
    spec.claim("its answer's bytes", ~(unit.packet.valid & track.due & is_run) | (packet.answer == answer))
    at = Signal(range(depth + 2))
    with m.If(takes):
        m.d.sync += [open_.eq(track.due), at.eq(0)]
    with m.If(reads):
        m.d.sync += at.eq(at + 1)
    right = unit.bytes.payload == due_bytes.word_select(at, 8)
    spec.claim("each of its bytes is right and in order", ~(unit.bytes.valid & open_ & (left != 0)) | right)
    moves_within(spec, "a packet shows", waiting=track.inside != 0, moves=unit.packet.valid, cycles=2)
    moves_within(spec, "a byte shows", waiting=left != 0, moves=unit.bytes.valid, cycles=5)
    holds_back(spec, "packet", unit.packet)
    holds_back(spec, "bytes", unit.bytes)
    spec.cover("a packet is kept", accepts)
    spec.cover("one finds no room", ends & good & whole & shaped & ~accepts)
    spec.cover("its last byte is read", reads & open_ & (left == 1))

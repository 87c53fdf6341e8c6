# amaranth: UnusedElaboratable=no
"""The parts of the serial link against plain Python: bits, packets, beats, and the cycles that they state."""

import random
import zlib
from itertools import pairwise

import pytest
from amaranth.sim import Simulator

from bitwright_core.framing import InputFormat
from bitwright_core.serial_link import ESCAPE, FLAG, Decoder, Kind, Packet, Reason, stuff
from bitwright_hw.serial.feeder import Feeder
from bitwright_hw.serial.hdlc import Deframer, Framer
from bitwright_hw.serial.inbox import Inbox
from bitwright_hw.serial.uart import BreakDetector, UartReceiver, UartTransmitter


def simulate(component, *benches) -> None:
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def levels(data: bytes, bit: float) -> list[int]:
    """The line for `data`, a level a cycle, with bits of `bit` cycles, whole or not."""
    bits = [b for byte in data for b in (0, *((byte >> k) & 1 for k in range(8)), 1)]
    count = round(len(bits) * bit)
    return [bits[min(len(bits) - 1, int(cycle / bit))] for cycle in range(count)]


@pytest.mark.parametrize(("divisor", "bit"), [(4, 4), (12, 12), (33, 33.33), (17, 16.67), (16, 16.4), (16, 15.6)])
def test_receiver(divisor, bit):
    data = random.Random(divisor).randbytes(30) + b"\x00\xff\x55\xaa"
    component = UartReceiver(divisor=divisor)
    found, times = bytearray(), []

    async def bench(ctx):
        ctx.set(component.rx, 1)
        await ctx.tick().repeat(20)
        for cycle, level in enumerate([*levels(data, bit), *[1] * 20]):
            ctx.set(component.rx, level)
            await ctx.tick()
            if ctx.get(component.valid):
                found.append(ctx.get(component.data))
                times.append(cycle)
            assert not ctx.get(component.error)

    simulate(component, bench)
    assert bytes(found) == data
    # 9.5 bits and 3 cycles after the edge, the divisor's half rounded down
    assert abs(times[0] + 1 - (9.5 * divisor + 3)) <= 1


def test_receiver_tells_a_missing_stop_bit_and_waits_for_an_idle_line():
    component = UartReceiver(divisor=8)
    line = [*levels(b"\x31", 8), *levels(b"\x0f", 8)[:-8], *[0] * 100, *[1] * 8, *levels(b"\x42", 8), *[1] * 20]
    found, errors = [], []

    async def bench(ctx):
        ctx.set(component.rx, 1)
        await ctx.tick().repeat(20)
        for cycle, level in enumerate(line):
            ctx.set(component.rx, level)
            await ctx.tick()
            if ctx.get(component.valid):
                found.append(ctx.get(component.data))
            if ctx.get(component.error):
                errors.append(cycle)

    simulate(component, bench)
    assert found == [0x31, 0x42] and len(errors) == 1


def test_receiver_ignores_a_spike():
    component = UartReceiver(divisor=16)
    line = [*[0] * 5, *[1] * 40, *levels(b"\x77", 16), *[1] * 20]
    found = []

    async def bench(ctx):
        ctx.set(component.rx, 1)
        await ctx.tick().repeat(20)
        for level in line:
            ctx.set(component.rx, level)
            await ctx.tick()
            if ctx.get(component.valid):
                found.append(ctx.get(component.data))

    simulate(component, bench)
    assert found == [0x77]


def test_transmitter_sends_without_a_gap():
    component = UartTransmitter(divisor=5)
    data = b"\x00\xff\x96"
    line = []

    async def send(ctx):
        for byte in data:
            ctx.set(component.i.payload, byte)
            ctx.set(component.i.valid, 1)
            await ctx.tick().until(component.i.ready)
        ctx.set(component.i.valid, 0)
        await ctx.tick().repeat(60)

    async def watch(ctx):
        while len(line) < 3 * 51:
            line.append(ctx.get(component.tx))
            await ctx.tick()

    simulate(component, send, watch)
    start = line.index(0)
    assert set(line[:start]) <= {1}
    for index, byte in enumerate(data):
        at = start + index * 51  # ten bits, and the cycle in which the next byte is taken
        assert line[at : at + 50] == levels(bytes([byte]), 5)


def test_break_detector():
    component = BreakDetector(cycles=50)
    seen = []

    async def bench(ctx):
        for level, cycles in ((1, 5), (0, 49), (1, 3), (0, 80), (1, 10)):
            ctx.set(component.rx, level)
            for _ in range(cycles):
                await ctx.tick()
                seen.append(ctx.get(component.found))

    simulate(component, bench)
    first = seen.index(1)
    assert 57 + 50 <= first <= 57 + 50 + 4 and seen[-4:] == [0] * 4


def deframed(line: bytes) -> list[tuple[bytes, bool]]:
    """What a Deframer makes of `line`: the bytes of each packet, and whether it was good."""
    component = Deframer()
    packets, current = [], bytearray()

    async def bench(ctx):
        for byte in line:
            ctx.set(component.i_data, byte)
            ctx.set(component.i_valid, 1)
            await ctx.tick()
            ctx.set(component.i_valid, 0)
            if ctx.get(component.o_valid):  # the cycle after its byte
                current.append(ctx.get(component.o_data))
            if ctx.get(component.end):
                packets.append((bytes(current), bool(ctx.get(component.good))))
                current.clear()
            await ctx.tick()

    simulate(component, bench)
    return packets


def test_deframer():
    source = random.Random(4)
    body = bytes([FLAG, ESCAPE, 0, 0x5E, 0x5D, 0x20]) + source.randbytes(40)
    good = body + zlib.crc32(body).to_bytes(4, "little")
    bad = bytes([good[0] ^ 1]) + good[1:]
    flag = bytes([FLAG])
    line = flag + stuff(good) + flag + flag + flag + stuff(bad) + flag + b"ab" + bytes([ESCAPE]) + flag
    line += bytes([ESCAPE]) + flag + stuff(good) + flag
    assert deframed(line) == [(good, True), (bad, False), (b"ab", False), (b"", False), (good, True)]


def framed(packets: list[bytes], *, stall: int = 1) -> bytes:
    """What a Framer sends for `packets`, its bytes taken every `stall` cycles."""
    component = Framer()
    line = bytearray()
    sent = [False]

    async def send(ctx):
        for packet in packets:
            for index, byte in enumerate(packet):
                ctx.set(component.i.payload, {"data": byte, "last": index == len(packet) - 1})
                ctx.set(component.i.valid, 1)
                await ctx.tick().until(component.i.ready)
            ctx.set(component.i.valid, 0)
        await ctx.tick().repeat(60 * stall)
        sent[0] = True

    async def take(ctx):
        while not sent[0]:
            await ctx.tick().repeat(stall - 1) if stall > 1 else None
            ctx.set(component.o.ready, 1)
            _, _, valid, byte = await ctx.tick().sample(component.o.valid, component.o.payload)
            ctx.set(component.o.ready, 0)
            if valid:
                line.append(byte)

    simulate(component, send, take)
    return bytes(line)


@pytest.mark.parametrize("stall", [1, 7])
def test_framer(stall):
    payloads = [b"", bytes([FLAG, ESCAPE, 1]), random.Random(8).randbytes(60)]
    packets = [Packet(kind=Kind.RUN, sequence=k, payload=payload) for k, payload in enumerate(payloads)]
    bodies = []
    for packet in packets:
        size = len(packet.payload)
        bodies.append(bytes([packet.kind, packet.sequence, size & 255, size >> 8]) + packet.payload)
    line = framed(bodies, stall=stall)
    assert line == b"".join(packet.encode() for packet in packets)
    assert Decoder().feed(line) == packets


def test_feeder_pads_frames_to_beats():
    fmt = InputFormat(values=11, value_bits=8, data_bits=32, encoded=False)
    component = Feeder(format=fmt)
    data = bytes(range(1, 23))
    beats, times = [], []

    async def send(ctx):
        for byte in data:
            ctx.set(component.i.payload, byte)
            ctx.set(component.i.valid, 1)
            await ctx.tick().until(component.i.ready)
        ctx.set(component.i.valid, 0)

    async def take(ctx):
        ctx.set(component.o.ready, 1)
        for cycle in range(40):
            _, _, valid, beat = await ctx.tick().sample(component.o.valid, component.o.payload)
            if valid:
                beats.append((beat.data, beat.keep, beat.last))
                times.append(cycle)

    simulate(component, send, take)
    expected = []
    for frame in (data[:11], data[11:]):
        padded = frame + b"\0"
        for start in (0, 4, 8):
            word = int.from_bytes(padded[start : start + 4], "little")
            expected.append((word, 0xF if start < 8 else 0x7, int(start == 8)))
    assert beats == expected
    assert times == [4, 9, 14, 19, 24, 29]  # a byte or a byte of padding a cycle, and a cycle a beat


def test_inbox_counts_room_and_keeps_nothing_of_a_bad_packet():
    component = Inbox(depth=16, packets=2, frame_bytes=4, answer_bytes=24)
    told: list[tuple] = []

    async def put(ctx, kind: int, payload: bytes, *, good: bool = True, length: int | None = None) -> None:
        size = len(payload) if length is None else length
        for byte in (kind, 7, size & 255, size >> 8, *payload, 0, 0, 0, 0):
            ctx.set(component.i_data, byte)
            ctx.set(component.i_valid, 1)
            await ctx.tick()
        ctx.set(component.i_valid, 0)
        ctx.set(component.end, 1)
        ctx.set(component.good, good)
        told.append((ctx.get(component.refused), ctx.get(component.reason)))
        await ctx.tick()
        ctx.set(component.end, 0)

    async def take(ctx) -> tuple:
        packet = ctx.get(component.packet.payload)
        assert ctx.get(component.packet.valid)
        ctx.set(component.packet.ready, 1)
        await ctx.tick()
        ctx.set(component.packet.ready, 0)
        data, cycles = bytearray(), []
        ctx.set(component.bytes.ready, 1)
        for cycle in range(3 * packet.length + 3):
            if len(data) == packet.length:
                break
            _, _, valid, byte = await ctx.tick().sample(component.bytes.valid, component.bytes.payload)
            if valid:
                data.append(byte)
                cycles.append(cycle)
        ctx.set(component.bytes.ready, 0)
        assert [b - a for a, b in pairwise(cycles)] == [3] * (packet.length - 1)
        return packet.kind, packet.length, packet.answer, bytes(data)

    async def bench(ctx):
        await put(ctx, Kind.RUN, b"abcdefgh")
        await put(ctx, Kind.RUN, b"ABCDEFGH", good=False)
        await put(ctx, Kind.RUN, b"ABCDEF")
        await put(ctx, Kind.RUN, b"ABCD", length=8)
        await put(ctx, 9, b"ABCD")
        await put(ctx, Kind.RUN, b"ABCDEFGHIJKL")  # 12 bytes, and 8 are taken of 16
        await put(ctx, Kind.READ, b"\x04\x01")
        await put(ctx, Kind.READ, b"\x08\x01")  # a third packet
        assert await take(ctx) == (Kind.RUN, 8, 48, b"abcdefgh")
        assert await take(ctx) == (Kind.READ, 2, 0, b"\x04\x01")
        await put(ctx, Kind.RUN, b"ABCDEFGHIJKL")  # round the ring's end
        assert await take(ctx) == (Kind.RUN, 12, 72, b"ABCDEFGHIJKL")
        assert not ctx.get(component.packet.valid)

    simulate(component, bench)
    refused = [Reason(reason) if bad else None for bad, reason in told]
    assert refused == [
        None,
        Reason.CRC,
        Reason.LENGTH,
        Reason.LENGTH,
        Reason.KIND,
        Reason.ROOM,
        None,
        Reason.ROOM,
        None,
    ]


def test_inbox_knows_its_room_wherever_the_ring_is():
    """Packets of 5 bytes go round the ring of 16 many times; at each place a fourth one finds no room."""
    component = Inbox(depth=16, packets=8, frame_bytes=5, answer_bytes=8)

    async def put(ctx, payload: bytes) -> bool:
        for byte in (Kind.RUN, 0, len(payload), 0, *payload, 0, 0, 0, 0):
            ctx.set(component.i_data, byte)
            ctx.set(component.i_valid, 1)
            await ctx.tick()
        ctx.set(component.i_valid, 0)
        ctx.set(component.end, 1)
        ctx.set(component.good, 1)
        refused = ctx.get(component.refused)
        if refused:
            assert ctx.get(component.reason) == Reason.ROOM
        await ctx.tick()
        ctx.set(component.end, 0)
        return not refused

    async def take(ctx) -> bytes:
        ctx.set(component.packet.ready, 1)
        await ctx.tick()
        ctx.set(component.packet.ready, 0)
        ctx.set(component.bytes.ready, 1)
        data = bytearray()
        while len(data) < 5:
            _, _, valid, byte = await ctx.tick().sample(component.bytes.valid, component.bytes.payload)
            if valid:
                data.append(byte)
        ctx.set(component.bytes.ready, 0)
        return bytes(data)

    async def bench(ctx):
        waiting: list[bytes] = []
        for turn in range(40):
            payload = bytes([turn] * 5)
            while await put(ctx, payload):
                waiting.append(payload)
            assert len(waiting) == 3
            assert await take(ctx) == waiting.pop(0)

    simulate(component, bench)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="divisor must be at least 4, not 3"):
        UartReceiver(divisor=3)
    with pytest.raises(ValueError, match="depth must be a power of two, not 24"):
        Inbox(depth=24, packets=1, frame_bytes=1, answer_bytes=8)

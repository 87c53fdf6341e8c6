# amaranth: UnusedElaboratable=no
"""A board with a serial link, simulated to its pins, and the driver on the other end of the line."""

import random
import zlib

import numpy as np
import pytest

from bitwright_boards.driver import DigestMismatch, DriverError, FrameError, NoDevice, Timeout, WrongOverlay
from bitwright_boards.serial_driver import Accelerator, LinkError
from bitwright_core.golden import outputs
from bitwright_core.serial_link import FLAG, HEADER, Decoder, Kind, Packet, Reason
from bitwright_sim.serial import SimulatedLine
from tests.sw.networks import random_frames

QUIET = 0.0005


class Faults:
    """A line that damages what it carries: each packet sent, and each byte received, with the given chances."""

    def __init__(self, line: SimulatedLine, seed: int, *, sent: float = 0.0, received: float = 0.0):
        self.line = line
        self.random = random.Random(seed)
        self.sent = sent
        self.received = received
        self.done: dict[str, int] = {}

    def __getattr__(self, name: str):
        return getattr(self.line, name)

    @property
    def timeout(self) -> float:
        return self.line.timeout

    @timeout.setter
    def timeout(self, value: float) -> None:
        self.line.timeout = value

    def write(self, data: bytes) -> int:
        if self.random.random() < self.sent:
            return self._damage(data)
        return self.line.write(data)

    def _damage(self, data: bytes) -> int:
        kind = self.random.choice(["bit", "cut", "lost", "garbage", "stop", "twice"])
        self.done[kind] = self.done.get(kind, 0) + 1
        at = self.random.randrange(len(data))
        if kind == "bit":
            data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "lost":
            data = data[:at] + data[at + self.random.randrange(1, 20) :]
        elif kind == "garbage":
            data = self.random.randbytes(30) + data
        elif kind == "twice":
            data = data + data[: len(data) // 2]
        else:
            self.line.write(data[:at])
            self.line.write_without_stop_bit(data[at])
            data = data[at + 1 :]
        return self.line.write(data)

    def read(self, size: int = 1) -> bytes:
        data = bytearray(self.line.read(size))
        for at in range(len(data)):
            if self.random.random() < self.received:
                self.done["answer"] = self.done.get("answer", 0) + 1
                data[at] ^= 0x10
        return bytes(data)


def accelerator(folder, line, **options) -> Accelerator:
    return Accelerator(folder, line=line, **{"quiet_seconds": QUIET, "timeout": 0.2, **options})


def answers(line: SimulatedLine, data: bytes) -> list[Packet]:
    """What the board says to `data`, sent as it is."""
    line.write(data)
    return Decoder().feed(line.read(1 << 20))


def ask(kind: int, payload: bytes, sequence: int = 9) -> bytes:
    return Packet(kind=kind, sequence=sequence, payload=payload).encode()


IDENTIFY = ask(Kind.READ, bytes([0, 1]), 77)


def identified(packets: list[Packet]) -> bool:
    return bool(packets) and packets[-1] == Packet(kind=Kind.READ | 0x80, sequence=77, payload=b"RWTB")


@pytest.mark.parametrize(
    "skew", [pytest.param(-0.01, marks=pytest.mark.slow), pytest.param(0.0, marks=pytest.mark.slow), 0.015]
)
def test_frames_are_bit_exact_at_the_pins(folder, network, skew):
    frames = random_frames(network, 120, seed=3)
    with SimulatedLine(folder, skew=skew) as line, accelerator(folder, line, clock=lambda: line.seconds) as board:
        result = board.run(frames)
        assert board.counts.repeated == 0 and line.framing_errors == 0
        status = board.status()
    expected = outputs(network, frames)
    np.testing.assert_array_equal(result.scores, expected)
    np.testing.assert_array_equal(result.classes, expected.argmax(axis=1))
    assert (status.frames_in, status.frames_out, status.frames_dropped, status.errors) == (120, 120, 0, ())
    assert result.batches == 8 and result.cycles_busy == status.cycles_busy
    # 40 bytes of results a frame, at 3 Mbaud and 10 bits a byte, are what limits it
    assert 0.8 * 7500 < result.frames_per_second < 7500


@pytest.mark.parametrize("seed", [1, 2])
def test_frames_are_bit_exact_over_a_line_that_damages_packets(folder, network, seed):
    frames = random_frames(network, 130, seed=seed)
    with SimulatedLine(folder) as line:
        bad = Faults(line, seed)
        with accelerator(folder, bad, repeats=40) as board:
            board._frames_a_packet = 5
            bad.sent, bad.received = 0.3, 0.0005
            result = board.run(frames)
            counts = board.counts
    np.testing.assert_array_equal(result.scores, outputs(network, frames))
    assert sum(bad.done.values()) >= 10 and len(bad.done) >= 5
    assert counts.repeated >= 10 and counts.refused >= 3


def test_many_packets_are_under_way_at_once(folder, network):
    frames = random_frames(network, 400, seed=5)
    with SimulatedLine(folder) as line, accelerator(folder, line) as board:
        board._frames_a_packet = 10
        result = board.run(frames)
        assert result.batches == 40 and board.counts.repeated == 0 and board.registers()["LINK_REFUSED"] == 0
    np.testing.assert_array_equal(result.scores, outputs(network, frames))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x7e" + ask(Kind.READ, b"\0\1")[1:-3] + b"\x7e", Reason.CRC),
        (bytes([FLAG]) + b"nonsense on the line" + bytes([FLAG]), Reason.CRC),
        (b"\x7e\x01\x02\x7d\x7e", Reason.CRC),
        (ask(0x55, b"what"), Reason.KIND),
        (ask(Kind.READ, b"\0"), Reason.LENGTH),
        (ask(Kind.WRITE, b"\0\0\0\0"), Reason.LENGTH),
        (ask(Kind.RUN, b""), Reason.LENGTH),
        (ask(Kind.RUN, bytes(26)), Reason.LENGTH),
        (ask(Kind.RUN, bytes(8200)), Reason.ROOM),
    ],
)
def test_a_packet_that_cannot_be_used_is_refused_and_the_next_one_works(line, data, reason):
    line.timeout = 0.03 if len(data) > 1000 else 0.001
    found = answers(line, data + IDENTIFY)
    assert found[0] == Packet(kind=0xFF, sequence=0, payload=bytes([reason]))
    assert identified(found) and len(found) == 2


def test_a_wrong_length_field_is_refused(line):
    body = b"\x01\x05\x09\x00\0\1"
    body += zlib.crc32(body).to_bytes(4, "little")
    (found, last) = answers(line, b"\x7e" + body + b"\x7e" + IDENTIFY)
    assert found.payload == bytes([Reason.LENGTH]) and identified([last])


@pytest.mark.parametrize("cut", range(1, len(ask(Kind.READ, b"\0\1")) - 1))
def test_a_cut_packet_costs_none_but_itself(line, cut):
    found = answers(line, ask(Kind.READ, b"\0\1")[:cut] + IDENTIFY)
    assert identified(found) and [packet.kind for packet in found[:-1]] in ([], [0xFF])


def test_flags_and_escapes_in_payloads_arrive(line, network, folder):
    payload = bytes([0x7E, 0x7D, 0x5E, 0x5D, 0x20] * 5) + bytes([0x7D] * 25) + bytes([0x7E] * 25)
    (found,) = answers(line, ask(Kind.RUN, payload))
    frames = np.frombuffer(payload, np.uint8).reshape(-1, *network.input.shape)
    words = np.frombuffer(found.payload, "<i8").reshape(3, -1)
    np.testing.assert_array_equal(words[:, :-1], outputs(network, frames))


def test_registers_are_read_and_written(line):
    def word(offset: int) -> int:
        (found,) = answers(line, ask(Kind.READ, bytes([offset, 1])))
        return int.from_bytes(found.payload, "little")

    assert word(0x24) == 25 and word(0x84) == 8192 and word(0x90) == 50_000 and word(0xA0) == 0
    assert answers(line, ask(Kind.WRITE, b"\x08\x02\0\0\0"))[0] == Packet(kind=0x82, sequence=9, payload=b"")
    assert word(0x08) == 2
    assert answers(line, ask(Kind.WRITE, b"\x84\x02\0\0\0"))[0].payload == b""
    assert word(0x84) == 8192
    (found,) = answers(line, ask(Kind.READ, bytes([0, 3])))
    assert found.payload[:4] == b"RWTB" and found.payload[8:] == b"\2\0\0\0"
    (found,) = answers(line, ask(Kind.READ, bytes([0, 0])))
    assert found.payload == b""


def test_a_break_resets_whatever_was_under_way(line, network):
    frames = random_frames(network, 20, seed=8).astype(np.uint8)
    line.write(ask(Kind.RUN, frames.tobytes()))
    line.wait(0.0006)  # frames on the line, results too
    line.write(ask(Kind.READ, b"\0\1")[:7])
    line.send_break(0.0001)
    line.wait(0.0002)
    line.read_all()
    found = answers(line, IDENTIFY + ask(Kind.READ, bytes([0x14, 2])))
    assert identified(found[:1]) and found[1].payload == bytes(8)  # counters are zero again
    assert line.leds & 1


def test_the_driver_mends_a_board_that_was_left_in_the_middle(folder, network):
    frames = random_frames(network, 30, seed=9)
    with SimulatedLine(folder) as line:
        line.wait(1e-5)
        line.write(ask(Kind.RUN, bytes(2500)))
        line.write(bytes([FLAG]) + b"half a packet")
        line.wait(0.002)
        with accelerator(folder, line) as board:
            np.testing.assert_array_equal(board.run(frames).scores, outputs(network, frames))
            line.write(ask(Kind.RUN, bytes(1250)))  # as a call leaves it that is interrupted
            line.wait(0.001)
            board.reset()
            np.testing.assert_array_equal(board.run(frames).scores, outputs(network, frames))


def test_a_line_that_is_too_bad_is_an_error_and_the_next_call_works(folder, network):
    frames = random_frames(network, 30, seed=4)
    with SimulatedLine(folder) as line:
        bad = Faults(line, 3)
        with accelerator(folder, bad, repeats=2) as board:
            bad.received = 1.0
            with pytest.raises(LinkError, match="sent 3 times without a whole answer"):
                board.run(frames)
            bad.received = 0.0
            np.testing.assert_array_equal(board.run(frames).scores, outputs(network, frames))


class Dead:
    """A line that nobody answers."""

    timeout = 0.0
    in_waiting = 0
    closed = False

    def write(self, data: bytes) -> int:
        return len(data)

    def read(self, size: int = 1) -> bytes:
        return b""

    def send_break(self, duration: float = 0.0) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None:
        self.closed = True


def test_no_answer_ends_in_timeout(folder):
    dead = Dead()
    with pytest.raises(Timeout, match=r"answered nothing for 0\.2 s; is it programmed with random\.bit"):
        accelerator(folder, dead, timeout=0.15, quiet_seconds=0.1, repeats=5)
    assert dead.closed


def test_another_network_or_board_is_an_error(folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "b")
    file = copy / "design.json"
    text = file.read_text()
    digest = text.partition('"network_digest": "')[2][:64]
    with SimulatedLine(folder) as line:
        file.write_text(text.replace(digest, "0" * 64))
        with pytest.raises(DigestMismatch, match=rf"digest {digest[:12]}, but design\.json is of 000000000000"):
            accelerator(copy, line)
    with SimulatedLine(folder) as line:
        file.write_text(text.replace('"beats": 5', '"beats": 6'))
        with pytest.raises(DigestMismatch, match=r"OUTPUT_BEATS reads 5, but design.json says 6"):
            accelerator(copy, line)
    file.unlink()
    with pytest.raises(WrongOverlay, match=r"design\.json cannot be read"):
        accelerator(copy, Dead())


def test_frames_that_do_not_fit_are_an_error(folder):
    with SimulatedLine(folder) as line, accelerator(folder, line) as board:
        with pytest.raises(FrameError, match=r"shape \(3, 7\)"):
            board.run(np.zeros((3, 7), np.uint8))
        with pytest.raises(FrameError, match=r"0\.\.255, not 0\.\.300"):
            board.run(np.full((1, 25), [0] * 24 + [300], np.int64))
        assert board.identity == 0x42545752


def test_the_self_test_finds_a_wrong_class(folder, network, tmp_path):
    frames = random_frames(network, 12, seed=2).astype(np.uint8)
    scores = outputs(network, frames)
    classes = scores.argmax(axis=1)
    with SimulatedLine(folder) as line, accelerator(folder, line) as board:
        np.savez(tmp_path / "v.npz", frames=frames, classes=classes, scores=scores)
        assert board.self_test(tmp_path / "v.npz").mismatches == ()
        scores[7, 1] += 1
        np.savez(tmp_path / "w.npz", frames=frames, classes=classes, scores=scores)
        assert board.self_test(tmp_path / "w.npz").mismatches == (7,)
        with pytest.raises(FrameError, match="holds no vectors"):
            board.self_test(tmp_path / "none.npz")


def test_a_port_that_is_not_there(folder):
    with pytest.raises(NoDevice, match="which port"):
        Accelerator(folder)
    with pytest.raises(NoDevice, match=r"/dev/none-such cannot be opened"):
        Accelerator(folder, port="/dev/none-such")
    assert issubclass(LinkError, DriverError)


def test_the_decoder_survives_anything():
    good = ask(Kind.RUN, bytes(range(256)))
    source = random.Random(5)
    for _ in range(300):
        decoder = Decoder()
        junk = source.randbytes(source.randrange(40))
        found = decoder.feed(junk + bytes([FLAG]) + good)
        assert found[-1].payload == bytes(range(256))
        damaged = bytearray(good)
        damaged[source.randrange(1, len(good) - 1)] ^= 1 << source.randrange(8)
        decoder = Decoder()
        assert all(len(packet.payload) != 256 for packet in decoder.feed(bytes(damaged)))
        assert decoder.damaged >= 1
    assert len(good) > HEADER

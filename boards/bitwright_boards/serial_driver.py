"""The driver for boards with a serial link, with the calls, results and errors of the PYNQ driver (driver.py).

    from bitwright_boards.serial_driver import Accelerator

    with Accelerator("build-ulx3s", port="/dev/ttyUSB0") as accelerator:
        result = accelerator.run(frames)
        print(result.classes, result.frames_per_second)

The folder is what `bitwright build` wrote. Packets are those of bitwright.serial_link: what is lost or damaged on the
line is sent again, so that results are right or there is an error. Not for two threads, nor two processes, at once.
"""

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitwright.board_build import load_build
from bitwright.serial_link import (
    ANSWER,
    BREAK_BITS,
    FLAG,
    HEADER,
    LINK_REGISTERS,
    LINK_VERSION,
    REFUSED_KIND,
    TRAILER,
    Decoder,
    Kind,
    Packet,
)
from bitwright_boards.driver import (
    ERROR_BITS,
    IDENTITY,
    BoardError,
    Design,
    DigestMismatch,
    FrameError,
    NoDevice,
    Result,
    SelfTest,
    Status,
    Timeout,
    WrongOverlay,
)

QUIET_SECONDS = 0.05  # of USB and of the operating system, beside the time that bytes take on the line


class LinkError(BoardError):
    """The line damages more than sending again can mend."""


class Line(Protocol):
    """What the driver needs of pyserial's Serial."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def flush(self) -> None: ...
    def reset_input_buffer(self) -> None: ...
    def send_break(self, duration: float = 0.25) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class _Request:
    kind: Kind
    payload: bytes
    answer_bytes: int


@dataclass(frozen=True, kw_only=True)
class LinkCounts:
    """What the line has cost since the driver was made."""

    sent: int
    repeated: int
    damaged_answers: int
    refused: int  # requests that the board refused


class Accelerator:
    """The accelerator of a build folder behind a serial line, checked and ready. `close` it, or use `with`."""

    def __init__(
        self,
        folder: str | Path,
        *,
        port: str | None = None,
        line: Line | None = None,
        timeout: float = 5.0,
        repeats: int = 8,
        quiet_seconds: float = QUIET_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """Opens serial port `port`, or takes `line`, which it then owns; resets the board by a break, and checks it.

        After `timeout` seconds without any answer a call ends in Timeout; after `repeats` repetitions of one request
        in LinkError. The line counts as quiet when nothing came for `quiet_seconds` and the time that bytes take.
        `clock` is what rates are measured by. Raises NoDevice, WrongOverlay, DigestMismatch, Timeout.
        """
        self.design = Design(folder)
        self.build = load_build(Path(folder))
        self.timeout = timeout
        self.repeats = repeats
        self._clock = clock
        self._quiet = quiet_seconds
        self._line = _open(port, self.build.baud) if line is None else line
        self._decoder = Decoder()
        self._sequence = 0
        self._sent = self._repeated = self._refused = 0
        self._room, self._packets, self._frames_a_packet = 64, 1, 1
        try:
            self.reset()
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the line. The board stays as it is."""
        self._line.close()

    @property
    def clock_mhz(self) -> float:
        return self.build.clock_mhz

    @property
    def identity(self) -> int:
        """The IDENTITY register."""
        return self._read("IDENTITY")

    @property
    def digest(self) -> str:
        """The digest of the network in the accelerator, 64 hex digits."""
        offset = self.design.registers["DIGEST_0"]
        return "".join(f"{word:08x}" for word in self._read_words(offset, 8))

    @property
    def counts(self) -> LinkCounts:
        return LinkCounts(
            sent=self._sent,
            repeated=self._repeated,
            damaged_answers=self._decoder.damaged,
            refused=self._refused,
        )

    def registers(self) -> dict[str, int]:
        """Every register's value, by name; those of the link too."""
        names = {**self.design.registers, **LINK_REGISTERS}
        return {name: self._read_words(offset, 1)[0] for name, offset in names.items()}

    def status(self) -> Status:
        """Counters and errors."""
        errors = self._read("ERRORS")
        return Status(
            busy=bool(self._read("STATUS") & 1),
            errors=tuple(text for bit, text in ERROR_BITS.items() if errors >> bit & 1),
            frames_in=self._read("FRAMES_IN"),
            frames_out=self._read("FRAMES_OUT"),
            frames_dropped=self._read("FRAMES_DROPPED"),
            cycles_busy=self._read("CYCLES_BUSY"),
        )

    def reset(self) -> None:
        """Brings link and accelerator to a known state, whatever was under way: by a break, which resets both."""
        self._line.send_break(3 * BREAK_BITS / self.build.baud + 0.0001)
        self._line.flush()
        self._line.timeout = self._quiet
        while self._line.read(4096):  # what was on its way
            pass
        self._decoder = Decoder()
        self._line.write(bytes([FLAG]))

    def run(self, frames: NDArray, *, progress: Callable[[int, int], None] | None = None) -> Result:
        """Classes and scores of frames (n, *shape) of unsigned integers.

        Packets of frames follow each other while earlier ones are answered. `progress(done, total)` is called after
        each packet. Raises FrameError, Timeout or LinkError; the board is reset then, and the next call starts afresh.
        """
        design = self.design
        values = design.check(frames)
        total, row = len(values), int(design.input["bytes"])
        packed = np.zeros((total, design.stride), np.uint8)
        design.pack(values, packed)
        # several packets fit the board, and there are several: results leave while frames arrive
        most = max(1, min(self._frames_a_packet, self._room // (self._packets * row), -(-total // 8)))
        requests = [
            _Request(
                kind=Kind.RUN,
                payload=packed[first : first + most, :row].tobytes(),
                answer_bytes=8 * design.beats * min(most, total - first),
            )
            for first in range(0, total, most)
        ]
        began = self._clock()
        first_answer: list[float] = []

        def told(done: int) -> None:
            if not first_answer:
                first_answer.append(self._clock() - began)
            if progress is not None:
                progress(min(done * most, total), total)

        try:
            before = self._read("CYCLES_BUSY")
            began = self._clock()
            answers = self._exchange(requests, told)
            seconds = self._clock() - began
            busy = (self._read("CYCLES_BUSY") - before) & 0xFFFFFFFF
            self._judge()
        except BaseException:
            self.reset()
            raise
        words = np.frombuffer(b"".join(answers), "<i8").reshape(total, design.beats)
        classes, scores = design.unpack(words)
        return Result(
            classes=classes,
            scores=scores,
            frames_per_second=total / seconds if seconds > 0 else 0.0,
            latency_seconds=first_answer[0],
            batches=len(requests),
            cycles_busy=busy,
            busy_frames_per_second=total * self.clock_mhz * 1e6 / busy if busy else 0.0,
        )

    def self_test(
        self, vectors: str | Path | None = None, *, progress: Callable[[int, int], None] | None = None
    ) -> SelfTest:
        """Runs the frames of `vectors` (a .npz of frames, and expected classes or scores, or both; default:
        vectors.npz in the build folder), and compares. Raises FrameError for a file that cannot be used."""
        from bitwright_boards.driver import Accelerator as OnBoard

        return OnBoard.self_test(self, vectors, progress=progress)  # type: ignore[arg-type]

    def _read(self, name: str) -> int:
        return self._read_words(self.design.registers[name], 1)[0]

    def _read_words(self, offset: int, count: int) -> tuple[int, ...]:
        request = _Request(kind=Kind.READ, payload=bytes([offset, count]), answer_bytes=4 * count)
        return struct.unpack(f"<{count}I", self._exchange([request])[0])

    def _check(self) -> None:
        """That there is a link of ours, and behind it an accelerator with the network of design.json."""
        if self.identity != IDENTITY:
            raise WrongOverlay(f"IDENTITY reads 0x{self.identity:08x}, not 0x{IDENTITY:08x}; this is not a bitwright's")
        version, self._room, self._packets, _, _, self._frames_a_packet = self._read_words(
            LINK_REGISTERS["LINK_VERSION"], len(LINK_REGISTERS)
        )
        if version != LINK_VERSION:
            raise WrongOverlay(
                f"the board's link is of version {version}, the driver's of {LINK_VERSION}; build it again"
            )
        design, digest = self.design, self.digest
        if digest != design.digest:
            raise DigestMismatch(
                f"the board holds the network of digest {digest[:12]}, but design.json is of {design.digest[:12]}; "
                f"program the board with {self.build.bitstream} of this folder"
            )
        expected = {
            "INPUT_BYTES": design.input["bytes"], "OUTPUT_BEATS": design.beats, "OUTPUTS": design.output["outputs"]
        }  # fmt: skip
        for register, value in expected.items():
            if (got := self._read(register)) != value:
                raise DigestMismatch(f"{register} reads {got}, but design.json says {value}")

    def _judge(self) -> None:
        """Raises if the accelerator refused frames."""
        status = self.status()
        if status.errors or status.frames_dropped:
            raise FrameError(
                f"the accelerator refused {status.frames_dropped} frames ({'; '.join(status.errors) or 'no reason'})"
            )

    def _exchange(self, requests: Sequence[_Request], told: Callable[[int], None] | None = None) -> list[bytes]:
        """The answers to `requests`, in order. As many are under way as the board holds."""
        answers: list[bytes | None] = [None] * len(requests)
        tries = [0] * len(requests)
        under_way: dict[int, int] = {}  # sequence to request, in the order of sending
        waiting = list(range(len(requests)))
        silent = 0.0

        def lost(sequences: Sequence[int]) -> None:
            """Puts requests back to the front, to be sent again."""
            indices = [under_way.pop(sequence) for sequence in sequences]
            self._repeated += len(indices)
            waiting[:0] = indices

        while waiting or under_way:
            while waiting and self._fits(requests, under_way, waiting[0]):
                index = waiting.pop(0)
                tries[index] += 1
                if tries[index] > self.repeats + 1:
                    raise LinkError(
                        f"a request was sent {self.repeats + 1} times without a whole answer "
                        f"({self._decoder.damaged} damaged answers, {self._refused} requests refused); check the cable"
                    )
                self._sequence = self._sequence % 255 + 1
                under_way[self._sequence] = index
                request = requests[index]
                packet = Packet(kind=request.kind, sequence=self._sequence, payload=request.payload)
                self._line.write(packet.encode())
                self._sent += 1
            self._line.timeout = self._quiet + self._line_seconds(requests[index] for index in under_way.values())
            received = self._line.read(max(1, self._line.in_waiting))
            if not received:
                silent += self._line.timeout or 0.0
                if silent >= self.timeout:
                    raise Timeout(
                        f"the board answered nothing for {silent:.1f} s; is it programmed with {self.build.bitstream}, "
                        "and this its port?"
                    )
                lost(list(under_way))
                continue
            silent = 0.0
            for packet in self._decoder.feed(received):
                if packet.kind == REFUSED_KIND:
                    self._refused += 1  # which one, the board cannot know: the order of answers will tell
                    continue
                found = under_way.get(packet.sequence)
                if found is None:
                    continue  # an answer that came after all, to a request that was sent again
                request = requests[found]
                if packet.kind != request.kind | ANSWER or len(packet.payload) != request.answer_bytes:
                    continue
                answers[found] = packet.payload
                del under_way[packet.sequence]
                older = [sequence for sequence in under_way if _before(sequence, packet.sequence)]
                lost(older)  # answers come in order, so theirs will not come any more
                if told is not None:
                    told(sum(answer is not None for answer in answers))
        return [answer for answer in answers if answer is not None]

    def _line_seconds(self, requests: Iterable[_Request]) -> float:
        """How long requests and answers take on the line, every byte escaped."""
        overhead = 2 * (HEADER + TRAILER + 2)
        return sum(20 * (len(r.payload) + r.answer_bytes + overhead) for r in requests) / self.build.baud

    def _fits(self, requests: Sequence[_Request], under_way: dict[int, int], index: int) -> bool:
        """Whether the board has room for another request."""
        taken = sum(len(requests[other].payload) for other in under_way.values())
        return not under_way or (len(under_way) < self._packets and taken + len(requests[index].payload) <= self._room)


def _before(sequence: int, other: int) -> bool:
    """Whether `sequence` was given out before `other`; they run from 1 to 255 and begin anew."""
    return 0 < (other - sequence) % 255 < 128


def _open(port: str | None, baud: int) -> Line:
    if port is None:
        raise NoDevice("which port is the board on? give one, as in /dev/ttyUSB0")
    try:
        import serial
    except ModuleNotFoundError:
        raise NoDevice("the serial link needs pyserial: pip install 'bitwright[open]'") from None
    try:
        line: Line = serial.Serial(port, baud, timeout=QUIET_SECONDS, write_timeout=5, exclusive=True)
    except (OSError, ValueError) as error:
        raise NoDevice(f"{port} cannot be opened ({error})") from None
    return line

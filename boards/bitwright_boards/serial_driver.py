"""The driver for boards with a serial link, with the calls, results and errors of the PYNQ driver (driver.py).

    from bitwright_boards.serial_driver import Accelerator

    with Accelerator("build-ulx3s", port="/dev/ttyUSB0") as accelerator:
        result = accelerator.run(frames)
        print(result.classes, result.frames_per_second)

The folder is what `bitwright build` wrote. Packets are those of bitwright_core.serial_link: what is lost or damaged
on the line is sent again, so that results are right or there is an error. Not for two threads, nor two processes, at
once.
"""

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_boards.driver import (
    IDENTITY,
    Description,
    DigestMismatch,
    Driver,
    FrameError,
    LoadFailed,
    NoDevice,
    Result,
    WrongOverlay,
)
from bitwright_boards.serial_exchange import Exchange, Line, LinkCounts, LinkError, Request
from bitwright_core.board_build import load_build
from bitwright_core.extras import install
from bitwright_core.serial_link import LINK_REGISTERS, LINK_VERSION, Kind

__all__ = ["Accelerator", "LinkError"]
LOAD_TRIES = 3
QUIET_SECONDS = 0.05  # of USB and of the operating system, beside the time that bytes take on the line


class Accelerator(Driver):
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
        self.design = Description(folder)
        self.build = load_build(Path(folder))
        self._clock = clock
        self._frames_a_packet = 1
        self._link = Exchange(
            _open(port, self.build.baud) if line is None else line,
            baud=self.build.baud,
            timeout=timeout,
            repeats=repeats,
            quiet_seconds=quiet_seconds,
            bitstream=self.build.bitstream,
        )
        try:
            self.reset()
            self._check()
            self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the line. The board stays as it is."""
        self._link.line.close()

    @property
    def clock_mhz(self) -> float:
        return self.build.clock_mhz

    @property
    def digest(self) -> str:
        """The digest of the network in the accelerator, 64 hex digits."""
        offset = self.design.registers["DIGEST_0"]
        return "".join(f"{word:08x}" for word in self._read_words(offset, 8))

    @property
    def counts(self) -> LinkCounts:
        """What the line has cost since the driver was made."""
        return self._link.counts

    def registers(self) -> dict[str, int]:
        """Every register's value, by name; those of the link too."""
        names = {**self.design.registers, **LINK_REGISTERS}
        return {name: self._read_words(offset, 1)[0] for name, offset in names.items()}

    def reset(self) -> None:
        """Brings link and accelerator to a known state, whatever was under way: by a break, which resets both."""
        self._link.reset()

    def run(self, frames: NDArray[Any], *, progress: Callable[[int, int], None] | None = None) -> Result:
        """Classes and scores of frames (n, *shape) of unsigned integers.

        Packets of frames follow each other while earlier ones are answered. `progress(done, total)` is called after
        each packet. Raises FrameError, Timeout or LinkError; the board is reset then, and the next call starts afresh.
        """
        design = self.design
        values = design.check(frames)
        self._check_begun()
        total, row = len(values), int(design.input["bytes"])
        packed = np.zeros((total, design.stride), np.uint8)
        design.pack(values, packed)
        # several packets fit the board, and there are several: results leave while frames arrive
        most = max(1, min(self._frames_a_packet, self._link.room // (self._link.packets * row), -(-total // 8)))
        requests = [
            Request(
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
            answers = self._link.run(requests, told)
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

    def load(self, file: str | Path) -> None:
        """See `Driver.load`. A packet that was lost and came twice spoils a load, so it is tried again."""
        for left in reversed(range(LOAD_TRIES)):
            try:
                super().load(file)
                return
            except LoadFailed:
                if not left or not self._link.counts.repeated:
                    raise

    def _write(self, name: str, values: list[int]) -> None:
        head = bytes([self.design.registers[name]])
        self._link.run(
            [Request(kind=Kind.WRITE, payload=head + struct.pack("<I", each), answer_bytes=0) for each in values]
        )

    def _read(self, name: str) -> int:
        return self._read_words(self.design.registers[name], 1)[0]

    def _read_words(self, offset: int, count: int) -> tuple[int, ...]:
        request = Request(kind=Kind.READ, payload=bytes([offset, count]), answer_bytes=4 * count)
        return struct.unpack(f"<{count}I", self._link.run([request])[0])

    def _check(self) -> None:
        """That there is a link of ours, and behind it an accelerator with the network of design.json."""
        if self.identity != IDENTITY:
            raise WrongOverlay(f"IDENTITY reads 0x{self.identity:08x}, not 0x{IDENTITY:08x}; this is not a bitwright's")
        version, self._link.room, self._link.packets, _, _, self._frames_a_packet = self._read_words(
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
        self._check_sizes("")

    def _judge(self) -> None:
        """Raises if the accelerator refused frames."""
        status = self.status()
        if status.errors or status.frames_dropped:
            raise FrameError(
                f"the accelerator refused {status.frames_dropped} frames ({'; '.join(status.errors) or 'no reason'})"
            )


def _open(port: str | None, baud: int) -> Line:
    if port is None:
        raise NoDevice("which port is the board on? give one, as in /dev/ttyUSB0")
    try:
        import serial
    except ModuleNotFoundError:
        raise NoDevice(f"the serial link needs pyserial: {install('open')}") from None
    try:
        line: Line = serial.Serial(port, baud, timeout=QUIET_SECONDS, write_timeout=5, exclusive=True)
    except (OSError, ValueError) as error:
        raise NoDevice(f"{port} cannot be opened ({error})") from None
    return line

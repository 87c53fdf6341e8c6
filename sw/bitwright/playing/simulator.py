"""A simulated accelerator that may die: the process is watched, and a new one is started with the next frame."""

import json
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from bitwright.playing.hardware import HardwareGoneError
from bitwright.playing.worker import READY
from bitwright_core.design import Design
from bitwright_core.errors import ToolError

_PATIENCE = 300.0  # seconds for a frame
_STARTS = 60.0  # seconds until a process is ready


class Simulator:
    """Hardware of `play`: frames through the design's Verilog, compiled to `library`, one at a time, whoever asks."""

    where = "the Verilog of this design, compiled by Verilator,"

    def __init__(self, design: Design, library: Path):
        self.design, self.library = design, library
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def ask(self, values: list[int]) -> dict[str, Any]:
        """What the hardware makes of a frame (see worker.py). Raises HardwareGoneError, or ToolError for what it
        raised itself."""
        with self._lock:
            if self._process is None:
                self._start()
            told = json.loads(self._exchange(json.dumps(values).encode() + b"\n", _PATIENCE))
        if "error" in told:
            raise ToolError(told["error"])
        return told

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            if self._process is not None:
                self._end()

    def _start(self) -> None:
        command = [sys.executable, "-m", "bitwright.playing.worker", str(self.design.folder), str(self.library)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.starts += 1
        if self._exchange(b"", _STARTS).strip() != READY.encode():
            self._end()
            raise HardwareGoneError("the simulator could not be started; the terminal says why")

    def _exchange(self, line: bytes, seconds: float) -> bytes:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
            if not select.select([process.stdout], [], [], seconds)[0]:
                self._end()
                raise HardwareGoneError(
                    f"the simulator gave no answer in {seconds:g} seconds and was ended; draw again to start a new one"
                )
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer.endswith(b"\n"):
            raise HardwareGoneError(f"the simulator {self._end()}; draw again to start a new one")
        return answer

    def _end(self) -> str:
        """Ends the process, if it has not ended itself. How it did."""
        process, self._process = self._process, None
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            code = process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        if code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended by itself (exit status {code})"

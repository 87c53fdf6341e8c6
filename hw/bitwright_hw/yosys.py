"""Yosys, from the wheel `pyosys`, run as a process of its own.

A separate process keeps Yosys' output off standard output, its memory out of ours, and an abort of its from
ending the user's notebook.
"""

import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from bitwright.errors import ToolError
from bitwright_hw.process import run_python

_DONE = "bitwright-step-done"
_JOB = f"""
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
    print("{_DONE}", file=sys.stderr, flush=True)
"""


class Yosys:
    """Runs Yosys commands in a folder. Raises ToolError if pyosys is missing, too old, or a command fails."""

    MINIMUM = (0, 70)

    def __init__(self) -> None:
        try:
            self.version = metadata.version("pyosys")
        except metadata.PackageNotFoundError:
            raise ToolError("Yosys is missing; get it with: pip install 'pyosys>=0.70'") from None
        if tuple(int(part) for part in self.version.split(".")[:2]) < self.MINIMUM:
            raise ToolError(f"pyosys {self.version} is too old; get 0.70 or newer: pip install -U pyosys")

    def run(self, commands: Sequence[str], folder: Path, *, step: Callable[[int], None] | None = None) -> str:
        """Runs `commands`, one a line, with `folder` as the working folder; returns the log.

        `step(n)` is called when n commands are done.
        """
        errors: list[str] = []
        done = 0

        def follow(line: str) -> None:
            nonlocal done
            if line != _DONE:
                errors.append(line)
                return
            done += 1
            if step is not None:
                step(done)

        with tempfile.TemporaryFile("w+") as script, tempfile.TemporaryFile("w+", errors="replace") as log:
            script.write("\n".join(commands))
            script.flush()
            script.seek(0)
            status = run_python(_JOB, [], folder, line=follow, stdin=script, stdout=log)
            log.seek(0)
            text = log.read()
        if status:
            lines = text.splitlines() + errors
            found = [line for line in lines if "ERROR" in line] or lines[-1:]
            raise ToolError(f"Yosys {self.version} failed: {' '.join(found)[:500]}")
        return text

"""Yosys, from the wheel `pyosys`, run as a process of its own.

A separate process keeps Yosys' output off standard output, its memory out of ours, and an abort of its from
ending the user's notebook.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bitwright.errors import ToolError

_JOB = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
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

    def run(self, commands: Sequence[str], folder: Path) -> str:
        """Runs `commands`, one a line, with `folder` as the working folder; returns the log."""
        done = subprocess.run(
            [sys.executable, "-c", _JOB],
            input="\n".join(commands),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = (done.stdout + done.stderr).splitlines()
            errors = [line for line in lines if "ERROR" in line] or lines[-1:]
            raise ToolError(f"Yosys {self.version} failed: {' '.join(errors)[:500]}")
        return done.stdout

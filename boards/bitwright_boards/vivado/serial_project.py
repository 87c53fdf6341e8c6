"""A board with a serial link, by Vivado: from the sources of its top to a project, and on to a bitstream."""

import re
import shutil
from pathlib import Path

import msgspec

from bitwright_boards.board import Board
from bitwright_boards.vivado import tcl
from bitwright_boards.vivado.project import COMMAND, LOG, run_vivado
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.board_build import BUILD_FILE, DESIGN_FOLDER, ClockReport, SerialBuild
from bitwright_core.design import Design
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.plain_folder import is_plain
from bitwright_core.progress import Progress

SCRIPT = "build.tcl"


class VivadoSerialBuild(SerialBuild, frozen=True, kw_only=True):
    """build.json of a board with a serial link that Vivado builds: `missing` says why `built` is false."""

    part: str
    missing: str = ""
    command: str = COMMAND
    hold_slack_ns: float | None = None


def check_place(out: Path, *, run: bool) -> str | None:
    """The Vivado that will run in `out`, if any. Raises BoardError for a folder's name that Vivado does not take."""
    executable = shutil.which("vivado") if run else None
    if executable is not None and not is_plain(out.absolute()):
        raise BoardError(
            f"{out.absolute()}: Vivado takes no folder with such signs in its name; name one of letters, digits, "
            ". _ / + - with --out"
        )
    return executable


def build_serial(
    build: SerialBuild,
    design: Design,
    board: Board,
    out: Path,
    *,
    run: bool = True,
    progress: Progress | None = None,
) -> VivadoSerialBuild:
    """Adds Vivado's script to the sources of `build` in folder `out`; runs it if `run` and there is a Vivado on PATH.

    Raises ToolError if Vivado fails or timing is not met.
    """
    executable = check_place(out, run=run)
    sources = [*(f"{DESIGN_FOLDER}/{name}" for name in design.manifest.verilog), build.verilog]
    if (out / "build").exists():
        shutil.rmtree(out / "build")
    write_text(out / SCRIPT, tcl.serial_build(build, board.part, sources))
    result = VivadoSerialBuild(
        **{**msgspec.structs.asdict(build), "device": board.part},
        part=board.part,
        missing="Vivado was not asked for" if not run else "there is no vivado on PATH",
    )
    _save(result, out)
    if executable is None:
        return result
    log = run_vivado(executable, out, progress)
    if not (out / result.bitstream).is_file():
        raise ToolError(f"Vivado ended without error, but left no {result.bitstream}; see {out / LOG}")
    slack = re.search(r"bitwright: worst setup slack (\S+) ns, worst hold slack (\S+) ns", log)
    tool = re.search(r"Vivado v(\S+)", log)
    period = 1000 / result.clock_mhz
    result = msgspec.structs.replace(
        result,
        built=True,
        missing="",
        tools=[f"Vivado {tool[1]}" if tool else "Vivado"],
        clocks=[]
        if slack is None
        else [
            ClockReport(
                name="clk", mhz=result.clock_mhz, achieved_mhz=round(1000 / max(0.001, period - float(slack[1])), 3)
            )
        ],
        hold_slack_ns=None if slack is None else float(slack[2]),
    )
    _save(result, out)
    return result


def _save(build: VivadoSerialBuild, out: Path) -> None:
    write_bytes(out / BUILD_FILE, msgspec.json.format(msgspec.json.encode(build), indent=2) + b"\n")

"""A design to a Vivado project for a PYNQ board, and through Vivado, where there is one, to an overlay."""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from bitwright_boards.block_design import BlockDesign, block_design
from bitwright_boards.board import Board
from bitwright_boards.processing import platform
from bitwright_boards.vivado import tcl
from bitwright_boards.vivado.component import component
from bitwright_boards.vivado.wrapper import wrapper, wrapper_name
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.board_build import BUILD_FILE, DESIGN_FOLDER, FORMAT_VERSION, check_build_folder, copy_design
from bitwright_core.design import Design
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.plain_folder import is_plain
from bitwright_core.progress import Progress

COMMAND = "vivado -mode batch -source build.tcl"
LOG = "vivado.log"
# what Vivado's log says when it begins a stage, and what that stage is called here
_STAGES = (
    ("create_project package_ip", "packaging the accelerator"),
    ("create_bd_design", "drawing the block design"),
    ("launch_runs", "synthesis"),
    ("Launched impl_1", "implementation"),
    ("report_timing_summary", "timing"),
    ("bitwright: wrote", "done"),
)
_OWN = (DESIGN_FOLDER, BUILD_FILE, "build.tcl", "scripts", "rtl", "component.xml", "build", LOG)


class PynqBuild(msgspec.Struct, frozen=True, kw_only=True):
    """build.json of a PYNQ board. Names of files are relative to the folder.

    `bitstream` and `handoff` are what a finished build leaves; `built` tells whether Vivado made them here. If not,
    `missing` says why, and `command` makes them, in this folder, wherever there is a Vivado.
    """

    format: int
    board: str
    name: str
    part: str
    clock_mhz: float
    files: list[str]
    bitstream: str
    handoff: str
    built: bool
    missing: str
    command: str = COMMAND
    tool: str = ""
    setup_slack_ns: float | None = None
    hold_slack_ns: float | None = None


def write_project(design: Design, board: Board, out: Path, *, clock_mhz: float | None = None) -> BlockDesign:
    """Writes the Vivado project of `design` to folder `out`, in place of an earlier one; gives its block design.

    Leaves build.tcl, scripts/, rtl/, component.xml and a copy of the design. Raises BoardError for a board without
    project, a clock that it cannot have, or a folder that holds something else.
    """
    found = platform(board)
    overlay = block_design(design.manifest, found, clock_mhz=clock_mhz)
    check_build_folder(out, _OWN)
    for name in ("scripts", "rtl", "build"):
        if (out / name).exists():
            shutil.rmtree(out / name)
    for name in (f"{overlay.name}.bit", f"{overlay.name}.hwh", BUILD_FILE):
        (out / name).unlink(missing_ok=True)
    manifest = copy_design(design, out).manifest
    for name in ("scripts", "rtl"):
        (out / name).mkdir()
    texts = {
        "build.tcl": tcl.build(overlay, board.part),
        "scripts/package_ip.tcl": tcl.package_ip(
            manifest, board.part, families=(found.system.family,), folder="build/ip"
        ),
        "scripts/block_design.tcl": tcl.block_design(overlay, found.settings),
        f"rtl/{wrapper_name(manifest)}.v": wrapper(manifest),
        "component.xml": component(manifest),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    return overlay


def build_pynq(
    design: Design,
    board: Board,
    out: Path,
    *,
    clock_mhz: float | None = None,
    run: bool = True,
    progress: Progress | None = None,
) -> PynqBuild:
    """Writes the project and, if there is a Vivado on PATH and `run`, makes bitstream and handoff with it.

    Raises what write_project does, and ToolError if Vivado fails or timing is not met.
    """
    executable = shutil.which("vivado") if run else None
    if executable is not None and not is_plain(out.absolute()):
        raise BoardError(
            f"{out.absolute()}: Vivado takes no folder with such signs in its name; name one of letters, digits, "
            ". _ / + - with --out"
        )
    overlay = write_project(design, board, out, clock_mhz=clock_mhz)
    result = PynqBuild(
        format=FORMAT_VERSION,
        board=board.name,
        name=overlay.name,
        part=board.part,
        clock_mhz=overlay.clock_mhz,
        files=sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()),
        bitstream=f"{overlay.name}.bit",
        handoff=f"{overlay.name}.hwh",
        built=False,
        missing="Vivado was not asked for" if not run else "there is no vivado on PATH",
    )
    _save(result, out)
    if executable is None:
        return result
    log = run_vivado(executable, out, progress)
    for name in (result.bitstream, result.handoff):
        if not (out / name).is_file():
            raise ToolError(f"Vivado ended without error, but left no {name}; see {out / LOG}")
    slack = re.search(r"bitwright: worst setup slack (\S+) ns, worst hold slack (\S+) ns", log)
    tool = re.search(r"Vivado v(\S+)", log)
    result = msgspec.structs.replace(
        result,
        built=True,
        missing="",
        tool=f"Vivado {tool[1]}" if tool else "Vivado",
        setup_slack_ns=float(slack[1]) if slack else None,
        hold_slack_ns=float(slack[2]) if slack else None,
    )
    _save(result, out)
    return result


def _save(build: PynqBuild, out: Path) -> None:
    write_bytes(out / BUILD_FILE, msgspec.json.format(msgspec.json.encode(build), indent=2) + b"\n")


def run_vivado(executable: str, out: Path, progress: Progress | None) -> str:
    """Runs build.tcl; its output goes to vivado.log, and is returned."""
    lines: list[str] = []
    command = [executable, "-mode", "batch", "-source", "build.tcl", "-nojournal", "-nolog"]
    with (
        (out / LOG).open("w") as log,
        subprocess.Popen(
            command,
            cwd=out,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            assert process.stdout is not None  # a pipe was asked for
            reached = 0
            if progress is not None:
                progress("Vivado", 0, len(_STAGES))
            for line in process.stdout:
                log.write(line)
                lines.append(line)
                for index, (text, _) in enumerate(_STAGES):
                    if text in line and index >= reached:
                        reached = index + 1
                        if progress is not None:
                            progress("Vivado", reached, len(_STAGES))
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        told = [line.strip() for line in lines if "timing is not met" in line or line.startswith("ERROR")]
        raise ToolError(f"Vivado failed: {told[0] if told else f'status {process.returncode}'}; see {out / LOG}")
    return "".join(lines)

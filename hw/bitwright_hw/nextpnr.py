"""nextpnr, from each family's wheel, run as a process of its own."""

import json
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_core.progress import Progress
from bitwright_hw.families import Family
from bitwright_hw.families.flow import Flow
from bitwright_hw.process import run_python

_RUN = "import sys, {0} as wheel; sys.exit(wheel.{1}(sys.argv[1:]))"
# what nextpnr says when it begins a stage, and what that stage is called here
_STAGES = (
    ("Packing", "packing"),
    ("Creating initial analytic placement", "placing"),
    ("Running simulated annealing placer", "refining the placement"),
    ("Routing globals", "routing global wires"),
    ("Setting up routing queue", "routing"),
    ("Running router2", "routing"),
    ("Critical path report", "timing"),
)
# what router2 says after each of its iterations, which take minutes in large designs
_CONFLICTS = re.compile(r"\boveruse=(\d+)")


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What came of placing and routing."""

    tool: str
    device: str
    seed: int
    fmax_mhz: float
    critical_path: tuple[str, ...]


class Nextpnr:
    """Places and routes netlists for `family`, which has a flow. Raises ToolError if its wheel is missing or too
    old."""

    MINIMUM = (0, 7)

    def __init__(self, family: Family) -> None:
        if family.flow is None:
            raise ToolError(f"nextpnr does not place designs for {family.name}")
        self.flow = family.flow
        wheel = self.flow.wheel
        how = install(wheel.extra)
        try:
            self.version = metadata.version(wheel.package)
        except metadata.PackageNotFoundError:
            raise ToolError(f"placing needs nextpnr for {family.title}; get it with: {how}") from None
        if tuple(int(part) for part in self.version.split(".")[:2]) < self.MINIMUM:
            raise ToolError(f"{wheel.package} {self.version} is too old; get 0.7 or newer: {how}")
        if self.flow.board is not None:
            packer = self.flow.board.packer
            try:
                metadata.version(packer.package)
            except metadata.PackageNotFoundError:
                raise ToolError(f"bitstreams need {packer.name}, of {packer.package}; get it with: {how}") from None

    @property
    def name(self) -> str:
        return f"nextpnr {self.version}"

    def place(self, options: list[str], folder: Path, *, progress: Progress | None = None) -> list[str]:
        """Runs nextpnr with `options` in `folder`; returns its log. Raises ToolError if it fails."""
        names = list(dict.fromkeys(stage for _, stage in _STAGES))
        log: list[str] = []
        reached = -1

        def follow(line: str) -> None:
            nonlocal reached
            log.append(line)
            found = [names.index(stage) for text, stage in _STAGES if text in line]
            conflicts = _CONFLICTS.search(line)
            if found and found[0] > reached:
                reached = found[0]
                if progress is not None:
                    progress(f"nextpnr, {names[reached]}", reached, len(names))
            elif conflicts is not None and progress is not None:
                progress(f"nextpnr, {names[reached]}, {int(conflicts[1]):,} conflicts left", reached, len(names))

        if run_python(_RUN.format(self.flow.wheel.module, self.flow.wheel.nextpnr), options, folder, line=follow):
            errors = [line for line in log if "ERROR" in line] or log[-1:]
            raise ToolError(f"nextpnr {self.version} failed: {' '.join(errors)[:500]}")
        if progress is not None and reached == len(names) - 1:
            progress(f"nextpnr, {names[-1]}", len(names), len(names))
        return log

    def run(
        self,
        netlist: Path,
        *,
        clock_mhz: float,
        seed: int = 1,
        spread: bool = False,
        progress: Progress | None = None,
    ) -> Placed:
        """Places and routes `netlist` (Yosys' JSON) on the family's device, aiming for `clock_mhz`; a clock that is
        missed is no error.

        With `spread`, for designs of which all parts are wired to all others, the placement is drawn apart over
        the whole device, where the family can, and routed by router2, which negotiates for wires that several nets want
        (after CRoute, Vercruyce et al., 2019). There it looks at wires alone and not at delays: with both, conflicts of
        the hardwired digits on an LFE5U-85F stood at 1,700 after 41 minutes of CPU in the router.
        """
        device = self.flow.device
        if device is None:
            raise ToolError(f"{self.flow.wheel.package} has no device here that designs are placed on by themselves")
        folder = netlist.parent
        if device.constraints is not None:
            file, text = device.constraints
            (folder / file).write_text(text)
        options = [*device.options, "--timing-allow-fail", "--freq", f"{clock_mhz:g}", "--seed", str(seed)]
        source = ["--json", netlist.name]
        if spread and device.spread is not None:
            apart = folder / "placed.json"
            # half of what a region holds leaves more of the wires along each row; the router is named here, as the
            # settings in a placement that nextpnr writes outrank the options of the run that reads it
            only = ["--placer-heap-beta", "0.5", "--router", "router2", "--no-route", "--write", apart.name]
            self.place([*options, *source, *only], folder, progress=progress)
            placed = json.loads(apart.read_text())
            device.spread(placed, "top")
            placed["modules"]["top"]["settings"]["timing_driven"] = f"{0:032b}"
            apart.write_text(json.dumps(placed))
            source = ["--json", apart.name, "--no-pack", "--no-place"]
        self.place([*options, *source, "--report", "report.json"], folder, progress=progress)
        report = json.loads((folder / "report.json").read_text())
        clocks = [clock["achieved"] for clock in report["fmax"].values()]
        if not clocks:
            raise ToolError(f"nextpnr {self.version} found no clock in the netlist, so it has no highest frequency")
        return Placed(
            tool=self.name,
            device=device.title,
            seed=seed,
            fmax_mhz=min(clocks),
            critical_path=critical_path(report),
        )


def prepare(netlist: Path, top: str, flow: Flow) -> None:
    """Takes Yosys' JSON through the steps of `flow`, which change module `top`."""
    if not flow.steps:
        return
    cells = json.loads(netlist.read_text())
    for step in flow.steps:
        step(cells, top)
    netlist.write_text(json.dumps(cells))


def critical_path(report: dict[str, Any]) -> tuple[str, ...]:
    """Begin and end of the path that sets the clock, as nextpnr names them."""
    for path in report.get("critical_paths", ()):
        steps = path["path"]
        clocked = all(path[end].startswith("posedge") for end in ("from", "to"))
        if clocked and steps:
            return steps[0]["from"]["cell"], steps[-1]["to"]["cell"]
    return ()


def pins(top: str, ports: list[tuple[str, str, int]], clock: str) -> str:
    """Verilog of module `pins`: `top` between registers, so that it needs four pins and all its paths count.

    `ports` has (direction, name, width) of each port of `top`. Inputs come from a shift register, outputs go into
    another.
    """
    inputs = [(name, width) for direction, name, width in ports if direction == "input" and name != clock]
    outputs = [(name, width) for direction, name, width in ports if direction == "output"]
    in_bits, out_bits = sum(width for _, width in inputs), sum(width for _, width in outputs)
    lines = [
        "module pins(input clk, input d, input load, output q);",
        f"reg [{in_bits - 1}:0] given;",
        f"reg [{out_bits - 1}:0] taken;",
        f"wire [{out_bits - 1}:0] result;",
        "always @(posedge clk) given <= {given, d};",
        "always @(posedge clk) taken <= load ? result : {taken, 1'b0};",
        f"assign q = taken[{out_bits - 1}];",
        f"{top} dut(.{clock}(clk)",
    ]
    for bus, signals in (("given", inputs), ("result", outputs)):
        low = 0
        for name, width in signals:
            lines.append(f", .{name}({bus}[{low + width - 1}:{low}])")
            low += width
    return "\n".join(lines) + ");\nendmodule\n"

"""nextpnr for ECP5 and iCE40, from the wheels `yowasp-nextpnr-*`, run as a process of its own."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from bitwright.errors import ToolError
from bitwright_hw.block_ram_registers import absorb_registers
from bitwright_hw.carry_ends import trim_carries
from bitwright_hw.process import run_python
from bitwright_hw.spread_rows import spread_rows

_RUN = "import sys, yowasp_nextpnr_{0} as wheel; sys.exit(wheel.run_nextpnr_{0}(sys.argv[1:]))"
_GET = {"ecp5": "pip install 'bitwright[place]'", "ice40": "pip install 'bitwright[open]'"}
# what nextpnr says when it begins a stage, and what that stage is called here
_STAGES = (
    ("Packing", "packing"),
    ("Creating initial analytic placement", "placing"),
    ("Running simulated annealing placer", "refining the placement"),
    ("Routing globals", "routing clocks"),
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
    """Places and routes netlists. Raises ToolError if the wheel for `family` is missing or too old."""

    MINIMUM = (0, 7)
    DEVICE = "LFE5U-85F-6 CABGA381"

    def __init__(self, family: Literal["ecp5", "ice40"] = "ecp5") -> None:
        self.family = family
        wheel = f"yowasp-nextpnr-{family}"
        try:
            self.version = metadata.version(wheel)
        except metadata.PackageNotFoundError:
            name = {"ecp5": "ECP5", "ice40": "iCE40"}[family]
            raise ToolError(f"placing needs nextpnr for {name}; get it with: {_GET[family]}") from None
        if tuple(int(part) for part in self.version.split(".")[:2]) < self.MINIMUM:
            raise ToolError(f"{wheel} {self.version} is too old; get 0.7 or newer: {_GET[family]}")

    @property
    def name(self) -> str:
        return f"nextpnr {self.version}"

    def place(
        self, options: list[str], folder: Path, *, progress: Callable[[str, int, int], None] | None = None
    ) -> list[str]:
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

        if run_python(_RUN.format(self.family), options, folder, line=follow):
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
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Placed:
        """Places and routes `netlist` (Yosys' JSON) on an LFE5U-85F, CABGA381, speed grade 6 (the ULX3S's), aiming
        for `clock_mhz`; a clock that is missed is no error.

        With `spread`, for designs of which all parts are wired to all others, the placement is drawn apart over
        the whole device, and routed by router2, which negotiates for wires that several nets want (after CRoute,
        Vercruyce et al., 2019).
        """
        folder = netlist.parent
        options = ["--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained", "--timing-allow-fail"]
        options += ["--freq", f"{clock_mhz:g}", "--seed", str(seed)]
        source = ["--json", netlist.name]
        if spread:
            apart = folder / "placed.json"
            # half of what a region holds leaves more of the wires along each row; the router is named here, as the
            # settings in a placement that nextpnr writes outrank the options of the run that reads it
            only = ["--placer-heap-beta", "0.5", "--router", "router2", "--no-route", "--write", apart.name]
            self.place([*options, *source, *only], folder, progress=progress)
            placed = json.loads(apart.read_text())
            spread_rows(placed, "top")
            apart.write_text(json.dumps(placed))
            source = ["--json", apart.name, "--no-pack", "--no-place"]
        self.place([*options, *source, "--report", "report.json"], folder, progress=progress)
        report = json.loads((folder / "report.json").read_text())
        clocks = [clock["achieved"] for clock in report["fmax"].values()]
        if not clocks:
            raise ToolError(f"nextpnr {self.version} found no clock in the netlist, so it has no highest frequency")
        return Placed(
            tool=self.name,
            device=self.DEVICE,
            seed=seed,
            fmax_mhz=min(clocks),
            critical_path=critical_path(report),
        )


def prepare_ecp5(netlist: Path, top: str) -> None:
    """Changes Yosys' JSON for ECP5 so that module `top` comes out smaller and faster, with the same function."""
    cells = json.loads(netlist.read_text())
    absorb_registers(cells, top)
    trim_carries(cells, top)
    netlist.write_text(json.dumps(cells))


def critical_path(report: dict) -> tuple[str, ...]:
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

"""Proofs by ABC, which the wheel `pyosys` brings beside Yosys: what SymbiYosys runs as `abc pdr` and `abc bmc3`.

Yosys turns a spec into an and-inverter graph. `pdr` (Bradley 2011; Een, Mishchenko, Brayton 2011) finds an inductive
invariant by itself, so that claims hold in every cycle; `bmc3` looks at all runs of so many cycles.
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from bitwright_core.errors import ToolError
from bitwright_hw.yosys import Yosys
from tests.proofs.spec import START, Spec

_AIG = (
    "hierarchy -check -top spec",
    "proc",
    "flatten",
    "opt -full",
    "memory -nomap",
    # any state is a start but that of the registers that say so; contents that nothing writes are a part of the design
    f"setattr -unset init w:* w:* a:{START} %i %d",
    "setparam -set INIT 16'x t:$mem_v2 r:WR_PORTS>0 %i",
    "memory_map -formal",
    "formalff -clk2ff -ff2anyinit",
    "setundef -undriven -anyseq",
    "opt -full",
    "techmap",
    "opt -fast",
    "simplemap",
    "dffunmap",
    "aigmap",
    "opt_clean",
)
_ASSERTED = re.compile(r'Output (\d+)(?: of miter "\w+")? was asserted in frame +(\d+)')


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "time is up"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a proof went: the claim that failed and its cycle, if one did; covers that no run reached."""

    verdict: Verdict
    seconds: float
    claim: str = ""
    cycle: int = 0
    missed: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        return self.verdict is Verdict.HOLDS and not self.missed

    def __str__(self) -> str:
        if self.verdict is Verdict.FAILS:
            return f"fails in cycle {self.cycle}: {self.claim}"
        if self.missed:
            return f"{self.verdict}, but never reached: {', '.join(self.missed)}"
        return str(self.verdict)


def abc() -> Path:
    """The program. Raises ToolError if the wheel has none."""
    found = find_spec("pyosys")
    program = Path(found.origin).parent / "yosys-abc" if found and found.origin else None
    if program is None or not program.is_file():
        raise ToolError("the wheel pyosys brings no yosys-abc; get another: pip install -U pyosys")
    return program


def run_abc(commands: str, folder: Path) -> str:
    done = subprocess.run(
        [abc(), "-c", commands], cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise ToolError(f"ABC failed: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def write_graph(spec: Spec, folder: Path, *, models: Sequence[Path] = ()) -> list[str]:
    """The commands that write the graph of `spec` to spec.aig in `folder`, whose files are written here. `models` are
    Verilog files of the cells that it instantiates."""
    commands = [f"read_verilog {model}" for model in models]
    for name, text in spec.rtlil().items():
        (folder / f"{name}.il").write_text(text)
        commands.append(f"read_rtlil {name}.il")
    for k, text in enumerate(spec.shared.verilog):
        (folder / f"shared_{k}.v").write_text(text)
        commands.append(f"read_verilog shared_{k}.v")
    return [*commands, *_AIG, "write_aiger -I -zinit -no-startoffset -map spec.aim spec.aig"]


def prove(
    spec: Spec,
    *,
    steps: int | None = None,
    reach: int = 40,
    limit: int = 600,
    folder: Path | None = None,
    models: Sequence[Path] = (),
) -> Outcome:
    """Whether each claim of `spec` holds: in every cycle, or, with `steps`, in all runs of so many cycles. Covers are
    sought in `reach` cycles. The solver has `limit` seconds for either."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bitwright-proof-") as made:
        place = Path(made) if folder is None else folder
        Yosys().run(write_graph(spec, place, models=models), place)
        claims, covers = list(spec.claims), list(spec.covers)
        check_map(place / "spec.aim", len(claims), len(covers))
        way = "pdr" if steps is None else f"bmc3 -F {steps + 1}"
        load = "read_aiger spec.aig; strash"
        reduced = f"{load}; cone -a -O 0 -R {len(claims)}; scorr; dc2; print_stats"
        log = run_abc(f"{reduced}; {way} -T {limit}", place)
        stateless = re.search(r"lat = +0 ", log) is not None
        if (
            stateless
        ):  # the reduction left no state, so that a single cycle is all there is; pdr and bmc3 take none such
            log = run_abc(f"{load}; cone -a -O 0 -R {len(claims)}; bmc3 -F 3", place)
            log += run_abc(f"{reduced}; orpos; sat", place)
        seconds = time.monotonic() - began
        if failed := _ASSERTED.search(log):
            return Outcome(verdict=Verdict.FAILS, seconds=seconds, claim=claims[int(failed[1])], cycle=int(failed[2]))
        if not ("UNSATISFIABLE" in log if stateless else _proven(log, steps)):
            return Outcome(verdict=Verdict.OPEN, seconds=seconds)
        missed: tuple[str, ...] = ()
        if covers:
            log = run_abc(f"{load}; cone -a -O {len(claims)} -R {len(covers)}; bmc3 -a -F {reach} -T {limit}", place)
            reached = {int(found[1]) for found in _ASSERTED.finditer(log)}
            missed = tuple(name for k, name in enumerate(covers) if k not in reached)
        return Outcome(verdict=Verdict.HOLDS, seconds=time.monotonic() - began, missed=missed)


def check_map(file: Path, claims: int, covers: int) -> None:
    """Raises ToolError unless the graph's outputs are the bits of `wrong`, then those of `seen`; constant ones have no
    line."""
    lines = [line.split() for line in file.read_text().splitlines()]
    found = {int(line[1]): (line[3], int(line[2])) for line in lines if line[0] == "output"}
    wanted = [*(("wrong", k) for k in range(max(1, claims))), *(("seen", k) for k in range(max(1, covers)))]
    if any(k >= len(wanted) or wanted[k] != name for k, name in found.items()):
        raise ToolError("the graph's outputs do not lie as the claims do")


def _proven(log: str, steps: int | None) -> bool:
    if steps is None:
        return "Property proved" in log
    done = re.search(r"No output asserted in (\d+) frames", log)
    return done is not None and int(done[1]) >= steps + 1

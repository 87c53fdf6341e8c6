"""The demonstration: the main job end to end on the embedded digits, with nothing taken on trust.

Hardware is compared with the golden model by `verify`, the golden model with the torch model by `check_export`;
both on every frame of the held-out set, in every integer.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright import api
from bitwright.api.common import check_extra
from bitwright_core.design import Design
from bitwright_core.errors import ToolError
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright_sim.report import VerifyReport

CYCLES = 64  # the most cycles a frame that the demo's plan allows


@dataclass(frozen=True, kw_only=True)
class DemoStep:
    """One row of the demo's table."""

    name: str
    what: str
    result: str
    passed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What the demo did."""

    folder: Path
    steps: tuple[DemoStep, ...]
    frames: int
    mismatches: int
    test_accuracy: float
    verilog: str  # file name
    page: Path  # the report

    @property
    def passed(self) -> bool:
        return all(step.passed for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder), "page": str(self.page), "passed": self.passed}


def demo(out: Path, *, progress: Progress | None = None) -> DemoReport:
    """Trains digits, generates, runs the benches and verifies the whole held-out set, all under `out`.

    Raises BitwrightError where a step cannot run; a step that finds a difference is told in the report.
    """
    for extra in ("train", "sim"):
        check_extra(extra, "the demo")
    from bitwright_sim.tools import Verilator
    from bitwright_train import check_export, load_model

    Verilator.find()
    steps: list[DemoStep] = []
    started = time.monotonic()

    def done(name: str, what: str, result: str, passed: bool = True) -> None:
        nonlocal started
        now = time.monotonic()
        steps.append(DemoStep(name=name, what=what, result=result, passed=passed, seconds=now - started))
        started = now

    train = out / "train"
    trained = api.train_network("digits", train, resume=False, progress=progress)
    network = trained.network
    sizes = "-".join(str(size) for size in (network.encoded_size, *(node.outputs for node in network.nodes)))
    done(
        "train",
        f"a network of ±1 weights, {sizes}, on 8x8 images of digits, with torch",
        f"{100 * trained.test_accuracy:.1f} % of the held-out digits in {trained.seconds:.0f} s",
    )

    held_out = api.load_frames(network, "digits")
    check = check_export(load_model(train), network, held_out.frames, progress=progress)
    done(
        "export",
        f"integer network against torch, {check.frames} held-out frames",
        f"{check.accumulators:,} accumulators, {check.bits:,} bits, {check.classes:,} classes: all equal",
    )

    plan = api.size(network, cycles=CYCLES, scores=True)
    design = api.generate(network, plan, out / "design", force=True, progress=progress)
    lines = sum(len(file.read_text().splitlines()) for file in design.verilog)
    m = design.manifest
    rate = m.clock_mhz * 1e6 / m.interval_cycles
    done(
        "generate",
        f"Verilog, {lines:,} lines; {sum(layer.lanes for layer in m.layers):,} binary multipliers",
        f"a frame every {m.interval_cycles} cycles: {rate:,.0f} frames/s at {m.clock_mhz:g} MHz",
    )

    for simulator in ("verilator", "icarus"):
        _benches(design, simulator, done, progress)

    report = _verified(design, out / "reproducer", done, progress)
    page = api.report(design, data="digits", progress=progress)
    done("report", "one page that shows it all", str(page.file))
    return DemoReport(
        folder=out,
        steps=tuple(steps),
        frames=report.frames,
        mismatches=report.mismatches,
        test_accuracy=trained.test_accuracy,
        verilog=m.verilog[0],
        page=page.file,
    )


def _verified(design: Design, reproducer: Path, done: Callable[..., None], progress: Progress | None) -> "VerifyReport":
    """Sends the held-out digits through the Verilog, and tells what came out."""
    report = api.verify(design, "digits", reproducer=reproducer, progress=progress)
    where = "" if report.first_mismatch is None else f", first at {report.first_mismatch}"
    scores = report.frames * design.network.outputs
    done(
        "verify",
        f"{report.frames} held-out frames through the Verilog, against the golden model",
        f"{scores:,} scores and {report.frames:,} classes: "
        + (f"{report.mismatches} frames differ{where}" if report.mismatches else "all equal")
        + f"; {100 * (report.accuracy or 0):.1f} % right in hardware, a frame every {report.interval_cycles} cycles",
        not report.mismatches,
    )
    return report


def _benches(
    design: Design,
    simulator: Any,
    done: Callable[..., None],
    progress: Progress | None,
) -> None:
    """The cocotb benches on one simulator; Icarus, which pip cannot install, may be absent."""
    if simulator == "icarus" and shutil.which("iverilog") is None:
        done("benches", "Icarus is not installed (Debian, Ubuntu: apt-get install iverilog)", "skipped")
        return
    try:
        report = api.simulate(design, simulator=simulator, progress=progress)
    except ToolError as error:
        done("benches", f"{simulator} could not run", str(error), False)
        return
    failed = [test.name for test in report.tests if not test.passed]
    done(
        "benches",
        f"stalls, resets, wrong lengths, registers on {report.simulator}",
        f"{len(failed)} of {len(report.tests)} failed: {', '.join(failed)}"
        if failed
        else f"{len(report.tests)} passed",
        report.passed,
    )

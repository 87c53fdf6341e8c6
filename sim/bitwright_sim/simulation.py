"""Runs the cocotb benches of a whole accelerator on a generated design."""

import ast
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DataError
from bitwright_core.golden import check_frames
from bitwright_core.near import did_you_mean
from bitwright_core.progress import Progress
from bitwright_sim.bench import MARK, BenchReport, run_bench
from bitwright_sim.cache import BuildCache
from bitwright_sim.wave_view import write_view

_BENCH = "accelerator_bench"
_STREAM_BENCH = "stream_bench"
_OF_REGISTERS = ("soft_reset", "batches", "registers")  # tests that a design without registers cannot have


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """One test of the bench."""

    __test__ = False  # not a test for pytest

    name: str
    passed: bool
    message: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SimulateReport:
    """What the benches found."""

    simulator: str  # name and version
    seed: int
    tests: tuple[TestResult, ...]
    frames: int  # whose results were compared with the golden model
    cycles: int
    seconds: float  # without the build
    waves: Path | None
    edited: bool  # the Verilog is not what the generator wrote
    log: str  # the end of the simulator's output

    @property
    def passed(self) -> bool:
        return bool(self.tests) and all(test.passed for test in self.tests)

    @property
    def failures(self) -> tuple[TestResult, ...]:
        return tuple(test for test in self.tests if not test.passed)

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON: the fields, without the log, and `passed`."""
        result = {**asdict(self), "passed": self.passed}
        result["waves"] = None if self.waves is None else str(self.waves)
        del result["log"]
        return result


def simulate(
    design: Design,
    *,
    simulator: str = "verilator",
    waves: bool = False,
    bench: str | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    cache: BuildCache | None = None,
) -> SimulateReport:
    """Runs every test of `accelerator_bench` on `design`, or the one called `bench`: protocol, timing, resets, errors,
    registers.

    `simulator` is "verilator" or "icarus". `waves` leaves the signal traces in the design's folder, and save files for
    GTKWave and Surfer with a mark where each test starts. `seed` makes a run repeatable; the report has the one used.
    Failed tests are in the report, not raised.

    A test that did not run counts as failed. What registers alone can do is not asked of a design without them.

    Raises ToolError for missing tools, a failed build or a simulator that dies; DesignError for a manifest that does
    not follow from the design's network and plan; DataError for a bench that there is not.
    """
    known = tuple(name for name in bench_tests(_BENCH) if design.manifest.registers or name not in _OF_REGISTERS)
    if bench is not None and bench not in known:
        raise DataError(f"there is no bench {bench!r}{did_you_mean(bench, known)}; there are {', '.join(known)}")
    design.check_derived()
    report = run_bench(
        design.simulation_sources,
        design.manifest.top,
        f"{__package__}.{_BENCH}",
        simulator=simulator,
        parameters={"design": str(design.folder.absolute())},
        seed=seed,
        test_filter=rf"\b({'|'.join(known if bench is None else (bench,))})$",
        waves=design.folder / f"waves-{simulator}" if waves else None,
        timeout=24 * 3600,
        cache=cache,
        progress=progress,
    )
    if report.waves is not None:
        marks = {name.removeprefix(MARK): time for name, time in report.facts.items() if name.startswith(MARK)}
        write_view(report.waves, design, design.manifest.top, marks)
    return _report(design, report, known if bench is None else (bench,))


def simulate_frames(
    design: Design,
    frames: NDArray[Any],
    *,
    simulator: str = "verilator",
    progress: Progress | None = None,
    cache: BuildCache | None = None,
) -> SimulateReport:
    """Sends `frames` (n, ...) back to back through the cocotb bench and compares the results.

    What `verify` does natively, through cocotb: to compare their speed on the same frames.
    """
    design.check_derived()
    flat = check_frames(design.network, frames)
    with TemporaryDirectory(prefix="bitwright-frames-") as folder:
        file = Path(folder) / "frames.npy"
        np.save(file, flat)
        report = run_bench(
            design.simulation_sources,
            design.manifest.top,
            f"{__package__}.{_STREAM_BENCH}",
            simulator=simulator,
            parameters={"design": str(design.folder.absolute()), "frames": str(file)},
            seed=0,
            timeout=24 * 3600,
            cache=cache,
            progress=progress,
        )
    return _report(design, report, bench_tests(_STREAM_BENCH))


def bench_tests(bench: str) -> tuple[str, ...]:
    """The names of a bench's tests, read from its source: what must have run, whatever a simulator says."""
    tree = ast.parse((files(__package__) / f"{bench}.py").read_text())
    return tuple(
        node.name
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "register_test" for mark in node.decorator_list)
    )


def _report(design: Design, report: BenchReport, due: tuple[str, ...]) -> SimulateReport:
    tests = [
        TestResult(name=test.name.rsplit(".", 1)[-1], passed=test.passed, message=test.message, seconds=test.seconds)
        for test in report.tests
    ]
    ran = {test.name for test in tests}
    tests += [
        TestResult(name=name, passed=False, message="did not run", seconds=0.0) for name in due if name not in ran
    ]
    if report.facts.get("frames", 0) < 1:
        tests.append(TestResult(name="frames", passed=False, message="no result was compared", seconds=0.0))
    return SimulateReport(
        simulator=report.simulator,
        seed=report.seed,
        tests=tuple(tests),
        frames=report.facts.get("frames", 0),
        cycles=report.facts.get("cycles", 0),
        seconds=report.seconds,
        waves=report.waves,
        edited=design.edited,
        log=report.log,
    )

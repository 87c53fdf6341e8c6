"""Runs cocotb testbenches: builds the Verilog (cached), runs a bench module in the simulator, reads the results.

A bench is a Python module of `@cocotb.test()` functions that runs inside the simulator; `run_bench` is its
runner, in pytest or in a command. The two share nothing but `bench_parameters()`, JSON in a variable.
"""

import json
import os
import secrets
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bitwright_core.errors import ToolError
from bitwright_core.plain_folder import is_plain, plain_copies, plain_folder, plain_place
from bitwright_core.progress import Progress
from bitwright_core.writable import check_file
from bitwright_sim.cache import BuildCache, digest
from bitwright_sim.process import run_checked, run_logged, tail
from bitwright_sim.tools import Compiler, Icarus, Verilator, check_cocotb, writes_fst

Simulator = Literal["verilator", "icarus"]
SIMULATORS: tuple[Simulator, ...] = ("verilator", "icarus")

_PARAMETERS = "BITWRIGHT_BENCH"
_PROGRESS = "BITWRIGHT_BENCH_PROGRESS"
# steer cocotb, its runner or Python behind our back
_UNWANTED = ("COCOTB_", "GPI_", "PYTEST_", "PYGPI_", "BITWRIGHT_BENCH")
_UNWANTED_NAMES = ("WAVES", "GUI", "PYTHONWARNINGS", "RANDOM_SEED", "TESTCASE", "MODULE", "TOPLEVEL")
# random values for whatever the design leaves open: a Verilator run then sees what X would show
MARK = "mark_"  # how the facts begin that say when a test started, in steps of the simulator
_VERILATOR_BUILD = ("-Wno-fatal", "--x-assign", "unique", "--x-initial", "unique")


@dataclass(frozen=True, kw_only=True)
class BenchTest:
    """One test of a bench."""

    name: str
    passed: bool
    message: str  # why it failed, empty if it passed
    seconds: float
    sim_ns: float


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """What a bench did."""

    simulator: str  # name and version
    seed: int
    seconds: float  # the run, without the build
    tests: tuple[BenchTest, ...]
    log: str  # the end of the simulator's output
    waves: Path | None
    facts: dict[str, int]  # what the bench recorded by `record`

    @property
    def passed(self) -> bool:
        return bool(self.tests) and all(test.passed for test in self.tests)

    @property
    def failures(self) -> tuple[BenchTest, ...]:
        return tuple(test for test in self.tests if not test.passed)

    def check(self) -> "BenchReport":
        """Returns itself. Raises AssertionError with the seed and each failure's message if any test failed."""
        if not self.passed:
            lines = [f"{test.name}: {test.message}" for test in self.failures] or ["no test ran"]
            raise AssertionError(f"{self.simulator}, seed {self.seed}: " + "\n".join([*lines, self.log]))
        return self


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What building and running have in common. `waves` is a path without suffix, `seed` that of this run."""

    tool: Verilator | Icarus
    top: str
    name: str  # of the module
    seed: int
    waves: Path | None
    environment: Mapping[str, str]
    progress: Progress | None

    @property
    def verilator(self) -> bool:
        return isinstance(self.tool, Verilator)

    @property
    def kind(self) -> str:
        return "verilator" if self.verilator else "icarus"


def run_bench(
    sources: Sequence[Path],
    top: str,
    module: str | Path,
    *,
    simulator: str = "verilator",
    parameters: Mapping[str, Any] | None = None,
    hdl_parameters: Mapping[str, Any] | None = None,
    build_args: Sequence[str] = (),
    build_key: str = "",
    test_filter: str | None = None,
    seed: int | None = None,
    waves: Path | None = None,
    work: Path | None = None,
    timeout: float = 1800,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> BenchReport:
    """Builds `sources` with `top` as the root and runs the tests of `module` on it.

    `module` is the name of an importable module or the path of a Python file, whose folder becomes importable.
    `parameters` (anything JSON holds) reach the bench by `bench_parameters()`; `hdl_parameters` are Verilog
    parameters. `build_key` separates builds that differ in something not named here. `test_filter` is a regular
    expression over test names. `seed` (0 .. 2^32 - 1) seeds Python's random in the simulator and Verilator's
    initial values; by default a fresh one, found in the report. `waves` is a path without suffix for the signal
    traces (.vcd or .fst is added). `work` keeps the run's files, which otherwise go.

    Raises OutputError, before anything is built, if the waves cannot be written; ToolError for a missing tool, a failed
    build, a run past `timeout` seconds or one that left no results or no waves.
    """
    if waves is not None:
        check_file(_trace_file(waves, simulator))
    tool = find_simulator(simulator)
    bench = _Bench(
        tool=tool,
        top=top,
        name=Path(module).stem if _is_file(module) else str(module),
        seed=secrets.randbits(32) if seed is None else seed,
        waves=waves,
        environment=_environment(tool, module),
        progress=progress,
    )
    cache = BuildCache() if cache is None else cache
    build = _build(bench, sources, hdl_parameters or {}, build_args, build_key, cache)
    folder = Path(tempfile.mkdtemp(prefix="bitwright-bench-", dir=plain_place())) if work is None else work.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _run(bench, build, parameters or {}, test_filter, folder, timeout)
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)


def bench_parameters() -> dict[str, Any]:
    """In the simulator: the `parameters` that were given to `run_bench`."""
    return json.loads(os.environ[_PARAMETERS])["parameters"]


def bench_seed() -> int:
    """In the simulator: the seed of this run."""
    return json.loads(os.environ[_PARAMETERS])["seed"]


def record(**facts: int) -> None:
    """In the simulator: adds numbers to the report's `facts`, summed over the run."""
    file = Path(json.loads(os.environ[_PARAMETERS])["facts"])
    known = json.loads(file.read_text()) if file.exists() else {}
    for name, value in facts.items():
        known[name] = known.get(name, 0) + value
    file.write_text(json.dumps(known))


def report_progress(done: int, total: int) -> None:
    """In the simulator: tells the runner how many tests are done."""
    Path(os.environ[_PROGRESS]).write_text(f"{done} {total}")


def find_simulator(simulator: str) -> Verilator | Icarus:
    """The simulator of that name, checked, and what it needs. Raises ToolError."""
    if simulator not in SIMULATORS:
        raise ToolError(f"no simulator {simulator!r}; choose one of {', '.join(SIMULATORS)}")
    check_cocotb()
    if not is_plain(sys.prefix):
        raise ToolError(
            f"cocotb lies in {sys.prefix!r}, a name that its builds do not take; make the environment in a folder of "
            "letters, digits, . _ / + - alone"
        )
    if simulator == "icarus":
        return Icarus.find()
    Compiler.find()
    return Verilator.find()


def _environment(tool: Verilator | Icarus, module: str | Path) -> dict[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_UNWANTED) and name not in _UNWANTED_NAMES
    }
    path = [str(Path(module).absolute().parent)] if _is_file(module) else []
    if path and os.pathsep in path[0]:
        raise ToolError(f"{path[0]}: Python takes no module from a folder with {os.pathsep!r} in its name; rename it")
    found = [entry or str(Path.cwd()) for entry in sys.path]
    clean["PYTHONPATH"] = os.pathsep.join([*path, *(entry for entry in found if os.pathsep not in entry)])
    clean["TMPDIR"] = plain_place()  # Icarus hands names of files in it to a shell
    return tool.environment(clean)


def _trace_file(waves: Path, simulator: str) -> Path:
    """With the suffix that the simulator's traces have: FST, where Verilator can write it, else VCD."""
    return Path(f"{waves.absolute()}.{'vcd' if simulator == 'verilator' and not writes_fst() else 'fst'}")


def _is_file(module: str | Path) -> bool:
    return isinstance(module, Path) or module.endswith(".py")


def _job(step: str, folder: Path, job: dict[str, Any]) -> list[str]:
    file = folder / f"{step}.json"
    file.write_text(json.dumps({"step": step, **job}))
    return [sys.executable, "-m", "bitwright_sim._cocotb_job", str(file)]


def _build(
    bench: _Bench,
    sources: Sequence[Path],
    hdl_parameters: Mapping[str, Any],
    build_args: Sequence[str],
    build_key: str,
    cache: BuildCache,
) -> Path:
    import cocotb_tools.config

    tool, top, progress, waves = bench.tool, bench.top, bench.progress, bench.waves is not None
    arguments = [*(_VERILATOR_BUILD if bench.verilator else ()), *build_args]
    arguments += ["--trace-fst"] if waves and bench.verilator and writes_fst() else []
    parts: dict[str, str | bytes | Path] = {f"source {i}": Path(file) for i, file in enumerate(sources)}
    parts["tool"] = f"{tool.name} {tool.executable} {Compiler.find().name if bench.verilator else ''}"
    parts["cocotb"] = f"{check_cocotb()} {cocotb_tools.config.libs_dir} {sys.executable}"
    parts["options"] = json.dumps([top, dict(hdl_parameters), arguments, build_key, waves], default=str)

    def build(folder: Path) -> None:
        if progress is not None:
            progress(f"building {top} for {tool.name}", 0, 1)
        with plain_folder() as copies, nullcontext(folder) if is_plain(folder) else plain_folder() as place:
            job = {
                "simulator": bench.kind,
                "sources": [str(file) for file in plain_copies([Path(file) for file in sources], copies)],
                "top": top,
                "hdl_parameters": dict(hdl_parameters),
                "build_args": arguments,
                "build_dir": str(place),
                "waves": waves,
            }
            run_checked(
                _job("build", place, job),
                what=f"building {top} for {tool.name}",
                log=place / "build.log",
                cwd=place,
                environment=tool.build_environment(cache.folder, Compiler.find(), bench.environment)
                if isinstance(tool, Verilator)
                else bench.environment,
            )
            if place != folder:
                shutil.copytree(place, folder, dirs_exist_ok=True)
        for leftover in (*folder.glob("*.o"), *folder.glob("*.a"), *folder.glob("*.gch")):
            leftover.unlink()
        if progress is not None:
            progress(f"building {top} for {tool.name}", 1, 1)

    return cache.get(f"bench-{bench.kind}-{top}"[:80], digest(parts), build)


def _run(
    bench: _Bench, build: Path, parameters: Mapping[str, Any], test_filter: str | None, folder: Path, timeout: float
) -> BenchReport:
    results, facts, done = folder / "results.xml", folder / "facts.json", folder / "progress.txt"
    for old in (results, facts, done):
        old.unlink(missing_ok=True)
    trace = _Trace.into(bench.waves, bench.kind, folder)
    job: dict[str, Any] = {
        "simulator": bench.kind,
        "module": bench.name,
        "top": bench.top,
        "build_dir": str(build),
        "test_dir": str(folder),
        "results": str(results),
        "seed": bench.seed,
        "test_filter": test_filter,
        "test_args": ["--trace-file", str(trace.file)] if trace is not None and bench.verilator else [],
        "plusargs": [f"+dumpfile_path={trace.file}"] if trace is not None and not bench.verilator else [],
        "env": {},
        "waves": trace is not None,
    }
    if bench.verilator:
        job["plusargs"] += [f"+verilator+seed+{bench.seed % (2**31 - 1) + 1}", "+verilator+rand+reset+2"]
    what = f"bench {bench.name} on {bench.tool.name} (seed {bench.seed})"
    log = folder / "simulator.log"
    started = time.monotonic()

    def poll() -> None:
        if bench.progress is not None and done.exists() and (text := done.read_text().split()):
            bench.progress(f"testing on {bench.tool.name}", int(text[0]), int(text[1]))

    status = run_logged(
        _job("test", folder, job),
        what=what,
        log=log,
        cwd=folder,
        environment={
            **bench.environment,
            _PARAMETERS: json.dumps({"parameters": dict(parameters), "seed": bench.seed, "facts": str(facts)}),
            _PROGRESS: str(done),
        },
        timeout=timeout,
        on_poll=poll,
    )
    poll()
    seconds = time.monotonic() - started
    if not results.is_file():
        raise ToolError(f"{what} left no results (status {status}); its last lines:\n{tail(log)}")
    tests = read_results(results)
    if status != 0 and all(test.passed for test in tests):
        raise ToolError(f"{what} ended with status {status}; its last lines:\n{tail(log)}")
    return BenchReport(
        simulator=bench.tool.name,
        seed=bench.seed,
        seconds=seconds,
        tests=tests,
        log=tail(log, 80),
        waves=None if trace is None else trace.keep(what, log),
        facts=json.loads(facts.read_text()) if facts.is_file() else {},
    )


@dataclass(frozen=True, kw_only=True)
class _Trace:
    """Signal traces: `file`, which the simulator writes, and `wanted`, where they are to be."""

    file: Path
    wanted: Path

    @staticmethod
    def into(waves: Path | None, kind: str, folder: Path) -> "_Trace | None":
        """Makes room for traces; None if none are wanted."""
        if waves is None:
            return None
        wanted = _trace_file(waves, kind)
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.unlink(missing_ok=True)
        # a plusarg holds no white space
        return _Trace(file=wanted if is_plain(wanted) else folder / wanted.name, wanted=wanted)

    def keep(self, what: str, log: Path) -> Path:
        """Where the traces are now. Raises ToolError if there are none."""
        if not (self.file.is_file() and self.file.stat().st_size):
            raise ToolError(f"{what} wrote no waves to {self.file}; its last lines:\n{tail(log)}")
        if self.file != self.wanted:
            shutil.copyfile(self.file, self.wanted)
        return self.wanted


def read_results(file: Path) -> tuple[BenchTest, ...]:
    """The tests of cocotb's JUnit file, skipped ones left out. Raises ToolError for a damaged file."""
    try:
        root = ET.parse(file).getroot()
    except ET.ParseError as error:
        raise ToolError(f"{file}: the simulator left damaged results ({error})") from None
    tests = []
    for case in root.iter("testcase"):
        if case.find("skipped") is not None:
            continue
        bad = [*case.findall("failure"), *case.findall("error")]
        messages = [
            part.get("message") or part.get("error_msg") or (part.text or "").strip() or "failed" for part in bad
        ]
        tests.append(
            BenchTest(
                name=case.get("name", "?"),
                passed=not bad,
                message="; ".join(messages),
                seconds=float(case.get("time", 0)),
                sim_ns=float(case.get("sim_time_ns", 0)),
            )
        )
    return tuple(tests)

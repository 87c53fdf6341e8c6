"""Whole test sets through the emitted Verilog, compared with the golden model, every integer of every layer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DataError, DesignError
from bitwright_core.golden import check_frames
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim import by_verilator
from bitwright_sim.cache import BuildCache
from bitwright_sim.checks import check_compared, check_labels, check_shape
from bitwright_sim.native.build import build_native
from bitwright_sim.native.model import NativeModel
from bitwright_sim.outcome import Outcome
from bitwright_sim.report import VerifyReport
from bitwright_sim.reproducer import Failure, check_reproducer, write_reproducer
from bitwright_sim.sliced import engine as sliced
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import HandshakeError, cores
from bitwright_sim.sliced.netlist import UnsupportedError
from bitwright_sim.sliced.proof import CrossCheck, cross_check
from bitwright_sim.tools import Verilator

Engine = Literal["auto", "sliced", "verilator"]
_PAYS_SECONDS = 20
_LONG_CYCLES = 50_000  # of a frame, from which on one is enough for the proof of a sliced run


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What is to be verified, and where."""

    design: Design
    network: Network
    flat: NDArray[np.integer]
    jobs: int
    stalls: int | None
    cache: BuildCache
    progress: Progress | None
    ray: str | None  # the address of a cluster; None: the cores of this machine


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What an engine found out."""

    outcome: Outcome
    interval: float | None
    latency: int | None
    simulator: str
    check: CrossCheck | None = None
    engine: Literal["sliced", "verilator"] = "verilator"
    note: str = ""


def verify(
    design: Design,
    network: Network,
    frames: NDArray[Any],
    labels: NDArray[Any] | None = None,
    *,
    jobs: int | None = None,
    stalls: int | None = None,
    reproducer: Path | None = None,
    progress: Progress | None = None,
    cache: BuildCache | None = None,
    engine: Engine = "auto",
    proof: bool = True,
    ray: str | None = None,
) -> VerifyReport:
    """Simulates `frames` (n, ...) on `design` and compares every layer's integers with those of `network`.

    Popcount less threshold of every neuron, scores and class are compared, whatever the manifest lists: what must be
    seen is derived from network and plan. A result that is lost, came twice or is framed wrongly is a mismatch too.
    `network` may be any of the design's shape. `jobs` models run at once (default: one a core). At a mismatch, folder
    `reproducer` (default: "reproducer" in the design's folder) gets the frame, both sets of integers and waves; what it
    held from an earlier one is replaced.

    With a seed in `stalls` both sides pause, each part of the frames in another way, up to pauses in which all buffers
    fill or run empty (`bitwright_sim.native.stalls`); interval and latency are still measured without.

    `engine` is "verilator", "sliced" (many frames at a time, see docs/simulation.md), or "auto": sliced where it can be
    and saves time. Frames of a sliced run also go through Verilator, and must be equal in every integer and handshake,
    unless `proof` is false.

    With the address of a Ray cluster in `ray`, or "local", its cores run the frames in shards, and `jobs` says nothing
    (`bitwright_sim.cluster`); the proof and the reproducer are made here.

    Raises DataError for frames or labels that do not fit, DesignError for a network of another shape, a manifest
    that does not follow from the design's network and plan, an accelerator that hangs, engines that differ, or one that
    cannot be sliced where that was asked for, ToolError for missing tools
    or a failed build.
    """
    design.check_derived()
    check_shape(design, network)
    flat = check_frames(network, frames)
    if not len(flat):
        raise DataError("no frames to verify; give at least one")
    golden_labels = check_labels(labels, len(flat), network)
    if jobs is not None and jobs < 1:
        raise DataError(f"jobs must be at least 1, not {jobs}")
    target = design.folder / "reproducer" if reproducer is None else reproducer
    check_reproducer(target)
    Verilator.find()
    if stalls is not None and engine == "sliced":
        raise DataError("stalls on both sides are simulated by Verilator alone; leave out one of the two")
    job = _Job(
        design=design,
        network=network,
        flat=flat,
        jobs=jobs or cores(),
        stalls=stalls,
        cache=BuildCache() if cache is None else cache,
        progress=progress,
        ray=ray,
    )
    run = _run(job, engine, proof)
    outcome = run.outcome
    check_compared(outcome.compared, network, len(flat))
    accuracy, golden_accuracy = outcome.accuracies(golden_labels if network.is_classifier else None)
    told, golden_told = outcome.label_metrics(golden_labels)
    folder, why = _reproduce(target, job, outcome)
    return VerifyReport(
        frames=len(flat),
        mismatches=int(outcome.bad.sum()),
        compared=outcome.compared,
        accuracy=accuracy,
        golden_accuracy=golden_accuracy,
        label_metrics=told,
        golden_label_metrics=golden_told,
        confusion=outcome.confusion(golden_labels if network.is_classifier else None, network.outputs),
        interval_cycles=run.interval,
        ideal_interval_cycles=design.ideal_interval_cycles,
        latency_cycles=run.latency,
        frames_per_second=len(flat) / outcome.seconds,
        cycles=outcome.cycles,
        simulator=run.simulator,
        stalls=stalls,
        edited=design.edited,
        first_mismatch=outcome.first,
        reproducer=folder,
        reproducer_error=why,
        engine=run.engine,
        lanes=outcome.lanes,
        cross_check=run.check,
        note=run.note,
    )


def _reproduce(target: Path, job: _Job, outcome: Outcome) -> tuple[Path | None, str]:
    """The reproducer's folder and "", or None and why there is none: what was found counts for more than its place."""
    if outcome.first is None:
        return None, ""
    part = slice(outcome.run.start, outcome.run.stop)
    failure = Failure(first=outcome.first, part=part, stalls=outcome.stalls)
    try:
        return write_reproducer(target, job.design, job.network, job.flat, failure, job.cache, job.progress), ""
    except OSError as error:
        return None, f"{error.filename or target}: {error.strerror or error}"


def sliced_pays(design: Design, frames: int, jobs: int) -> bool:
    """Whether Verilator would take so long for the frames that building a second simulator saves time.

    The estimate is some 7 ns for each lane and cycle, and as much as 500 lanes for all else (a rough guess).
    """
    lanes = sum(layer.lanes for layer in design.manifest.layers)
    return frames * design.manifest.interval_cycles * (500 + lanes) * 7e-9 / jobs > _PAYS_SECONDS


def _run(job: _Job, engine: Engine, proof: bool) -> _Run:
    """By the engine that was asked for, or that saves time; by Verilator what cannot be sliced."""
    note = ""
    pays = job.stalls is None and engine == "auto" and sliced_pays(job.design, len(job.flat), job.jobs)
    if engine == "sliced" or pays:
        try:
            return _by_sliced(job, proof)
        except UnsupportedError as error:
            if engine == "sliced":
                raise DesignError(f"{job.design.folder} cannot be sliced: {error}; use --engine verilator") from None
            note = f"not sliced: {error}"
        except HandshakeError as error:
            note = f"not sliced: {error}"
    return replace(_by_verilator(job), note=note)


def _on_ray(job: _Job, address: str, engine: Literal["sliced", "verilator"]) -> Outcome:
    from bitwright_sim.cluster import run_on_ray

    about = (job.design, job.network, job.flat)
    return run_on_ray(address, *about, engine=engine, stalls=job.stalls, progress=job.progress)


def _by_verilator(job: _Job) -> _Run:
    library = build_native(job.design, cache=job.cache, progress=job.progress)
    about = (job.design, job.network, job.flat, library)
    latency = by_verilator.idle_latency(*about)
    if job.ray is None:
        outcome = by_verilator.run_by_verilator(*about, jobs=job.jobs, stalls=job.stalls, progress=job.progress)
    else:
        outcome = _on_ray(job, job.ray, "verilator")
    interval = outcome.interval
    if interval is None and outcome.first is None:
        interval = by_verilator.steady(*about)
    return _Run(outcome=outcome, interval=interval, latency=latency, simulator=Verilator.find().name)


def _by_sliced(job: _Job, proof: bool) -> _Run:
    """Raises UnsupportedError or HandshakeError where Verilator must do it."""
    design, flat, told = job.design, job.flat, job.progress
    build = build_sliced(design, cache=job.cache, progress=told)
    with ThreadPoolExecutor(1) as background:
        # Verilator's build goes on while the frames run
        library = background.submit(build_native, design, cache=job.cache, quick=True) if proof else None
        if job.ray is None:
            outcome = sliced.run_frames(design, job.network, flat, build, jobs=job.jobs, progress=told)
        else:
            outcome = _on_ray(job, job.ray, "sliced")
        check = None
        if library is not None:
            if told is not None:
                told("proving by Verilator", 0, 1)
            starts = [0] if design.manifest.latency_cycles > _LONG_CYCLES else sorted({0, len(flat) // 2})
            with NativeModel(design, library=library.result()) as model:
                check = cross_check(design, job.network, flat, starts, build, model)
            if told is not None:
                told("proving by Verilator", 1, 1)
    interval = outcome.interval
    if interval is None and outcome.first is None:
        interval = sliced.steady(design, build)
    return _Run(
        outcome=outcome,
        interval=interval,
        latency=sliced.idle_latency(design, build),
        simulator=f"sliced engine ({build.vectors.name})",
        check=check,
        engine="sliced",
        note="" if proof else "the run was not proven by Verilator, as asked for",
    )

"""Whole test sets through the emitted Verilog, compared with the golden model, every integer of every layer."""

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bitwright_core.derived import check_derived, integers_a_frame
from bitwright_core.design import Design
from bitwright_core.errors import DataError, DesignError
from bitwright_core.framing import pack_frames
from bitwright_core.golden import check_frames
from bitwright_core.metrics import LabelMetrics
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache
from bitwright_sim.compare import Comparison, Mismatch, compare
from bitwright_sim.native.build import build_native
from bitwright_sim.native.model import MISSING, NativeModel
from bitwright_sim.native.stalls import KINDS, NO_STALLS, Pattern, pattern
from bitwright_sim.reproducer import check_reproducer, write_reproducer
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import HandshakeError, cores, idle_latency, run_frames, steady
from bitwright_sim.sliced.netlist import UnsupportedError
from bitwright_sim.sliced.proof import CrossCheck, cross_check
from bitwright_sim.timing import settling_frames, steady_interval
from bitwright_sim.tools import Verilator

Engine = Literal["auto", "sliced", "verilator"]
_PAYS_SECONDS = 20
_LONG_CYCLES = 50_000  # of a frame, from which on one is enough for the proof of a sliced run
_CHUNK_BYTES = 256 << 20  # of arrays that a chunk of frames needs, in each job
_ALL_BYTES = 1 << 30  # of those of all jobs
_CHUNK_FRAMES = (64, 512)


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What the accelerator did with a set of frames, against the golden model."""

    frames: int
    mismatches: int  # frames in which any integer differs, a result is missing, or one came too many
    compared: dict[str, int]  # integers of each layer, of the scores, and of the class or the output bits
    accuracy: float | None  # of the hardware; None without labels or classes
    golden_accuracy: float | None
    label_metrics: LabelMetrics | None  # of the hardware's bits, where labels of 0 and 1 came with the frames
    golden_label_metrics: LabelMetrics | None
    interval_cycles: float | None  # measured, in the steady state; an int where it is constant
    ideal_interval_cycles: int
    latency_cycles: int | None  # measured, first beat in to last beat out of an idle accelerator
    frames_per_second: float  # wall clock of simulation and comparison, without the build
    cycles: int  # simulated, by all jobs
    simulator: str
    stalls: int | None  # the seed of the stalls on both sides; None without any
    edited: bool  # the Verilog is not what the generator wrote
    first_mismatch: Mismatch | None
    reproducer: Path | None
    reproducer_error: str  # why there is none of a mismatch; else empty
    engine: str = "verilator"  # that simulated the set: "sliced" or "verilator"
    lanes: int = 1  # frames at a time, of all jobs
    cross_check: CrossCheck | None = None  # what Verilator did of the same, to prove the sliced engine; None: nothing
    note: str = ""  # why the set was not sliced, or not proven, if that is so

    @property
    def passed(self) -> bool:
        return self.mismatches == 0

    @property
    def integers(self) -> int:
        """All that were compared."""
        return sum(self.compared.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields, and `integers`."""
        result = {**asdict(self), "integers": self.integers}
        result["reproducer"] = None if self.reproducer is None else str(self.reproducer)
        return result


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

    Raises DataError for frames or labels that do not fit, DesignError for a network of another shape, a manifest
    that does not follow from the design's network and plan, an accelerator that hangs, engines that differ, or one that
    cannot be sliced where that was asked for, ToolError for missing tools
    or a failed build.
    """
    check_derived(design)
    check_shape(design, network)
    flat = check_frames(network, frames)
    if not len(flat):
        raise DataError("no frames to verify; give at least one")
    golden_labels = _check_labels(labels, len(flat), network)
    if jobs is not None and jobs < 1:
        raise DataError(f"jobs must be at least 1, not {jobs}")
    target = design.folder / "reproducer" if reproducer is None else reproducer
    check_reproducer(target)
    tool = Verilator.find()
    cache = BuildCache() if cache is None else cache
    note = ""
    if stalls is not None and engine == "sliced":
        raise DataError("stalls on both sides are simulated by Verilator alone; leave out one of the two")
    if engine == "sliced" or (stalls is None and engine == "auto" and sliced_pays(design, len(flat), jobs or cores())):
        try:
            return _verify_sliced(design, network, flat, golden_labels, jobs, target, progress, cache, tool, proof)
        except UnsupportedError as error:
            if engine == "sliced":
                raise DesignError(f"{design.folder} cannot be sliced: {error}; use --engine verilator") from None
            note = f"not sliced: {error}"
        except HandshakeError as error:
            note = f"not sliced: {error}"
    library = build_native(design, cache=cache, progress=progress)

    with NativeModel(design, library=library) as model:
        latency = _latency(model, pack_frames(network, design.plan, flat[:1]))
    parts = list(_chunks(design, len(flat), jobs or cores(), least=1 if stalls is None else KINDS))
    patterns = [NO_STALLS if stalls is None else pattern(design, stalls, number) for number in range(len(parts))]
    models = [NativeModel(design, library=library) for _ in range(min(jobs or cores(), len(parts)))]
    try:
        started = time.monotonic()
        comparisons = _simulate(design, network, flat, parts, patterns, models, progress)
        seconds = time.monotonic() - started
    finally:
        for model in models:
            model.close()

    compared = _compared(comparisons, network, len(flat))
    bad = np.concatenate([one.bad for one in comparisons])
    first = next((one.first for one in comparisons if one.first is not None), None)
    interval = comparisons[0].interval
    if interval is None and first is None:
        interval = _short_interval(design, network, flat, library)
    accuracy, golden_accuracy = _accuracies(comparisons, golden_labels if network.is_classifier else None)
    told, golden_told = _label_metrics(comparisons, golden_labels)
    folder, why = None, ""
    if first is not None:
        number = next(k for k, part in enumerate(parts) if part.start <= first.frame < part.stop)
        folder, why = _reproduce(target, design, network, flat, first, parts[number], patterns[number], cache, progress)
    return VerifyReport(
        frames=len(flat),
        mismatches=int(bad.sum()),
        compared=compared,
        accuracy=accuracy,
        golden_accuracy=golden_accuracy,
        label_metrics=told,
        golden_label_metrics=golden_told,
        interval_cycles=interval,
        ideal_interval_cycles=design.ideal_interval_cycles,
        latency_cycles=latency,
        frames_per_second=len(flat) / seconds,
        cycles=sum(one.cycles for one in comparisons),
        simulator=tool.name,
        stalls=stalls,
        edited=design.edited,
        first_mismatch=first,
        reproducer=folder,
        reproducer_error=why,
        note=note,
    )


def _reproduce(
    target: Path,
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    first: Mismatch,
    part: slice,
    stalls: Pattern,
    cache: BuildCache,
    progress: Progress | None,
) -> tuple[Path | None, str]:
    """The reproducer's folder and "", or None and why there is none: what was found counts for more than its place."""
    try:
        return write_reproducer(target, design, network, flat, first, part, stalls, cache, progress), ""
    except OSError as error:
        return None, f"{error.filename or target}: {error.strerror or error}"


def sliced_pays(design: Design, frames: int, jobs: int) -> bool:
    """Whether Verilator would take so long for the frames that building a second simulator saves time.

    The estimate is some 7 ns for each lane and cycle, and as much as 500 lanes for all else (a rough guess).
    """
    lanes = sum(layer.lanes for layer in design.manifest.layers)
    return frames * design.manifest.interval_cycles * (500 + lanes) * 7e-9 / jobs > _PAYS_SECONDS


def _verify_sliced(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    labels: NDArray[np.int64] | None,
    jobs: int | None,
    target: Path,
    progress: Progress | None,
    cache: BuildCache,
    tool: Verilator,
    proof: bool,
) -> VerifyReport:
    """`verify` by the sliced engine. Raises UnsupportedError or HandshakeError where Verilator must do it."""
    build = build_sliced(design, cache=cache, progress=progress)
    with ThreadPoolExecutor(1) as background:
        # Verilator's build goes on while the frames run
        library = background.submit(build_native, design, cache=cache, quick=True) if proof else None
        outcome = run_frames(design, network, flat, build, jobs=jobs, progress=progress)
        interval = outcome.interval
        if interval is None and outcome.first is None:
            interval = steady(design, build)
        check = None
        if library is not None:
            if progress is not None:
                progress("proving by Verilator", 0, 1)
            starts = [0] if design.manifest.latency_cycles > _LONG_CYCLES else sorted({0, len(flat) // 2})
            with NativeModel(design, library=library.result()) as model:
                check = cross_check(design, network, flat, starts, build, model)
            if progress is not None:
                progress("proving by Verilator", 1, 1)
    accuracy = golden_accuracy = None
    if (
        network.is_classifier
        and labels is not None
        and outcome.classes is not None
        and outcome.golden_classes is not None
    ):
        accuracy = float((outcome.classes == labels).mean())
        golden_accuracy = float((outcome.golden_classes == labels).mean())
    told = golden_told = None
    if labels is not None and labels.ndim == 2 and outcome.bits is not None and outcome.golden_bits is not None:
        told, golden_told = LabelMetrics.of(outcome.bits, labels), LabelMetrics.of(outcome.golden_bits, labels)
    folder, why = None, ""
    if (first := outcome.first) is not None:
        part = slice(outcome.run_start, first.frame + 1)
        folder, why = _reproduce(target, design, network, flat, first, part, NO_STALLS, cache, progress)
    check_compared(outcome.compared, network, len(flat))
    return VerifyReport(
        frames=len(flat),
        mismatches=int(outcome.bad.sum()),
        compared=outcome.compared,
        accuracy=accuracy,
        golden_accuracy=golden_accuracy,
        label_metrics=told,
        golden_label_metrics=golden_told,
        interval_cycles=interval,
        ideal_interval_cycles=design.ideal_interval_cycles,
        latency_cycles=idle_latency(design, build),
        frames_per_second=len(flat) / outcome.seconds,
        cycles=outcome.cycles,
        simulator=f"sliced engine ({build.vectors.name})",
        stalls=None,
        edited=design.edited,
        first_mismatch=outcome.first,
        reproducer=folder,
        reproducer_error=why,
        engine="sliced",
        lanes=outcome.lanes,
        cross_check=check,
        note="" if proof else "the run was not proven by Verilator, as asked for",
    )


def _compared(comparisons: list[Comparison], network: Network, frames: int) -> dict[str, int]:
    """The integers compared, by layer. Raises DesignError if there are fewer than `network` has."""
    compared = {name: sum(one.compared.get(name, 0) for one in comparisons) for name in comparisons[0].compared}
    check_compared(compared, network, frames)
    return compared


def check_compared(compared: dict[str, int], network: Network, frames: int) -> None:
    """Raises DesignError if fewer integers of a layer were compared than `network` has."""
    due = integers_a_frame(network)
    for name, count in due.items():
        if compared.get(name, 0) != count * frames:
            raise DesignError(
                f"{compared.get(name, 0):,} integers of {name} were compared in place of {count * frames:,}; "
                "generate the design again"
            )


def check_shape(design: Design, network: Network) -> None:
    """Raises DesignError unless `network` has the shapes that `design` was generated for."""
    manifest = design.manifest
    mine = [(layer.inputs, layer.outputs) for layer in network.matrix_layers]
    theirs = [(layer.inputs, layer.outputs) for layer in manifest.layers]
    if mine != theirs:
        raise DesignError(
            f"network {network.name} has layers {_shapes(mine)}, but {design.folder} was generated for "
            f"{_shapes(theirs)}; give the network that the design was generated from"
        )
    known = design.network
    for what, a, b in (
        ("input shape", list(network.input.shape), list(known.input.shape)),
        ("input bits", network.input.bits, known.input.bits),
        ("encoding levels", network.encoding.levels, known.encoding.levels),
        ("what the first layer takes", str(network.encoding.number), str(known.encoding.number)),
        ("shapes of layers", _edges(network), _edges(known)),
        ("kind of output (scores or bits)", network.gives_scores, known.gives_scores),
    ):
        if a != b:
            raise DesignError(f"network {network.name} differs from that of {design.folder} in {what}: {a}, not {b}")


def _edges(network: Network) -> list[tuple[int, ...]]:
    return [node.edge.shape for node in network.nodes]


def _shapes(layers: list[tuple[int, int]]) -> str:
    return ", ".join(f"{inputs}x{outputs}" for inputs, outputs in layers)


def _check_labels(labels: NDArray[Any] | None, count: int, network: Network) -> NDArray[np.int64] | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.ndim == 2:
        if network.gives != "bits" or array.shape != (count, network.outputs) or not np.isin(array, (0, 1)).all():
            raise DataError(
                f"labels of 0 and 1 are for networks that give bits, here ({count}, {network.outputs}) of "
                f"{network.gives}, not {array.dtype} of shape {array.shape}"
            )
        return array.astype(np.int64)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"labels must be {count} integers, one a frame, not {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)


def _chunks(design: Design, count: int, jobs: int, *, least: int = 1) -> Iterator[slice]:
    """Slices of frames, `least` if there are so many: bounded memory each, all jobs busy, long enough that filling and
    draining cost little."""
    manifest = design.manifest
    values = sum(layer.inputs + 6 * layer.outputs * layer.pixels for layer in manifest.layers)
    low, high = _CHUNK_FRAMES
    room = min(_CHUNK_BYTES, _ALL_BYTES // jobs)
    step = max(1, min(high, max(low, -(-count // (4 * jobs))), room // (8 * values), -(-count // least)))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _simulate(
    design: Design,
    network: Network,
    flat: NDArray[Any],
    parts: list[slice],
    patterns: list[Pattern],
    models: list[NativeModel],
    progress: Progress | None,
) -> list[Comparison]:
    """Every chunk's comparison, in order; each job has one of `models`."""
    idle: SimpleQueue[NativeModel] = SimpleQueue()
    for model in models:
        idle.put(model)

    def one(part: slice, stalls: Pattern) -> Comparison:
        model = idle.get()
        try:
            packed = pack_frames(network, design.plan, flat[part])
            result = model.run(packed, **asdict(stalls))
            comparison = compare(design, network, flat[part], result, model.probes, part.start)
            if stalls != NO_STALLS:
                comparison = replace(comparison, interval=None)  # it says nothing of the accelerator
            if comparison.first is not None:
                model.reset()  # a result that is still inside must not reach the next chunk
            return comparison
        finally:
            idle.put(model)

    done = 0
    # one thread of BLAS a job: the golden model's small products cost several times the CPU time on more
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(len(models)) as pool:
        try:
            futures: list[Future[Comparison]] = [
                pool.submit(one, part, stalls) for part, stalls in zip(parts, patterns, strict=True)
            ]
            left = set(futures)
            while left:
                ready, left = wait(left, return_when=FIRST_COMPLETED)
                done += sum(len(future.result().bad) for future in ready)
                if progress is not None:
                    progress("simulating", done, len(flat))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _latency(model: NativeModel, packed: NDArray[np.uint8]) -> int | None:
    result = model.run(packed)
    return int(result.last_out[0] - result.first_in[0]) if result.last_out[0] != MISSING else None


def _short_interval(design: Design, network: Network, flat: NDArray[Any], library: Path) -> float | None:
    """The interval of a set too short to reach the steady state: its frames over and over."""
    count = 2 * settling_frames(design)
    repeated = flat[np.arange(count) % len(flat)]
    with NativeModel(design, library=library) as model:
        result = model.run(pack_frames(network, design.plan, repeated))
    return steady_interval(result, settling_frames(design))


def _accuracies(comparisons: list[Comparison], labels: NDArray[np.int64] | None) -> tuple[float | None, float | None]:
    if labels is None or comparisons[0].classes is None:
        return None, None
    got = np.concatenate([one.classes for one in comparisons if one.classes is not None])
    golden = np.concatenate([one.golden_classes for one in comparisons if one.golden_classes is not None])
    return float((got == labels).mean()), float((golden == labels).mean())


def _label_metrics(
    comparisons: list[Comparison], labels: NDArray[np.int64] | None
) -> tuple[LabelMetrics | None, LabelMetrics | None]:
    if labels is None or labels.ndim != 2:
        return None, None
    got = np.concatenate([one.bits for one in comparisons if one.bits is not None])
    golden = np.concatenate([one.golden_bits for one in comparisons if one.golden_bits is not None])
    return LabelMetrics.of(got, labels), LabelMetrics.of(golden, labels)

"""Whole test sets through a compiled model, a chunk of frames after another in each job."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.loading import Load
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.compare import Comparison, compare
from bitwright_sim.native.model import MISSING, NativeModel
from bitwright_sim.native.stalls import KINDS, NO_STALLS, Pattern, pattern
from bitwright_sim.outcome import Outcome, joined
from bitwright_sim.timing import settling_frames, steady_interval

_CHUNK_BYTES = 256 << 20  # of arrays that a chunk of frames needs, in each job
_ALL_BYTES = 1 << 30  # of those of all jobs
_CHUNK_FRAMES = (64, 512)


def run_by_verilator(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    library: Path,
    *,
    jobs: int,
    stalls: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Runs and compares frames (n, values); with a seed in `stalls`, each chunk pauses in another way."""
    with _models(design, library, jobs) as models:
        return _run(design, network, flat, models, stalls=stalls, progress=progress)


def run_loads(
    design: Design,
    loads: Sequence[tuple[Network, Load]],
    flat: NDArray[np.integer],
    library: Path,
    *,
    jobs: int,
    stalls: int | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """The same with each network of `loads` in turn, which is loaded into the accelerators that computed the one
    before."""
    with _models(design, library, jobs) as models:
        found = []
        for network, load in loads:
            for model in models:
                model.load(load)
            found.append(_run(design, network, flat, models, stalls=stalls, progress=progress))
        return found


@contextmanager
def _models(design: Design, library: Path, jobs: int) -> Iterator[list[NativeModel]]:
    models = [NativeModel(design, library=library) for _ in range(jobs)]
    try:
        yield models
    finally:
        for model in models:
            model.close()


def _run(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    models: list[NativeModel],
    *,
    stalls: int | None,
    progress: Progress | None,
) -> Outcome:
    jobs = len(models)
    parts = list(chunks(design, len(flat), jobs, least=1 if stalls is None else KINDS))
    patterns = [NO_STALLS if stalls is None else pattern(design, stalls, number) for number in range(len(parts))]
    started = time.monotonic()
    comparisons = _simulate(design, network, flat, parts, patterns, models, progress)
    seconds = time.monotonic() - started
    outcomes = [_outcome(one, stalls) for one, stalls in zip(comparisons, patterns, strict=True)]
    return joined(outcomes, seconds=seconds, lanes=1)


def _outcome(one: Comparison, stalls: Pattern) -> Outcome:
    return Outcome(
        bad=one.bad,
        first=one.first,
        run=range(len(one.bad)),
        stalls=stalls,
        compared=one.compared,
        classes=one.classes,
        golden_classes=one.golden_classes,
        bits=one.bits,
        golden_bits=one.golden_bits,
        interval=None if stalls != NO_STALLS else one.interval,  # with pauses it says nothing of the accelerator
        cycles=one.cycles,
        seconds=0,
        lanes=1,
    )


def chunks(design: Design, count: int, jobs: int, *, least: int = 1) -> Iterator[slice]:
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
    flat: NDArray[np.integer],
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
            result = model.run(packed, stalls)
            comparison = compare(design, network, flat[part], result, model.probes)
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


def idle_latency(design: Design, network: Network, flat: NDArray[np.integer], library: Path) -> int | None:
    """Cycles from the first beat of a frame into an idle accelerator to the last beat of its result."""
    with NativeModel(design, library=library) as model:
        result = model.run(pack_frames(network, design.plan, flat[:1]))
    return int(result.last_out[0] - result.first_in[0]) if result.last_out[0] != MISSING else None


def steady(design: Design, network: Network, flat: NDArray[np.integer], library: Path) -> float | None:
    """The interval of a set too short to reach the steady state: its frames over and over."""
    count = 2 * settling_frames(design)
    repeated = flat[np.arange(count) % len(flat)]
    with NativeModel(design, library=library) as model:
        result = model.run(pack_frames(network, design.plan, repeated))
    return steady_interval(result, settling_frames(design))

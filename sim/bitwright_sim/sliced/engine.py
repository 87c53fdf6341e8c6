"""Whole test sets through a sliced simulator: which lane takes which frames, and what is expected of them.

Lane j of all jobs together takes frames j * K to j * K + K - 1, back to back. Every integer that a probe shows is
compared in the simulator with bit planes of the golden model's. Control is the same for all lanes, so that what goes
wrong with handshakes goes wrong for all frames alike; such a design is left to Verilator, which tells more.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bitwright_core.derived import CLASS, OUTPUT
from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.compare import Mismatch, expected_values
from bitwright_sim.native.model import MISSING
from bitwright_sim.outcome import Outcome
from bitwright_sim.sliced.build import SlicedBuild
from bitwright_sim.sliced.expected import Expected, expected_words
from bitwright_sim.sliced.model import SlicedModel, SlicedResult, Stimulus
from bitwright_sim.timing import interval_of, settling_frames

_LEAST_STEPS = 4  # frames of a lane at least, so that frames follow each other in every run


class HandshakeError(Exception):
    """The design's words or results did not come as they should; Verilator will say where."""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def assignment(count: int, lanes: int, jobs: int) -> list[NDArray[np.int64]]:
    """The frames of each job, (lanes of the job, steps). The last lane may take frames again to be as long as all."""
    steps = max(-(-count // (lanes * jobs)), min(_LEAST_STEPS, count))
    used = -(-count // steps)
    order = (np.arange(used * steps) % count).reshape(used, steps)
    share = -(-used // jobs)
    return [order[at : at + share] for at in range(0, used, share)]


def run_frames(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    build: SlicedBuild,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Runs and compares frames (n, values). Raises HandshakeError, or DesignError for an accelerator that hangs."""
    rows = pack_frames(network, design.plan, flat)
    orders = assignment(len(flat), build.vectors.lanes, jobs or cores())
    started = time.monotonic()
    done = [0] * len(orders)
    total, lock = sum(order.size for order in orders), threading.Lock()

    def one(number: int) -> tuple[SlicedResult, Expected]:
        order = orders[number]

        def told(steps: int) -> None:
            with lock:
                done[number] = steps * len(order)
                if progress is not None:
                    progress("simulating", min(len(flat), sum(done) * len(flat) // total), len(flat))

        with SlicedModel(design, build) as model:
            expected = Expected(design, network, flat, order, model)
            return model.run(Stimulus(rows=rows, order=order), expected=expected, progress=told), expected

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(len(orders)) as pool:
        results = list(pool.map(one, range(len(orders))))
    seconds = time.monotonic() - started
    for order, (result, _) in zip(orders, results, strict=True):
        check_handshakes(design, result, order.shape[1], expected_words(design))
    bad = np.zeros(len(flat), np.bool_)
    for order, (result, _) in zip(orders, results, strict=True):
        np.logical_or.at(bad, order.ravel(), result.bad.ravel())
    first, run_start = None, 0
    if bad.any():
        first, run_start = _first(design, network, flat, orders, [result for result, _ in results])
    output = design.manifest.output
    classes = golden_classes = bits = golden_bits = None
    if output.classifier:
        classes, golden_classes = np.zeros(len(flat), np.int64), np.zeros(len(flat), np.int64)
    else:
        bits, golden_bits = (np.zeros((len(flat), output.outputs), np.int64) for _ in range(2))
    for order, (result, expected) in zip(orders, results, strict=True):
        got_classes, rest = output.unpack(result.results.reshape(order.size, -1))
        if classes is not None and golden_classes is not None and got_classes is not None:
            classes[order.ravel()] = got_classes
            golden_classes[order] = expected.classes
        elif bits is not None and golden_bits is not None and rest is not None:
            bits[order.ravel()] = rest
            golden_bits[order] = expected.bits
    return Outcome(
        bad=bad,
        first=first,
        run=range(run_start, 0 if first is None else first.frame + 1),
        compared={name: count * len(flat) for name, count in results[0][1].counts.items()},
        classes=classes,
        golden_classes=golden_classes,
        bits=bits,
        golden_bits=golden_bits,
        interval=interval_of(results[0][0].last_out, settling_frames(design)),
        cycles=sum(result.cycles * len(order) for order, (result, _) in zip(orders, results, strict=True)),
        seconds=seconds,
        lanes=sum(map(len, orders)),
    )


def steady(design: Design, build: SlicedBuild) -> float | None:
    """The interval of a set too short to reach the steady state: by the handshakes alone, which no data change."""
    count = 2 * settling_frames(design)
    rows = np.zeros((1, design.manifest.input.stride), np.uint8)
    with SlicedModel(design, build) as model:
        result = model.run(Stimulus(rows=rows, order=np.zeros((1, count), np.int64)), control_only=True)
    return interval_of(result.last_out, settling_frames(design))


def idle_latency(design: Design, build: SlicedBuild) -> int | None:
    """Cycles from the first beat of a frame into an idle accelerator to the last beat of its result."""
    rows = np.zeros((1, design.manifest.input.stride), np.uint8)
    with SlicedModel(design, build) as model:
        result = model.run(Stimulus(rows=rows, order=np.zeros((1, 1), np.int64)), control_only=True)
    return int(result.last_out[0] - result.first_in[0]) if result.last_out[0] != MISSING else None


def check_handshakes(design: Design, result: SlicedResult, steps: int, words: list[int]) -> None:
    """Raises HandshakeError unless as many words and results came as are due, framed rightly."""
    due = [count * steps for count in words]
    seen = list(result.probe_words)
    if seen != due:
        name = next(k for k in range(len(due)) if due[k] != seen[k])
        raise HandshakeError(f"probe {name} showed {seen[name]} words in place of {due[name]}")
    if result.bad_framing or result.out_beats != design.manifest.output.beats * steps:
        raise HandshakeError(f"{result.bad_framing} output beats have TLAST or TKEEP wrong")
    if (result.last_out == MISSING).any():
        raise HandshakeError("a result is missing")


def _first(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    orders: list[NDArray[np.int64]],
    results: list[SlicedResult],
) -> tuple[Mismatch, int]:
    """The first mismatch, lane by lane, and the first frame of its lane."""
    order, result = next((order, result) for order, result in zip(orders, results, strict=True) if result.bad.any())
    lane, step = (int(x) for x in np.argwhere(result.bad)[0])
    frame = int(order[lane, step])
    start = min(int(order[lane, 0]), frame)  # a lane that takes frames again begins behind them
    values = expected_values(network, flat[frame : frame + 1])[1]
    names = list(values)
    layers = {name: k for k, name in enumerate(name for name in names if name not in (CLASS, OUTPUT))}
    from bitwright_sim.native.build import probes

    for name, number in layers.items():
        at, word, field, got = (int(x) for x in result.first[number, lane])
        if at != step:
            continue
        probe = probes(design.manifest)[number]
        folds = probe.words // probe.pixels
        neuron = word // folds * probe.values + word % folds * probe.fields + field
        mismatch = Mismatch(frame=frame, layer=name, neuron=neuron, expected=int(values[name][0, neuron]), got=got)
        return mismatch, start
    _, beat, _, got = (int(x) for x in result.first[-1, lane])
    classifier = design.manifest.output.classifier
    if classifier and beat == design.manifest.output.beats - 1:
        return Mismatch(frame=frame, layer=CLASS, neuron=None, expected=int(values[CLASS][0, 0]), got=got), int(
            order[lane, 0]
        )
    if classifier:
        due = int(values["scores"][0, beat])
        return Mismatch(frame=frame, layer=OUTPUT, neuron=beat, expected=due, got=got), start
    due, places = values[OUTPUT][0], design.manifest.output.in_beat(beat)
    row = np.zeros((1, design.manifest.output.beats), np.uint64)
    row[0, beat] = got % (1 << 64)
    seen = design.manifest.output.unpack(row)[1]
    assert seen is not None
    neuron = next((k for k in places if due[k] != seen[0, k]), places.start)
    mismatch = Mismatch(frame=frame, layer=OUTPUT, neuron=neuron, expected=int(due[neuron]), got=int(seen[0, neuron]))
    return mismatch, start

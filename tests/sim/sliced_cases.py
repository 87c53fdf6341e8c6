"""Random designs of every kind for the sliced engine, what their streams send, and both engines' runs compared."""

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.golden import trace
from bitwright_core.network import Network
from bitwright_core.plan import LayerPlan, Plan
from bitwright_sim.native.build import build_native
from bitwright_sim.native.model import NativeModel
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import run_frames
from bitwright_sim.sliced.model import SlicedModel, Stimulus
from bitwright_sim.sliced.proof import compare_runs
from tests.sim.designs import copy_design
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_network

TARGETS = ("generic", "xc7", "ecp5")


def random_case(seed: int) -> tuple[Network, Plan]:
    """Dense or convolutional, on bits or integers, folded or hardwired, for any target; scores, votes or bits."""
    dice = random.Random(seed)
    kind = ("dense", "conv", "integers", "hardwired", "mixed")[seed % 5]
    ends = dice.choice(("scores", "class", "bits", "votes"))
    if kind in ("conv", "integers"):
        network = random_conv_network(
            seed,
            shape=(dice.randint(3, 7), dice.randint(3, 7), dice.randint(1, 4)),
            convs=dice.randint(1, 2),
            channels=tuple(range(1, 9)),
            integers=kind == "integers",
            votes=ends == "votes",
            dense=(dice.randint(1, 9),),
            classes=0 if ends == "bits" else dice.randint(2, 5),
        )
    else:
        network = random_network(
            seed,
            shape=(dice.randint(2, 24),),
            bits=dice.choice((1, 4, 8, 10)),
            levels=1,
            hidden=tuple(dice.randint(1, 20) for _ in range(dice.randint(1, 3))),
            classes=None if ends == "bits" else dice.randint(2, 6),
        )
    layers = []
    for layer in network.matrix_layers:
        hard = kind == "hardwired" or (kind == "mixed" and dice.random() < 0.5)
        layers.append(
            LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
            if hard
            else LayerPlan(
                name=layer.name,
                pe=dice.randint(1, layer.outputs),
                simd=dice.randint(1, min(40, layer.inputs)),
                memory=dice.choice(("auto", "block", "distributed")),
            )
        )
    plan = Plan(
        layers=tuple(layers),
        scores=network.is_classifier and ends != "class",
        data_bits=dice.choice((16, 32, 64, 128)),
        target=dice.choice(TARGETS),
        clock_mhz=dice.choice((50.0, 100.0, 200.0)),
    )
    if network.encoding.number.is_binary and dice.random() < 0.2:
        plan = replace(plan, encoding="host")
    return network, plan


def random_design(seed: int, folder: Path) -> Design:
    from bitwright_hw.generator import generate as write

    return write(*random_case(seed), folder)


def check_golden(design: Design, count: int, seed: int) -> None:
    """All integers of `count` random frames, on all lanes, against the golden model."""
    network = design.network
    frames = np.random.default_rng(seed).integers(0, 1 << network.input.bits, (count, network.input.size))
    outcome = run_frames(design, network, frames, build_sliced(design), jobs=1)
    assert outcome.first is None, outcome.first
    assert not outcome.bad.any()
    if outcome.classes is not None:
        assert (outcome.classes == trace(network, frames).classes).all()


# constants of memories (one word, or words packed, the lowest digit last) and of LUTs
_CONSTANT = re.compile(
    r"((?:fill_\w+_words =|^\s*\S+ ?\[\d+\] =|\.INIT\()\s*(?:\{[^;}]*?)?\d+'h)([0-9a-f]+)(?=\s*[;})])", re.MULTILINE
)


def plant_fault(design: Design, folder: Path, seed: int) -> Design:
    """A copy with one bit of a memory's contents or of a LUT's table inverted, chosen by `seed`."""
    dice = random.Random(seed)
    copy = copy_design(design, folder)
    file = copy.verilog[0]
    text = file.read_text()
    one = dice.choice(list(_CONSTANT.finditer(text)))
    at = dice.randrange(len(one[2]))
    digit = int(one[2][at], 16) ^ (1 << dice.randrange(4) if at else 1)  # the first digit may be of less than four bits
    file.write_text(f"{text[: one.start(2) + at]}{digit:x}{text[one.start(2) + at + 1 :]}")
    return Design.load(folder)


def broken_stream(design: Design, frames: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Whole frames and broken ones between them as beats: rows of each lane's beats, TLAST, TKEEP, results due.

    `frames` are (lanes, whole, values). All lanes break in the same places, with random data.
    """
    dice = np.random.default_rng(seed)
    fmt, lanes = design.manifest.input, len(frames)
    size, beats = fmt.data_bits // 8, fmt.beats
    rows: list[np.ndarray] = []  # of each beat (lanes, size)
    last, keep = [], []

    def whole(packed: np.ndarray) -> None:
        for beat in range(beats):
            rows.append(packed[:, beat * size : (beat + 1) * size])
            last.append(beat == beats - 1)
            used = min(size, fmt.bytes - beat * size)
            keep.append([True] * used + [False] * (size - used))

    def wrong(count: int, flip: int | None) -> None:
        for beat in range(count):
            rows.append(dice.integers(0, 256, (lanes, size), dtype=np.uint8))
            last.append(beat == count - 1)
            used = min(size, max(0, fmt.bytes - beat * size)) if count == beats else size
            keep.append([True] * used + [False] * (size - used))
        if flip is not None:
            at = len(keep) - count + flip // size
            keep[at][flip % size] = not keep[at][flip % size]

    for k in range(frames.shape[1]):
        match dice.integers(0, 4):
            case 0 if beats > 1:
                wrong(int(dice.integers(1, beats)), None)  # short
            case 1:
                wrong(beats + int(dice.integers(1, beats + 2)), None)  # long
            case 2:
                wrong(beats, int(dice.integers(0, fmt.bytes)))  # TKEEP low where there is data
            case _:
                pass
        whole(pack_frames(design.network, design.plan, frames[:, k]))
    return np.stack(rows, axis=1), np.array(last, np.uint8), np.array(keep, np.bool_), frames.shape[1]


def check_engines(design: Design, seed: int, *, whole: int = 4, lanes: int = 3) -> int:
    """Both engines on equal streams, with stalls and broken frames: every handshake and integer. Returns the cycles."""
    network = design.network
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 1 << network.input.bits, (lanes, whole, network.input.size))
    flat = frames.reshape(-1, network.input.size)
    packed = pack_frames(network, design.plan, flat)
    order = np.arange(lanes * whole).reshape(lanes, whole)
    trace_room, cycles = 200_000, 0
    with (
        SlicedModel(design, build_sliced(design)) as ours,
        NativeModel(design, library=build_native(design, quick=True)) as model,
    ):
        for stalls in ((0.0, 0.0), (0.4, 0.0), (0.0, 0.5), (0.6, 0.6)):
            common = {"seed": seed, "stall_in": stalls[0], "stall_out": stalls[1]}
            result = ours.run(Stimulus(rows=packed, order=order, **common), trace=trace_room, integers=whole)
            for lane in range(lanes):
                model.reset()
                theirs = model.run(packed[order[lane]], trace=trace_room, **common)
                assert compare_runs(design, result, theirs, lane) > 0
                cycles += len(theirs.trace)
        beats, last, keep, due = broken_stream(design, frames, seed)
        count = beats.shape[1]
        beat_rows = beats.reshape(lanes * count, -1)
        beat_order = np.arange(lanes * count).reshape(lanes, count)
        bits = np.packbits(keep, axis=1, bitorder="little")
        common = {"seed": seed, "stall_in": 0.3, "stall_out": 0.3}
        stimulus = Stimulus(rows=beat_rows, order=beat_order, last=last, keep=bits, results=due, **common)
        result = ours.run(stimulus, trace=trace_room, integers=2 * whole)
        for lane in range(lanes):
            model.reset()
            theirs = model.run_beats(beats[lane], last, bits, due, trace=trace_room, **common)
            differ = np.flatnonzero(result.trace[: len(theirs.trace)] != theirs.trace[: len(result.trace)])
            assert not len(differ) and len(result.trace) == len(theirs.trace), f"cycle {differ[:1]}, seed {seed}"
            assert (result.results[lane] == theirs.beats.reshape(-1)).all()
            cycles += len(theirs.trace)
        golden = trace(network, frames[0])
        if golden.classes is not None:
            assert (result.results[0].reshape(due, -1)[:, -1].astype(np.int64) == golden.classes).all()
    return cycles

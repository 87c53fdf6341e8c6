"""Random designs of every kind for the sliced engine, what their streams send, and both engines' runs compared."""

import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.golden import trace
from bitwright_core.network import Conv2d, Dense, Luts, MaxPool2d, Network, Values, Votes
from bitwright_core.plan import LayerPlan, Plan
from bitwright_sim.compare import compare
from bitwright_sim.native.build import build_native
from bitwright_sim.native.model import NativeModel
from bitwright_sim.native.stalls import Pattern
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import run_frames
from bitwright_sim.sliced.model import SlicedModel, Stimulus
from bitwright_sim.sliced.proof import compare_runs
from tests.sim.designs import copy_design
from tests.sw.conv_networks import random_conv_network
from tests.sw.drawn_networks import NEWER_KINDS, newer_network, random_pe, random_planes, random_wired
from tests.sw.networks import random_network

TARGETS = ("generic", "xc7", "ecp5")
KINDS = ("dense", "conv", "integers", "hardwired", "mixed", *NEWER_KINDS)


@dataclass(kw_only=True)
class Counts:
    """What was compared, and the situations that came about, by their names in `POINTS`."""

    frames: int = 0
    integers: int = 0
    handshakes: int = 0  # cycles of which valid, ready and last of both streams, and every probe's valid, were compared
    found: int = 0  # planted faults that the engines found
    situations: Counter[str] = field(default_factory=Counter)


def random_network_of(kind: str, ends: str, seed: int, dice: random.Random) -> Network:
    """Dense or convolutional, on bits or integers; a row of the encoding for all, a channel or a value."""
    rows = dice.choice(("one", "channel", "value"))
    classes = 0 if ends == "bits" else dice.randint(2, 5)
    if kind in ("conv", "integers"):
        return random_conv_network(
            seed,
            shape=(dice.randint(3, 7), dice.randint(3, 7), dice.randint(1, 4)),
            convs=dice.randint(1, 2),
            channels=tuple(range(1, 9)),
            integers=kind == "integers",
            votes=ends == "votes",
            dense=(dice.randint(1, 9),),
            classes=classes,
            rows=rows,
        )
    hidden = tuple(dice.randint(1, 20) for _ in range(dice.randint(1, 3)))
    if rows != "one":
        shape = (dice.randint(1, 4), 1, dice.randint(1, 4))
        bits = dice.choice((1, 2, 4, 8))
        votes = ends == "votes"
        return random_conv_network(
            seed, shape=shape, bits=bits, convs=0, dense=hidden, classes=classes, votes=votes, rows=rows
        )
    bits = dice.choice((1, 4, 8, 10))
    return random_network(
        seed,
        shape=(dice.randint(2, 24),),
        bits=bits,
        levels=1 if bits == 1 else dice.randint(1, 3),
        hidden=hidden,
        classes=classes or None,
    )


def random_case(seed: int) -> tuple[Network, Plan]:
    """Dense or convolutional, folded or hardwired, for any target; scores, a class, votes, numbers, bits or labels."""
    dice = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    ends = dice.choice(("scores", "class", "bits", "votes", "numbers"))
    network = newer_network(kind, seed, dice) if kind in NEWER_KINDS else random_network_of(kind, ends, seed, dice)
    if kind in NEWER_KINDS:
        ends = dice.choice(("scores", "class", "numbers")) if network.gives_scores else "bits"
    if dice.random() < 0.3:
        network = replace(network, labels=tuple(f"label {k}" for k in range(network.outputs)))
    if ends == "numbers":
        network = replace(network, values=Values(step=0.25, error=0.125))
    layers = []
    for layer in network.matrix_layers:
        hard = kind == "hardwired" or (kind == "mixed" and dice.random() < 0.5)
        hard = hard and not isinstance(layer.output, Votes)
        layers.append(
            LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
            if hard
            else LayerPlan(
                name=layer.name,
                pe=random_pe(layer, dice),
                simd=dice.randint(1, min(40, layer.inputs)),
                memory=dice.choice(("auto", "block", "distributed")),
            )
        )
    later = random.Random(f"planes {seed}")
    layers = [
        random_wired(layer, replace(choice, planes=random_planes(layer, choice, later)), later)
        for choice, layer in zip(layers, network.matrix_layers, strict=True)
    ]
    plan = Plan(
        layers=tuple(layers),
        scores=network.gives_scores and ends != "class",
        data_bits=dice.choice((16, 32, 64, 128)),
        target=dice.choice(TARGETS),
        clock_mhz=dice.choice((50.0, 100.0, 200.0)),
    )
    if network.encoding.number.xnor and dice.random() < 0.2:
        plan = replace(plan, encoding="host")
    return network, plan


def random_design(seed: int, folder: Path) -> Design:
    from bitwright_hw.generator import generate as write

    return write(*random_case(seed), folder)


def check_golden(design: Design, count: int, seed: int) -> Counts:
    """All integers of `count` random frames, on all lanes, against the golden model."""
    network = design.network
    frames = np.random.default_rng(seed).integers(0, 1 << network.input.bits, (count, network.input.size))
    outcome = run_frames(design, network, frames, build_sliced(design), jobs=1)
    assert outcome.first is None, outcome.first
    assert not outcome.bad.any()
    golden = trace(network, frames)
    if outcome.classes is not None:
        assert (outcome.classes == golden.classes).all()
    else:
        assert (outcome.bits == golden.layers[-1].values.reshape(count, -1)).all()
    return Counts(frames=count, integers=sum(outcome.compared.values()))


STREAMS = (
    "the source pauses within a frame",
    "the design holds a beat back",
    "the sink holds a result back",
    "a beat is held back while a result is",
    "a result leaves while a beat is taken",
    "frames back to back",
    "results back to back",
    "a frame too short",
    "a frame too long",
    "a hole in TKEEP",
)
DESIGNS = (
    "dense layers",
    "convolutions",
    "pools",
    "hardwired layers",
    "hardwired convolutions",
    "windows over the border",
    "zeros that pad",
    "strides",
    "integers in",
    "thermometers",
    "one row of the encoding",
    "a row a channel",
    "a row a value",
    "encoded by the host",
    "scores",
    "class alone",
    "votes",
    "numbers",
    "bits",
    "labels",
    "a last fold that pads",
    "values or weights of a few bits",
    "planes one after the other",
    "groups",
    "dilation",
    "branches",
    "tables",
    "target generic",
    "target xc7",
    "target ecp5",
)
POINTS = (*DESIGNS, *STREAMS)


def situations_of(design: Design) -> dict[str, int]:
    """What a design has, of `DESIGNS`."""
    network, plan = design.network, design.plan
    convs = [layer for layer in network.layers if isinstance(layer, Conv2d)]
    matrices = network.matrix_layers
    rows = len(network.encoding.rows)
    ends = "numbers" if network.values else "scores" if plan.scores else "class alone"
    if isinstance(network.last, Dense) and isinstance(network.last.output, Votes):
        ends = "votes"
    has = {
        "dense layers": any(isinstance(layer, Dense) for layer in network.layers),
        "convolutions": bool(convs),
        "pools": any(isinstance(layer, MaxPool2d) for layer in network.layers),
        "hardwired layers": any(layer.engine == "hardwired" for layer in plan.layers),
        "hardwired convolutions": any(
            choice.engine == "hardwired" and layer.windows is not None
            for choice, layer in zip(plan.layers, matrices, strict=True)
        ),
        "windows over the border": any(any(layer.padding) for layer in convs),
        "zeros that pad": any(any(layer.padding) and layer.padding_value == "zero" for layer in convs),
        "strides": any(layer.stride != (1, 1) for layer in convs),
        "integers in": not network.encoding.number.xnor,
        "thermometers": network.encoding.levels > 1,
        "one row of the encoding": rows == 1,
        "a row a channel": 1 < rows < network.input.size,
        "a row a value": rows == network.input.size > 1,
        "encoded by the host": plan.encoding == "host",
        ends if network.gives_scores else "bits": True,
        "labels": bool(network.labels),
        "a last fold that pads": any(one.outputs % one.pe or one.inputs % one.simd for one in design.manifest.layers),
        "values or weights of a few bits": any(not layer.counts_bits and not layer.takes.signed for layer in matrices)
        or any(not layer.weight_type.xnor for layer in matrices),
        "planes one after the other": any(layer.planes == "serial" for layer in plan.layers),
        "groups": any(layer.groups > 1 for layer in matrices),
        "dilation": any(layer.dilation != (1, 1) for layer in convs),
        "branches": not network.is_chain,
        "tables": any(isinstance(layer, Luts) for layer in network.layers),
        f"target {plan.target}": True,
    }
    return {name: int(there) for name, there in has.items() if there}


def situations_in(handshakes: np.ndarray) -> Counter[str]:
    """What came about in a run, of `STREAMS`: cycles, by the handshakes of each (see the harness)."""
    offered, taken, last, valid, ready, ended = (handshakes >> k & 1 == 1 for k in range(6))
    took, left = offered & taken, valid & ready
    within = np.cumsum(took & last) < (took & last).sum()  # before the last frame's end
    fresh = np.concatenate([[True], (took & last)[:-1]])  # behind a frame's end
    return Counter(
        {
            "the source pauses within a frame": int((~offered & within).sum()),
            "the design holds a beat back": int((offered & ~taken).sum()),
            "the sink holds a result back": int((valid & ~ready).sum()),
            "a beat is held back while a result is": int((offered & ~taken & valid & ~ready).sum()),
            "a result leaves while a beat is taken": int((took & left).sum()),
            "frames back to back": int((took & fresh)[1:].sum()),
            "results back to back": int(((left & ended)[:-1] & left[1:]).sum()),
        }
    )


# constants of memories (one word, or words packed, the lowest digit last) and of LUTs
_CONSTANT = re.compile(
    r"((?:fill_\w+_words =|^\s*\S+ ?\[\d+\] =|\.INIT\()\s*(?:\{[^;}]*?)?\d+'h)([0-9a-f]+)(?=\s*[;})])", re.MULTILINE
)


def plant_fault(design: Design, folder: Path, seed: int) -> Design | None:
    """A copy with one bit of a memory's contents or of a LUT's table inverted, chosen by `seed`.

    None for a design without either: a hardwired one on plain logic.
    """
    dice = random.Random(seed)
    copy = copy_design(design, folder)
    file = copy.verilog[0]
    text = file.read_text()
    places = list(_CONSTANT.finditer(text))
    if not places:
        return None
    one = dice.choice(places)
    at = dice.randrange(len(one[2]))
    digit = int(one[2][at], 16) ^ (1 << dice.randrange(4) if at else 1)  # the first digit may be of less than four bits
    file.write_text(f"{text[: one.start(2) + at]}{digit:x}{text[one.start(2) + at + 1 :]}")
    return Design.load(folder)


def broken_stream(
    design: Design, frames: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, Counter[str]]:
    """Whole frames and broken ones between them as beats: rows of each lane's beats, TLAST, TKEEP, results due; how
    many are broken in which way.

    `frames` are (lanes, whole, values). All lanes break in the same places, with random data.
    """
    dice = np.random.default_rng(seed)
    fmt, lanes = design.manifest.input, len(frames)
    size, beats = fmt.data_bits // 8, fmt.beats
    rows: list[np.ndarray] = []  # of each beat (lanes, size)
    last, keep = [], []
    broken: Counter[str] = Counter()

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
                wrong(int(dice.integers(1, beats)), None)
                broken["a frame too short"] += 1
            case 1:
                wrong(beats + int(dice.integers(1, beats + 2)), None)
                broken["a frame too long"] += 1
            case 2:
                wrong(beats, int(dice.integers(0, fmt.bytes)))
                broken["a hole in TKEEP"] += 1
            case _:
                pass
        whole(pack_frames(design.network, design.plan, frames[:, k]))
    return np.stack(rows, axis=1), np.array(last, np.uint8), np.array(keep, np.bool_), frames.shape[1], broken


def check_engines(design: Design, seed: int, *, whole: int = 4, lanes: int = 3) -> Counts:
    """Both engines on equal streams, with stalls and broken frames: every handshake and integer."""
    network = design.network
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 1 << network.input.bits, (lanes, whole, network.input.size))
    flat = frames.reshape(-1, network.input.size)
    packed = pack_frames(network, design.plan, flat)
    order = np.arange(lanes * whole).reshape(lanes, whole)
    trace_room, counts = 200_000, Counts(situations=Counter(situations_of(design)))
    with (
        SlicedModel(design, build_sliced(design)) as ours,
        NativeModel(design, library=build_native(design, quick=True)) as model,
    ):
        for stalls in ((0.0, 0.0), (0.4, 0.0), (0.0, 0.5), (0.6, 0.6)):
            common = {"seed": seed, "stall_in": stalls[0], "stall_out": stalls[1]}
            result = ours.run(Stimulus(rows=packed, order=order, **common), trace=trace_room, integers=whole)
            for lane in range(lanes):
                model.reset()
                theirs = model.run(packed[order[lane]], Pattern(**common), trace=trace_room)
                integers = compare_runs(design, result, theirs, lane)
                assert integers > 0
                counts.integers += integers
                counts.handshakes += len(theirs.trace)
                counts.frames += whole
            counts.situations += situations_in(result.trace)
        beats, last, keep, due, broken = broken_stream(design, frames, seed)
        counts.situations += broken
        count = beats.shape[1]
        beat_rows = beats.reshape(lanes * count, -1)
        beat_order = np.arange(lanes * count).reshape(lanes, count)
        bits = np.packbits(keep, axis=1, bitorder="little")
        common = {"seed": seed, "stall_in": 0.3, "stall_out": 0.3}
        stimulus = Stimulus(rows=beat_rows, order=beat_order, last=last, keep=bits, results=due, **common)
        result = ours.run(stimulus, trace=trace_room, integers=2 * whole)
        for lane in range(lanes):
            model.reset()
            theirs = model.run_beats(beats[lane], last, bits, due, Pattern(**common), trace=trace_room)
            differ = np.flatnonzero(result.trace[: len(theirs.trace)] != theirs.trace[: len(result.trace)])
            assert not len(differ) and len(result.trace) == len(theirs.trace), f"cycle {differ[:1]}, seed {seed}"
            assert (result.results[lane] == theirs.beats.reshape(-1)).all()
            counts.handshakes += len(theirs.trace)
            counts.frames += whole
        counts.situations += situations_in(result.trace)
        golden = trace(network, frames[0])
        if golden.classes is not None:
            assert (result.results[0].reshape(due, -1)[:, -1].astype(np.int64) == golden.classes).all()
    return counts


def check_design(seed: int, folder: Path) -> Counts:
    """A random design: sliced = golden on 300 frames, and sliced = Verilator in every integer and handshake."""
    design = random_design(seed, folder / "design")
    golden, counts = check_golden(design, 300, seed), check_engines(design, seed)
    counts.frames += golden.frames
    counts.integers += golden.integers
    return counts


def check_fault(seed: int, folder: Path) -> Counts:
    """A random design with a planted fault: the sliced engine computes what Verilator does, and finds what that finds.

    A bit that no frame needs changes nothing: both must say so, and `found` stays 0.
    """
    design = random_design(seed, folder / "design")
    wrong = plant_fault(design, folder / "wrong", seed)
    if wrong is None:
        return Counts()
    network, count = design.network, 24
    frames = np.random.default_rng(seed).integers(0, 1 << network.input.bits, (count, network.input.size))
    packed = pack_frames(network, design.plan, frames)
    build = build_sliced(wrong)
    with NativeModel(wrong, library=build_native(wrong, quick=True)) as model, SlicedModel(wrong, build) as ours:
        theirs = model.run(packed, trace=100_000)
        result = ours.run(Stimulus(rows=packed, order=np.arange(count).reshape(1, -1)), trace=100_000, integers=count)
        integers = compare_runs(wrong, result, theirs, 0)
        found = compare(wrong, network, frames, theirs, model.probes).bad
    # in a whole run lanes begin afresh, so a fault that a frame leaves to the next one shows in other frames
    assert found.any() == run_frames(wrong, network, frames, build, jobs=1).bad.any()
    return Counts(frames=count, integers=integers, handshakes=len(theirs.trace), found=int(found.any()))

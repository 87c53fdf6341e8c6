# amaranth: UnusedElaboratable=no
"""Specs of whole accelerators: small networks of every kind of end, frames in, results out, each counted.

What a frame's result must be is written here once more, neuron by neuron, on the bits of the frame that the solver
marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
    signed,
)
from amaranth.lib.wiring import In

from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    MaxPool2d,
    Network,
    Scores,
    ThresholdEncoding,
    Thresholds,
    Votes,
)
from bitwright_core.plan import LayerPlan, Plan
from bitwright_core.registers import network_constants
from bitwright_hw.accelerator import AcceleratorCore, AxiAccelerator
from bitwright_hw.control import AxiLiteSignature, Control
from bitwright_hw.emit import ports
from bitwright_hw.solve import solved
from bitwright_hw.stage_graph import Solution, StageGraph
from tests.proofs.arithmetic import count_of
from tests.proofs.control import axi_lite_manager, axi_lite_rules, axis_sender
from tests.proofs.spec import Elaborated, Spec, Tracker, holds_back, moves_within

WIDTH = 8  # of the integers here


@dataclass(frozen=True, kw_only=True)
class Small:
    """A network, and how its layers are folded: (PE, SIMD), or None for a hardwired one."""

    shape: tuple[int, ...]
    layers: tuple[Dense | Conv2d | MaxPool2d, ...]
    folds: tuple[tuple[int, int] | None, ...]
    scores: bool = False

    @property
    def solution(self) -> Solution:
        network = Network(
            name="small",
            input=Input(shape=self.shape, bits=1),
            encoding=ThresholdEncoding(thresholds=np.array([[1]])),
            layers=self.layers,
        )
        plans = []
        for layer, fold in zip(network.matrix_layers, self.folds, strict=True):
            pe, simd = fold or (layer.outputs, layer.inputs)
            plans.append(LayerPlan(name=layer.name, pe=pe, simd=simd, engine="folded" if fold else "hardwired"))
        return solved(network, Plan(layers=tuple(plans), encoding="host", data_bits=8, scores=self.scores))


def small_accelerator() -> AcceleratorCore:
    return AcceleratorCore(solution=SMALL["scores"].solution)


def small_axi_accelerator() -> AxiAccelerator:
    return AxiAccelerator(solution=SMALL["scores"].solution)


def bits(values: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array(values, np.uint8)


def hidden(name: str, weights: Sequence[Sequence[int]], thresholds: Sequence[int]) -> Dense:
    output = Thresholds(values=np.array(thresholds)[:, None])
    return Dense(name=name, weights=bits(weights), output=output)


def scored(name: str, weights: Sequence[Sequence[int]], scale: Sequence[int], offset: Sequence[int]) -> Dense:
    output = Scores(scale=np.array(scale), offset=np.array(offset))
    return Dense(name=name, weights=bits(weights), output=output)


_FIRST = hidden("first", [[1, 0, 1], [0, 1, 1]], [2, 1])
_LAST = scored("last", [[1, 0], [1, 1]], [1, 2], [0, -1])
_VOTES = Dense(
    name="last",
    weights=bits([[1, 0], [1, 1]]),
    output=Votes(thresholds=np.array([1, 2]), votes=np.array([1, 2])),
)
_CONV = Conv2d(
    name="conv",
    shape=(2, 2, 1),
    weights=np.array([1, 0], np.uint8).reshape(1, 1, 2, 1),
    output=Thresholds(values=np.array([[1]])),
)
SMALL = {
    "class": Small(shape=(3,), layers=(_FIRST, _LAST), folds=((1, 2), (2, 2))),
    "class-a-cycle": Small(shape=(2,), layers=(_LAST,), folds=((2, 2),)),
    "scores": Small(shape=(3,), layers=(_FIRST, _LAST), folds=((2, 3), (1, 2)), scores=True),
    "bits": Small(shape=(3,), layers=(_FIRST,), folds=((1, 3),)),
    "votes": Small(shape=(2,), layers=(_VOTES,), folds=((1, 2),)),
    "hardwired": Small(shape=(3,), layers=(_FIRST, _LAST), folds=(None, None)),
    "image": Small(shape=(2, 2, 1), layers=(_CONV,), folds=((1, 2),)),
    "image-class": Small(
        shape=(2, 2, 1), layers=(_CONV, scored("last", [[1, 0], [0, 1]], [1, 1], [0, 0])), folds=((1, 2), (2, 2))
    ),
}


def result_of(spec: Spec, graph: StageGraph, frame: Value) -> list[Value]:
    """The beats of the result of a frame, given its bits."""
    m = spec.m
    lanes: list[Value] = [frame[k] for k in range(graph.input.values)]
    last = graph.network.layers[-1]
    counts: list[Value] = []
    for number, layer in enumerate(graph.network.layers):
        counts = []
        if isinstance(layer, MaxPool2d):
            raise NotImplementedError
        windows = [lanes]
        plain = layer
        if isinstance(layer, Conv2d):
            (height, width, channels), (down, across) = layer.shape, layer.kernel
            windows = [
                [
                    lanes[((y + dy) * width + x + dx) * channels + c]
                    for dy in range(down)
                    for dx in range(across)
                    for c in range(channels)
                ]
                for y in range(height - down + 1)
                for x in range(width - across + 1)
            ]
            plain = Dense(name="plain", weights=layer.rows, output=layer.output)
        for window in windows:
            for row in range(layer.outputs):
                count = Signal(signed(WIDTH), name=f"count_{number}_{len(counts)}")
                m.d.comb += count.eq(count_of(plain, row, window, WIDTH))
                counts.append(count)
        lanes = [~count[-1] for count in counts]  # a difference of 0 or more
    if isinstance(last.output, Thresholds):
        return [Cat(*lanes)]
    scores = []
    for c, count in enumerate(counts):
        score = Signal(signed(64), name=f"score_{c}")
        if isinstance(last.output, Votes):
            threshold, vote = last.output.thresholds[c].item(), last.output.votes[c].item()
            m.d.comb += score.eq(Mux(count >= threshold, vote, 0))
        else:
            m.d.comb += score.eq(count * last.output.scale[c].item() + last.output.offset[c].item())
        scores.append(score)
    best, found = scores[0], Const(0, 64)
    for c, score in enumerate(scores[1:], 1):
        better, klass = Signal(signed(64), name=f"better_{c}"), Signal(64, name=f"klass_{c}")
        m.d.comb += [better.eq(Mux(score > best, score, best)), klass.eq(Mux(score > best, c, found))]
        best, found = better, klass
    return [*(scores if graph.output.scores else []), found]


def follow(
    spec: Spec, solution: Solution, stream: dict[str, Signal], taken: Value, result: dict[str, Value]
) -> Tracker:
    """Claims that each good frame has its result, each result its frame, in order; every frame is one beat or more."""
    m = spec.m
    fmt = solution.graph.input
    beats, lanes = fmt.beats, fmt.data_bits // 8
    at, bad, excess = Signal(range(beats + 1)), Signal(), Signal()
    final = at == beats - 1
    wanted = Mux(final, (1 << fmt.bytes - (beats - 1) * lanes) - 1, (1 << lanes) - 1)
    wrong = stream["keep"] != wanted
    part = taken & ~excess
    ends = part & (final | stream["last"])
    good = part & final & stream["last"] & ~bad & ~wrong
    with m.If(part):
        m.d.sync += [at.eq(Mux(ends, 0, at + 1)), bad.eq((bad | wrong) & ~ends)]
    with m.If(part & final & ~stream["last"]):
        m.d.sync += excess.eq(1)
    with m.If(excess & taken & stream["last"]):
        m.d.sync += excess.eq(0)
    frame, before = Signal(beats * fmt.data_bits, name="frame"), Signal(beats * fmt.data_bits, name="frame_before")
    m.d.comb += frame.eq(before)
    for k in range(beats):
        with m.If(at == k):
            m.d.comb += frame.word_select(k, fmt.data_bits).eq(stream["data"])
    m.d.sync += before.eq(frame)

    count = solution.graph.output.beats
    beat, leave = Signal(range(count + 1)), Signal()
    valid, ready = result["valid"], result["ready"]
    m.d.comb += leave.eq(valid & ready & (beat == count - 1))
    with m.If(valid & ready):
        m.d.sync += beat.eq(Mux(leave, 0, beat + 1))
    most = solution.graph.frames_before_queues + solution.graph.frames_in_flight + 2
    track = Tracker(spec, enter=good, leave=leave, most=most)
    due, expected = Signal(len(frame), name="due"), Signal(64, name="expected")
    with m.If(track.marks):
        m.d.sync += due.eq(frame)
    with m.Switch(beat):
        for k, value in enumerate(result_of(spec, solution.graph, due)):
            with m.Case(k):
                m.d.comb += expected.eq(value)
    # a frame of images may be looked at before its last beat is there; its result comes behind that, always
    spec.claim("no result without its frame", ~valid | (track.inside != 0))
    spec.claim("each result is right and in order", ~(valid & track.due) | (result["data"] == expected))
    spec.claim("its last beat ends a packet", ~valid | (result["last"] == (beat == count - 1)))
    spec.claim("no more frames than there is room for", track.inside < most)
    limit = solution.latency_cycles + solution.interval_cycles + 4
    moves_within(spec, "none is lost", waiting=track.inside != 0, moves=valid, cycles=limit)
    stuck = stream["valid"] & (track.inside == 0)
    moves_within(spec, "room comes back", waiting=stuck, moves=taken, cycles=limit)
    spec.cover("two results", leave & ~track.due & (track.inside > 1))
    return track


def accelerator(spec: Spec, *, kind: str) -> None:
    """An AcceleratorCore between a sender of any packets and a reader that pauses at any time."""
    m = spec.m
    solution = SMALL[kind].solution
    unit = AcceleratorCore(solution=solution)
    made = Elaborated(unit)
    m.submodules.accelerator = made
    spec.shared.components.update(unit.shared)
    fmt = solution.graph.input
    stream = axis_sender(spec, "s", ready=unit.i.ready, keep_bits=fmt.data_bits // 8, data_bits=fmt.data_bits)
    ready = spec.free("ready")
    m.d.comb += [
        unit.i.valid.eq(stream["valid"]),
        unit.i.payload.data.eq(stream["data"]),
        unit.i.payload.keep.eq(stream["keep"]),
        unit.i.payload.last.eq(stream["last"]),
        unit.o.ready.eq(ready),
    ]
    taken = stream["valid"] & unit.i.ready
    result = {"valid": unit.o.valid, "ready": ready, "data": unit.o.payload.data, "last": unit.o.payload.last}
    track = follow(spec, solution, stream, taken, result)
    holds_back(spec, "o", unit.o)
    verdicts, tags = made.module.submodules.verdicts, made.module.submodules.tags
    spec.claim("a verdict finds room", ~verdicts.w_en | verdicts.w_rdy)
    spec.claim("a verdict is there when it is asked for", ~verdicts.r_en | verdicts.r_rdy)
    spec.claim("a tag finds room", ~tags.w_en | tags.w_rdy)
    # strobes count the same frames
    inside = Signal(range(2 * solution.graph.frames_in_flight + 4))
    m.d.sync += inside.eq(inside + unit.accepted - unit.finished)
    spec.claim("no frame is finished that was not accepted", ~unit.finished | (inside != 0))
    spec.claim("frames that were accepted are inside", inside <= track.inside)
    spec.claim("busy while a frame is inside", unit.busy | (inside == 0))
    spec.cover("a frame is dropped", unit.dropped)


def axi_accelerator(spec: Spec, *, kind: str) -> None:
    """An AxiAccelerator behind any traffic on its three buses, soft resets among it; `aresetn` may be low at any time,
    for a single cycle, too."""
    m = spec.m
    solution = SMALL[kind].solution
    unit = AxiAccelerator(solution=solution)
    spec.shared.components.update({**unit.shared, "accelerator": unit})  # by name: its domains are its own
    wires = {name: Signal(len(value), name=f"dut_{name}") for name, (value, _) in ports(unit).items()}
    flows = {name: "i" if member.flow == In else "o" for name, member in unit.signature.members.items()}
    m.submodules.accelerator = Instance("accelerator", **{f"{flows[name]}_{name}": wires[name] for name in wires})
    bus = {name: wires[f"s_axi_control_{name}"] for name in AxiLiteSignature().members}
    hard = Signal(name="hard_reset")
    m.d.comb += [hard.eq(spec.reset | spec.first), wires["aclk"].eq(spec.clock), wires["aresetn"].eq(~hard)]

    # The bus' rules, in a domain that a soft reset does not touch
    rules = Spec.__new__(Spec)
    rules.__dict__.update(spec.__dict__)
    rules.m = Module()
    outs = axi_lite_manager(rules, bus)
    axi_lite_rules(rules, bus, outs)
    control = Control(
        constants={
            **network_constants(solution.graph.network.digest),
            "INPUT_BYTES": solution.graph.input.bytes,
            "OUTPUT_BEATS": solution.graph.output.beats,
            "OUTPUTS": solution.graph.output.outputs,
        }
    )
    core_reset = Signal(init=1, name="core_reset")
    rules.m.d.sync += core_reset.eq(control.soft_reset)
    rules.m.submodules.control = control
    m.domains.hard = ClockDomain()
    m.d.comb += [ClockSignal("hard").eq(spec.clock), ResetSignal("hard").eq(hard)]
    m.submodules.rules = DomainRenamer({"sync": "hard", "axi": "hard"})(rules.m)
    for name, value in outs.items():
        m.d.comb += [bus[name].eq(value), getattr(control.bus, name).eq(value)]
    m.d.comb += spec.restarts.eq(core_reset)

    stream = axis_sender(
        spec,
        "s",
        ready=wires["s_axis_tready"],
        keep_bits=solution.graph.input.data_bits // 8,
        data_bits=solution.graph.input.data_bits,
    )
    ready = spec.free("ready")
    m.d.comb += [
        wires["s_axis_tvalid"].eq(stream["valid"]),
        wires["s_axis_tdata"].eq(stream["data"]),
        wires["s_axis_tkeep"].eq(stream["keep"]),
        wires["s_axis_tlast"].eq(stream["last"]),
        wires["m_axis_tready"].eq(ready),
    ]
    taken = stream["valid"] & wires["s_axis_tready"]
    result = {
        "valid": wires["m_axis_tvalid"],
        "ready": ready,
        "data": wires["m_axis_tdata"],
        "last": wires["m_axis_tlast"],
    }
    spec.assume(~control.batch)  # packets of many frames: the guard's proofs have them
    follow(spec, solution, stream, taken, result)
    held = Cat(wires["m_axis_tdata"], wires["m_axis_tlast"])
    waits, before = Signal(), Signal(len(held))
    m.d.sync += [waits.eq(wires["m_axis_tvalid"] & ~ready), before.eq(held)]
    spec.claim("m_axis: tvalid holds, but for a reset", ~waits | wires["m_axis_tvalid"] | core_reset)
    spec.claim("m_axis: what it shows is stable", ~(waits & wires["m_axis_tvalid"]) | (held == before))
    spec.claim("m_axis: tkeep is all ones", wires["m_axis_tkeep"] == 0xFF)
    spec.claim(
        "nothing moves while the core is reset", ~core_reset | ~(wires["s_axis_tready"] | wires["m_axis_tvalid"])
    )
    spec.cover("a soft reset", control.soft_reset)

"""The parts of an accelerator as the report draws them: blocks with what they take, and streams between them."""

from dataclasses import dataclass

from bitwright_core.design import Design
from bitwright_core.errors import PlanError
from bitwright_hw.cells import Counts
from bitwright_hw.estimate import costs_of, shell_counts
from bitwright_hw.families import Family
from bitwright_hw.solve import solved, timing
from bitwright_hw.stage_graph import StageGraph
from bitwright_hw.stages.engine import EngineStage
from bitwright_hw.stages.stage import Stage

# what a kind of stage is called, and which of the drawing's colours it has
KINDS = {
    "GuardStage": ("frame guard", "stream"),
    "EncodeStage": ("encoder", "stream"),
    "PaddingStage": ("padding mask", "stream"),
    "SourceStage": ("pixel source", "stream"),
    "WindowStage": ("window", "buffer"),
    "QueueStage": ("queue", "buffer"),
    "FrameTokensStage": ("frame tokens", "stream"),
    "RepackStage": ("repacker", "stream"),
    "PoolStage": ("pool", "engine"),
    "MatrixStage": ("engine", "engine"),
    "HardwiredStage": ("hardwired engine", "engine"),
    "LutsStage": ("lookup tables", "engine"),
    "GroupSumStage": ("group sums", "engine"),
    "LaneStage": ("lane arithmetic", "engine"),
    "ForkStage": ("fork", "stream"),
    "JoinStage": ("join", "buffer"),
    "CollectStage": ("whole frames", "buffer"),
    "ArgMaxStage": ("class of each pixel", "engine"),
    "ClassStage": ("scores, class", "result"),
    "BitsStage": ("result bits", "result"),
}


@dataclass(frozen=True, kw_only=True)
class DrawnBlock:
    """One block of the drawing.

    `luts`, `ffs` and `block_rams` are the model's (None of a hardwired engine, which nobody knows before synthesis)
    unless `measured`. `cycles` are those that a frame keeps it busy, None where it only passes words on.
    """

    name: str
    title: str
    colour: str
    layer: str = ""
    counts: Counts | None
    measured: bool = False
    cycles: int | None = None
    slowest: bool = False
    grid: tuple[int, int] | None = None  # PE, SIMD


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A stream from one block to another: words of `lanes` lanes of `lane_bits` bits."""

    giver: str
    taker: str
    lanes: int
    lane_bits: int

    @property
    def bits(self) -> int:
        return self.lanes * self.lane_bits


@dataclass(frozen=True, kw_only=True)
class BlockDiagram:
    """All blocks, in the order of a frame's way, and the streams between them. `interval` is that of the slowest."""

    blocks: tuple[DrawnBlock, ...]
    wires: tuple[Wire, ...]
    interval: int


def layout(design: Design, family: Family, measured: dict[str, Counts]) -> BlockDiagram:
    """The blocks of `design` on `family`; `measured` has what Yosys counted of some, by the names of their modules."""
    solution = solved(design.network, design.plan)
    graph = solution.graph
    work = {actor.name: actor.work for actor in timing(graph)[0].actors}
    layers = {entry.engine.name: entry.layer.name for entry in graph.layers}
    layers |= {entry.queue: entry.layer.name for entry in graph.layers if entry.queue is not None}
    blocks = [
        _block(stage, family, measured, work.get(stage.name), layers.get(stage.name, ""), solution.interval_cycles)
        for stage in graph.order
    ]
    shell = DrawnBlock(
        name="control",
        title="registers, control" if design.plan.registers else "control",
        colour="stream",
        counts=shell_counts(costs_of(family), registers=design.plan.registers, tags=graph.table_tags),
    )
    return BlockDiagram(blocks=(*blocks, shell), wires=_wires(graph, design), interval=solution.interval_cycles)


def _block(
    stage: Stage, family: Family, measured: dict[str, Counts], cycles: int | None, layer: str, interval: int
) -> DrawnBlock:
    title, colour = KINDS.get(type(stage).__name__, (type(stage).__name__.removesuffix("Stage").lower(), "stream"))
    grid = (stage.fold.pe, stage.fold.simd) if isinstance(stage, EngineStage) else None
    if cycles is None and isinstance(stage, EngineStage):
        cycles = stage.fold.frame_cycles  # it works while the queue or window in front of it sends
    return DrawnBlock(
        name=stage.name,
        title=title,
        colour=colour,
        layer=layer,
        counts=measured.get(stage.name) or _cost(stage, family),
        measured=stage.name in measured,
        cycles=cycles,
        slowest=cycles == interval,
        grid=grid,
    )


def _cost(stage: Stage, family: Family) -> Counts | None:
    try:
        return stage.cost(costs_of(family))
    except PlanError:
        return None  # of a hardwired engine


def _wires(graph: StageGraph, design: Design) -> tuple[Wire, ...]:
    """The streams; engines of scores give counts, as wide as the manifest's probes say."""
    probes = {probe.layer: probe for probe in design.manifest.probes}
    probed = {layer.engine.name: probes[layer.layer.name] for layer in graph.layers}
    counts = {layer.engine.name for layer in graph.layers if layer.layer.gives_scores}
    found = []
    for edge in graph.edges:
        stream, probe = edge.stream, probed.get(edge.giver)
        bits = stream.lane_bits if probe is None or edge.giver not in counts else probe.bits
        found.append(Wire(giver=edge.giver, taker=edge.taker, lanes=stream.lanes, lane_bits=bits))
    return tuple(found)

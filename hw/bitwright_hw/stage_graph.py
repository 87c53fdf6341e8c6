"""The graph of an accelerator's stages: what `lower` makes of a network and a plan, and `solve` gives its times."""

from dataclasses import dataclass, replace
from functools import cached_property

from bitwright_core.framing import InputFormat, OutputFormat
from bitwright_core.loading import LoadMemory
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.ops.operator import Lookup
from bitwright_core.plan import Plan, ceil_div
from bitwright_hw.families import Family, family_named
from bitwright_hw.input_bits import InputBits
from bitwright_hw.stages.bits import BitsStage
from bitwright_hw.stages.classes import ClassStage
from bitwright_hw.stages.engine import EngineStage
from bitwright_hw.stages.guard import GuardStage
from bitwright_hw.stages.stage import Stage

EndStage = BitsStage | ClassStage


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What passes on an edge: words of `lanes` lanes, `lane_bits` bits each, of units of `size` lanes.

    A unit is a pixel, `pixels` of them a frame, or a whole frame where `pixels` is None. A token is room for one unit.
    Where `apart` is given, words are frames, none of them broken, that nothing makes wait, so many cycles apart at
    least. Where `kept` is given, lanes are bits of the input that are kept for the first tables. `tables` are the
    layers of tables that it has passed last, first to last.
    """

    lanes: int
    lane_bits: int
    size: int
    pixels: int | None = None
    apart: int | None = None
    kept: InputBits | None = None
    tables: tuple[Lookup, ...] = ()

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return self.lanes * self.lane_bits

    @property
    def words(self) -> int:
        """Words of a unit; lanes of the last one that only pad are 0."""
        return ceil_div(self.size, self.lanes)


@dataclass(frozen=True, kw_only=True)
class StageEdge:
    """Words from stage `giver` to stage `taker`, and tokens the other way; `branch` of a giver with several takers."""

    giver: str
    taker: str
    stream: Stream
    branch: int = 0


@dataclass(frozen=True, kw_only=True)
class LayerStages:
    """A layer's engine, and the name of the queue or window in front of it; none behind a hardwired engine."""

    layer: MatrixLayer
    engine: EngineStage
    queue: str | None


@dataclass(frozen=True, kw_only=True)
class StageGraph:
    """Stages in the order of their modules, edges, and which stages are a layer's own."""

    network: Network
    plan: Plan
    input: InputFormat
    output: OutputFormat
    guard: GuardStage
    stages: tuple[Stage, ...]
    edges: tuple[StageEdge, ...]
    layers: tuple[LayerStages, ...]
    end: EndStage

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.stages):
            raise ValueError("two stages have one name")
        _ = self.order

    @cached_property
    def by_name(self) -> dict[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @cached_property
    def order(self) -> tuple[Stage, ...]:
        """The stages, each behind those that give it words. Raises ValueError for a circle."""
        found: dict[str, Stage] = {}
        left = list(self.stages)
        while left:
            ready = next((stage for stage in left if all(giver in found for giver in self.givers(stage))), None)
            if ready is None:
                raise ValueError(f"the stages {', '.join(stage.name for stage in left)} wait for each other's words")
            found[ready.name] = ready
            left.remove(ready)
        return tuple(found.values())

    def givers(self, stage: Stage) -> list[str]:
        """Names of those that give `stage` words, in the order of its inputs."""
        return [edge.giver for edge in self.inputs(stage)]

    def inputs(self, stage: Stage) -> list[StageEdge]:
        """The edges that lead to `stage`, in the order of its inputs."""
        return [edge for edge in self.edges if edge.taker == stage.name]

    @cached_property
    def family(self) -> Family:
        """The family that the plan's target names."""
        return family_named(self.plan.target)

    @cached_property
    def engines(self) -> tuple[EngineStage, ...]:
        """The engine of each layer."""
        return tuple(entry.engine for entry in self.layers)

    @cached_property
    def whole(self) -> tuple[Stage, ...]:
        """The stages that are a layer by themselves, a frame a cycle."""
        return tuple(stage for stage in self.stages if stage.computes)

    @cached_property
    def by_pixel(self) -> bool:
        """Whether frames come in pixels, so that a broken one is inside long before it is seen to be."""
        return any(edge.stream.pixels is not None for edge in self.edges)

    @cached_property
    def droppers(self) -> tuple[tuple[Stage, int], ...]:
        """The inputs of stages that take whole frames first on their way, which forget the broken ones."""
        found: list[tuple[Stage, int]] = []
        whole: dict[str, bool] = {}  # whether a stage gives no broken frames
        for stage in self.order:
            given = [whole[name] for name in self.givers(stage)]
            if stage.drops_frames:
                found += [(stage, k) for k, is_whole in enumerate(given) if not is_whole]
            whole[stage.name] = stage.drops_frames or (bool(given) and all(given))
        return tuple(found)

    @cached_property
    def loads(self) -> tuple[LoadMemory, ...]:
        """The memories that are loaded while it runs, in the order of a load."""
        return tuple(memory for stage in self.stages for memory in stage.loads)

    @cached_property
    def fill_cycles(self) -> int:
        """Cycles without a frame that follow a reset, or a change of banks, where weights are loaded."""
        return max(stage.fill_cycles for stage in self.stages) + 1

    @cached_property
    def frames_in_flight(self) -> int:
        """The most frames between the input's last beat and the output's last beat."""
        return sum(stage.frames for stage in self.stages)

    @property
    def table_tags(self) -> int | None:
        """The room for frames' tags where the network begins with tables; None where it does not."""
        return None if self.guard.plain is None else self.frames_in_flight

    @cached_property
    def frames_before_queues(self) -> int:
        """The most frames between the input's last beat and the first queue's last word."""
        return sum(stage.frames_ahead for stage in self.stages)

    def sized(self, capacities: dict[str, int]) -> "StageGraph":
        """The graph whose stages have so much room, by name."""
        end = self.end.roomed(capacities)
        found = {**{stage.name: stage.roomed(capacities) for stage in self.stages}, end.name: end}
        return replace(self, stages=tuple(found.values()), end=end)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A graph with all the room that it needs, its interval and its exact latency."""

    graph: StageGraph
    interval_cycles: int
    latency_cycles: int
    stream_cycles: int  # of the slowest stage that is no layer, where frames come by pixels; 0 where they do not

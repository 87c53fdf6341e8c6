"""The stage graph while it is put together: stages, edges, and which stage gives each value of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bitwright_hw.handlers import Step
from bitwright_hw.stage_graph import StageEdge, Stream
from bitwright_hw.stages.fork import ForkStage
from bitwright_hw.stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class ValueStage:
    """The stage that gives a value, and its words; `passes_words` if its taker may take them as they come."""

    stage: str
    stream: Stream
    passes_words: bool


@dataclass
class Wiring:
    """Collects stages in the order of their modules, and the edges between them."""

    takers: Mapping[str, int]  # how often each value is taken
    stages: list[Stage] = field(default_factory=list)
    edges: list[StageEdge] = field(default_factory=list)
    _sources: dict[str, ValueStage] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)  # how often so far

    def add(self, stage: Stage) -> Stage:
        """Adds a stage, with a number behind its name if there is one of that name."""
        names, name, number = {other.name for other in self.stages}, stage.name, 0
        while name in names:
            number += 1
            name = f"{stage.name}_{number}"
        self.stages.append(stage if name == stage.name else replace(stage, name=name))
        return self.stages[-1]

    def chain(self, steps: Sequence[Step], taken: Sequence[str] = ()) -> tuple[str, Stream]:
        """Adds stages, the first of which takes the values `taken`. The last one's name, and its stream."""
        before: tuple[str, Stream] | None = None
        for step in steps:
            stage = self.add(step.stage)
            if before is None:
                self.take(taken, stage.name)
            else:
                self.edges.append(StageEdge(giver=before[0], taker=stage.name, stream=before[1]))
            before = stage.name, step.gives
        assert before is not None
        return before

    def take(self, values: Sequence[str], taker: str) -> None:
        """Adds an edge from each of these values to a stage."""
        for value in values:
            source, branch = self._sources[value], self._taken.get(value, 0)
            self._taken[value] = branch + 1
            self.edges.append(StageEdge(giver=source.stage, taker=taker, stream=source.stream, branch=branch))

    def give(self, value: str, stage: str, stream: Stream, *, passes_words: bool = False) -> None:
        """Says which stage gives a value; behind it comes a fork if the value is taken several times."""
        count = self.takers.get(value, 1)
        if count > 1:
            fork = self.add(ForkStage(name="fork", branches=count))
            self.edges.append(StageEdge(giver=stage, taker=fork.name, stream=stream))
            stage, passes_words = fork.name, False
        self._sources[value] = ValueStage(stage=stage, stream=stream, passes_words=passes_words)

    def passes_words(self, value: str) -> bool:
        """Whether a value comes from a stage whose words may be taken as they come."""
        return value in self._sources and self._sources[value].passes_words

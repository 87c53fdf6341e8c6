"""What every stage is: its component, its times, its room and its cost; and what passes between two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import fifo, stream, wiring
from numpy.typing import NDArray

from bitwright_core.loading import LoadMemory
from bitwright_core.network import MatrixLayer
from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.marked_graph import Actor, Link, MarkedGraph
from bitwright_hw.memory_contents import Contents
from bitwright_hw.row_pool import RowPool

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Giver:
    """The hardware of an edge: a stage's words, the tokens that it takes for them, and whether it may be made wait.

    Tokens pass stages that have no room of their own, such as engines: the queue in front of them takes them.
    """

    valid: Value
    payload: Value
    grant: wiring.PureInterface
    ready: Value | None = None  # to be held high by a stage that never makes it wait
    branches: tuple[wiring.PureInterface, ...] = ()  # the tokens of each taker, where there are several

    def branch(self, k: int) -> "Giver":
        """What taker k gets of it."""
        return replace(self, grant=self.branches[k], branches=()) if self.branches else self


@dataclass(frozen=True)
class Verdict:
    """Where a stage that takes whole frames is told about a frame: `done` is high with the frame's last word, and
    `drop` says then whether to forget it."""

    done: Signal
    drop: Signal


@dataclass(frozen=True)
class WayOut:
    """What the last stage connects itself to: the output stream, the tags of the frames inside, one for each in order,
    a strobe for a result's last beat, and what loads its memories, if any."""

    o: stream.Interface
    tags: fifo.SyncFIFOBuffered
    finished: Signal
    load: wiring.PureInterface | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """The times of an edge: when the words of a frame come, by the firings of the actor that makes them.

    A frame has units, one for each pixel or one for all of it. Unit k takes its token with firing `takes[k]`, and its
    words come `after` cycles after firing `makes[k]` starts. `by_pixel` tells whether the firings stand for pixels;
    such words come up to `late` cycles later than the actor's pace says.
    """

    actor: str
    takes: Index
    makes: Index
    after: Index
    by_pixel: bool = False
    late: int = 0

    @property
    def count(self) -> int:
        """Words of a frame."""
        return len(self.makes) * len(self.after)

    def later(self, cycles: int) -> "Words":
        return replace(self, after=self.after + cycles)

    def whole(self) -> "Words":
        """These words with one unit for all of a frame; only the last word's time is kept."""
        return replace(self, takes=self.takes[:1], makes=self.makes[-1:], after=self.after[-1:])


@dataclass
class Timing:
    """Collects the actors and links of a graph's stages."""

    actors: list[Actor] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def graph(self) -> MarkedGraph:
        return MarkedGraph(actors=tuple(self.actors), links=tuple(self.links))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage named `name`, as the module that it becomes in the accelerator's core."""

    name: str

    def component(self, rows: RowPool) -> wiring.Component | None:
        """The stage's hardware; None if it is a few gates between its neighbours. `rows` keeps the rows of engines."""
        return None

    @property
    def preparation(self) -> str:
        """What `prepare` does, for a report; empty if it does nothing."""
        return ""

    def prepare(self, unit: wiring.Component | None) -> None:
        """Does beforehand what takes `unit`, its component, long to elaborate."""

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        """Connects `unit`, its component, to those that give it words. What it gives itself."""
        raise NotImplementedError

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        """Adds its actors and links to `timing`; when its words come, for the words that it gets."""
        raise NotImplementedError

    def sized(self, capacity: int) -> Self:
        """The stage with room for so many units, pixels or frames, in front of it."""
        return self

    def roomed(self, capacities: Mapping[str, int]) -> Self:
        """The stage with the room that its links have, by their names."""
        return self.sized(capacities[self.name]) if self.name in capacities else self

    def expected(self, filled: int, interval: int) -> Self:
        """The stage with the room that it is likely to need, for a search that does not solve each graph: at this
        interval, for a frame whose last word comes `filled` cycles after its token."""
        return self

    def cost(self, costs: Costs) -> Counts:
        """The LUTs, flip-flops and blocks that it takes, by the constants `costs` of a family."""
        raise NotImplementedError

    @property
    def loads(self) -> tuple[LoadMemory, ...]:
        """The memories that are loaded while it runs."""
        return ()

    def load_contents(self, layer: MatrixLayer) -> list[Contents]:
        """What these memories hold to compute `layer`, in the place of the stage's own."""
        return []

    def load_port(self, unit: wiring.Component | None) -> wiring.PureInterface:
        """Where its component, `unit`, takes what is loaded."""
        raise NotImplementedError

    @property
    def fill_cycles(self) -> int:
        """Cycles without a frame that it needs after a reset, or a change of banks."""
        return 0

    @property
    def computes(self) -> str:
        """The layer that it is by itself, whose values its component shows; empty if it is none."""
        return ""

    @property
    def shown_bits(self) -> int:
        """Bits of each number that its component shows."""
        return 1

    @property
    def delay(self) -> int:
        """Cycles that words are on their way through it, if it passes them on."""
        return 0

    @property
    def keeps(self) -> bool:
        """Whether it has room for pixels of its own, so that the stage in front does not wait for those behind."""
        return False

    @property
    def frames_ahead(self) -> int:
        """The most frames that lie in it after their last beat has passed the guard, if no queue has taken them yet."""
        return 0

    @property
    def frames(self) -> int:
        """The most frames that lie in it once a queue has taken them."""
        return 0

    @property
    def drops_frames(self) -> bool:
        """Whether it takes whole frames, of which it can forget the broken ones: the first such stage has to."""
        return False

    def verdict(self, unit: wiring.Component | None, k: int) -> Verdict:
        """Where its component, `unit`, asks whether to drop a frame of its input k."""
        raise NotImplementedError


def feed(m: Module, giver: Giver, sink: wiring.PureInterface, space: wiring.PureInterface) -> None:
    """Words from `giver` to `sink`, and tokens of `space` the other way."""
    m.d.comb += [sink.valid.eq(giver.valid), sink.payload.eq(giver.payload)]
    wiring.connect(m, giver.grant, space)

"""Frames of one word, for stages that take all of a frame at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_collector import FrameCollector
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Verdict, Words, feed

LONGEST = 128  # cycles, more than words are on their way from where their token is taken


@dataclass(frozen=True, kw_only=True)
class CollectStage(Stage):
    """Gives the words of a frame as one, the cycle after the last. It has no room, so tokens pass it. The arguments of
    FrameCollector."""

    in_width: int
    bits: int
    ahead: int

    def component(self, rows: RowPool) -> FrameCollector:
        return FrameCollector(in_width=self.in_width, bits=self.bits, ahead=self.ahead)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, FrameCollector)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0].whole().later(FrameCollector.LATENCY)

    def cost(self, costs: Costs) -> Counts:
        words = ceil_div(self.bits, self.in_width)
        word, ahead, front = counter_bits(words), self.ahead.bit_length(), costs.front
        luts = front.collector + front.word * word + front.ahead * ahead + (front.wide if word > 6 else 0)
        return Counts(luts=round(luts), ffs=words * self.in_width + word + 2 * ahead + 1)

    @property
    def frames(self) -> int:
        return 1

    @property
    def drops_frames(self) -> bool:
        return True

    def verdict(self, unit: wiring.Component | None, k: int = 0) -> Verdict:
        assert isinstance(unit, FrameCollector)
        return Verdict(unit.done, unit.drop)


def frames_ahead(words: int) -> int:
    """How many frames of so many words may have their token and not all of their words, so that none waits for
    another: those that are on their way in `LONGEST` cycles, and the two at its ends."""
    return 2 + ceil_div(LONGEST, words)

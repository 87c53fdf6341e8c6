"""The class of each pixel, or of a flat frame, as a value that other stages take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.pixel_class import PixelClass, PixelClassParams
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words


@dataclass(frozen=True, kw_only=True)
class ArgMaxStage(Stage):
    """Gives a word for all words of each pixel; tokens pass it."""

    params: PixelClassParams

    def component(self, rows: RowPool) -> PixelClass:
        return PixelClass(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, PixelClass)
        (giver,) = givers
        m.d.comb += [unit.i.valid.eq(giver.valid), unit.i.payload.eq(giver.payload)]
        return Giver(unit.o.valid, unit.o.payload, giver.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        (pixels,) = words
        return replace(pixels, after=pixels.after[self.params.words - 1 :: self.params.words] + self.delay)

    @property
    def delay(self) -> int:
        return self.params.latency

    def cost(self, costs: Costs) -> Counts:
        """A comparison and a choice for each lane, and for the best one so far."""
        p = self.params
        size = p.scores.score_bits
        luts = costs.scores.logic * 1.5 * size * p.lanes
        ffs = 2 * p.lanes * (size + counter_bits(p.lanes)) + size + p.class_bits + counter_bits(p.words)
        return Counts(luts=round(luts) + counter_bits(p.words), ffs=ffs)

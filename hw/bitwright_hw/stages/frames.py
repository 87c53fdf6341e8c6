"""From pixels to frames: what lies between the last convolution and the first queue."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.gearbox import Gearbox, gearbox_times
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words
from bitwright_hw.tokens import FrameTokens


@dataclass(frozen=True, kw_only=True)
class FrameTokensStage(Stage):
    """Takes a frame's token together with the token of the first of its `pixels` pixels. Words pass unchanged."""

    pixels: int

    def component(self, rows: RowPool) -> FrameTokens:
        return FrameTokens(pixels=self.pixels)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, FrameTokens)
        (giver,) = givers
        wiring.connect(m, giver.grant, unit.space)
        return Giver(giver.valid, giver.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0]

    def cost(self, costs: Costs) -> Counts:
        """Nothing: the model leaves its counter out."""
        return Counts()


@dataclass(frozen=True, kw_only=True)
class RepackStage(Stage):
    """Puts the words of each pixel, `narrow` bits each, into one of `wide` bits, where the last is not full."""

    narrow: int
    wide: int

    def component(self, rows: RowPool) -> Gearbox:
        return Gearbox(in_width=self.narrow, out_width=self.wide, bits=self.wide, reader_waits=False)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, Gearbox)
        (giver,) = givers
        m.d.comb += [unit.i.valid.eq(giver.valid), unit.i.payload.eq(giver.payload), unit.o.ready.eq(1)]
        return Giver(unit.o.valid, unit.o.payload, giver.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        after = gearbox_times(words[0].after.tolist(), self.narrow, self.wide, self.wide)
        return replace(words[0], after=np.array(after, np.int64))

    def cost(self, costs: Costs) -> Counts:
        """Nothing: the model leaves it out."""
        return Counts()

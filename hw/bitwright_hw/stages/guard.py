"""The guard: the beats of the input stream, as whole frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.framing import InputFormat
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_guard import FrameGuard, UnmaskedGuard
from bitwright_hw.marked_graph import Actor
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words

FRAMES_AHEAD = 4  # that can lie between the guard and the last word in the first queue, where tokens are for frames


@dataclass(frozen=True, kw_only=True)
class GuardStage(Stage):
    """Takes a token for a beat (`by_beat`) or for a frame, and sends its beats from the next cycle on.

    In front of tables, `plain` bits of a beat are kept as they are; what makes padding 0 is left out (`masks`) where no
    table would see it, and costs comparisons an input (LaneCosts). `registers` tells whether the plan has them.
    """

    format: InputFormat
    by_beat: bool
    plain: int | None = None
    masks: bool = True
    registers: bool = True

    def component(self, rows: RowPool) -> FrameGuard:
        guard = FrameGuard if self.masks else UnmaskedGuard
        return guard(format=self.format, token_beats=1 if self.by_beat else None)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, FrameGuard)
        return Giver(unit.o.valid, unit.o.payload, unit.space)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        beats = self.format.beats
        units = beats if self.by_beat else 1
        timing.actors.append(Actor(name=self.name, firings=units, cycles=beats // units, earliest=-1))
        every = np.arange(units, dtype=np.int64)
        return Words(actor=self.name, takes=every, makes=every, after=np.arange(1, beats // units + 1, dtype=np.int64))

    def cost(self, costs: Costs) -> Counts:
        """Its control, and what makes the plain bits 0 in frames that ended early, as those of several beats can."""
        format = self.format
        ffs = 4 + counter_bits(format.beats)
        if self.plain is None:
            return Counts(luts=costs.guard + format.data_bits, ffs=ffs)
        front, keep = costs.front, format.data_bits // 8 - 1
        luts = front.guard + front.keep * keep + front.padding * (format.stride - format.bytes)
        if self.registers:
            luts += front.registers + front.registers_keep * keep
        masks = costs.masks(self.plain) if format.beats > 1 else 0
        return Counts(luts=round(luts) + masks, ffs=ffs)

    @property
    def frames_ahead(self) -> int:
        return 0 if self.by_beat else FRAMES_AHEAD

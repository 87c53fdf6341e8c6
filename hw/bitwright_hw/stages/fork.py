"""Where a value is taken several times."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.fork import Fork
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words


@dataclass(frozen=True, kw_only=True)
class ForkStage(Stage):
    """Gives its words to each branch; takes a token of all of them at once."""

    branches: int

    def component(self, rows: RowPool) -> Fork:
        return Fork(branches=self.branches)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, Fork)
        (giver,) = givers
        wiring.connect(m, giver.grant, unit.space)
        return Giver(giver.valid, giver.payload, unit.grants[0], branches=tuple(unit.grants))

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0]

    def cost(self, costs: Costs) -> Counts:
        """The tokens of each branch."""
        return Counts(luts=self.branches)

"""Layers of lookup tables, and the sums that such networks end with."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import GroupSum, Luts
from bitwright_core.ops.operator import Lookup
from bitwright_hw.cells import Counts
from bitwright_hw.comparing_neurons import ComparingNeurons
from bitwright_hw.families import Family
from bitwright_hw.families.costs import Costs
from bitwright_hw.group_sums import GroupSums, count_bits
from bitwright_hw.input_bits import InputBits
from bitwright_hw.luts import LutNeurons, Neuron, behind, neurons
from bitwright_hw.row_pool import RowPool
from bitwright_hw.scores import ScoreParams
from bitwright_hw.stages.engine import give_words, results
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words
from bitwright_hw.table_costs import table_luts


@dataclass(frozen=True, kw_only=True)
class LutsStage(Stage):
    """Takes each frame as one word, and gives the bits of its neurons as one word a cycle later. Tokens pass it.

    With `kept`, the word has bits of the input's values, which are compared here. `before` are the layers of tables
    directly in front, first to last: synthesis sees what never changes in them.
    """

    layer: Luts
    kept: InputBits | None = None
    before: tuple[Lookup, ...] = ()

    @property
    def computes(self) -> str:
        return self.layer.name

    def component(self, rows: RowPool) -> LutNeurons | ComparingNeurons:
        if self.kept is None:
            return LutNeurons(layer=self.layer)
        return ComparingNeurons(inputs=self.kept.bits, compared=self.kept.compared, neurons=self.kept.neurons)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, LutNeurons | ComparingNeurons)
        give_words(m, givers[0], unit.i)
        return results(unit.o.valid, None, unit.o.payload, givers[0])

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0].later(self.delay)

    @property
    def delay(self) -> int:
        return LutNeurons.LATENCY

    def cost(self, costs: Costs) -> Counts:
        """The distinct tables, and the comparisons in front of them."""
        if self.kept is not None:
            return self.kept.tables_cost(costs)
        rows: tuple[Neuron, ...] = ()
        for layer in (*self.before, self.layer):
            rows = behind(neurons(layer), rows) if rows else neurons(layer)
        return Counts(luts=table_luts(rows, costs), ffs=len(set(rows)) + 1)

    @property
    def frames(self) -> int:
        return 1


@dataclass(frozen=True, kw_only=True)
class GroupSumStage(Stage):
    """Takes a frame's bits in a word, and gives how many of each group are 1. Tokens pass it."""

    layer: GroupSum
    target: Family
    stages: int

    @property
    def computes(self) -> str:
        return self.layer.name

    @property
    def shown_bits(self) -> int:
        return count_bits(self.layer.groups)

    def component(self, rows: RowPool) -> GroupSums:
        return GroupSums(groups=self.layer.groups, target=self.target, stages=self.stages)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, GroupSums)
        give_words(m, givers[0], unit.i)
        return results(unit.o.valid, None, unit.o.payload, givers[0])

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0].later(self.delay)

    @property
    def delay(self) -> int:
        """Cycles from a frame's bits to its counts."""
        return self.stages + 1

    def cost(self, costs: Costs) -> Counts:
        """Exact where the family's sums are cells, whatever is constant among their inputs; else linear in these."""
        exact = self.target.sums.ones_luts if self.target.costs is costs else None
        luts = sum(
            round(costs.ones.at(size)) if exact is None else exact(size, self.stages) for size in self.layer.groups
        )
        return Counts(luts=luts, ffs=sum(size.bit_length() for size in self.layer.groups) + self.delay)

    @property
    def frames(self) -> int:
        return 1


def group_score_params(layer: GroupSum, spacing: int) -> ScoreParams:
    """The scores of frames that come at least `spacing` cycles apart: the counts themselves."""
    classes = layer.outputs
    return ScoreParams(
        pe=classes,
        bits=count_bits(layer.groups),
        spacing=spacing,
        inputs=max(layer.groups),
        scale=(1,) * classes,
        offset=(0,) * classes,
    )

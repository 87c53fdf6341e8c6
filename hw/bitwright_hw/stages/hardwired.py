"""A hardwired engine: a layer's rows and lanes, all at a time, with its weights in the logic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.errors import PlanError
from bitwright_hw.cells import Counts
from bitwright_hw.constant_bits import Known
from bitwright_hw.families.costs import Costs
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.engine import EngineStage, give_words, results
from bitwright_hw.stages.stage import Giver


@dataclass(frozen=True, kw_only=True)
class HardwiredStage(EngineStage):
    """Takes a frame (of a convolution, a window) a word and gives all its activations, or counts of a layer of scores.

    `known` has the value of each input that never changes, as in HardwiredEngine.
    """

    known: Known

    @property
    def latency(self) -> int:
        """Cycles from a frame's word to its results."""
        return HardwiredEngine.latency_of(self.pipeline, self.layer, self.fold)

    @property
    def joins(self) -> bool:
        """Whether it takes the words of another such engine as they come, without a queue: not windows."""
        return self.layer.windows is None

    @property
    def weights_in(self) -> Literal["logic"]:
        """Where the weights lie."""
        return "logic"

    def component(self, rows: RowPool) -> HardwiredEngine:
        return HardwiredEngine(layer=self.layer, family=self.family, stages=self.pipeline.stages, known=self.known)

    @property
    def preparation(self) -> str:
        return f"share the sums of {self.layer.name}"

    def prepare(self, unit: wiring.Component | None) -> None:
        assert isinstance(unit, HardwiredEngine)
        _ = unit.neurons.sums

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, HardwiredEngine)
        give_words(m, givers[0], unit.i)
        activations = unit.activations if unit.biased else None
        valid = unit.o.valid if unit.levels is None else unit.given
        return results(valid, activations, unit.o.payload.as_value(), givers[0])

    def cost(self, costs: Costs) -> Counts:
        """Raises PlanError: the LUTs of a hardwired layer depend on its weights, so only synthesis can count them."""
        raise PlanError(
            f"layer {self.layer.name} is hardwired, and its LUTs depend on its weights; count them with synth"
        )

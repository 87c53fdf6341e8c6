"""The hardwired engine: a layer, all rows and lanes at a time, with its weights in the logic."""

from collections.abc import Callable
from dataclasses import dataclass

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan, Planes, ceil_div
from bitwright_hw.constant_bits import Known
from bitwright_hw.families import family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.stages.hardwired import HardwiredStage
from bitwright_hw.timing import Pipeline, engine_pipeline, pipeline_for


@dataclass(frozen=True)
class Hardwired:
    """Makes weights constants. A dense layer behind another such one needs no queue between."""

    name: str = "hardwired"
    uses_known: bool = True

    def stage(
        self, name: str, layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan, known: Known
    ) -> HardwiredStage:
        return HardwiredStage(
            name=name,
            layer=layer,
            fold=fold,
            family=family_named(plan.target),
            pipeline=self._pipeline(layer, fold, choice, plan),
            known=known,
        )

    @staticmethod
    def _pipeline(layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan) -> Pipeline:
        """The registers of its sums, as those of a popcount of as many bits as a row adds at the most."""
        if layer.counts_bits:
            return engine_pipeline(fold, choice, plan)
        lanes = layer.inputs * layer.takes.bits * ceil_div(layer.weight_type.bits, 2)
        return pipeline_for(lanes, plan.clock_mhz, family_named(plan.target), block_ram=False)

    def choices(
        self,
        layer: MatrixLayer,
        options: Plan,
        *,
        costs: Costs,
        scored: bool,
        planes: Planes = "parallel",
        done: Callable[[int, int], None],
    ) -> None:
        """None: a hardwired layer's LUTs depend on its weights."""


HARDWIRED = Hardwired()

"""The hardwired engine: a dense layer on bits, all rows and lanes at a time, with its weights in the logic."""

from collections.abc import Callable
from dataclasses import dataclass

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.constant_bits import Known
from bitwright_hw.families import family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.stages.hardwired import HardwiredStage
from bitwright_hw.timing import engine_pipeline


@dataclass(frozen=True)
class Hardwired:
    """Takes dense layers on bits, whose weights become constants; one behind another needs no queue between."""

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
            pipeline=engine_pipeline(fold, choice, plan),
            known=known,
        )

    def choices(
        self, layer: MatrixLayer, options: Plan, *, costs: Costs, scored: bool, done: Callable[[int, int], None]
    ) -> None:
        """None: a hardwired layer's LUTs depend on its weights."""


HARDWIRED = Hardwired()

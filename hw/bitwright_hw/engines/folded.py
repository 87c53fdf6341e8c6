"""The folded engine: any layer, some of its rows and lanes at a time, with the weights in a memory."""

from collections.abc import Callable
from dataclasses import dataclass

from bitwright_core.errors import PlanError
from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan, Planes
from bitwright_hw.constant_bits import Known
from bitwright_hw.engines.folded_choices import LayerChoices
from bitwright_hw.families import FAMILIES, family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.stages.matrix import MatrixStage
from bitwright_hw.timing import engine_pipeline


def folded_stage(name: str, layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan) -> MatrixStage:
    """The stage of `layer`, folded so, with registers for the plan's clock. Raises PlanError for UltraRAM in a family
    that has none."""
    family = family_named(plan.target)
    if choice.memory == "ultra" and family.ultra is None:
        able = " or ".join(one.name for one in FAMILIES if one.ultra is not None)
        raise PlanError(
            f"layer {layer.name}: target {family.name} has no UltraRAM; choose target {able}, or another memory"
        )
    return MatrixStage(
        name=name,
        layer=layer,
        fold=fold,
        memory=choice.memory,
        family=family,
        pipeline=engine_pipeline(fold, choice, plan, layer),
    )


@dataclass(frozen=True)
class Folded:
    """Takes every layer, with any PE and SIMD."""

    name: str = "folded"
    uses_known: bool = False

    def stage(
        self, name: str, layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan, known: Known
    ) -> MatrixStage:
        return folded_stage(name, layer, fold, choice, plan)

    def choices(
        self,
        layer: MatrixLayer,
        options: Plan,
        *,
        costs: Costs,
        scored: bool,
        planes: Planes = "parallel",
        done: Callable[[int, int], None],
    ) -> LayerChoices:
        return LayerChoices(layer, options, costs=costs, scored=scored, planes=planes, done=done)


FOLDED = Folded()

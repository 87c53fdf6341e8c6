"""What an engine is asked for."""

from collections.abc import Callable
from typing import Protocol

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan, Planes
from bitwright_hw.constant_bits import Known
from bitwright_hw.engines.folded_choices import LayerChoices
from bitwright_hw.families.costs import Costs
from bitwright_hw.stages.engine import EngineStage


class Engine(Protocol):
    """A way to compute a layer with weights. Which layers it takes, and why not others, is in
    `bitwright_core.engine_rules`, by its name."""

    @property
    def name(self) -> str:
        """The engine's name in plans."""

    @property
    def uses_known(self) -> bool:
        """Whether it saves logic where inputs never change."""

    def stage(
        self, name: str, layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan, known: Known
    ) -> EngineStage:
        """The stage, called `name`, of a layer that `Plan.check` has let pass, folded so.

        `known` has the value of each input that never changes, or is empty if the engine does not use it.
        """

    def choices(
        self,
        layer: MatrixLayer,
        options: Plan,
        *,
        costs: Costs,
        scored: bool,
        planes: Planes = "parallel",
        done: Callable[[int, int], None],
    ) -> LayerChoices | None:
        """The folds of `layer` among which sizing chooses for an interval; None if nobody knows before synthesis what
        they take. `scored`, `planes` and `done` as for LayerChoices."""

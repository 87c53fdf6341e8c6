"""What an engine is asked for."""

from typing import Protocol

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.constant_bits import Known
from bitwright_hw.stage_graph import EngineStage


class Engine(Protocol):
    """A way to compute a layer with weights."""

    @property
    def name(self) -> str:
        """As plans name it."""

    @property
    def uses_known(self) -> bool:
        """Whether it makes something of inputs that never change."""

    def stage(
        self, name: str, layer: MatrixLayer, fold: Fold, choice: LayerPlan, plan: Plan, known: Known
    ) -> EngineStage:
        """The stage, called `name`, of a layer that `Plan.check` has let pass, folded so.

        `known` has the value of each input that never changes, or is empty if the engine does not use it.
        """

"""The parts of a Plan: what users need of bitwright_core.plan."""

from bitwright_core.plan import (
    Fold,
    LayerPlan,
    Plan,
    default_plan,
    folds,
    hardwired,
    with_folds,
    with_loadable,
    with_ultra,
)

__all__ = [
    "Fold",
    "LayerPlan",
    "Plan",
    "default_plan",
    "folds",
    "hardwired",
    "with_folds",
    "with_loadable",
    "with_ultra",
]

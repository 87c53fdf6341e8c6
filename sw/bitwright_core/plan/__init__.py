"""The Plan, and the folds that follow from it."""

from bitwright_core.plan.changes import hardwired, with_folds, with_loadable, with_planes, with_ultra
from bitwright_core.plan.fold import Fold, LoadableFold, ceil_div, fold_of, folds
from bitwright_core.plan.folding import default_plan, distinct_folds, planes_of, row_choices, smallest_fold
from bitwright_core.plan.plan import DATA_BITS, Comparators, Engine, LayerPlan, Memory, Plan, Planes

__all__ = [
    "DATA_BITS",
    "Comparators",
    "Engine",
    "Fold",
    "LayerPlan",
    "LoadableFold",
    "Memory",
    "Plan",
    "Planes",
    "ceil_div",
    "default_plan",
    "distinct_folds",
    "fold_of",
    "folds",
    "hardwired",
    "planes_of",
    "row_choices",
    "smallest_fold",
    "with_folds",
    "with_loadable",
    "with_planes",
    "with_ultra",
]

"""Engines: ways to compute a layer with weights, one module each. A plan names one for each layer.

An engine makes the stage of a layer, folded as the plan says, and knows among which folds sizing chooses.
"""

from bitwright_hw.engines.engine import Engine
from bitwright_hw.engines.folded import FOLDED
from bitwright_hw.engines.hardwired import HARDWIRED

ENGINES: tuple[Engine, ...] = (FOLDED, HARDWIRED)


def engine_named(name: str) -> Engine:
    """The engine of this name. Raises KeyError if there is none."""
    return {engine.name: engine for engine in ENGINES}[name]

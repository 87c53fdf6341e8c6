"""What is loaded into a folded engine: the memories of its weights and thresholds, and the words for a layer."""

from dataclasses import dataclass

import numpy as np

from bitwright_core.loading import LoadMemory
from bitwright_core.network import Scores
from bitwright_core.plan import Fold
from bitwright_hw.engine_numbers import (
    Matrix,
    accumulator_bits,
    given_preloads,
    preload_count,
    preload_values,
    weight_rows,
    weight_width,
)
from bitwright_hw.families import Family
from bitwright_hw.memory_contents import Contents
from bitwright_hw.preloads import preload_contents, preload_sizes


@dataclass(frozen=True, kw_only=True)
class EngineLoads:
    """The memories of an engine of `layer`, folded so: weights, and thresholds unless it gives scores."""

    layer: Matrix
    fold: Fold
    family: Family

    @property
    def biased(self) -> bool:
        """Whether there are thresholds."""
        return not isinstance(self.layer.output, Scores)

    @property
    def bits(self) -> int:
        """Bits of an accumulator, and of what it starts from."""
        return accumulator_bits(self.layer, self.fold)

    @property
    def memories(self) -> tuple[LoadMemory, ...]:
        layer, fold = self.layer, self.fold
        weights = LoadMemory(layer=layer.name, part="weights", width=weight_width(layer, fold), depth=fold.cycles)
        if not self.biased:
            return (weights,)
        rows, steps = preload_sizes(fold.pe, fold.synapse_folds)
        depth = steps * preload_count(layer, fold, self.bits)
        return weights, LoadMemory(layer=layer.name, part="thresholds", width=rows * self.bits, depth=depth)

    def contents(self, layer: Matrix) -> list[Contents]:
        """The words of the memories for `layer`, which is of the engine's shape."""
        weights = Contents(bits=weight_rows(layer, self.fold) ^ np.uint8(self.family.rows.inverted_weights))
        if not self.biased:
            return [weights]
        values = given_preloads(preload_values(layer, self.fold, self.bits), self.family.rows.inverted_preload)
        return [weights, preload_contents(values, self.bits, self.fold.synapse_folds)]

    @property
    def fill_cycles(self) -> int:
        """Cycles without a word that the engine needs after a reset, or a change of banks: its first thresholds come
        of their memory."""
        return preload_sizes(self.fold.pe, self.fold.synapse_folds)[1] + 2 if self.biased else 0

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
    level_numbers,
    plane_order,
    preload_count,
    preload_values,
    products_of,
    starts_loaded,
    weight_rows,
    weight_width,
)
from bitwright_hw.families import Family
from bitwright_hw.levels import level_steps, level_units
from bitwright_hw.memory_contents import Contents
from bitwright_hw.preloads import preload_contents, preload_sizes


@dataclass(frozen=True, kw_only=True)
class EngineLoads:
    """The memories of an engine of `layer`, folded so: weights; what accumulators begin with, where
    thresholds or weights decide it; and the levels that are compared behind them."""

    layer: Matrix
    fold: Fold
    family: Family

    @property
    def inverted(self) -> tuple[bool, bool]:
        """Whether rows take weights, and what they begin with, complemented (see AccumulateRow)."""
        layer, rows = self.layer, self.family.rows
        if not layer.counts_bits and products_of(layer) is None and plane_order(layer, self.fold) is None:
            return False, False  # an IntegerRow
        return layer.weight_type.xnor and rows.inverted_weights, rows.inverted_preload

    @property
    def bits(self) -> int:
        """Bits of an accumulator, and of what it starts from."""
        return accumulator_bits(self.layer, self.fold)

    @property
    def _levels(self) -> int:
        """Levels that are compared behind the accumulators."""
        return 0 if level_numbers(self.layer, self.fold) is None else self.layer.output.levels - 1

    @property
    def memories(self) -> tuple[LoadMemory, ...]:
        layer, fold = self.layer, self.fold
        name, width = layer.name, weight_width(layer, fold)
        found = [LoadMemory(layer=name, part="weights", width=width, depth=fold.weight_words)]
        if starts_loaded(layer, fold):
            rows, steps = preload_sizes(fold.pe, fold.synapse_folds)
            depth = steps * preload_count(layer, fold, self.bits)
            part = "starts" if isinstance(layer.output, Scores) else "thresholds"
            found.append(LoadMemory(layer=name, part=part, width=rows * self.bits, depth=depth))
        if self._levels:
            width = level_units(fold.pe, fold.pass_words) * self._levels * self.bits
            depth = level_steps(fold.pe, fold.pass_words) * fold.neuron_folds * len(layer.engine_levels)
            found.append(LoadMemory(layer=name, part="levels", width=width, depth=depth))
        return tuple(found)

    def contents(self, layer: Matrix) -> list[Contents]:
        """The words of the memories for `layer`, which is of the engine's shape."""
        fold = self.fold
        weights, starts = self.inverted
        found = [Contents(bits=weight_rows(layer, fold) ^ np.uint8(weights))]
        if starts_loaded(layer, fold):
            values = given_preloads(preload_values(layer, fold, self.bits), starts)
            found.append(preload_contents(values, self.bits, fold.synapse_folds))
        if self._levels:
            numbers = level_numbers(layer, fold)
            assert numbers is not None
            found.append(preload_contents(numbers.words, self.bits, 1))
        return found

    @property
    def fill_cycles(self) -> int:
        """Cycles without a word that the engine needs after a reset, or a change of banks: its first thresholds come
        of their memory."""
        if not starts_loaded(self.layer, self.fold):
            return 0
        return preload_sizes(self.fold.pe, self.fold.synapse_folds)[1] + 2

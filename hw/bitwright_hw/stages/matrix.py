"""A folded engine: a layer's rows and lanes, some at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.loading import LoadMemory
from bitwright_core.network import MatrixLayer, Scores
from bitwright_core.plan import Fold, Memory, ceil_div
from bitwright_hw.banked_memory import banked_counts
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.engine import MatrixEngine
from bitwright_hw.engine_loads import EngineLoads
from bitwright_hw.engine_numbers import (
    level_numbers,
    plane_order,
    preload_borders,
    preload_count,
    products_of,
    starts_loaded,
    weight_rows,
    weight_width,
)
from bitwright_hw.families.costs import Costs
from bitwright_hw.integer_row import integer_term_counts
from bitwright_hw.layer_rows import layer_row_luts
from bitwright_hw.memory_contents import Contents
from bitwright_hw.memory_places import Place
from bitwright_hw.plane_counter import plane_counts
from bitwright_hw.rom import NARROW_WORDS, rom_place
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.engine import EngineStage, give_words, results
from bitwright_hw.stages.stage import Giver


@dataclass(frozen=True, kw_only=True)
class MatrixStage(EngineStage):
    """Takes words as they come, and gives PE activations, or counts of a layer of scores, after each pass."""

    memory: Memory

    @property
    def latency(self) -> int:
        """Cycles from a pass's last word to its results."""
        return MatrixEngine.latency_of(self.pipeline, self.layer, self.fold)

    @property
    def weights_in(self) -> Place:
        """The memory in which the weights lie."""
        return rom_place(self.memory, self.fold.weight_words)

    def component(self, rows: RowPool) -> MatrixEngine:
        return MatrixEngine(
            layer=self.layer,
            fold=self.fold,
            memory=self.memory,
            family=self.family,
            rows=rows,
            stages=self.pipeline.stages,
            read_latency=self.pipeline.read_latency,
        )

    @property
    def _loaded(self) -> EngineLoads:
        return EngineLoads(layer=self.layer, fold=self.fold, family=self.family)

    @property
    def loads(self) -> tuple[LoadMemory, ...]:
        return self._loaded.memories if self.fold.loadable else ()

    def load_contents(self, layer: MatrixLayer) -> list[Contents]:
        return self._loaded.contents(layer)

    def load_port(self, unit: wiring.Component | None) -> wiring.PureInterface:
        assert isinstance(unit, MatrixEngine)
        return unit.load

    @property
    def fill_cycles(self) -> int:
        return self._loaded.fill_cycles if self.fold.loadable else 0

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, MatrixEngine)
        give_words(m, givers[0], unit.i)
        activations = unit.activations if unit.biased else None
        valid = unit.o.valid if unit.levels is None else unit.given
        return results(valid, activations, unit.o.payload.as_value(), givers[0])

    def cost(self, costs: Costs, *, exact: bool = True) -> Counts:
        """Unless `exact`, weights in LUTs count for every lane, equal ones and constant ones too."""
        layer, fold, stages = self.layer, self.fold, self.pipeline.stages
        bits = self.bits
        single = fold.pass_words == 1
        values = preload_count(layer, fold, bits)
        row = layer_row_luts(layer, fold, bits=bits, family=self.family, costs=costs, stages=stages)
        loaded = starts_loaded(layer, fold)
        if values == 1 and not stages and not loaded:
            row -= bits  # a constant preload is blanked for nothing
        order, levels = plane_order(layer, fold), level_numbers(layer, fold)
        products = products_of(layer) if order is None else None
        kept = bits * (0 if single else 1) + (bits if isinstance(layer.output, Scores) or levels else 1)
        row_ffs = kept + (bits if stages and values > 1 else 0)
        tree_ffs = round(costs.tree_ffs * fold.lanes * stages * (len(products.every) if products else 1))
        word = fold.word_lanes * (products.takes.bits if products else 1)
        # words and weights wait a cycle more
        again = (self.pipeline.read_latency - 1) * (word + weight_width(layer, fold))
        counter = counter_bits(fold.cycles) + counter_bits(fold.synapse_folds)
        total = Counts(
            luts=fold.pe * row + max(1, round(costs.engine_control.at(counter))),
            ffs=fold.pe * row_ffs + tree_ffs + counter + again + word + 3 * self.latency,
        )
        if order is not None:
            total += plane_counts(order, fold, costs)
        elif not layer.counts_bits and products is None:
            total += integer_term_counts(fold.pe, fold.simd, layer.takes.bits, fold.groups_at_once)
        if levels is not None:
            total += levels.counts(costs)
        if fold.weight_words > 1 or fold.loadable:
            total += self._weights(costs, exact=exact)
        return total + self._preloads(costs, values, bits) if values > 1 or loaded else total

    def _weights(self, costs: Costs, *, exact: bool) -> Counts:
        """The weight memory."""
        fold = self.fold
        width, depth = weight_width(self.layer, fold), fold.weight_words
        if fold.loadable:
            return banked_counts(width, depth, self.weights_in, costs)
        if self.weights_in == "block":
            return Counts(block_rams=costs.block_rams(width, depth))
        columns = _distinct_columns(self.layer, fold) if exact else min(width, 1 << min(32, depth))
        made = self.family.lut_roms
        luts = costs.rom(columns, depth) if made is None else made.luts(depth, columns)
        return Counts(luts=luts, ffs=columns)

    def _preloads(self, costs: Costs, values: int, bits: int) -> Counts:
        """What the accumulators start from, so many values of it."""
        fold = self.fold
        total = Counts()
        borders = preload_borders(self.layer)
        if borders is not None:
            luts, ffs = costs.borders, counter_bits(len(borders.rows)) + counter_bits(len(borders.columns)) + 8
            total += Counts(luts=luts, ffs=ffs)
        step = ceil_div(fold.pe, fold.synapse_folds)
        steps = ceil_div(fold.pe, step)
        words = steps * values
        control = 2 * counter_bits(words) + counter_bits(steps)
        merged = 0 if self.pipeline.stages else fold.pe  # without a register the blanking shares the final adder's LUTs
        total += Counts(luts=round(costs.preload_control.at(control)) - merged, ffs=steps * step * bits + control)
        if fold.loadable:
            place = rom_place("auto", 2 * words, limit=NARROW_WORDS)
            return total + banked_counts(step * bits, words, place, costs)
        if rom_place("auto", words, limit=NARROW_WORDS) == "block":
            return total + Counts(block_rams=costs.block_rams(step * bits, words))
        return total + Counts(luts=costs.rom(step * bits, words))


def _distinct_columns(layer: MatrixLayer, fold: Fold) -> int:
    """Bits of the weight memory that are neither constant nor equal to another one."""
    columns = np.unique(weight_rows(layer, fold), axis=1)
    return int((columns.min(axis=0) != columns.max(axis=0)).sum())

"""LUTs and block RAMs of many folds of a layer at a time, for sizing.

The model is that of `MatrixStage.cost`, not exact: weights in LUTs count for every lane.
tests/hw/test_engine_costs.py holds the two to the same numbers. Tables of a layer run over PE (rows), SIMD (columns).
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import Fold, LayerPlan, Memory, Plan, Planes, fold_of
from bitwright_hw.engine_numbers import (
    Matrix,
    accumulator_bits,
    level_numbers,
    plane_order,
    preload_borders,
    preload_count,
    products_of,
)
from bitwright_hw.families import family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.layer_rows import layer_row_luts
from bitwright_hw.plane_counter import chosen_lane_luts, plane_counter_luts
from bitwright_hw.rom import NARROW_WORDS, WIDE_WORDS
from bitwright_hw.timing import engine_pipeline

Table = NDArray[np.int64]
Blocks = NDArray[np.floating]


def engine_costs(
    layer: Matrix,
    memory: Memory,
    options: Plan,
    pes: Sequence[int],
    simds: Sequence[int],
    *,
    costs: Costs,
    planes: Planes = "parallel",
    done: Callable[[int], None] = lambda columns: None,
) -> tuple[Table, Blocks]:
    """LUTs and blocks of `layer` for each of `pes` and `simds`, each (PEs, SIMDs). `done(n)`: n columns have rows."""
    folded = partial(fold_of, layer, planes=planes)
    serial = plane_order(layer, folded(1, 1))
    integers = not layer.counts_bits and products_of(layer) is None and serial is None
    pe, simd = np.array(pes, np.int64)[:, None], np.array(simds, np.int64)[None, :]
    passes, words = -(-layer.outputs // pe), -(-layer.inputs // simd)
    one, lanes = folded(1, 1), pe * simd
    cycles, weight_words = passes * words * one.plane_products, passes * words * one.planes[1]
    in_block = weight_words > (WIDE_WORDS if memory == "auto" else 1)
    if memory == "distributed":
        in_block = np.zeros_like(in_block)
    widths = [accumulator_bits(layer, folded(p, simds[0])) for p in pes]
    row = partial(_row, layer, memory, options, costs, planes)
    rows, stages = _rows(row, folded, widths, pes, simds, in_block, done)
    bits = np.array(widths, np.int64)[:, None]
    if not integers:  # and what preloads a pass has does not depend on SIMD
        values = np.array([[preload_count(layer, folded(p, 1), int(b[0]))] for p, b in zip(pes, bits, strict=True)])
    else:
        values = np.array(
            [[preload_count(layer, folded(p, s), int(b[0])) for s in simds] for p, b in zip(pes, bits, strict=True)]
        )
    bare = stages == 0
    rows = rows - np.where((values == 1) & bare, bits, 0)
    counter = _bits(cycles) + _bits(words)
    luts = pe * rows + np.maximum(1, _each(lambda bits: round(costs.engine_control.at(bits)), counter))
    at_once = np.array([[folded(p, 1).groups_at_once] for p in pes], np.int64)
    if integers:
        luts = luts + 2 * at_once * (simd // 2) * (layer.takes.bits + 1)
    if serial is not None:
        luts = luts + plane_counter_luts(serial, _bits(weight_words))
        luts = luts + simd * at_once * chosen_lane_luts(layer.takes.bits, costs)
    width = lanes * (layer.weight_type.bits if serial is None else 1)
    blocks = _where(in_block, costs.block_rams, width, weight_words)
    columns = np.minimum(width, 1 << np.minimum(32, weight_words))
    made = family_named(options.target).lut_roms
    rom = costs.rom if made is None else lambda width, depth: made.luts(depth, width)
    luts = luts + _where((weight_words > 1) & ~in_block, rom, columns, weight_words).astype(np.int64)

    varied = np.broadcast_to(values != 1, cycles.shape)
    if preload_borders(layer) is not None:
        luts = luts + np.where(varied, costs.borders, 0)
    step = -(-pe // words)
    steps = -(-pe // step)
    depth, width = steps * values, step * bits
    control = 2 * _bits(depth) + _bits(steps)
    added = _each(lambda bits: round(costs.preload_control.at(bits)), control) - np.where(bare, pe, 0)
    deep = depth > NARROW_WORDS
    luts = luts + np.where(varied, added, 0) + _where(varied & ~deep, costs.rom, width, depth).astype(np.int64)
    level_luts, level_blocks = _levels(layer, folded, pes, simds, costs)
    return luts + level_luts, blocks + _where(varied & deep, costs.block_rams, width, depth) + level_blocks


def _levels(
    layer: Matrix, folded: Callable[[int, int], Fold], pes: Sequence[int], simds: Sequence[int], costs: Costs
) -> tuple[Table, Blocks]:
    """What threshold stages of several levels take."""
    luts, blocks = np.zeros((len(pes), len(simds)), np.int64), np.zeros((len(pes), len(simds)))
    for row, pe in enumerate(pes):
        for column, simd in enumerate(simds):
            levels = level_numbers(layer, folded(pe, simd))
            if levels is None:
                return luts, blocks
            counts = levels.counts(costs)
            luts[row, column], blocks[row, column] = counts.luts, counts.block_rams
    return luts, blocks


def _rows(
    row: Callable[[Fold, int], tuple[int, int]],
    folded: Callable[[int, int], Fold],
    bits: Sequence[int],
    pes: Sequence[int],
    simds: Sequence[int],
    in_block: NDArray[np.bool_],
    done: Callable[[int], None],
) -> tuple[Table, Table]:
    """LUTs of a row, and its stages, by `row`: few distinct ones in each column. `bits` are those of each PE."""
    luts, stages = np.zeros(in_block.shape, np.int64), np.zeros(in_block.shape, np.int64)
    for column, simd in enumerate(simds):
        done(column)
        found: dict[tuple[bool, int], tuple[int, int]] = {}
        for place, pe in enumerate(pes):
            key = bool(in_block[place, column]), bits[place]
            if key not in found:
                found[key] = row(folded(pe, simd), bits[place])
            luts[place, column], stages[place, column] = found[key]
    done(len(simds))
    return luts, stages


def _row(
    layer: Matrix, memory: Memory, options: Plan, costs: Costs, planes: Planes, fold: Fold, bits: int
) -> tuple[int, int]:
    """LUTs of a row of an engine folded so, and its stages."""
    choice = LayerPlan(name=layer.name, pe=fold.pe, simd=fold.simd, memory=memory, planes=planes)
    stages = engine_pipeline(fold, choice, options, layer).stages
    family = family_named(options.target)
    return layer_row_luts(layer, fold, bits=bits, family=family, costs=costs, stages=stages), stages


def _bits(count: Table) -> Table:
    """Bits of counters with so many states."""
    return np.maximum(1, np.frexp((count - 1).astype(np.float64))[1]).astype(np.int64)


def _each(cost: Callable[[int], int], counts: Table) -> Table:
    """`cost` of each of a few counts."""
    found, places = np.unique(counts, return_inverse=True)
    return np.array([cost(int(count)) for count in found], np.int64)[places.reshape(counts.shape)]


def _where(wanted: NDArray[np.bool_], cost: Callable[[int, int], float], width: Table, depth: Table) -> Blocks:
    """`cost` of memories of these widths and depths, where one is wanted; each kind of memory is asked for once."""
    table = np.zeros(wanted.shape)
    pairs = np.stack([np.broadcast_to(width, wanted.shape)[wanted], np.broadcast_to(depth, wanted.shape)[wanted]])
    if pairs.size:
        found, places = np.unique(pairs, axis=1, return_inverse=True)
        costs = [cost(wide, deep) for wide, deep in zip(*found.tolist(), strict=True)]
        table[wanted] = np.array(costs, float)[places.reshape(-1)]
    return table

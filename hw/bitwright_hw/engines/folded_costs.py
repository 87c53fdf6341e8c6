"""LUTs and block RAMs of many folds of a layer at a time, for sizing.

The model is that of `MatrixStage.cost`, not exact: weights in LUTs count for every lane.
tests/hw/test_engine_costs.py holds the two to the same numbers. Tables of a layer run over PE (rows), SIMD (columns).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import LayerPlan, Memory, Plan, fold_of
from bitwright_hw.engine_numbers import (
    Matrix,
    accumulator_bits,
    level_numbers,
    preload_borders,
    preload_count,
    products_of,
)
from bitwright_hw.families import family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.layer_rows import layer_row_luts
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
    done: Callable[[int], None] = lambda columns: None,
) -> tuple[Table, Blocks]:
    """LUTs and blocks of `layer` for each of `pes` and `simds`, each (PEs, SIMDs). `done(n)`: n columns have rows."""
    integers = not layer.counts_bits and products_of(layer) is None
    pe, simd = np.array(pes, np.int64)[:, None], np.array(simds, np.int64)[None, :]
    passes, words = -(-layer.outputs // pe), -(-layer.inputs // simd)
    cycles, lanes = passes * words, pe * simd
    in_block = cycles > (WIDE_WORDS if memory == "auto" else 1)
    if memory == "distributed":
        in_block = np.zeros_like(in_block)
    rows, stages = _rows(layer, memory, options, pes, simds, in_block, costs, done)
    bits = np.array([[accumulator_bits(layer, fold_of(layer, p, simds[0]))] for p in pes], np.int64)
    if not integers:  # and what preloads a pass has does not depend on SIMD
        values = np.array(
            [[preload_count(layer, fold_of(layer, p, 1), int(b[0]))] for p, b in zip(pes, bits, strict=True)]
        )
    else:
        values = np.array(
            [
                [preload_count(layer, fold_of(layer, p, s), int(b[0])) for s in simds]
                for p, b in zip(pes, bits, strict=True)
            ]
        )
    bare = stages == 0
    rows = rows - np.where((values == 1) & bare, bits, 0)
    counter = _bits(cycles) + _bits(words)
    luts = pe * rows + np.maximum(1, _each(lambda bits: round(costs.engine_control.at(bits)), counter))
    if integers:
        at_once = np.array([[fold_of(layer, p, 1).groups_at_once] for p in pes], np.int64)
        luts = luts + 2 * at_once * (simd // 2) * (layer.takes.bits + 1)
    width = lanes * layer.weight_type.bits
    blocks = _where(in_block, costs.block_rams, width, cycles)
    columns = np.minimum(width, 1 << np.minimum(32, cycles))
    made = family_named(options.target).lut_roms
    rom = costs.rom if made is None else lambda width, depth: made.luts(depth, width)
    luts = luts + _where((cycles > 1) & ~in_block, rom, columns, cycles).astype(np.int64)

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
    level_luts, level_blocks = _levels(layer, pes, simds, costs)
    return luts + level_luts, blocks + _where(varied & deep, costs.block_rams, width, depth) + level_blocks


def _levels(layer: Matrix, pes: Sequence[int], simds: Sequence[int], costs: Costs) -> tuple[Table, Blocks]:
    """What threshold stages of several levels take."""
    luts, blocks = np.zeros((len(pes), len(simds)), np.int64), np.zeros((len(pes), len(simds)))
    for row, pe in enumerate(pes):
        for column, simd in enumerate(simds):
            levels = level_numbers(layer, fold_of(layer, pe, simd))
            if levels is None:
                return luts, blocks
            counts = levels.counts(costs)
            luts[row, column], blocks[row, column] = counts.luts, counts.block_rams
    return luts, blocks


def _rows(
    layer: Matrix,
    memory: Memory,
    options: Plan,
    pes: Sequence[int],
    simds: Sequence[int],
    in_block: NDArray[np.bool_],
    costs: Costs,
    done: Callable[[int], None],
) -> tuple[Table, Table]:
    """LUTs of a row, and its stages: few distinct ones in each column."""
    family = family_named(options.target)
    luts, stages = np.zeros(in_block.shape, np.int64), np.zeros(in_block.shape, np.int64)
    bits = [accumulator_bits(layer, fold_of(layer, pe, simds[0])) for pe in pes]
    for column, simd in enumerate(simds):
        done(column)
        single = simd >= layer.inputs
        found: dict[tuple[bool, int], tuple[int, int]] = {}
        for row, pe in enumerate(pes):
            key = bool(in_block[row, column]), bits[row]
            if key not in found:
                choice = LayerPlan(name=layer.name, pe=pe, simd=simd, memory=memory)
                depth = engine_pipeline(fold_of(layer, pe, simd), choice, options, layer).stages
                taken = layer_row_luts(
                    layer, simd=simd, bits=key[1], family=family, costs=costs, stages=depth, single=single
                )
                found[key] = taken, depth
            luts[row, column], stages[row, column] = found[key]
    done(len(simds))
    return luts, stages


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

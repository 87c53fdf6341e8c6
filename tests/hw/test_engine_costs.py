"""The costs of many folds at a time are those of each."""

import itertools

import numpy as np
import pytest

from bitwright_core.plan import LayerPlan, Plan, fold_of, planes_of, row_choices
from bitwright_hw.engines.folded import folded_stage
from bitwright_hw.engines.folded_costs import engine_costs
from bitwright_hw.estimate import costs_of
from bitwright_hw.families import ECP5, GOWIN, ICE40, XC7, lane_splits
from bitwright_hw.families.ecp5 import popcount as ecp5
from bitwright_hw.families.xc7.counters import size
from bitwright_hw.families.xc7.popcount import ALONE_CAPACITY, ROW_CAPACITY, best_groups, best_tree
from tests.sw.conv_networks import random_conv_network
from tests.sw.few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from tests.sw.networks import random_network


@pytest.mark.parametrize("family, clock", [(XC7, 100.0), (XC7, 400.0), (ECP5, 60.0), (ICE40, 12.0), (GOWIN, 27.0)])
@pytest.mark.parametrize("memory", ["block", "distributed", "auto"])
def test_a_table_has_the_costs_of_each_fold(family, clock, memory):
    target = "generic" if family is ICE40 else family.name
    options = Plan(layers=(), target=target, clock_mhz=clock)
    networks = [random_conv_network(seed, shape=(6, 6, 3), integers=seed % 2 == 0, classes=3) for seed in range(4)]
    networks.append(random_conv_network(4, shape=(5, 4, 2), weight_types=FEW_WEIGHTS, act_types=FEW_ACTIVATIONS))
    networks.append(random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(96, 12)))
    networks.append(random_conv_network(5, shape=(6, 5, 6), channels=(6, 12), integers=True, grouped=True))
    checked = 0
    layers = itertools.chain.from_iterable(network.matrix_layers for network in networks)
    ways = ((layer, planes) for layer in layers for planes in dict.fromkeys(("parallel", planes_of(layer, "serial"))))
    for layer, planes in ways:
        pes = sorted({1, 2, 3, 8, layer.outputs} & {*range(layer.outputs + 1)})
        if layer.groups > 1:
            pes = row_choices(layer.outputs, layer.groups)
        simds = sorted({1, 2, 5, 16, layer.inputs // 2, layer.inputs} & {*range(1, layer.inputs + 1)})
        luts, blocks = engine_costs(layer, memory, options, pes, simds, costs=costs_of(family), planes=planes)
        for (row, pe), (column, simd) in itertools.product(enumerate(pes), enumerate(simds)):
            fold = fold_of(layer, pe, simd, planes)
            choice = LayerPlan(name=layer.name, pe=pe, simd=simd, memory=memory)
            expected = folded_stage("engine", layer, fold, choice, options).cost(costs_of(family), exact=False)
            assert (luts[row, column], blocks[row, column]) == (expected.luts, expected.block_rams), (layer.name, fold)
            checked += 1
    assert checked > 200 and np.issubdtype(luts.dtype, np.integer)


@pytest.mark.parametrize("capacity", [ROW_CAPACITY, ALONE_CAPACITY])
def test_trees_have_the_size_that_is_told_without_them(capacity):
    for simd, stages in itertools.product([*range(1, 40), 63, 64, 127, 200, 577], range(4)):
        tree = best_tree(simd, stages, capacity)
        tree.check()
        cells, columns = size(simd, best_groups(simd, stages, capacity), capacity)
        assert (cells, columns) == (tree.cells, tuple(map(len, tree.columns))), (simd, stages)


def test_wide_rows_need_no_deep_recursion():
    """Of 8,192 lanes at a time, as sizing for ECP5 asks first."""
    lane_splits._split.cache_clear()
    assert ecp5.CHAINED.split(8191).depth >= 12 and ecp5.ROWS.luts(8192, 14, 2, False) > 8192

# amaranth: UnusedElaboratable=no
"""Popcounts of any width: trees by the weights of their bits. Counters and small rows are in the registry of proofs."""

from dataclasses import replace

import pytest

from bitwright_hw.arithmetic.compressor import place_registers
from bitwright_hw.families.ecp5 import popcount as ecp5
from bitwright_hw.families.gowin import popcount as gowin
from bitwright_hw.families.xc7 import luts as xc7_cells
from bitwright_hw.families.xc7 import popcount as xc7
from bitwright_hw.popcount import AccumulateRow, XnorPopcount

FINAL = 2.0


def test_half_of_a_counter_of_seven_holds_for_all_inputs():
    for i in range(128):
        five, sixth, carry = [i >> k & 1 for k in range(5)], i >> 5 & 1, i >> 6
        low = xc7_cells.parity(*five, sixth)
        first = carry if low else sixth
        second = xc7_cells.half_is_one(*five)
        top = first if second else xc7_cells.half_is_two(*five)
        assert (low ^ carry) + 2 * (second ^ first) + 4 * top == i.bit_count()


@pytest.mark.parametrize("simd", [1, 2, 3, 7, 31, 32, 49, 64, 127, 256, 784, 1024, 2047])
def test_xc7_trees_keep_the_weighted_sum(simd):
    for stages in range(4):
        for capacity in (xc7.ROW_CAPACITY, xc7.ALONE_CAPACITY):
            tree = xc7.best_tree(simd, stages, capacity)
            tree.check()
            limits = [*capacity, *[capacity[-1]] * len(tree.columns)]
            assert all(len(column) <= most for column, most in zip(tree.columns, limits, strict=False))


def test_the_check_finds_a_lost_bit_a_wrong_weight_and_a_lost_lane():
    tree = xc7.best_tree(32, 1, xc7.ROW_CAPACITY)
    with pytest.raises(ValueError, match="lost or used twice"):
        replace(tree, columns=(tree.columns[0][1:], *tree.columns[1:])).check()
    with pytest.raises(ValueError, match="wrong weight"):
        replace(tree, weights=(1, *tree.weights[1:])).check()
    with pytest.raises(ValueError, match="not there"):
        replace(tree, counters=tree.counters[1:]).check()
    with pytest.raises(ValueError, match="lost or used twice"):
        replace(tree, simd=33).check()


@pytest.mark.parametrize("simd", [1, 2, 9, 32, 100, 784])
@pytest.mark.parametrize("chained", [ecp5.CHAINED, gowin.CHAINED], ids=["ecp5", "gowin"])
def test_splits_count_every_lane_once(simd, chained):
    how = chained.split(simd)
    nodes = [how]
    lanes = 0
    while nodes:
        node = nodes.pop()
        if node.depth:
            assert node.left + node.right + node.carry == node.lanes
            lanes += node.carry
            nodes += [chained.split(node.left), chained.split(node.right)]
        else:
            lanes += node.lanes
    assert lanes == simd


@pytest.mark.parametrize("stages", [0, 1, 2, 5])
def test_a_schedule_never_goes_back_in_time(stages):
    tree = xc7.best_tree(200, stages, xc7.ROW_CAPACITY)
    plan = place_registers(tree, stages, FINAL)
    assert max(plan.bits) <= stages
    for counter in tree.counters:
        assert all(plan.bits[bit] <= plan.bits[counter.outputs[0]] for bit in counter.bits)
        assert not counter.lanes or plan.bits[counter.outputs[0]] == 0


@pytest.mark.parametrize("kind", [AccumulateRow, XnorPopcount])
def test_what_cannot_be_is_refused(kind):
    bits = {"bits": 8} if kind is AccumulateRow else {}
    with pytest.raises(ValueError, match="simd must be at least 1"):
        kind(simd=0, **bits)
    with pytest.raises(ValueError, match="stages must be at least 0"):
        kind(simd=4, stages=-1, **bits)
    with pytest.raises(ValueError, match="bits must hold 256 lanes, so be at least 9"):
        AccumulateRow(simd=256, bits=8)

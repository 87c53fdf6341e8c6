# amaranth: UnusedElaboratable=no
"""Every popcount equals the portable one: counters and small rows by SAT, trees of any width by their weights."""

from dataclasses import replace

import pytest
from amaranth.hdl import C, Cat

from bitwright_core.errors import ToolError
from bitwright_hw.arithmetic.compressor import Counter, schedule
from bitwright_hw.arithmetic.tree import adder_tree, agreeing
from bitwright_hw.families import ECP5, XC7
from bitwright_hw.families.ecp5 import popcount as ecp5
from bitwright_hw.families.ecp5.chains import Chains, Operand
from bitwright_hw.families.xc7 import luts as xc7_cells
from bitwright_hw.families.xc7 import popcount as xc7
from bitwright_hw.popcount import AccumulateRow, XnorPopcount
from tests.hw.popcount_support import Function, prove_equal

FINAL = 2.0


def sum_of(bits, lanes):
    """The number of agreeing lanes (x, w in turn) and set bits, in plain Amaranth."""

    def body(m, i):
        total = C(0, 1)
        for k in range(lanes):
            total = total + ~(i[2 * k] ^ i[2 * k + 1])[0:1]
        for k in range(2 * lanes, 2 * lanes + bits):
            total = total + i[k]
        return total

    return body


def test_each_xc7_counter_counts(tmp_path):
    pairs = []
    for lanes, bits in [(1, 0), (2, 0), (2, 1), (1, 1), (0, 2), (0, 3), (0, 6), (0, 7)]:
        inputs, outputs = 2 * lanes + bits, (lanes + bits).bit_length()

        def cells(m, i, lanes=lanes, outputs=outputs):
            counter = Counter(weight=0, outputs=tuple(range(outputs)), cost=None)
            return Cat(*xc7.make_counter(m, counter, [*i[: 2 * lanes]], [*i[2 * lanes :]]))

        pairs.append(
            (f"c{lanes}_{bits}", Function(inputs, outputs, sum_of(bits, lanes)), Function(inputs, outputs, cells))
        )
    prove_equal(pairs, XC7, tmp_path)


def test_a_counter_with_one_wrong_table_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(xc7, "half_is_two", lambda *five: int(sum(five) >= 5))
    gold = Function(7, 3, sum_of(7, 0))
    gate = Function(
        7, 3, lambda m, i: Cat(*xc7.make_counter(m, Counter(weight=0, outputs=(0, 1, 2), cost=None), [], [*i]))
    )
    with pytest.raises(ToolError, match="proof did fail"):
        prove_equal([("seven", gold, gate)], XC7, tmp_path)


def test_half_of_a_counter_of_seven_holds_for_all_inputs():
    for i in range(128):
        five, sixth, carry = [i >> k & 1 for k in range(5)], i >> 5 & 1, i >> 6
        low = xc7_cells.parity(*five, sixth)
        first = carry if low else sixth
        second = xc7_cells.half_is_one(*five)
        top = first if second else xc7_cells.half_is_two(*five)
        assert (low ^ carry) + 2 * (second ^ first) + 4 * top == i.bit_count()


def test_ecp5_additions_in_one_chain_add(tmp_path):
    def cells(m, i):
        chains = Chains(m)
        bit = [Operand.bit(value) for value in i]
        one = chains.add([Operand.lane(i[0], i[1])], [Operand.lane(i[2], i[3])], Operand.lane(i[4], i[5]), 2)
        two = chains.add(bit[6:8], bit[8:9], Operand.zero(), 3)
        three = chains.add([Operand.either(i[9], i[10])], [*map(Operand.bit, one)], bit[5], 2)
        chains.close()
        return Cat(*one, *two, *three)

    def plain(m, i):
        one = ((i[0] ^ i[1]) + (i[2] ^ i[3]) + (i[4] ^ i[5]))[:2]
        return Cat(one, (i[6:8] + i[8])[:3], ((i[9] | i[10]) + one + i[5])[:2])

    prove_equal([("chain", Function(11, 7, plain), Function(11, 7, cells))], ECP5, tmp_path)


@pytest.mark.parametrize("target", [XC7, ECP5], ids=lambda family: family.name)
def test_small_popcounts_and_accumulators_are_equal(target, tmp_path):
    """All inputs of up to ten lanes, with and without accumulator; bits below and above the popcount's."""
    pairs = []
    for simd in range(1, 11):
        width = simd.bit_length()

        def portable(m, i, simd=simd):
            w = i[simd : 2 * simd]
            return adder_tree(m, agreeing(m, i[:simd], ~w if target.rows.inverted_weights else w), 0)

        def alone(m, i, simd=simd, width=width):
            return target.rows.counted(m, i[:simd], i[simd:], width, 0)

        pairs.append((f"alone_{simd}", Function(2 * simd, width, portable), Function(2 * simd, width, alone)))
        bits, kept = width + 2, 0 if simd == 5 else width + 2

        def started(m, i, simd=simd, bits=bits, kept=kept, portable=portable):
            preload, accumulator = i[2 * simd : 2 * simd + bits], i[2 * simd + bits : 2 * simd + bits + kept]
            return ((preload | accumulator) + portable(m, i))[:bits]

        def merged(m, i, simd=simd, bits=bits, kept=kept):
            preload, accumulator = i[2 * simd : 2 * simd + bits], i[2 * simd + bits : 2 * simd + bits + kept]
            return target.rows.accumulated(m, i[:simd], i[simd : 2 * simd], accumulator, preload, 0)

        size = 2 * simd + bits + kept
        pairs.append((f"row_{simd}", Function(size, bits, started), Function(size, bits, merged)))
    prove_equal(pairs, target, tmp_path)


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
def test_ecp5_splits_count_every_lane_once(simd):
    how = ecp5.split(simd)
    nodes = [how]
    lanes = 0
    while nodes:
        node = nodes.pop()
        if node.depth:
            assert node.left + node.right + node.carry == node.lanes
            lanes += node.carry
            nodes += [ecp5.split(node.left), ecp5.split(node.right)]
        else:
            lanes += node.lanes
    assert lanes == simd


@pytest.mark.parametrize("stages", [0, 1, 2, 5])
def test_a_schedule_never_goes_back_in_time(stages):
    tree = xc7.best_tree(200, stages, xc7.ROW_CAPACITY)
    plan = schedule(tree, stages, FINAL)
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

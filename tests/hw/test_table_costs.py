"""LUTs that are counted without synthesis: of tables, of comparisons of a value, of sums of bits."""

import random
import re

import pytest

from bitwright_hw.comparison_luts import comparisons_luts
from bitwright_hw.emit import emit
from bitwright_hw.families import ECP5, ICE40, XC7
from bitwright_hw.group_sums import GroupSums
from bitwright_hw.table_costs import beside_reset, needed, split, table_luts


@pytest.mark.parametrize("stages", [0, 2])
@pytest.mark.parametrize("inputs", [1, 7, 12, 50])
def test_sums_take_their_cells(inputs, stages):
    for family, cell, luts in ((XC7, r"LUT6(_2)? #", 1), (ECP5, r"CCU2C #", 2)):
        text = emit(GroupSums(groups=(inputs,), target=family, stages=stages), "sums")
        assert family.sums.ones_luts(inputs, stages) == luts * len(re.findall(rf"^ *{cell}", text, re.M))


def value_of(parts, address, size):
    """What the LUTs of a split make of an address."""
    bits = [address >> k & 1 for k in range(size)]
    for inputs, table in parts:
        bits.append(table >> sum(bits[wire] << k for k, wire in enumerate(inputs)) & 1)
    return bits[-1]


def test_a_split_is_the_same_table():
    dice, lengths = random.Random(1), set()
    for _ in range(60):
        size = dice.choice([5, 6])
        first, last = dice.getrandbits(8), dice.getrandbits(1 << size - 2)  # three inputs reach the others as one bit
        table = 0
        for address in range(1 << size):
            table |= (last >> ((address >> 3) << 1 | first >> (address & 7) & 1) & 1) << address
        parts = split(table, size, 4)
        assert parts is not None and all(len(inputs) <= 4 for inputs, _ in parts)
        lengths.add(len(parts))
        assert table == sum(value_of(parts, address, size) << address for address in range(1 << size))
    assert lengths == {2}
    parity = sum((address.bit_count() & 1) << address for address in range(64))
    assert split(parity, 6, 6) == ((tuple(range(6)), parity),) and len(split(parity, 6, 4)) == 2
    assert split(random.Random(2).getrandbits(64), 6, 4) is None  # a table taken at random does not split


def test_equal_tables_are_one_and_an_inverter_is_a_lut():
    rows = [((0, 1), 0b1001), ((0, 1), 0b1001), ((2,), 0b01), ((2,), 0b01), ((3,), 0b10), ((), 1), ((0, 1), 0b0110)]
    assert [table_luts(rows, family.costs) for family in (XC7, ECP5, ICE40)] == [3, 3, 3]


def test_a_reset_is_a_lut_of_its_own_for_all_that_have_it():
    """Of three tables that are 0 while input 9 is 0, two of one input, one of two; xc7 takes such a reset back."""
    assert beside_reset((1, 2, 9), 0b01100000) == (((9, 0),), ((1, 2), 0b0110))
    rows = [((1, 9), 0b1000), ((2, 9), 0b1000), ((1, 2, 9), 0b01100000)]
    assert [table_luts(rows, family.costs) for family in (XC7, ECP5, ICE40)] == [3, 2, 2]
    full = sum(1 << address for address in range(32, 64) if address & 5 == 1 or address & 26 == 10)
    assert beside_reset(tuple(range(6)), full)[0] == ((5, 0),)
    assert table_luts([(tuple(range(6)), full)], XC7.costs) == 2


def test_comparisons_are_made_where_a_table_has_no_room():
    """Two tables of four comparisons of two bits each: a LUT6 takes two of them in, and the others are made once."""
    compared = {100 + k: ((2 * k, 2 * k + 1), 1 + k % 3) for k in range(6)}
    rows = [((100, 101, 102, 103), 0x6996), ((100, 101, 104, 105), 0x6996)]
    assert needed(rows, compared, 6) == {100, 101}
    assert table_luts(rows, XC7.costs, compared) == 4
    assert table_luts(rows, ECP5.costs, compared) == 2 + 2 * 4
    assert needed(rows, compared, 4) == set(compared)
    assert table_luts(rows, ICE40.costs, compared) == 8
    assert needed([((100, 101, 102), 0b10000000)], compared, 6) == set()


@pytest.mark.parametrize(
    ("thresholds", "bits", "masked", "luts"),
    [
        ([64, 128, 192], 8, False, (2, 2)),  # two bits, a bit, two bits
        ([16], 8, False, (1, 1)),
        ([16], 8, True, (1, 2)),
        ([1], 8, False, (2, 3)),
        ([0, 128, 256], 8, True, (0, 0)),
        ([1, 2, 3], 8, False, (4, 5)),  # the six highest bits are all 0 in each
        ([9, 25, 41, 57], 8, False, (5, 7)),  # alike in their lowest bits, and in the two highest
    ],
)
def test_comparisons_of_a_value(thresholds, bits, masked, luts):
    assert tuple(comparisons_luts(thresholds, bits, inputs, masked=masked) for inputs in (6, 4)) == luts

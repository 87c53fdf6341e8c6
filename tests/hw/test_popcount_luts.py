# amaranth: UnusedElaboratable=no
"""LUTs of rows and popcounts by Yosys, against the bounds that the engine needs and the exact estimate."""

import pytest

from bitwright_hw.popcount import AccumulateRow, XnorPopcount, row_luts
from tests.hw.popcount_support import count_luts

SHARED = 1  # the gate that joins `last` and reset for all rows of an engine

# simd, bits, stages, single
SHAPES = [
    (1, 4, 1, False),
    (3, 12, 0, False),
    (32, 12, 1, False),
    (32, 9, 1, True),
    (49, 11, 2, False),
    (64, 12, 1, False),
    (113, 13, 3, False),
]


@pytest.mark.parametrize("target", ["xc7", "ecp5"])
def test_the_estimate_is_exact_and_rows_stay_within_their_bounds(target, tmp_path):
    rows = {
        f"row_{simd}_{bits}_{stages}_{int(single)}": AccumulateRow(
            simd=simd, bits=bits, stages=stages, single=single, target=target
        )
        for simd, bits, stages, single in SHAPES
    }
    luts = count_luts(rows, target, tmp_path)
    for (name, row), shape in zip(rows.items(), SHAPES, strict=True):
        estimate = row_luts(simd=row.simd, bits=row.bits, target=target, stages=row.stages, single=row.single)
        assert luts[name] == estimate + SHARED, shape
    most = {"xc7": (36, 61), "ecp5": (57, 109)}[target]  # 1.45 and 1.35 a lane would be 46 and 86 in xc7
    assert luts["row_32_12_1_0"] <= most[0]
    assert luts["row_64_12_1_0"] <= most[1]


def test_a_popcount_of_64_lanes_takes_at_most_four_fifths_of_a_lut6_a_lane(tmp_path):
    parts = {"alone_64": XnorPopcount(simd=64, target="xc7"), "alone_32": XnorPopcount(simd=32, target="xc7")}
    luts = count_luts(parts, "xc7", tmp_path)
    assert luts["alone_64"] <= 51
    assert luts["alone_32"] <= 25


def test_ecp5_rows_take_less_than_half_of_a_plain_sum(tmp_path):
    parts = {
        f"{target}_{simd}": AccumulateRow(simd=simd, bits=12, target=target)
        for target in ("generic", "ecp5")
        for simd in (32, 64)
    }
    luts = count_luts(parts, "ecp5", tmp_path)
    for simd in (32, 64):
        assert luts[f"ecp5_{simd}"] < 0.5 * luts[f"generic_{simd}"]


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
def test_portable_rows_are_estimated_within_a_sixth(family, tmp_path):
    rows = {f"row_{simd}": AccumulateRow(simd=simd, bits=12) for simd in (16, 32, 49, 64)}
    luts = count_luts(rows, family, tmp_path)
    for name, row in rows.items():
        estimate = row_luts(simd=row.simd, bits=12, target="generic", family=family)
        assert abs(estimate / luts[name] - 1) < 1 / 6, (name, luts[name], estimate)


def test_a_pipelined_row_has_no_shift_register_luts(tmp_path):
    rows = {"deep": AccumulateRow(simd=128, bits=12, stages=6, target="xc7")}
    luts = count_luts(rows, "xc7", tmp_path)
    assert luts["deep"] == row_luts(simd=128, bits=12, stages=6, target="xc7") + SHARED

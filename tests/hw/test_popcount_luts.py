# amaranth: UnusedElaboratable=no
"""LUTs of rows and popcounts by Yosys, against the bounds that the engine needs and the exact estimate."""

import pytest

from bitwright_hw.families import ECP5, GENERIC, GOWIN, ICE40, XC7
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
    (113, 13, 6, False),  # bits wait for several cycles, and must not become shift registers in LUTs
]


@pytest.mark.parametrize("target", [XC7, ECP5, GOWIN], ids=lambda family: family.name)
def test_the_estimate_is_exact_and_rows_stay_within_their_bounds(target, tmp_path):
    parts = {
        f"row_{simd}_{bits}_{stages}_{int(single)}": AccumulateRow(
            simd=simd, bits=bits, stages=stages, single=single, family=target
        )
        for simd, bits, stages, single in SHAPES
    }
    parts |= {f"alone_{simd}": XnorPopcount(simd=simd, family=target) for simd in (32, 64)}
    luts = count_luts(parts, target.name, tmp_path)
    for row in parts.values():
        if isinstance(row, AccumulateRow):
            name = f"row_{row.simd}_{row.bits}_{row.stages}_{int(row.single)}"
            estimate = row_luts(
                simd=row.simd, bits=row.bits, family=target, costs=target.costs, stages=row.stages, single=row.single
            )
            assert luts[name] == estimate + SHARED, name
    # 1.45 and 1.35 a lane for a whole engine are 46 and 86 of 7-series for 32 and 64 lanes, 1.15 of 64 alone 73
    most = {"xc7": (36, 61, 25, 51), "ecp5": (57, 109, 50, 102), "gowin": (73, 138, 65, 130)}[target.name]
    assert luts["row_32_12_1_0"] <= most[0]
    assert luts["row_64_12_1_0"] <= most[1]
    assert luts["alone_32"] <= most[2]
    assert luts["alone_64"] <= most[3]


@pytest.mark.parametrize(("family", "share"), [(ECP5, 0.5), (GOWIN, 0.7)], ids=["ecp5", "gowin"])
def test_chained_rows_take_less_than_a_plain_sum(family, share, tmp_path):
    parts = {
        f"{target.name}_{simd}": AccumulateRow(simd=simd, bits=12, family=target)
        for target in (GENERIC, family)
        for simd in (32, 64)
    }
    luts = count_luts(parts, family.name, tmp_path)
    for simd in (32, 64):
        assert luts[f"{family.name}_{simd}"] < share * luts[f"{GENERIC.name}_{simd}"]


@pytest.mark.parametrize(("family", "tolerance"), [(XC7, 1 / 6), (ECP5, 1 / 3), (ICE40, 1 / 4)])
def test_portable_rows_are_estimated_roughly(family, tolerance, tmp_path):
    rows = {f"row_{simd}": AccumulateRow(simd=simd, bits=12) for simd in (16, 32, 49)}
    luts = count_luts(rows, family.name, tmp_path)
    for name, row in rows.items():
        estimate = row_luts(simd=row.simd, bits=12, family=GENERIC, costs=family.costs)
        assert abs(estimate / luts[name] - 1) < tolerance, (name, luts[name], estimate)

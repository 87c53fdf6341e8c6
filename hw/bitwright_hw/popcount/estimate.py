"""What a row costs, for sizing."""

from typing import Literal

from bitwright_hw.popcount import ecp5, xc7
from bitwright_hw.popcount.target import Target, check
from bitwright_hw.popcount.tree import longest_run, tree_levels

# LUTs of a portable row of `simd` lanes: so many a lane, and so many more (fitted to Yosys, 8 to 128 lanes)
_PORTABLE = {"xc7": (1.75, 11.5), "ecp5": (3.83, 14.5)}


def row_luts(
    *,
    simd: int,
    bits: int,
    target: Target,
    stages: int = 1,
    single: bool = False,
    family: Literal["xc7", "ecp5"] = "xc7",
) -> int:
    """LUTs of an AccumulateRow in an engine, as Yosys counts them for `target` (LUT6 for xc7, LUT4 with a CCU2C
    as two for ecp5): exact. A portable row is estimated for `family`, within a sixth for xc7
    and a third for ecp5, where Yosys' own results for the same row vary as much.

    All rows of an engine share one LUT more, which joins `last` and reset.
    """
    check(simd, stages, target)
    if target == "xc7":
        return xc7.row_luts(simd, bits, stages, single)
    if target == "ecp5":
        return ecp5.row_luts(simd, bits, stages)
    slope, base = _PORTABLE[family]
    return round(slope * simd + base)


def row_levels(simd: int, target: Target, stages: int) -> float:
    """Levels of logic between registers of an AccumulateRow, at most: LUTs or additions of a few bits."""
    check(simd, stages, target)
    if target == "xc7":
        return xc7.row_levels(simd, stages)
    return longest_run(ecp5.row_depth(simd) if target == "ecp5" else tree_levels(simd), stages)

"""What a row costs, for sizing."""

from bitwright_hw.families import Family
from bitwright_hw.families.costs import Costs
from bitwright_hw.popcount.check import check


def row_luts(*, simd: int, bits: int, family: Family, costs: Costs, stages: int = 1, single: bool = False) -> int:
    """LUTs of an AccumulateRow made for `target` in an engine, as Yosys counts them: exact where `target` chooses the
    cells itself. A portable row is estimated with `costs`, within a sixth for xc7, a quarter for ice40 and a third for
    ecp5, where Yosys' own results for the same row vary as much.

    All rows of an engine share one LUT more, which joins `last` and reset.
    """
    check(simd, stages)
    if family.rows.luts is not None:
        return family.rows.luts(simd, bits, stages, single)
    return round(costs.portable_row.at(simd))


def row_levels(simd: int, family: Family, stages: int) -> float:
    """Levels of logic between registers of an AccumulateRow, at most: LUTs or additions of a few bits."""
    check(simd, stages)
    return family.rows.levels(simd, stages)

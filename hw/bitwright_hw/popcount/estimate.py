"""What a row costs, for sizing."""

from bitwright_hw.families import Family
from bitwright_hw.families.costs import Costs
from bitwright_hw.plane_order import PlaneOrder
from bitwright_hw.popcount.check import check
from bitwright_hw.products import Products


def row_luts(*, simd: int, bits: int, family: Family, costs: Costs, stages: int = 1, single: bool = False) -> int:
    """LUTs of an AccumulateRow made for `family` in an engine, as Yosys counts them: exact where the family chooses the
    cells itself. A portable row is estimated with `costs`, within a sixth for xc7, a quarter for ice40 and a third for
    ecp5, where Yosys' own results for the same row vary as much.

    All rows of an engine share one LUT more, which joins `last` and reset.
    """
    check(simd, stages)
    if family.rows.luts is not None:
        return family.rows.luts(simd, bits, stages, single)
    return round(costs.portable_row.at(simd))


def product_row_luts(
    *,
    simd: int,
    products: Products,
    bits: int,
    family: Family,
    costs: Costs,
    stages: int = 1,
    single: bool = False,
) -> int:
    """LUTs of a ProductRow, as `row_luts` has those of an AccumulateRow. A portable one is estimated as its popcounts
    and the additions that join them."""
    check(simd, stages)
    if family.rows.weighted_luts is not None:
        terms = tuple((one.shift, one.gate) for one in products.every)
        return family.rows.weighted_luts(simd, terms, bits, stages, single)
    line = costs.portable_row
    joins = sum(one.shift + simd.bit_length() + 1 for one in products.every[1:])
    return round(line.base + len(products.every) * line.slope * simd + joins)


def serial_row_luts(*, simd: int, order: PlaneOrder, bits: int, family: Family, costs: Costs, stages: int = 1) -> int:
    """LUTs of a SerialRow: a row of one product, what doubles and complements the sum, and what chooses a preload's
    bit."""
    check(simd, stages)
    chosen = bits + (order.doublings - 1 + 1) // 2
    if family.rows.weighted_luts is not None:
        return chosen + family.rows.weighted_luts(simd, ((order.base, order.gate),), bits, stages, False)
    line = costs.portable_row
    return chosen + round(line.base + line.slope * simd)


def row_levels(simd: int, family: Family, stages: int) -> float:
    """Levels of logic between registers of an AccumulateRow, at most: LUTs or additions of a few bits."""
    check(simd, stages)
    return family.rows.levels(simd, stages)

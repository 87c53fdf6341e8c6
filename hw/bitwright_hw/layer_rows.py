"""The LUTs of one row of a layer's folded engine, for each kind of row."""

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold
from bitwright_hw.engine_numbers import plane_order, products_of
from bitwright_hw.families import Family
from bitwright_hw.families.costs import Costs
from bitwright_hw.integer_row import integer_row_luts
from bitwright_hw.popcount import product_row_luts, row_luts, serial_row_luts


def layer_row_luts(layer: MatrixLayer, fold: Fold, *, bits: int, family: Family, costs: Costs, stages: int) -> int:
    """LUTs of a row for `layer`, folded so, with accumulators of `bits` bits."""
    single, simd, order = fold.pass_words == 1, fold.simd, plane_order(layer, fold)
    if order is not None:
        return serial_row_luts(simd=simd, order=order, bits=bits, family=family, costs=costs, stages=stages)
    if layer.counts_bits:
        return row_luts(simd=simd, bits=bits, family=family, costs=costs, stages=stages, single=single)
    products = products_of(layer)
    if products is None:
        return integer_row_luts(simd, layer.takes.bits, bits)
    return product_row_luts(
        simd=simd, products=products, bits=bits, family=family, costs=costs, stages=stages, single=single
    )

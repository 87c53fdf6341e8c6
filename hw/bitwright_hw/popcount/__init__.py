"""XNOR and popcount as a family makes them, alone and merged with a row's accumulator and threshold."""

from bitwright_hw.popcount.estimate import product_row_luts, row_levels, row_luts
from bitwright_hw.popcount.product_row import ProductRow
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.popcount.xnor import XnorPopcount

__all__ = ["AccumulateRow", "ProductRow", "XnorPopcount", "product_row_luts", "row_levels", "row_luts"]

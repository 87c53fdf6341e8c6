"""XNOR and popcount as a family makes them, alone and merged with a row's accumulator and threshold."""

from bitwright_hw.popcount.estimate import product_row_luts, row_levels, row_luts, serial_row_luts
from bitwright_hw.popcount.product_row import ProductRow
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.popcount.serial_row import SerialRow
from bitwright_hw.popcount.xnor import XnorPopcount

__all__ = [
    "AccumulateRow",
    "ProductRow",
    "SerialRow",
    "XnorPopcount",
    "product_row_luts",
    "row_levels",
    "row_luts",
    "serial_row_luts",
]

"""XNOR and popcount as a family makes them, alone and merged with a row's accumulator and threshold."""

from bitwright_hw.popcount.estimate import row_levels, row_luts
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.popcount.xnor import XnorPopcount

__all__ = ["AccumulateRow", "XnorPopcount", "row_levels", "row_luts"]

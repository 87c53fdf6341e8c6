"""XNOR and popcount made for the target, alone and merged with a row's accumulator and threshold."""

from bitwright_hw.popcount.estimate import row_levels, row_luts
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.popcount.target import TARGETS, Target
from bitwright_hw.popcount.xnor import XnorPopcount

__all__ = ["TARGETS", "AccumulateRow", "Target", "XnorPopcount", "row_levels", "row_luts"]

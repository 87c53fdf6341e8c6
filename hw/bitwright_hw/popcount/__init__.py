"""XNOR and popcount made for the target, alone and merged with a row's accumulator and threshold."""

from pathlib import Path

from bitwright_hw.popcount.estimate import row_levels, row_luts
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.popcount.target import TARGETS, Target
from bitwright_hw.popcount.xnor import XnorPopcount

__all__ = ["TARGETS", "AccumulateRow", "Target", "XnorPopcount", "row_levels", "row_luts", "simulation_models"]


def simulation_models(target: Target) -> list[Path]:
    """Verilog models of the cells that designs for `target` instantiate; a simulator needs them, a tool for
    the target brings its own."""
    models = Path(__file__).parent / "models" / f"{target}.v"
    return [models] if target != "generic" else []

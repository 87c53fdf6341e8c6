"""Vivado projects for PYNQ boards: readable Tcl and Verilog, written from the block design's description."""

from bitwright_boards.vivado.project import PynqBuild, build_pynq, write_project

__all__ = ["PynqBuild", "build_pynq", "write_project"]

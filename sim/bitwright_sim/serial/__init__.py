"""Boards with a serial link, simulated to the pin: bytes in and out of the Verilated top."""

from bitwright_sim.serial.line import SimulatedLine, build_line

__all__ = ["SimulatedLine", "build_line"]

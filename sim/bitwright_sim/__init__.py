"""Simulation of emitted designs: Verilator builds, native simulation, cocotb testbenches."""

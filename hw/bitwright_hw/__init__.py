"""Amaranth components and the Verilog emitter."""

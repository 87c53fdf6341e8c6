"""A PYNQ board in software: pynq itself, a Device of ours behind it, and the emitted Verilog behind that.

`bitstream` makes the overlay that such a board takes. `pynq_device` is the board; it runs in pynq's environment, not
in bitwright's, and imports numpy and pynq alone. `account` is a home folder whose login shell finds all that.
"""

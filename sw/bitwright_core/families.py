"""The names of the FPGA families, as plans, manifests, boards and options have them.

What a name stands for is an object of the hardware's (bitwright_hw.families), which has one for each.
"""

from typing import Literal, get_args

FamilyName = Literal["generic", "xc7", "ecp5", "ice40", "gowin"]
FAMILY_NAMES: tuple[FamilyName, ...] = get_args(FamilyName)
PORTABLE: FamilyName = "generic"  # Verilog for any FPGA; each other name is a family of them
FPGA_NAMES = tuple(name for name in FAMILY_NAMES if name != PORTABLE)

"""Bits that stand for -1 and +1: bit 1 is +1, bit 0 is -1. Files and errors call them binary."""

from bitwright_core.numbers.kind import NumberKind

BIPOLAR = NumberKind(
    name="binary",
    widths=range(1, 2),
    stored=lambda bits: (0, 1),
    planes=lambda bits: (1,),
    paddings=("minus_one", "plus_one", "zero"),
    scale=2,
    offset=-1,
)

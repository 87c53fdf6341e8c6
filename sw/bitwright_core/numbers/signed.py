"""Signed integers in two's complement: what the first layer takes of an IntegerEncoding, and scores."""

from bitwright_core.numbers.kind import NumberKind

SIGNED = NumberKind(
    name="signed",
    widths=range(1, 65),
    stored=lambda bits: (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
    planes=lambda bits: (*(1 << bit for bit in range(bits - 1)), -(1 << (bits - 1))),
    paddings=("zero",),
)

"""Ternary numbers: -1, 0 and +1, in two's complement of two bits. No lane holds -2."""

from bitwright_core.numbers.kind import NumberKind

TERNARY = NumberKind(
    name="ternary",
    widths=range(2, 3),
    stored=lambda bits: (-1, 1),
    planes=lambda bits: (1, -2),
    paddings=("zero",),
)

"""Unsigned integers: the values of a frame, and what thresholds of several levels give."""

from bitwright_core.numbers.kind import NumberKind

UNSIGNED = NumberKind(
    name="unsigned",
    widths=range(1, 33),
    stored=lambda bits: (0, (1 << bits) - 1),
    planes=lambda bits: tuple(1 << bit for bit in range(bits)),
    paddings=("zero",),
)

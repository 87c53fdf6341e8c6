"""Hardwired layers on ECP5: shared full adders, and what each sum has left in carry chains.

A shared full adder costs two LUT4s, and a carry chain takes three bits for four LUTs at the best, so two sums would pay
for it in LUTs; but its two bits are wires to each sum, across the chip, where a chain's are neighbours. From four sums
on, the LUTs are 8 % more, and the bits that travel a third as many, which decides whether a whole network routes
(docs/decisions/0006-hardwired.md).
"""

from collections.abc import Sequence
from functools import partial

from amaranth.hdl import Module, Value

from bitwright_hw.arithmetic.adders import ColumnAdder, row_totals
from bitwright_hw.families.ecp5.chained_sums import additions, chained_luts, chained_sum
from bitwright_hw.families.family import HardwiredSums, nothing_held

WIDEST = 64  # bits of a sum, more than any has


def _levels(columns: Sequence[Sequence[int]]) -> int:
    return len(additions(tuple(map(len, columns)), WIDEST).levels)


def _add(m: Module, name: str, columns: Sequence[Sequence[Value]], width: int, stages: int) -> Value:
    m.submodules[name] = part = Module()
    return chained_sum(part, columns, width, stages)


def _ones(m: Module, inputs: Value, width: int, stages: int) -> Value:
    return chained_sum(m, [list(inputs)], width, stages)


def _ones_luts(inputs: int, stages: int) -> int:
    return chained_luts((inputs,), inputs.bit_length(), stages)


SUMS = HardwiredSums(
    least_share=4,
    reduce=None,
    held=nothing_held,
    totals=partial(row_totals, adder=ColumnAdder(levels=_levels, add=_add)),
    ones=_ones,
    ones_luts=_ones_luts,
)

"""Hardwired layers on ECP5: shared full adders, and what each sum has left in carry chains.

A shared full adder costs two LUT4s, and a carry chain takes three bits for four LUTs at the best, so two sums would pay
for it in LUTs; but its two bits are wires to each sum, across the chip, where a chain's are neighbours. From four sums
on, the LUTs are 8 % more, and the bits that travel a third as many, which decides whether a whole network routes
(docs/decisions/0006-hardwired.md).
"""

from bitwright_hw.families.chained_sums import chained_sums
from bitwright_hw.families.ecp5.chains import CHAINS

SUMS = chained_sums(CHAINS, least_share=4)

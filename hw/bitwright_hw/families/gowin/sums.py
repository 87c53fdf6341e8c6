"""Hardwired layers on Gowin: shared full adders, and what each sum has left in carry chains.

A shared full adder costs two LUT4s, as on ECP5, and its two bits travel to each sum: from four sums on it is shared
(docs/decisions/0006-hardwired.md).
"""

from bitwright_hw.families.chained_sums import chained_sums
from bitwright_hw.families.gowin.chains import CHAINS

SUMS = chained_sums(CHAINS, least_share=4)

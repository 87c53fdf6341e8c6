"""XNOR, popcount and accumulation in ECP5 carry chains.

Numbers of agreeing lanes are added in a tree, each addition with one more lane as its carry-in, so that
2 ** k - 1 lanes fill k bits. Adding two k-bit numbers and a lane takes k + 1 halves of a CCU2C, counting three
lanes 2, and 2 ** k - 1 lanes 1.3 to 1.5 a lane. A half can take two lanes if they are XORs, which is why weights come
complemented.

The floor: N lanes take about N full adders, half of them at weight 1. A carry chain climbs one weight a half,
so each of those N / 2 needs its own entry, a further half. A full adder of LUT4s takes 2 as well.
"""

from bitwright_hw.families.chained_rows import ChainedRows
from bitwright_hw.families.ecp5.chains import CHAINS

CHAINED = ChainedRows(chains=CHAINS)
ROWS = CHAINED.rows()

"""XNOR, popcount and accumulation in Gowin carry chains.

N lanes take about N full adders, an ALU each. Half of those have weight 1, and each of them an entry of its own, an ALU
more, as on ECP5. An ALU takes one lane and a bit; where three lanes are counted, two have an XNOR of their own in a
LUT, and each addition above takes a further lane for nothing: N / 2 XNORs, and some 2 LUTs a lane in all. A counter
of three lanes in LUT4s would take 4 as well (docs/decisions/0029-gowin-chains.md).
"""

from bitwright_hw.families.chained_rows import ChainedRows
from bitwright_hw.families.gowin.chains import CHAINS

CHAINED = ChainedRows(chains=CHAINS)
ROWS = CHAINED.rows()

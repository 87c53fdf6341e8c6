"""Lattice iCE40: LUT4, blocks of 4 kbit, no memories in LUTs. Designs are plain Verilog.

Delays are those of `generic`, that is 7-series: none of iCE40's own were measured.
"""

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.family import Delays, Family
from bitwright_hw.families.generic.arithmetic import ROWS, SUMS
from bitwright_hw.families.ice40.costs import COSTS
from bitwright_hw.families.ice40.flow import FLOW
from bitwright_hw.families.ice40.synthesis import SYNTHESIS

ICE40 = Family(
    name="ice40",
    title="iCE40",
    rows=ROWS,
    sums=SUMS,
    delays=Delays(register=1.5, block_ram=3.6, level=1.2),
    block_ram=BlockRam(key="ebr", title="EBR"),
    synthesis=SYNTHESIS,
    costs=COSTS,
    flow=FLOW,
)

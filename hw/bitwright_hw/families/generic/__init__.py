"""Any FPGA: plain Verilog, whose cells the synthesizer chooses."""

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.family import Delays, Family
from bitwright_hw.families.generic.arithmetic import ROWS, SUMS

GENERIC = Family(
    name="generic",
    title="any FPGA",
    rows=ROWS,
    sums=SUMS,
    delays=Delays(register=1.5, block_ram=3.6, level=1.2),  # those of 7-series, for want of others
    block_ram=BlockRam(key="block_rams", title="block RAM"),
)

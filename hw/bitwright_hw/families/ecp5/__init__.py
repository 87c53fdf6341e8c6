"""Lattice ECP5: LUT4, CCU2C, blocks of 18 kbit.

Delays of speed grade 6 are what nextpnr reports for engines of ours: a block RAM gives its word 5.8 ns after the clock,
1.0 from its output register, and the way from there to the rows takes up to 2.6.
"""

from pathlib import Path

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.ecp5.costs import COSTS
from bitwright_hw.families.ecp5.flow import FLOW
from bitwright_hw.families.ecp5.popcount import ROWS
from bitwright_hw.families.ecp5.sums import SUMS
from bitwright_hw.families.ecp5.synthesis import SYNTHESIS
from bitwright_hw.families.family import Delays, Family

ECP5 = Family(
    name="ecp5",
    title="ECP5",
    rows=ROWS,
    sums=SUMS,
    delays=Delays(register=3.4, block_ram=8.4, level=2.2),
    simulation_models=(Path(__file__).with_name("ecp5.v"),),
    block_ram=BlockRam(key="ebr", title="EBR"),
    synthesis=SYNTHESIS,
    costs=COSTS,
    flow=FLOW,
)

"""Gowin LittleBee and Arora: LUT4, carries of an ALU for each LUT4, blocks of 18 kbit (BSRAM).

Delays are those of the slower of both boards, a GW1NR-9 of speed grade C6/I5, by the table of Gowin's that apycula
carries: a LUT4 up to 1.1 ns, a register 0.46 and its setup 0.4, a block RAM without output register 3.46. An addition
takes 1.4 ns into a carry and 0.8 from it to a sum, by Yosys' cells. To each 0.7 are added for the wire: those of a
small design that nextpnr placed on a GW2AR-18 took 0.4, and that part is faster.
"""

from pathlib import Path

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.family import Delays, Family
from bitwright_hw.families.gowin.costs import COSTS
from bitwright_hw.families.gowin.flow import FLOW
from bitwright_hw.families.gowin.popcount import ROWS
from bitwright_hw.families.gowin.sums import SUMS
from bitwright_hw.families.gowin.synthesis import SYNTHESIS

GOWIN = Family(
    name="gowin",
    title="Gowin",
    rows=ROWS,
    sums=SUMS,
    delays=Delays(register=1.6, block_ram=4.6, level=2.9),
    simulation_models=(Path(__file__).with_name("gowin.v"),),
    block_ram=BlockRam(key="bsram", title="BSRAM"),
    synthesis=SYNTHESIS,
    costs=COSTS,
    flow=FLOW,
)

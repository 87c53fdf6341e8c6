"""AMD 7-series: LUT6, CARRY4, RAMB36. UltraScale+ takes its cells, too, as Vivado retargets them.

Delays of speed grade -1 are the data sheet's (AMD DS187, switching characteristics) with a nanosecond of wire a
level; no Vivado has confirmed them.
"""

from pathlib import Path

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.family import Delays, Family
from bitwright_hw.families.xc7.costs import COSTS
from bitwright_hw.families.xc7.flow import VIVADO
from bitwright_hw.families.xc7.lut_rom import LUT_ROMS
from bitwright_hw.families.xc7.popcount import ROWS
from bitwright_hw.families.xc7.sums import SUMS
from bitwright_hw.families.xc7.synthesis import SYNTHESIS, ULTRA

XC7 = Family(
    name="xc7",
    title="7-series",
    rows=ROWS,
    sums=SUMS,
    lut_roms=LUT_ROMS,
    delays=Delays(register=1.5, block_ram=3.6, level=1.2),
    simulation_models=(Path(__file__).with_name("xc7.v"),),
    block_ram=BlockRam(key="bram36", title="BRAM36", halves=True),
    synthesis=SYNTHESIS,
    ultra=ULTRA,
    costs=COSTS,
    vivado=VIVADO,
)

"""iCE40 in Yosys, and what its cells occupy (Lattice FPGA-DS-02008).

A logic cell is a LUT4, its carry and a flip-flop, so that a carry lies beside the LUT that adds with it. The parts have
no memories in LUTs, which designs ask for where a buffer is shallow: that attribute is removed, and Yosys takes a
block.
"""

from bitwright_hw.cells import Counts, logic_luts
from bitwright_hw.families.synthesis import Synthesis

SYNTHESIS = Synthesis(
    command="synth_ice40",
    labels=(
        "begin",
        "flatten",
        "coarse",
        "map_ram",
        "map_ffram",
        "map_gates",
        "map_ffs",
        "map_luts",
        "map_cells",
        "check",
        "edif",
    ),
    cells=(
        (r"SB_LUT4", logic_luts(1)),
        (r"SB_DFFN?E?(S[SR]?|R)?", Counts(ffs=1)),
        (r"SB_RAM40_4K(NR|NW|NRNW)?", Counts(block_rams=1)),
        (r"SB_MAC16", Counts(dsps=1)),
        (r"SB_CARRY|SB_GB|SB_IO", Counts()),
    ),
    before=(("map_ram", 'attrmap -remove ram_style="distributed"'),),
)

"""ECP5 in Yosys, and what its cells occupy (Lattice FPGA-TN-02235).

A carry cell takes both LUT4 of a slice; 16 x 4 bits take four LUT4 and, for the write port, the inputs of two more.
"""

from bitwright_hw.cells import Counts, logic_luts, memory_luts
from bitwright_hw.families.synthesis import Synthesis

SYNTHESIS = Synthesis(
    command="synth_ecp5 -noiopad",
    labels=(
        "begin",
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
        (r"LUT4", logic_luts(1)),
        (r"CCU2C", logic_luts(2)),
        (r"TRELLIS_DPR16X4", memory_luts(6)),
        (r"TRELLIS_FF", Counts(ffs=1)),
        (r"DP16KD|PDPW16KD", Counts(block_rams=1)),
        (r"MULT(9X9|18X18)D", Counts(dsps=1)),
        (r"PFUMX|L6MUX21|TRELLIS_IO|GSR|PUR|VLO|VHI", Counts()),
    ),
)

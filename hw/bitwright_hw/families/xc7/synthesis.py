"""7-series in Yosys, and what its cells occupy (AMD UG474, tables of the SLICEM's memories).

A carry chain and the wide multiplexers lie beside the LUTs. Designs with UltraRAM are synthesized for UltraScale+,
whose LUTs and block RAMs are as large.
"""

from dataclasses import replace

from bitwright_hw.cells import Counts, logic_luts, memory_luts
from bitwright_hw.families.synthesis import Synthesis

SYNTHESIS = Synthesis(
    command="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    labels=(
        "begin",
        "prepare",
        "map_dsp",
        "coarse",
        "map_memory",
        "map_ffram",
        "fine",
        "map_cells",
        "map_ffs",
        "map_luts",
        "finalize",
        "check",
        "edif",
    ),
    cells=(
        (r"LUT[1-6]|LUT6_2|INV", logic_luts(1)),
        (r"SRL16E|SRLC16E|SRLC32E|RAM(16|32|64)X1S", memory_luts(1)),
        (r"RAM(16|32|64)X1D|RAM32X2S|RAM128X1S", memory_luts(2)),
        (r"RAM32M|RAM64M|RAM128X1D|RAM256X1S", memory_luts(4)),
        (r"RAM256X1D|RAM512X1S", memory_luts(8)),
        (r"FD[RSCP]E(_1)?", Counts(ffs=1)),
        (r"RAMB36E1", Counts(block_rams=1)),
        (r"RAMB18E1", Counts(block_rams=0.5)),
        (r"DSP48E1", Counts(dsps=1)),
        (r"CARRY4|MUXF[78]|BUFG|[IO]BUF|GND|VCC", Counts()),
    ),
)

ULTRA = replace(
    SYNTHESIS,
    command="synth_xilinx -family xcup -uram -flatten -noiopad -noclkbuf",
    cells=(
        (r"URAM288", Counts(ultra_rams=1)),
        (r"RAM32M16|RAM64M8", memory_luts(8)),
        (r"RAMB36E2", Counts(block_rams=1)),
        (r"RAMB18E2", Counts(block_rams=0.5)),
        (r"DSP48E2", Counts(dsps=1)),
        (r"CARRY8|MUXF9", Counts()),
        *SYNTHESIS.cells,
    ),
)

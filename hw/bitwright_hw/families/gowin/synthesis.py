"""Gowin LittleBee (GW1N) and Arora (GW2A) in Yosys, and what their cells occupy.

Yosys' script is the same for both. A configurable function unit (CFU) has eight LUT4 (Gowin UG288). A carry (ALU) is
made of one; what joins several LUT4 to a wider one (MUX2_LUT5 and up) lies between them and takes none. A memory of 16
words by 1, 2 or 4 bits takes a CFU whole: four LUT4 hold it, and its write port takes the inputs of the other four
(nextpnr's himbaechel/uarch/gowin/gowin.cc, slice_valid). A quarter of the CFUs can be one.

ABC9 is told that paths may take 18.5 ns, half of what the boards' oscillators leave, wires taking the other half: by
itself it makes logic as fast as it can, of multiplexers of many LUT4. An XNOR-popcount of 64 lanes takes 205 LUT4 so,
and 269 without; 40 tables of 6 inputs 178, and 379 without the multiplexers (-nowidelut).

What a placement takes beyond these counts: nextpnr puts an ALU in front of every chain of carries, another behind one
whose last carry is used, and fills it to an even number.
"""

from bitwright_hw.cells import Counts, logic_luts, memory_luts
from bitwright_hw.families.synthesis import Synthesis

SYNTHESIS = Synthesis(
    command="synth_gowin -noiopads -family gw2a",
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
        "vout",
    ),
    cells=(
        (r"LUT[1-4]", logic_luts(1)),
        (r"ALU", logic_luts(1)),
        (r"RAM16SDP[124]", memory_luts(8)),
        (r"DFFN?([SRPC]?E?)", Counts(ffs=1)),
        (r"SP|SPX9|SDPB|SDPX9B|DPB|DPX9B|pROM|pROMX9", Counts(block_rams=1)),
        (r"MULT(9X9|18X18|36X36)", Counts(dsps=1)),
        (r"MUX2_LUT[5-8]|GND|VCC|rPLL|[IO]BUF", Counts()),
    ),
    before=(("map_luts", "scratchpad -set abc9.D 18500"),),  # picoseconds
)

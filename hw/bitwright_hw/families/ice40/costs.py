"""What parts take on iCE40, fitted to Yosys 0.70 (bench/costs.py, bench/costs/ice40.json).

No measurement tells of max-pools, of thresholds that depend on the place in the image, or of encoders whose rows
differ: their constants are ECP5's.
"""

from functools import partial

from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import (
    BlockShapes,
    Costs,
    CountsCost,
    EncoderCost,
    FrontCost,
    GearboxCost,
    LaneCost,
    LevelCost,
    ScoreCost,
    StraightLine,
    WindowCost,
    lut4_rom,
)

_BLOCK = BlockShapes(blocks=1.0, cost=64, shapes=((2, 2048), (4, 1024), (8, 512), (16, 256)))
_REGISTER_LUTS = 1.0  # of a bit that is kept in a flip-flop: who writes it, and its way out


def _buffer(width: int, depth: int) -> Counts:
    """In a block, unless Yosys finds flip-flops cheaper."""
    blocks = -(-width // 16) * -(-depth // 256)
    if width * depth > _BLOCK.cost * blocks:
        return Counts(block_rams=blocks)
    return _register_file(width, depth)


def _register_file(width: int, depth: int) -> Counts:
    """In flip-flops, as no block has a read port that is not clocked."""
    return Counts(luts=round(_REGISTER_LUTS * width * depth), ffs=width * depth)


COSTS = Costs(
    blocks=(_BLOCK,),
    rom=partial(lut4_rom, shares=(1, 1.5)),
    buffer=_buffer,
    register_file=_register_file,
    lut_memories=False,
    multipliers=False,
    lut_inputs=4,
    encoder=EncoderCost(phase=3, rom=1.2, compared=StraightLine(base=3, slope=1)),
    portable_row=StraightLine(base=6.9, slope=2.84),
    tree_ffs=0.4,
    engine_control=StraightLine(base=-19.5, slope=2.92),
    preload_control=StraightLine(base=4.5, slope=1.94),
    levels=LevelCost(chosen=1.0, compared=1.1, fixed=4, base=14),
    lanes=LaneCost(compared=0.08, chosen=0.7, above=1),
    borders=60,
    window=WindowCost(base=44, counter=2.18, address=9, odd_address=7.8),
    pool=60,
    source=31,
    queue=StraightLine(base=-3.2, slope=2.41),
    gearbox=GearboxCost(
        widen=3.4,
        slot=3.7,
        narrow=8.2,
        odd_bits=1,
        shifted=StraightLine(base=18.2, slope=1.15),
        narrowed=0.22,
        held=0.29,
        flowing=StraightLine(base=20, slope=0.92),
    ),
    control=210,
    guard=42,
    tags=56,
    tag_lutram=0,
    tag_ffs=21,
    result_beats=7,
    scores=ScoreCost(logic=2.12, lane_bit=-0.42, results=2.59),
    tables=(1, 1, 1, 4.4, 9.2),
    table_inputs=4,
    table_resets=True,
    ones=StraightLine(base=-6, slope=1.94),
    front=FrontCost(
        guard=20,
        collector=20,
        records=49,
        keep=0.5,
        padding=0.1,
        word=0.9,
        wide=0,
        ahead=1,
        tag=4.7,
        registers=6.5,
        registers_keep=0.1,
    ),
    counts=CountsCost(base=39, held=0.96, klass=3, slot=10.5, merge=4.4, sent=25, sent_word=7.2, sent_bit=1.7),
)

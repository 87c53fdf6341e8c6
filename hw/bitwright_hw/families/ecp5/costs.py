"""What parts take on ECP5, fitted to Yosys 0.70."""

from functools import partial

from bitwright_hw.families.costs import (
    BlockShapes,
    Costs,
    CountsCost,
    EncoderCost,
    FrontCost,
    GearboxCost,
    LevelCost,
    ScoreCost,
    StraightLine,
    WindowCost,
    lut4_memory,
    lut4_rom,
)

_lut_memory = partial(lut4_memory, taken=6)

COSTS = Costs(
    blocks=(
        BlockShapes(blocks=1.0, cost=128, shapes=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))),
    ),
    rom=partial(lut4_rom, shares=(1, 1, 1.05, 1.6, 1.5)),
    buffer=_lut_memory,
    register_file=_lut_memory,
    lut_memories=True,
    multipliers=True,
    lut_inputs=4,
    encoder=EncoderCost(phase=3, rom=1.2, compared=StraightLine(base=3, slope=1)),
    portable_row=StraightLine(base=14.5, slope=3.83),
    tree_ffs=0.4,
    engine_control=StraightLine(base=-9, slope=2.5),
    preload_control=StraightLine(base=5, slope=1.4),
    levels=LevelCost(chosen=0.62, compared=1.1, fixed=4, base=14),
    borders=60,
    window=WindowCost(base=40, counter=3, address=9, odd_address=9),
    pool=60,
    source=50,
    queue=StraightLine(base=15, slope=2),
    gearbox=GearboxCost(
        widen=15, slot=2, narrow=10, odd_bits=3, shifted=StraightLine(base=15, slope=1.8), narrowed=0.4, held=3
    ),
    control=370,
    guard=45,
    tags=61,
    tag_lutram=12,
    tag_ffs=21,
    result_beats=8,
    scores=ScoreCost(logic=1.4, lane_bit=1, results=2.4),
    tables=(1, 1, 1, 2, 4),
    table_inputs=6,
    table_resets=True,
    ones=StraightLine(base=1, slope=1.59),
    front=FrontCost(
        guard=34,
        collector=29,
        records=57,
        keep=0.28,
        padding=0.28,
        word=2,
        wide=37,
        ahead=2,
        tag=0,
        registers=16,
        registers_keep=0,
    ),
    counts=CountsCost(base=36, held=1.03, klass=3.4, slot=8.4, merge=5.6, sent=6, sent_word=12, sent_bit=1.4),
)

"""What parts take on Gowin, fitted to Yosys 0.70 (bench/costs.py, bench/costs/gowin.json).

No measurement tells of max-pools, of thresholds that depend on the place in the image, of group sums and what lies
around tables, or of encoders whose rows differ: their constants are those of ECP5 and iCE40.
"""

from functools import partial

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
    lut4_memory,
    lut4_rom,
)

_lut_memory = partial(lut4_memory, taken=8)

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
    portable_row=StraightLine(base=5.2, slope=3.08),
    tree_ffs=0.4,
    engine_control=StraightLine(base=-30, slope=4.3),
    preload_control=StraightLine(base=4.3, slope=0.46),
    levels=LevelCost(chosen=1.0, compared=1.1, fixed=4, base=14),
    lanes=LaneCost(compared=0.75, chosen=1.15, above=1),
    borders=60,
    window=WindowCost(base=41, counter=2.8, address=9, odd_address=6.8),
    pool=60,
    source=34,
    queue=StraightLine(base=-5.9, slope=1.81),
    gearbox=GearboxCost(
        widen=1.9,
        slot=4.15,
        narrow=10.6,
        odd_bits=1,
        shifted=StraightLine(base=21.7, slope=1.23),
        narrowed=0,
        held=0.8,
        flowing=StraightLine(base=13, slope=0.91),
    ),
    control=205,
    guard=42,
    tags=56,
    tag_lutram=16,
    tag_ffs=21,
    result_beats=7,
    scores=ScoreCost(logic=2.97, lane_bit=1.05, results=3.4),
    tables=(1, 1, 1, 2, 4),
    table_inputs=4,
    table_resets=True,
    ones=StraightLine(base=-5, slope=2.08),
    front=FrontCost(
        guard=78,
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

"""What parts take on 7-series, fitted to Yosys 0.70."""

from bitwright_core.plan import ceil_div
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
)


def _rom(width: int, depth: int) -> int:
    return int(width * 2 ** max(0, (depth - 1).bit_length() - 6))


def _lut_memory(width: int, depth: int) -> Counts:
    if depth <= 32:
        memory, ways = 4 * ceil_div(width, 6), 0
    else:
        groups = ceil_div(depth, 64)
        memory, ways = 4 * ceil_div(width, 3) * groups, ceil_div(groups - 1, 3)
    return Counts(luts=memory + ways * width, lutram=memory)


COSTS = Costs(
    blocks=(
        BlockShapes(blocks=0.5, cost=129, shapes=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))),
        BlockShapes(
            blocks=1.0,
            cost=257,
            shapes=((1, 32768), (2, 16384), (4, 8192), (9, 4096), (18, 2048), (36, 1024), (72, 512)),
        ),
    ),
    rom=_rom,
    buffer=_lut_memory,
    register_file=_lut_memory,
    lut_memories=True,
    multipliers=True,
    lut_inputs=6,
    encoder=EncoderCost(phase=1.2, rom=1.05, compared=StraightLine(base=1, slope=0.5)),
    portable_row=StraightLine(base=11.5, slope=1.75),
    tree_ffs=0.33,
    engine_control=StraightLine(base=-4, slope=0.93),
    preload_control=StraightLine(base=3, slope=0.9),
    levels=LevelCost(chosen=0.34, compared=1.0, fixed=3, base=6),
    lanes=LaneCost(compared=0.18, chosen=0.5, above=0),
    borders=30,
    window=WindowCost(base=22, counter=1.2, address=3, odd_address=6),
    pool=30,
    source=20,
    queue=StraightLine(base=18, slope=0.45),
    gearbox=GearboxCost(
        widen=10,
        slot=1,
        narrow=8,
        odd_bits=1,
        shifted=StraightLine(base=38, slope=0.58),
        narrowed=0.28,
        held=0.7,
        flowing=StraightLine(base=15, slope=0.63),
    ),
    control=130,
    guard=23,
    tags=37,
    tag_lutram=8,
    tag_ffs=21,
    result_beats=4,
    scores=ScoreCost(logic=1, lane_bit=0, results=1),
    tables=(1, 1, 1, 1, 1),
    table_inputs=6,
    table_resets=False,
    ones=StraightLine(base=-0.6, slope=0.503),
    front=FrontCost(
        guard=15,
        collector=10,
        records=35,
        keep=0.45,
        padding=0.13,
        word=1,
        wide=0,
        ahead=1,
        tag=3.3,
        registers=27,
        registers_keep=0.29,
    ),
    counts=CountsCost(base=23, held=0.97, klass=4.8, slot=4.4, merge=2.9, sent=11, sent_word=4, sent_bit=0.14),
)

"""What a clock period has room for: how many levels of logic between registers, and whether a block RAM's output
needs a register of its own.

The delays, each family's own, are a plan, not a promise: place and route has the last word.
"""

from dataclasses import dataclass
from functools import cache

from amaranth.hdl import Module, Signal, Value

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.engine_numbers import plane_order, products_of
from bitwright_hw.families import Family, family_named
from bitwright_hw.integer_row import row_stages
from bitwright_hw.popcount import row_levels
from bitwright_hw.rom import rom_place

MOST_STAGES = 8
LEVELS_BEHIND_BLOCK_RAM = 4  # with less room its word gets a register, which tools may find inside the block RAM


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The registers of an engine."""

    read_latency: int  # cycles from a weight memory's address to its word at the rows, 1 or 2
    stages: int  # registers inside a row's popcount


@cache
def pipeline_for(simd: int, clock_mhz: float, family: Family, *, block_ram: bool, behind: int = 0) -> Pipeline:
    """The fewest registers that the clock allows, or all that help if none suffice.

    `block_ram` tells whether the weights come from one. At least one register is in the popcount, which saves LUTs: see
    AccumulateRow. `behind` are levels of logic behind the accumulator's adder.
    """
    delays = family.delays
    period = 1000 / clock_mhz
    registered = block_ram and period < delays.block_ram + LEVELS_BEHIND_BLOCK_RAM * delays.level
    start = delays.block_ram if block_ram and not registered else delays.register
    room = (period - start) / delays.level
    depths: list[float] = []
    while len(depths) < MOST_STAGES and not (depths and depths[-1] <= room):
        depths.append(row_levels(simd, family, len(depths) + 1) + behind)
    stages = len(depths) if depths[-1] <= room else 1 + depths.index(min(depths))
    return Pipeline(read_latency=2 if registered else 1, stages=stages)


def engine_pipeline(fold: Fold, choice: LayerPlan, plan: Plan, layer: MatrixLayer | None = None) -> Pipeline:
    """The registers of an engine folded so, for the plan's clock; without `layer` those of one that counts bits."""
    stored = choice.engine != "hardwired" and fold.weight_words > 1
    block_ram = stored and rom_place(choice.memory, fold.weight_words) != "distributed"
    if layer is not None and plane_order(layer, fold) is not None:
        family = family_named(plan.target)
        return pipeline_for(fold.simd, plan.clock_mhz, family, block_ram=block_ram, behind=1)
    products = None if layer is None else products_of(layer)
    lanes = fold.simd * (1 if products is None else len(products.every))
    found = pipeline_for(lanes, plan.clock_mhz, family_named(plan.target), block_ram=block_ram)
    if layer is None or products is not None or layer.counts_bits:
        return found
    return Pipeline(read_latency=found.read_latency, stages=row_stages(fold.simd))


def valid_after(m: Module, valid: Value, cycles: int) -> Value:
    """`valid` so many cycles later; low in between after a reset."""
    for k in range(cycles):
        delayed = Signal(name=f"valid_{k}")
        m.d.sync += delayed.eq(valid)
        valid = delayed
    return valid

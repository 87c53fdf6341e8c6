"""What a clock period has room for: how many levels of logic between registers, and whether a block RAM's output
needs a register of its own.

The delays are a plan, not a promise: place and route has the last word. Those of ECP5, speed grade 6, are what
nextpnr reports for engines of ours: a block RAM gives its word 5.8 ns after the clock, 1.0 from its output register,
and the way from there to the rows takes up to 2.6. Those of 7-series, speed grade -1, are the data sheet's (AMD DS187,
switching characteristics) with a nanosecond of wire a level; no Vivado has confirmed them. They serve for unknown
targets too.
"""

from dataclasses import dataclass
from functools import cache

from bitwright_hw.popcount import Target, row_levels


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Nanoseconds of one target, each with the wire behind it."""

    register: float  # clock to output, and the setup of the next
    block_ram: float  # the same for a block RAM without output register
    level: float  # a LUT, or an addition of few bits


_SEVEN_SERIES = Delays(register=1.5, block_ram=3.6, level=1.2)
DELAYS: dict[Target, Delays] = {
    "generic": _SEVEN_SERIES,
    "xc7": _SEVEN_SERIES,
    "ecp5": Delays(register=3.4, block_ram=8.4, level=2.2),
}
MOST_STAGES = 8
LEVELS_BEHIND_BLOCK_RAM = 4  # with less room its word gets a register, which tools may find inside the block RAM


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The registers of an engine."""

    read_latency: int  # cycles from a weight memory's address to its word at the rows, 1 or 2
    stages: int  # registers inside a row's popcount


@cache
def pipeline(simd: int, clock_mhz: float, target: Target, *, block_ram: bool) -> Pipeline:
    """The fewest registers that the clock allows, or all that help if none suffice.

    `block_ram` tells whether the weights come from one. At least one register is in the popcount, which saves LUTs: see
    AccumulateRow.
    """
    delays = DELAYS[target]
    period = 1000 / clock_mhz
    registered = block_ram and period < delays.block_ram + LEVELS_BEHIND_BLOCK_RAM * delays.level
    start = delays.block_ram if block_ram and not registered else delays.register
    room = (period - start) / delays.level
    depths = [row_levels(simd, target, stages) for stages in range(1, MOST_STAGES + 1)]
    stages = next((k for k, depth in enumerate(depths, 1) if depth <= room), 1 + depths.index(min(depths)))
    return Pipeline(read_latency=2 if registered else 1, stages=stages)

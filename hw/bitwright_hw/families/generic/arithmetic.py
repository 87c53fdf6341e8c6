"""Rows and sums in plain Amaranth, for the synthesizer to map."""

from collections.abc import Sequence
from functools import partial

from amaranth.hdl import C, Cat, Module, Signal, Value

from bitwright_hw.arithmetic.adders import TREE_ADDER, row_totals
from bitwright_hw.arithmetic.tree import adder_tree, agreeing, longest_run, tree_levels
from bitwright_hw.families.family import GatedLanes, HardwiredSums, Rows, nothing_held


def accumulated(m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
    """Rows.accumulated, in a balanced tree of adders."""
    started = Signal(len(preload))
    m.d.comb += started.eq(accumulator | preload)
    return started + adder_tree(m, agreeing(m, x, w), stages)


def counted(m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
    """The number of agreeing lanes."""
    return adder_tree(m, agreeing(m, x, w), stages)


def weighted(m: Module, lanes: Sequence[GatedLanes], accumulator: Value, preload: Value, stages: int) -> Value:
    """Rows.weighted: an adder tree for each of `lanes`."""
    counts = []
    for k, one in enumerate(lanes):
        inner = Module()
        m.submodules[f"product_{k}"] = inner
        set_lanes = agreeing(inner, one.x, one.w) if one.gate == "xnor" else gated(inner, one)
        counts.append((one.shift, adder_tree(inner, set_lanes, stages)))
    return started_sum(m, counts, accumulator, preload)


def gated(m: Module, lanes: GatedLanes) -> Signal:
    """The AND or NAND of each lane."""
    both = Signal(len(lanes.x))
    m.d.comb += both.eq(lanes.x & lanes.w if lanes.gate == "and" else ~(lanes.x & lanes.w))
    return both


def started_sum(m: Module, counts: Sequence[tuple[int, Value]], accumulator: Value, preload: Value) -> Value:
    """(accumulator OR preload) + each count << its shift."""
    numbers: list[Value] = []
    for shift in sorted({shift for shift, _ in counts}):  # numbers of one weight first: they are the narrowest
        numbers.append(_tree([Cat(C(0, shift), count) for at, count in counts if at == shift]))
    total = Signal(len(preload), name="products")
    m.d.comb += total.eq(_tree(numbers))
    started = Signal(len(preload))
    m.d.comb += started.eq(accumulator | preload)
    return started + total


def _tree(numbers: Sequence[Value]) -> Value:
    level = list(numbers)
    while len(level) > 1:
        level = [level[k] + level[k + 1] if k + 1 < len(level) else level[k] for k in range(0, len(level), 2)]
    return level[0]


def levels(simd: int, stages: int) -> float:
    """Levels of logic between registers, at most."""
    return longest_run(tree_levels(simd), stages)


def ones(m: Module, inputs: Value, width: int, stages: int) -> Value:
    """The number of set inputs."""
    return adder_tree(m, inputs, stages)[:width]


ROWS = Rows(inverted_weights=False, accumulated=accumulated, counted=counted, levels=levels, weighted=weighted)
SUMS = HardwiredSums(
    least_share=2, reduce=None, held=nothing_held, totals=partial(row_totals, adder=TREE_ADDER), ones=ones
)

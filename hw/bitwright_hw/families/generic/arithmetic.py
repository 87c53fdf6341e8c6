"""Rows and sums in plain Amaranth, for the synthesizer to map."""

from functools import partial

from amaranth.hdl import Module, Signal, Value

from bitwright_hw.arithmetic.adders import TREE_ADDER, row_totals
from bitwright_hw.arithmetic.tree import adder_tree, agreeing, longest_run, tree_levels
from bitwright_hw.families.family import HardwiredSums, Rows, nothing_held


def accumulated(m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
    """As Rows has it, in a balanced tree of adders."""
    started = Signal(len(preload))
    m.d.comb += started.eq(accumulator | preload)
    return started + adder_tree(m, agreeing(m, x, w), stages)


def counted(m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
    """The number of agreeing lanes."""
    return adder_tree(m, agreeing(m, x, w), stages)


def levels(simd: int, stages: int) -> float:
    """Levels of logic between registers, at most."""
    return longest_run(tree_levels(simd), stages)


def ones(m: Module, inputs: Value, width: int, stages: int) -> Value:
    """The number of set inputs."""
    return adder_tree(m, inputs, stages)[:width]


ROWS = Rows(inverted_weights=False, accumulated=accumulated, counted=counted, levels=levels)
SUMS = HardwiredSums(
    least_share=2, reduce=None, held=nothing_held, totals=partial(row_totals, adder=TREE_ADDER), ones=ones
)

"""XNOR and popcount alone."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.popcount import ecp5, xc7
from bitwright_hw.popcount.target import Target, check
from bitwright_hw.popcount.tree import adder_tree, agreeing


class XnorPopcount(wiring.Component):
    """The number of lanes in which x and w agree, `latency` = stages cycles later, one word a cycle.

    If `inverted_weights`, w comes complemented.
    """

    def __init__(self, *, simd: int, target: Target = "generic", stages: int = 0):
        check(simd, stages, target)
        self.simd = simd
        self.target = target
        self.stages = stages
        super().__init__({"x": In(simd), "w": In(simd), "o": Out(range(simd + 1))})

    @property
    def latency(self) -> int:
        return self.stages

    @property
    def inverted_weights(self) -> bool:
        return self.target == "ecp5"

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.target == "xc7":
            m.d.comb += self.o.eq(xc7.counted(m, self.x, self.w, len(self.o), self.stages))
        elif self.target == "ecp5":
            m.d.comb += self.o.eq(ecp5.counted(m, self.x, self.w, self.stages))
        else:
            m.d.comb += self.o.eq(adder_tree(m, agreeing(m, self.x, self.w), self.stages))
        return m

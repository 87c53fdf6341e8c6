"""XNOR and popcount alone."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.families import GENERIC, Family
from bitwright_hw.popcount.check import check


class XnorPopcount(wiring.Component):
    """The number of lanes in which x and w agree, `latency` = stages cycles later, one word a cycle.

    If `inverted_weights`, w comes complemented.
    """

    def __init__(self, *, simd: int, family: Family = GENERIC, stages: int = 0):
        check(simd, stages)
        self.simd = simd
        self.family = family
        self.stages = stages
        super().__init__({"x": In(simd), "w": In(simd), "o": Out(range(simd + 1))})

    @property
    def latency(self) -> int:
        return self.stages

    @property
    def inverted_weights(self) -> bool:
        return self.family.rows.inverted_weights

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.eq(self.family.rows.counted(m, self.x, self.w, len(self.o), self.stages))
        return m

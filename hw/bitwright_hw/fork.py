"""Tokens where a value is taken several times."""

from functools import reduce
from operator import and_

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.tokens import Tokens


class Fork(wiring.Component):
    """Gives a token of `space` when it can take one of every branch (`grant_0` and so on), all in the same cycle.

    So a unit is only started when every branch has room for it, and its words go to all of them, whatever their pace.
    Combinational: a grant's ready depends on the others' valid, never on its own.
    """

    def __init__(self, *, branches: int):
        if branches < 2:
            raise ValueError(f"a fork has at least 2 branches, not {branches}")
        self.branches = branches
        super().__init__({"space": Out(Tokens), **{f"grant_{k}": In(Tokens) for k in range(branches)}})

    @property
    def grants(self) -> list[wiring.PureInterface]:
        """The branches' tokens, in order."""
        return [getattr(self, f"grant_{k}") for k in range(self.branches)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        grants = self.grants
        m.d.comb += self.space.valid.eq(reduce(and_, (grant.valid for grant in grants)))
        for grant in grants:
            others = reduce(and_, (other.valid for other in grants if other is not grant))
            m.d.comb += grant.ready.eq(self.space.ready & others)
        return m

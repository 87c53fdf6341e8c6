"""One row of a matrix engine: XNOR, popcount, accumulation and threshold in one compressor."""

from typing import Literal

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.popcount.tree import adder_tree, agreeing

Target = Literal["generic", "xc7", "ecp5"]
TARGETS = ("generic", "xc7", "ecp5")


def check(simd: int, stages: int, target: str) -> None:
    """Raises ValueError for what no popcount can be."""
    if simd < 1:
        raise ValueError(f"simd must be at least 1, not {simd}")
    if stages < 0:
        raise ValueError(f"stages must be at least 0, not {stages}")
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")


class AccumulateRow(wiring.Component):
    """Sums the agreeing lanes of x and w over the words of a pass, and adds `preload` once.

    A pass is any number of words, the last of them marked by `last`. Each word with `valid` adds
    popcount(x XNOR w) to an accumulator; the one with `last` adds `preload` too, moves the sum to `o`, where it
    stays until the next pass ends, and clears the accumulator, so that a pass may follow in the next cycle.
    Arithmetic wraps at `bits` bits. With preload = -T, bit `bits - 1` of o is the complement of p >= T.

    What who feeds it guarantees: `last` is high only with `valid`; without `valid`, x, w and preload do not
    matter, and without `last`, preload does not. `valid`, `last` and `preload` come `preload_delay` cycles after the
    x and w that they belong to. If `inverted_weights`, w comes complemented (carry chains of that target count
    disagreeing lanes for less), which costs nothing in a weight memory. `limit` is the largest sum of the words of a
    pass before its last one; positions of the accumulator above it are left out.

    Adding the preload at the end rather than starting from it lets the accumulator be cleared by the reset
    input of its registers: no gate selects between the two (the FINN papers compare behind the accumulator,
    which takes a comparator).

    Latency: `latency` = stages + 1 cycles from a pass's last x and w to `o`. Throughput: a word a cycle.
    Reset: clears the accumulator; `o` has no defined value until the first pass ends.
    """

    def __init__(
        self, *, simd: int, bits: int, target: Target = "generic", stages: int = 1, limit: int | None = None
    ):
        check(simd, stages, target)
        if bits < simd.bit_length():
            raise ValueError(
                f"bits must hold the {simd} lanes of a word, so at least {simd.bit_length()}, not {bits}"
            )
        if limit is not None and limit < 0:
            raise ValueError(f"limit must be at least 0, not {limit}")
        self.simd = simd
        self.bits = bits
        self.target = target
        self.stages = stages
        self.limit = limit
        super().__init__(
            {
                "x": In(simd),
                "w": In(simd),
                "valid": In(1),
                "last": In(1),
                "preload": In(signed(bits)),
                "o": Out(signed(bits)),
            }
        )

    @property
    def latency(self) -> int:
        return self.stages + 1

    @property
    def preload_delay(self) -> int:
        """Cycles from x and w to the valid, last and preload that belong to them."""
        return max(0, self.stages - 1)

    @property
    def inverted_weights(self) -> bool:
        return False

    @property
    def accumulator_bits(self) -> int:
        """Positions that the accumulator itself has; the sum at the end has `bits`."""
        return self.bits if self.limit is None else min(self.bits, self.limit.bit_length())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid, last, preload = self._flags(m)
        total = adder_tree(m, agreeing(m, self.x, self.w), self.stages)
        accumulator = Signal(self.accumulator_bits, reset_less=self.stages > 0)
        plus = Signal(self.bits)
        m.d.comb += plus.eq(accumulator + total)
        with m.If(last):
            m.d.sync += [self.o.eq(plus + preload), accumulator.eq(0)]
        with m.Elif(valid):
            m.d.sync += accumulator.eq(plus)
        return m

    def _flags(self, m: Module) -> tuple[Value, Value, Value]:
        """valid, last and preload in the cycle in which the tree's sum arrives; preload is 0 without last.

        With a stage, they pass a register here. Its `last` is 1 in reset, so that the accumulator needs no reset of
        its own: clearing stays one signal, and no gate joins it with the reset.
        """
        if not self.stages:
            preload = Signal(self.bits)
            with m.If(self.last):
                m.d.comb += preload.eq(self.preload)
            return self.valid, self.last, preload
        valid, last = Signal(), Signal(init=1)
        preload = Signal(self.bits, reset_less=True)
        m.d.sync += [valid.eq(self.valid), last.eq(self.last), preload.eq(self.preload)]
        with m.If(~self.last):
            m.d.sync += preload.eq(0)
        return valid, last, preload

"""One row of a matrix engine: XNOR, popcount, accumulation and threshold in one compressor."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.families import GENERIC, Family
from bitwright_hw.popcount.check import check


class AccumulateRow(wiring.Component):
    """Adds to a preload the agreeing lanes of x and w, over the words of a pass.

    A pass is any number of words, the last one marked by `last`; the first is the one that follows a last, or
    reset. Each word with `valid` adds popcount(x XNOR w), the first adds `preload` too; behind the last the sum
    moves to `o`, where it stays until the next pass ends, and the accumulator is cleared, so that a pass may
    follow in the next cycle. Arithmetic wraps at `bits` bits. With preload = -T, bit `bits - 1` of o is the
    complement of p >= T; with 2 ** (bits - 1) - T it is p >= T itself.

    What the feeder guarantees: `last` is high only with `valid`. Without `valid`, x and w do not matter; preload
    matters with a pass's first word alone. valid, last and preload come `preload_delay` cycles after the x and w
    that they belong to. If `inverted_weights`, w comes complemented (carry chains of that target add an XOR, not an
    XNOR), which costs nothing in a weight memory; if `inverted_preload`, the preload does, for a like reason. If
    `single`, each pass is one word: nothing accumulates.

    Registers with a reset input clear the accumulator and blank the preload outside first words, so that no gate
    selects between them: their OR is one operand of a ternary adder. The FINN papers (Umuroglu et al., FPGA 2017)
    compare behind the accumulator, which takes a comparator.

    Latency: `latency` = stages + 1 cycles from a pass's last x and w to `o`. Throughput: a word a cycle.
    Reset: ends any pass; `o` has no defined value until the first pass ends.
    """

    def __init__(self, *, simd: int, bits: int, family: Family = GENERIC, stages: int = 1, single: bool = False):
        check(simd, stages)
        if bits < simd.bit_length():
            raise ValueError(f"bits must hold {simd} lanes, so be at least {simd.bit_length()}, not {bits}")
        self.simd = simd
        self.bits = bits
        self.family = family
        self.stages = stages
        self.single = single
        super().__init__(
            {
                "x": In(self.x_bits),
                "w": In(self.w_bits),
                "valid": In(1),
                "last": In(1),
                "preload": In(signed(bits)),
                "o": Out(signed(bits)),
                **self._more_ports,
            }
        )

    @property
    def _more_ports(self) -> dict[str, wiring.Member]:
        """Ports that other rows have beside these."""
        return {}

    @property
    def x_bits(self) -> int:
        """Width of x."""
        return self.simd

    @property
    def w_bits(self) -> int:
        """Width of w."""
        return self.simd

    @property
    def latency(self) -> int:
        return self.stages + 1

    @property
    def preload_delay(self) -> int:
        """Cycles from x and w to the valid, last and preload that belong to them."""
        return max(0, self.stages - 1)

    @property
    def inverted_weights(self) -> bool:
        return self.family.rows.inverted_weights

    @property
    def inverted_preload(self) -> bool:
        return self.family.rows.inverted_preload

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid, last, preload = self._flags(m)
        accumulator = Signal(0 if self.single else self.bits, reset_less=self.stages > 0)
        plus = Signal(self.bits)
        m.d.comb += plus.eq(self._plus(m, accumulator, preload))
        kept = self._kept(m, plus)
        with m.If(last):
            m.d.sync += [self.o.eq(plus), accumulator.eq(0)]
        with m.Elif(valid):
            m.d.sync += accumulator.eq(kept)
        return m

    def _kept(self, m: Module, plus: Value) -> Value:
        """What is kept of a sum for the next word."""
        return plus

    @property
    def _first(self) -> Value:
        """What the first word of a pass adds of the preload."""
        return self.preload

    def _plus(self, m: Module, accumulator: Value, preload: Value) -> Value:
        """Accumulator or preload, and what the word of `stages` cycles ago adds."""
        return self.family.rows.accumulated(m, self.x, self.w, accumulator, preload, self.stages)

    def _flags(self, m: Module) -> tuple[Value, Value, Value]:
        """valid, last and preload in the cycle in which the word's lanes arrive at the accumulator.

        The preload is 0 but for a first word. With a stage, all pass a register here, and its `last` is 1 in
        reset, so that the accumulator needs no reset of its own, which a gate would have to join with it. A preload
        that comes complemented stays so: what is nothing is all ones.
        """
        started = Signal()  # set and cleared by its enable and its reset alone, as are all flags here: no gates
        with m.If(self.last):
            m.d.sync += started.eq(0)
        with m.Elif(self.valid):
            m.d.sync += started.eq(1)
        first, none = self._first, (1 << self.bits) - 1 if self.inverted_preload else 0
        preload = Signal(self.bits, init=none, reset_less=True)
        if not self.stages:
            if none:
                m.d.comb += preload.eq(none)
            with m.If(~started):
                m.d.comb += preload.eq(first)
            return self.valid, self.last, preload
        valid = Signal()
        last = Signal(init=1)
        m.d.sync += [valid.eq(self.valid), last.eq(self.last), preload.eq(first)]
        with m.If(started):
            m.d.sync += preload.eq(none)
        return valid, last, preload

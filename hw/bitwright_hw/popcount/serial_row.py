"""One row of a plane-serial engine: one popcount for all products of bit-planes, one product after the other."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bitwright_hw.families import GENERIC, Family
from bitwright_hw.families.family import GatedLanes
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.products import Gate


class SerialRow(AccumulateRow):
    """Adds to a preload the products of x and w, over the words of a pass, and doubles or complements on the way.

    The contract is AccumulateRow's, except that a word adds `1 << base` for each lane where `gate` of x and w is 1, and
    that behind a word with `double` the sum is doubled, with a bit of the preload as its lowest, and behind one with
    `flip` all of its bits are inverted, doubled first. A pass doubles `doublings` times; `turn` tells how often it did
    so far. A pass's first word adds the preload without its lowest `doublings` bits, its n-th doubling takes bit
    `doublings - n` in. The preload matters until then; double, flip and turn come with valid. `flip` is there if
    `flips`, `turn` if there are several doublings. Which products that makes: bitwright_hw.plane_order.

    Latency: `latency` = stages + 1 cycles from a pass's last x and w to `o`. Throughput: a word a cycle. Cost: a row of
    bits, and a LUT for each bit of the accumulator.
    """

    def __init__(
        self,
        *,
        simd: int,
        gate: Gate,
        base: int,
        doublings: int,
        flips: bool,
        bits: int,
        family: Family = GENERIC,
        stages: int = 1,
    ):
        if base < 0 or doublings < 1:
            raise ValueError(f"base must be at least 0 and doublings at least 1, not {base} and {doublings}")
        self.gate: Gate = gate
        self.base = base
        self.doublings = doublings
        self.flips = flips
        super().__init__(simd=simd, bits=bits, family=family, stages=stages)

    @property
    def _more_ports(self) -> dict[str, wiring.Member]:
        ports = {"double": In(1)}
        if self.flips:
            ports["flip"] = In(1)
        if self.doublings > 1:
            ports["turn"] = In(range(self.doublings))
        return ports

    @property
    def inverted_weights(self) -> bool:
        return self.gate == "xnor" and self.family.rows.inverted_weights

    @property
    def _first(self) -> Value:
        rest = self.preload[self.doublings :] if self.doublings < self.bits else Cat()
        return Cat(rest, C(-1, self.bits - len(rest))) if self.inverted_preload else Cat(rest)

    def _plus(self, m: Module, accumulator: Value, preload: Value) -> Value:
        lanes = GatedLanes(x=self.x, w=self.w, shift=self.base, gate=self.gate)
        return self.family.rows.weighted(m, [lanes], accumulator, preload, self.stages)

    def _kept(self, m: Module, plus: Value) -> Value:
        bit = Signal(name="bit")
        preload = ~self.preload if self.inverted_preload else self.preload
        if self.doublings == 1:
            m.d.comb += bit.eq(preload[0])
        else:
            with m.Switch(self.turn):
                for turn in range(self.doublings):
                    if self.doublings - 1 - turn < self.bits:
                        with m.Case(turn):
                            m.d.comb += bit.eq(preload[self.doublings - 1 - turn])
        flags: Value = Cat(self.double, bit, self.flip) if self.flips else Cat(self.double, bit)
        if self.stages:
            behind = Signal(len(flags), name="behind")
            m.d.sync += behind.eq(flags)
            flags = behind
        kept = Signal(self.bits, name="kept")
        doubled = Mux(flags[0], Cat(flags[1], plus[: self.bits - 1]), plus)
        m.d.comb += kept.eq(doubled ^ flags[2].replicate(self.bits) if self.flips else doubled)
        return kept

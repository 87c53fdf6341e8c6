"""One row of a matrix engine on values or weights of a few bits: popcounts of bit-planes, added by their weight."""

from amaranth.hdl import Module, Value

from bitwright_hw.families import GENERIC, Family
from bitwright_hw.families.family import GatedLanes
from bitwright_hw.popcount.row import AccumulateRow
from bitwright_hw.products import Products


class ProductRow(AccumulateRow):
    """Adds to a preload the products of x and w, over the words of a pass: see bitwright_hw.products.

    The contract is AccumulateRow's, except for x and w: x has the planes of the lanes one after the other, each of
    `simd` bits (Products.word), w likewise those of the weights. The sum of a pass is the dot product and `excess`,
    modulo 2 ** bits.

    Latency: `latency` = stages + 1 cycles from a pass's last x and w to `o`. Cost: a popcount for each product, and one
    accumulator.
    """

    def __init__(
        self,
        *,
        simd: int,
        products: Products,
        bits: int,
        family: Family = GENERIC,
        stages: int = 1,
        single: bool = False,
    ):
        self.products = products
        super().__init__(simd=simd, bits=bits, family=family, stages=stages, single=single)

    @property
    def x_bits(self) -> int:
        return self.simd * self.products.takes.bits

    @property
    def w_bits(self) -> int:
        return self.simd * self.products.weights.bits

    @property
    def inverted_weights(self) -> bool:
        return self.products.weights.xnor and self.family.rows.inverted_weights

    def _plus(self, m: Module, accumulator: Value, preload: Value) -> Value:
        lanes = product_lanes(self.products, self.x, self.w)
        return self.family.rows.weighted(m, lanes, accumulator, preload, self.stages)


def product_lanes(products: Products, x: Value, w: Value) -> list[GatedLanes]:
    """What a family's rows add for the planes x and w of lanes and weights."""
    simd = len(w) // products.weights.bits
    return [
        GatedLanes(
            x=x[one.x * simd : (one.x + 1) * simd],
            w=w[one.w * simd : (one.w + 1) * simd],
            shift=one.shift,
            gate=one.gate,
        )
        for one in products.every
    ]

"""The order in which a plane-serial row counts the products of bit-planes, and what its accumulator does between them.

A dot product is the sum of s_k * 2 ** shift_k * count_k over the products k of a plane of the lanes and one of the
weights (bitwright_hw.products), where s_k is -1 or +1. One popcount takes them one after the other, those of the
highest shift first, and the accumulator is doubled on the way down (Horner's rule), so that no count needs a shifter.
It holds the sum times the sign of the product that is counted: where the sign changes it is complemented, -a less 1,
and the 1 is part of what the row starts from. Bit-serial products: Umuroglu et al., BISMO (FPL 2018).

What a row starts from is doubled and complemented, too. So a preload P comes in parts: without its lowest bits, as many
as there are doublings, with the first word, and a bit with each doubling, the highest first.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bitwright_hw.products import Gate, Product, Products


@dataclass(frozen=True, kw_only=True)
class PlaneStep:
    """A product in its turn, and what the accumulator does behind its last word: it `doubles` and takes bit
    `doublings - 1 - turn` of the preload in, then it `flips` all of its bits."""

    product: Product
    turn: int
    doubles: bool = False
    flips: bool = False


@dataclass(frozen=True, kw_only=True)
class PlaneOrder:
    """The products of a row in the order in which it counts them."""

    products: Products

    @cached_property
    def steps(self) -> tuple[PlaneStep, ...]:
        """All of them. The last one is added as it is: its sign is +1."""
        order = self._order
        found, turn = [], 0
        for k, product in enumerate(order):
            step = PlaneStep(product=product, turn=turn)
            if k + 1 < len(order):
                doubles = product.shift > order[k + 1].shift
                flips = _negative(product) != _negative(order[k + 1])
                step = PlaneStep(product=product, turn=turn, doubles=doubles, flips=flips)
            found.append(step)
            turn += step.doubles
        return tuple(found)

    @property
    def _order(self) -> list[Product]:
        """By falling shift; of one shift first those of the sign that the ones before have."""
        found: list[Product] = []
        for shift in sorted({one.shift for one in self.products.every}, reverse=True):
            level = [one for one in self.products.every if one.shift == shift]
            negative = _negative(found[-1]) if found else False
            found += sorted(level, key=lambda one: _negative(one) != negative)
        if _negative(found[-1]) or any(a.shift - b.shift > 1 for a, b in pairwise(found)):
            raise ValueError(f"products of {self.products.takes} and {self.products.weights} do not end in a sum")
        return found

    @property
    def key(self) -> str:
        """A name for what a row is made of, different for different ones."""
        return f"{self.gate}{self.base}x{self.doublings}{'f' if self.flips else ''}"

    @property
    def gate(self) -> Gate:
        """What is counted of every product."""
        return "xnor" if self.products.weights.xnor else "and"

    @property
    def base(self) -> int:
        """The shift of every count: the least of all products."""
        return self.steps[-1].product.shift

    @property
    def doublings(self) -> int:
        """Doublings of a pass."""
        return sum(step.doubles for step in self.steps)

    @property
    def flips(self) -> bool:
        """Whether some products are subtracted."""
        return any(step.flips for step in self.steps)

    @property
    def fed(self) -> int:
        """The step behind which the last bit of the preload is taken."""
        return max(k for k, step in enumerate(self.steps) if step.doubles)

    def excess(self, weights: NDArray[np.integer]) -> NDArray[np.int64]:
        """(rows,): what a row's sum of a pass has too much, whatever the lanes; `weights` are (rows, lanes)."""
        return self.products.excess(weights, subtracted=True)

    def fed_as(self, starts: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
        """The preloads of rows of `bits` bits whose sums shall come out `starts` higher: those with the bits inverted
        that an odd number of flips follows."""
        mask, place, flipped = 0, 0, False
        for step in self.steps[::-1]:
            flipped ^= step.flips
            if step.doubles:
                mask |= int(flipped) << place
                place += 1
        if flipped:
            mask |= -1 << place
        return (starts ^ np.int64(mask)) & np.int64((1 << bits) - 1)


def _negative(product: Product) -> bool:
    return product.gate == "nand"

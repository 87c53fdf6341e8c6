"""What a row of a matrix engine adds up where lanes or weights have more bits than one: products of bit-planes.

A lane x is the sum of a_p * b_p over its bits b_p, where a_p is what bit p adds (NumberType.planes). With weights of -1
and +1, an XNOR with the weight's bit counts the agreeing lanes of a plane: sum w * b = count - (weights of -1). With
weights that are sums of c_q * v_q, an AND counts: w * x is the sum of a_p * c_q * (b_p AND v_q). So each pair of planes
takes one popcount, and what is left is a constant for each row, which its preload has. A plane that counts below zero
is counted as lanes that do not agree (or as NANDs): k lanes less a count.

The sum over pairs of planes is that of Zhou et al., DoReFa-Net (2016); in hardware: Umuroglu et al., BISMO (FPL 2018).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from amaranth.hdl import Cat, Value
from numpy.typing import NDArray

from bitwright_core.numbers import NumberType

Gate = Literal["xnor", "and", "nand"]


@dataclass(frozen=True, kw_only=True)
class Product:
    """Lanes of plane `x` with weights of plane `w`, each counted `1 << shift` times where `gate` gives 1."""

    x: int
    w: int
    shift: int
    gate: Gate


@dataclass(frozen=True, kw_only=True)
class Products:
    """The products that a row adds for lanes of type `takes` and weights of type `weights`."""

    takes: NumberType
    weights: NumberType

    @property
    def _lane_planes(self) -> tuple[int, ...]:
        """What each bit of a lane adds to its value; a bit that stands for -1 or +1 adds 2 to -1."""
        return (2,) if self.takes.xnor else self.takes.planes

    @cached_property
    def every(self) -> tuple[Product, ...]:
        """All of them, those of the lowest planes first."""
        if self.weights.xnor:  # planes below zero come complemented (`word`)
            return tuple(
                Product(x=p, w=0, shift=_shift(plane), gate="xnor") for p, plane in enumerate(self._lane_planes)
            )
        return tuple(
            Product(x=p, w=q, shift=_shift(lane * weight), gate="and" if lane * weight > 0 else "nand")
            for p, lane in enumerate(self._lane_planes)
            for q, weight in enumerate(self.weights.planes)
        )

    @property
    def key(self) -> str:
        """A name for them, different for different ones."""
        gates = "".join(f"{product.shift}{product.gate[0]}" for product in self.every)
        return f"{self.takes.bits}x{self.weights.bits}_{gates}"

    def word(self, lanes: Value, simd: int) -> Value:
        """The x of a row for a word of `simd` lanes: its planes, the lowest first, those below zero complemented where
        weights are bits."""
        bits = self.takes.bits
        planes = []
        for p, plane in enumerate(self._lane_planes):
            of_lanes = Cat(lanes[k * bits + p] for k in range(simd))
            planes.append(~of_lanes if plane < 0 and self.weights.xnor else of_lanes)
        return Cat(*planes)

    def weight_planes(self, weights: NDArray[np.integer]) -> NDArray[np.uint8]:
        """(..., planes, simd): the bits of stored weights (..., simd), the lowest first."""
        bits = np.arange(self.weights.bits)[:, None]
        return (weights[..., None, :].astype(np.int16) >> bits & 1).astype(np.uint8)

    def excess(self, weights: NDArray[np.integer], *, subtracted: bool = False) -> NDArray[np.int64]:
        """(rows,): what a row's sum of a pass has too much, whatever the lanes; `weights` are (rows, lanes). With
        `subtracted` no NANDs are counted, but ANDs in their place, which are subtracted."""
        if self.weights.xnor:
            above = weights.sum(axis=1, dtype=np.int64)
            below = weights.shape[1] - above
            return sum((plane * below if plane > 0 else -plane * above) for plane in self._lane_planes)
        nands = 0 if subtracted else sum(1 << product.shift for product in self.every if product.gate == "nand")
        found = np.full(len(weights), nands * weights.shape[1], np.int64)
        return found + weights.sum(axis=1, dtype=np.int64) if self.takes.xnor else found


def _shift(plane: int) -> int:
    return abs(plane).bit_length() - 1

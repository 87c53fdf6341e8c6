"""One row of a matrix engine on signed integers: sums of +x and -x, accumulated with a threshold."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from numpy.typing import NDArray

from bitwright_hw.cells import Counts
from bitwright_hw.popcount import AccumulateRow


def chain_length(simd: int) -> int:
    """Terms that a row adds for each word: a pair of lanes each, the last one a lane by itself if simd is odd."""
    return -(-simd // 2)


def row_stages(simd: int) -> int:
    """Registers inside a row's sum."""
    terms = chain_length(simd)
    return terms if terms > 1 else 0


def x_bits(simd: int, lane_bits: int) -> int:
    """Width of the terms of a word: sum and difference of each pair, or the lane."""
    return simd // 2 * 2 * (lane_bits + 1) + simd % 2 * lane_bits


def corrections(weights: NDArray[np.uint8], simd: int) -> NDArray[np.int64]:
    """(rows,): what each row's sum of a pass lacks, for the preload to add: see IntegerRow.

    `weights` is (rows, SF * simd). Of each word, one less the weights of its lanes 0, 2, 4 and so on.
    """
    words = weights.reshape(len(weights), -1, simd)
    return words.shape[1] - words[:, :, ::2].sum(axis=(1, 2), dtype=np.int64)


def word_terms(m: Module, lanes: Value, simd: int, lane_bits: int) -> Value:
    """The x of a row for a word of `simd` signed lanes."""
    terms: list[Value] = []
    values = [lanes[k * lane_bits : (k + 1) * lane_bits].as_signed() for k in range(simd)]
    for k in range(0, simd - 1, 2):
        for name, value in (("sum", values[k] + values[k + 1]), ("difference", values[k] - values[k + 1])):
            term = Signal(lane_bits + 1, name=f"{name}_{k}")
            m.d.comb += term.eq(value)
            terms.append(term)
    if simd % 2:
        terms.append(values[-1].as_unsigned())
    return Cat(terms)


def skewed(m: Module, words: Value, widths: list[int]) -> Value:
    """`words` cut into parts of `widths`, part k delayed by k cycles."""
    parts: list[Value] = []
    start = 0
    for k, width in enumerate(widths):
        part: Value = words[start : start + width]
        start += width
        for stage in range(k):
            register = Signal(width, name=f"skewed_{k}_{stage}")  # with a reset: no shift register in LUTs
            m.d.sync += register.eq(part)
            part = register
        parts.append(part)
    return Cat(parts)


class IntegerRow(AccumulateRow):
    """Adds to a preload the dot products of signed lanes with +-1 weights, over the words of a pass.

    The contract is AccumulateRow's, except for x and w. For lanes a, b of weights u, v a term is one of a + b and a -
    b, added or subtracted: two lanes for one LUT a bit. Sums and differences are made once for all rows
    (`word_terms`). Instead of a negative the complement is taken, in the adder of a word's first term for u = 0 and
    in the subtracters of the others for u = 1; the ones that are then too few or too many, `corrections` in a pass,
    belong into the preload. x and w come skewed, term k (and its two weights) k cycles later (`skewed`), since each
    term has a subtracter of its own with a register behind it. (Subtracters, because tools keep the order of their
    operands, and a carry chain takes the first one from a register for nothing.)

    Latency: row_stages(simd) + 1 cycles from a pass's last first term to `o`. Cost: about lane_bits + 4 LUTs for two
    lanes; eight binary planes through popcounts take 5 LUTs a lane and more for each.
    """

    def __init__(self, *, simd: int, lane_bits: int, bits: int, single: bool = False):
        self.lane_bits = lane_bits
        super().__init__(simd=simd, bits=bits, stages=row_stages(simd), single=single)

    @property
    def x_bits(self) -> int:
        return x_bits(self.simd, self.lane_bits)

    @property
    def inverted_weights(self) -> bool:
        return False

    def _plus(self, m: Module, accumulator: Value, preload: Value) -> Value:
        started = Signal(signed(self.bits))
        m.d.comb += started.eq(accumulator | preload)
        wide = self.lane_bits + 1
        total: Value | None = None
        for k in range(0, self.simd, 2):
            start = k * wide
            u = self.w[k]
            value = Signal(signed(wide), name=f"value_{k}")
            if k + 1 < self.simd:
                pair = self.x[start : start + 2 * wide]
                m.d.comb += value.eq(Mux(u ^ self.w[k + 1], pair[wide:], pair[:wide]))
            else:
                m.d.comb += value.eq(self.x[start : start + self.lane_bits].as_signed())
            term = Signal(signed(wide), name=f"term_{k}")
            m.d.comb += term.eq(Mux(u ^ (k > 0), value, ~value))
            if not self.stages:
                return term + started
            so_far = Signal(signed(wide + (k // 2).bit_length()), name=f"so_far_{k}")
            m.d.sync += so_far.eq(term if total is None else total - term)
            total = so_far
        assert total is not None  # simd is at least 1
        return total + started


def integer_row_luts(simd: int, lane_bits: int, bits: int) -> int:
    """LUTs of an IntegerRow: an adder a term, whose operand takes a LUT a bit where it is the first."""
    terms = chain_length(simd)
    if terms == 1:
        return lane_bits + 1 + 2 * bits
    chain = sum(lane_bits + 1 + term.bit_length() for term in range(1, terms))
    return lane_bits + 1 + chain + bits


def integer_term_counts(pe: int, simd: int, lane_bits: int, groups: int = 1) -> Counts:
    """What `pe` IntegerRows share: sums and differences of each of so many groups, and registers that skew words and
    weights."""
    pairs, terms = simd // 2, chain_length(simd)
    skew = terms * (terms - 1) // 2
    return Counts(
        luts=2 * groups * pairs * (lane_bits + 1),
        ffs=2 * groups * (pairs + skew) * (lane_bits + 1) + 2 * skew * pe + pe * terms * (lane_bits + 2),
    )

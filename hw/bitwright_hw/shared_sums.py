"""Sums of subsets of the same inputs, with common parts counted once: the arithmetic of hardwired layers, as data.

A full adder of three bits that k sums have in common takes one bit from each of the k. On xc7 it costs one LUT, and
counters of a sum's own take two bits a LUT, so it pays from three sums on. With LUT4s it costs two, and a carry chain
takes three bits for four LUTs at the best, so two sums would pay for it in LUTs; but its two bits are wires to each
sum, across the chip, where a chain's are neighbours. From four sums on, the LUTs are 8 % more, and the bits that
travel a third as many, which decides whether a whole network routes (docs/decisions/0006-hardwired.md).

The search is greedy: the two bits that most sums hold, and the third that most of those hold, as common
subexpressions are found in constant multiplications (Hosangadi, Fallah, Kastner, "Common subexpression elimination
involving multiple variables for linear DSP synthesis", ASAP 2004). It is deterministic: of equal candidates the one
of the earliest bits is taken. Its time grows with the cube of the sums; more than GROUP are shared in groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_hw.popcount import Target
from bitwright_hw.popcount.compressor import Builder, Compressor, Cost
from bitwright_hw.popcount.xc7_tree import FULL, SEVEN, choose

LEAST_SHARE: dict[Target, int] = {"xc7": 3, "ecp5": 4, "generic": 2}  # sums that a shared full adder pays for
GROUP = 128
# bits of each weight that a final adder takes on xc7: beside another number, and by itself, the last sum
ROW_CAPACITY = (3, 2)
LAST_CAPACITY = (5, 3)
_WIRE = Cost(0, 0.0)

Held = dict[int, NDArray[np.uint8]]  # of each bit, which sums hold it


@dataclass(frozen=True, kw_only=True)
class SharedSums:
    """Counters, and for each sum the columns of bits that they leave: columns[s][k] holds those of weight 2 ** k.

    Bit i is input i, bit `one` is constant 1. `tree` has the counters, in an order in which each finds its
    inputs; its columns are those of all sums in a row.
    """

    tree: Compressor
    columns: tuple[tuple[tuple[int, ...], ...], ...]
    one: int

    @property
    def cells(self) -> int:
        """LUTs of all counters."""
        return self.tree.cells


def share(members: NDArray[np.uint8], constants: Sequence[int], *, target: Target, sharing: bool = True) -> SharedSums:
    """Counters for sums s = constants[s] + the inputs i with members[s, i] = 1. Constants are not negative.

    On xc7 the columns that stay fit a ternary adder (ROW_CAPACITY, LAST_CAPACITY); for other targets all counters are
    shared full adders.
    """
    sums, inputs = members.shape
    builder = Builder(inputs + 1)
    for lane in range(inputs + 1):
        builder.count(0, (lane,), (), _WIRE)
    one = inputs
    columns: list[list[list[int]]] = [[] for _ in range(sums)]
    for start in range(0, sums, GROUP):
        group = range(start, min(start + GROUP, sums))
        held = {i: members[group, i].astype(np.uint8) for i in range(inputs)}  # of each bit, the sums that hold it
        weight = 0
        while held:
            carries: Held = {}
            if sharing:
                held, carries = _share_column(builder, weight, held, LEAST_SHARE[target])
            for k, s in enumerate(group):
                columns[s].append([bit for bit, holders in held.items() if holders[k]])
            held = carries
            weight += 1
    left = []
    for s in range(sums):
        for k in range(constants[s].bit_length()):
            while len(columns[s]) <= k:
                columns[s].append([])
            if constants[s] >> k & 1:
                columns[s][k].append(one)
        if target == "xc7":
            left.append(_reduce(builder, columns[s], LAST_CAPACITY if s == sums - 1 else ROW_CAPACITY))
        else:
            left.append(tuple(tuple(column) for column in columns[s]))
    flat = tuple(column for row in left for column in row)
    tree = Compressor(simd=inputs + 1, weights=tuple(builder.weights), counters=tuple(builder.counters), columns=flat)
    return SharedSums(tree=tree, columns=tuple(left), one=one)


class _Pairs:
    """Bits of one weight, the sums that hold each, and how many sums each pair of bits has in common."""

    def __init__(self, held: Held):
        self.bits = list(held)
        self._make_room(2 * len(self.bits), np.array([held[bit] for bit in self.bits], np.float32))

    def _make_room(self, room: int, holders: NDArray[np.float32]) -> None:
        count, sums = holders.shape
        self.holders = np.zeros((room, sums), np.float32)
        self.holders[:count] = holders
        self.common = self.holders @ self.holders.T
        np.fill_diagonal(self.common, 0)
        self.partner = self.common.argmax(axis=1)
        self.most = self.common.max(axis=1)

    def best(self) -> tuple[int, int, float]:
        """Two bits that most sums have in common, and how many those are."""
        first = int(self.most.argmax())
        return first, int(self.partner[first]), float(self.most[first])

    def add(self, bit: int, rows: NDArray[np.float32]) -> int:
        """A new bit, held by `rows`, which `changed` is to be told of."""
        index = len(self.bits)
        if index == len(self.holders):
            self._make_room(2 * index, self.holders)
        self.bits.append(bit)
        self.holders[index] = rows
        return index

    def changed(self, indices: Sequence[int]) -> None:
        """Counts again what the bits at `indices` have in common with all."""
        for index in indices:
            self.common[index] = self.common[:, index] = self.holders @ self.holders[index]
            self.common[index, index] = 0
        self.refresh(indices)

    def refresh(self, indices: Sequence[int]) -> None:
        """Finds the partners again of bits whose counts with those at `indices` have changed."""
        stale = np.isin(self.partner, indices)
        stale[list(indices)] = True
        rows = np.flatnonzero(stale)
        self.partner[rows] = self.common[rows].argmax(axis=1)
        self.most[rows] = self.common[rows, self.partner[rows]]
        for index in indices:
            better = self.common[:, index] > self.most
            self.partner[better] = index
            self.most[better] = self.common[better, index]


def _share_column(builder: Builder, weight: int, held: Held, least: int) -> tuple[Held, Held]:
    """Shares full adders among the bits of one weight. Returns who holds the bits that stay, and the carries."""
    pairs = _Pairs(held)
    carries: Held = {}
    while True:
        first, second, sums = pairs.best()
        if sums < least:
            break
        both = pairs.holders[first] * pairs.holders[second]
        thirds = pairs.holders @ both
        thirds[[first, second]] = 0
        third = int(thirds.argmax())
        if thirds[third] < least:  # not these two, until one of them changes
            pairs.common[first, second] = pairs.common[second, first] = 0
            pairs.refresh((first, second))
            continue
        rows = both * pairs.holders[third]
        total, carry = builder.count(weight, (), [pairs.bits[i] for i in (first, second, third)], FULL)
        carries[carry] = rows.astype(np.uint8)
        pairs.holders[[first, second, third]] -= rows
        pairs.changed((first, second, third, pairs.add(total, rows)))
    left = zip(pairs.bits, pairs.holders[: len(pairs.bits)], strict=True)
    return {bit: row.astype(np.uint8) for bit, row in left if row.any()}, carries


def _reduce(builder: Builder, columns: list[list[int]], capacity: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Counters of one sum's own, until each column fits."""
    builder.columns = columns
    weight = 0
    while weight < len(builder.columns):
        bits, above, beyond = (
            len(builder.columns[k]) if k < len(builder.columns) else 0 for k in range(weight, weight + 3)
        )
        sevens, sixes, fulls = choose(weight, bits, above, beyond, capacity)[1]
        for inputs, kind, times in ((7, SEVEN, sevens), (6, SEVEN, sixes), (3, FULL, fulls)):
            for _ in range(times):
                builder.reduce(weight, inputs, kind)
        weight += 1
    return tuple(tuple(column) for column in builder.columns)

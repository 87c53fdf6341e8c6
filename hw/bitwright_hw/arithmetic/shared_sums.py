"""Sums of subsets of the same inputs, with common parts counted once: the arithmetic of hardwired layers, as data.

A full adder of three bits that k sums have in common takes one bit from each of the k; from how many sums on it pays
is the family's (docs/decisions/0006-hardwired.md).

The search is greedy: the two bits that most sums hold, and the third that most of those hold, as common
subexpressions are found in constant multiplications (Hosangadi, Fallah, Kastner, "Common subexpression elimination
involving multiple variables for linear DSP synthesis", ASAP 2004). It is deterministic: of equal candidates the one
of the earliest bits is taken. Its time grows with the cube of the sums; more than GROUP are shared in groups.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_hw.arithmetic.compressor import Builder, Compressor, Cost

GROUP = 128
FULL_ADDER = Cost(1, 1.0)
_WIRE = Cost(0, 0.0)

# counters of a sum's own, which take bits out of its columns (of numbers of bits); and whether it is the last sum
Reduce = Callable[[Builder, list[list[int]], bool], tuple[tuple[int, ...], ...]]
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


def share(
    members: NDArray[np.uint8],
    constants: Sequence[int],
    *,
    least: int,
    reduce: Reduce | None = None,
    weights: Sequence[int] | None = None,
) -> SharedSums:
    """Counters for sums s = constants[s] + the inputs i with members[s, i] = 1. Constants are not negative.

    With `weights` input i counts 1 << weights[i]. Full adders are shared that at least `least` sums have in common.
    `reduce` adds counters to what is left of each sum; without it all counters are shared full adders.
    """
    sums, inputs = members.shape
    builder = Builder(inputs + 1)
    at = [0] * inputs if weights is None else list(weights)
    for lane in range(inputs + 1):
        builder.count([*at, 0][lane], (lane,), (), _WIRE)
    one = inputs
    top = max(at, default=0)
    columns: list[list[list[int]]] = [[] for _ in range(sums)]
    for start in range(0, sums, GROUP):
        group = range(start, min(start + GROUP, sums))
        carries: Held = {}
        weight = 0
        while carries or weight <= top:
            # of each bit, the sums that hold it
            held = carries | {i: members[group, i].astype(np.uint8) for i in range(inputs) if at[i] == weight}
            held, carries = _share_column(builder, weight, held, least) if held else ({}, {})
            for k, s in enumerate(group):
                columns[s].append([bit for bit, holders in held.items() if holders[k]])
            weight += 1
    left = []
    for s in range(sums):
        for k in range(constants[s].bit_length()):
            while len(columns[s]) <= k:
                columns[s].append([])
            if constants[s] >> k & 1:
                columns[s][k].append(one)
        if reduce is not None:
            left.append(reduce(builder, columns[s], s == sums - 1))
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
        total, carry = builder.count(weight, (), [pairs.bits[i] for i in (first, second, third)], FULL_ADDER)
        carries[carry] = rows.astype(np.uint8)
        pairs.holders[[first, second, third]] -= rows
        pairs.changed((first, second, third, pairs.add(total, rows)))
    left = zip(pairs.bits, pairs.holders[: len(pairs.bits)], strict=True)
    return {bit: row.astype(np.uint8) for bit, row in left if row.any()}, carries

"""Neurons with constant weights on values, or with weights, of a few bits as sums: a hardwired layer's, as data.

A lane x is the sum of a_p * b_p over its bits, where a_p is what bit p adds, and an offset (bits that stand for -1 and
+1). So a row adds the bits of its lanes, each times a constant. A bit that counts below zero is added inverted: -b is
~b less 1, and the 1 is part of the row's constant. With weights of -1 and +1, all rows have the sum of all lanes in
common, and each adds only the lanes of its rarer weight, twice; with other weights each constant is written with as few
digits of -1 and +1 as there can be (the non-adjacent form; Reitwiesner, 1960), and lanes of weight 0 add nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Value

from bitwright_core.network import NumberType, Thresholds
from bitwright_hw.arithmetic.shared_sums import SharedSums, share
from bitwright_hw.neurons import NeuronRows, Row, middle_levels


@dataclass(frozen=True, kw_only=True, order=True)
class Term:
    """A bit of a lane, `inverted` or not, which counts 1 << `weight` where it is 1."""

    weight: int
    lane: int
    plane: int
    inverted: bool


def digits(number: int) -> Iterator[tuple[int, int]]:
    """The (weight, digit) of `number` in non-adjacent form: digits are -1 and +1, as few as there can be."""
    weight = 0
    while number:
        if number & 1:
            digit = 2 - (number & 3)
            yield weight, digit
            number -= digit
        number >>= 1
        weight += 1


def lane_planes(number: NumberType) -> tuple[tuple[int, ...], int]:
    """What each bit of a lane adds to its value, and what the value is where all are 0."""
    return ((2,), -1) if number.xnor else (number.planes, 0)


@dataclass(frozen=True, kw_only=True)
class FewNeurons(NeuronRows):
    """Neurons on values or weights of a few bits; `known` lanes never change."""

    @property
    def halved(self) -> bool:
        """Whether each row adds the lanes of one weight, beside the sum of all lanes."""
        return self.layer.weight_type.xnor

    @property
    def below(self) -> int:
        """Bits of a total below the row's value."""
        return 0 if self.halved else 1

    @cached_property
    def _all_lanes(self) -> tuple[tuple[Term, ...], int]:
        """The terms of the sum of all lanes, and what has to be added to it."""
        terms: list[Term] = []
        offset = 0
        planes, base = lane_planes(self.layer.takes)
        for lane in range(self.layer.inputs):
            offset += base
            for plane, adds in enumerate(planes):
                weight = abs(adds).bit_length() - 1
                terms.append(Term(weight=weight, lane=lane, plane=plane, inverted=adds < 0))
                offset += min(0, adds)
        return tuple(terms), offset

    @property
    def seen_bits(self) -> int:
        """Width of the last sum."""
        return sum(1 << term.weight for term in self._all_lanes[0]).bit_length() if self.halved else 1

    @cached_property
    def _sums(self) -> tuple[tuple[tuple[Term, ...], Row], ...]:
        """The terms of each row, and the row (without members)."""
        levels: Sequence[int | None] = [None] * self.layer.outputs
        if isinstance(self.layer.output, Thresholds):
            levels = middle_levels(self.layer)
        row = self._half if self.halved else self._digits
        return tuple(row(weights, level) for weights, level in zip(self.layer.rows.tolist(), levels, strict=True))

    def _half(self, weights: Sequence[int], level: int | None) -> tuple[tuple[Term, ...], Row]:
        """Of weights of -1 and +1: 2 * (lanes of one weight) - (all lanes). See `as_sum`."""
        every, _ = self._all_lanes
        ones = sum(weights)
        saved = (2 * ones - len(weights)) / 2 * self.layer.takes.bits
        complemented = saved > (0 if level is not None else self.bits)
        terms = tuple(term for term in every if bool(weights[term.lane]) != complemented)
        planes, base = lane_planes(self.layer.takes)
        each = base + sum(min(0, adds) for adds in planes)
        value = each * (2 * ones - len(weights)) - (level or 0)  # what the lanes of bits 0 give
        bias = 1 << (self.bits - 1) if level is not None and not complemented else 0
        constant = (-value - 1 if complemented else value + bias) + 1 - (1 << self.seen_bits)
        return terms, Row(members=(), constant=constant % (1 << self.bits), complemented=complemented)

    def _digits(self, weights: Sequence[int], level: int | None) -> tuple[tuple[Term, ...], Row]:
        """Of other weights: the digits of each product of a weight and a bit."""
        planes, base = lane_planes(self.layer.takes)
        terms: list[Term] = []
        value = -(level or 0)
        for lane, weight in enumerate(weights):
            known = self.known[lane]
            value += weight * (base if known is None else self.layer.takes.value(known))
            if known is not None:
                continue
            for plane, adds in enumerate(planes):
                for at, digit in digits(weight * adds):
                    terms.append(Term(weight=at, lane=lane, plane=plane, inverted=digit < 0))
                    value += min(0, digit) << at
        bias = 1 << (self.bits - 1) if level is not None else 0
        # twice the value; the last sum is 1, so that its complement adds nothing
        constant = 2 * (value + bias)
        return tuple(terms), Row(members=(), constant=constant % (2 << self.bits), complemented=False)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """All that some row adds, in order."""
        found = {term for terms, _ in self._sums for term in terms}
        if self.halved:
            found.update(self._all_lanes[0])
        return tuple(sorted(found))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every neuron: the terms that it adds, by their places in `terms`."""
        places = {term: place for place, term in enumerate(self.terms)}
        return tuple(
            Row(
                members=tuple(places[term] for term in terms),
                constant=row.constant,
                complemented=row.complemented,
            )
            for terms, row in self._sums
        )

    @cached_property
    def sums(self) -> SharedSums:
        """The counters of the distinct rows; last the sum of all lanes, or 1 where rows do without it."""
        members = np.zeros((len(self.distinct) + 1, len(self.terms)), np.uint8)
        for k, row in enumerate(self.distinct):
            members[k, list(row.members)] = 1
        members[-1] = self.halved
        how = self.family.sums
        constants = [how.held(row.constant) for row in self.distinct]
        weights = [term.weight for term in self.terms]
        return share(
            members, [*constants, int(not self.halved)], least=how.least_share, reduce=how.reduce, weights=weights
        )

    def lanes(self, word: Value) -> Value:
        """The bits of `terms`, of a frame's word."""
        bits = self.layer.takes.bits
        found = [word[term.lane * bits + term.plane] for term in self.terms]
        return Cat(~bit if term.inverted else bit for bit, term in zip(found, self.terms, strict=True))

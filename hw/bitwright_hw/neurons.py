"""Neurons with constant weights as sums: the arithmetic of a hardwired layer, as data."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Value

from bitwright_core.network import MatrixLayer, Thresholds
from bitwright_hw.arithmetic.shared_sums import SharedSums, share
from bitwright_hw.constant_bits import Known, agreeing_range
from bitwright_hw.families import Family


@dataclass(frozen=True, kw_only=True)
class Row:
    """One neuron as a sum: its value mod 2 ** bits is 2 * (number of set inputs among `members`) + ~s + `constant`,
    where s is the number of all set inputs, in as many bits as it takes. Inputs that never change are in neither.

    The value is popcount - T, plus 2 ** (bits - 1) in a layer of thresholds, so that its top bit is the
    activation. If `complemented`, it is the bitwise complement of popcount - T.
    """

    members: tuple[int, ...]
    constant: int
    complemented: bool


def middle_levels(layer: MatrixLayer) -> list[int]:
    """The level of each neuron that is part of its row's constant: the middle one, from which a LevelUnit counts."""
    levels: list[int] = layer.engine_thresholds[0].tolist()
    return levels


def sum_bits(known: Known) -> int:
    """Width of the number of set inputs among those that change."""
    return max(1, known.count(None).bit_length())


def as_sum(weights: Sequence[int], threshold: int | None, bits: int, known: Known) -> Row:
    """The neuron of `weights` as a sum over half of its inputs at the most; `threshold` is None for a score.

    Of the F inputs that change, let A be those of weight 1. Their popcount is F - |A| - s + 2 * (set inputs in A).
    Complemented weights count F - popcount, and popcount >= T where that is below F - T + 1: the complement of the
    difference's sign. A score's complement takes an inverter a bit, and must save as many LUTs. Inputs that
    never change agree or not, once and for all, and move T.
    """
    free = [i for i, value in enumerate(known) if value is None]
    always, _ = agreeing_range(weights, known)
    ones = sum(weights[i] for i in free)
    saved = (2 * ones - len(free)) / 2
    complemented = saved > (0 if threshold is not None else bits)
    members = tuple(i for i in free if weights[i] != complemented)
    level = (threshold or 0) - always
    if complemented:
        level = len(free) - level + 1
    bias = 1 << (bits - 1) if threshold is not None and not complemented else 0
    constant = 1 - (1 << sum_bits(known)) + len(free) - len(members) - level + bias
    return Row(members=members, constant=constant % (1 << bits), complemented=complemented)


@dataclass(frozen=True, kw_only=True)
class NeuronRows(ABC):
    """The neurons of `layer`, whose inputs are `known`, as sums of `bits` bits for `family`."""

    layer: MatrixLayer
    known: Known
    bits: int
    family: Family

    def __post_init__(self) -> None:
        if len(self.known) != self.layer.inputs:
            raise ValueError(f"known must have {self.layer.inputs} entries, one for each input, not {len(self.known)}")

    @property
    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """Every neuron as a sum."""

    @cached_property
    def distinct(self) -> tuple[Row, ...]:
        """The rows that differ."""
        return tuple(dict.fromkeys(self.rows))


@dataclass(frozen=True, kw_only=True)
class Neurons(NeuronRows):
    """Neurons of bits: see Row."""

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every neuron as a sum."""
        thresholds: Sequence[int | None] = [None] * self.layer.outputs
        if isinstance(self.layer.output, Thresholds):
            thresholds = middle_levels(self.layer)
        return tuple(
            as_sum(weights, threshold, self.bits, self.known)
            for weights, threshold in zip(self.layer.rows.tolist(), thresholds, strict=True)
        )

    @property
    def below(self) -> int:
        """Bits of a total below the row's value: none."""
        return 0

    @property
    def seen_bits(self) -> int:
        """Width of the last sum."""
        return sum_bits(self.known)

    def lanes(self, word: Value) -> Value:
        """What the sums add, of a frame's word: its bits."""
        return word

    @cached_property
    def sums(self) -> SharedSums:
        """The counters of the distinct rows, and last of the sum of all inputs."""
        members = np.zeros((len(self.distinct) + 1, self.layer.inputs), np.uint8)
        for k, row in enumerate(self.distinct):
            members[k, list(row.members)] = 1
        members[-1] = [value is None for value in self.known]
        how = self.family.sums
        constants = [how.held(row.constant) for row in self.distinct]
        return share(members, [*constants, 0], least=how.least_share, reduce=how.reduce)

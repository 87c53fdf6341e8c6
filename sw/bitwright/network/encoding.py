"""The input of a network, and how its values become what the first layer takes: bits, or signed integers."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import NetworkError
from bitwright.network.values import BINARY, MAX_INPUT_BITS, MAX_LANES, Edge, NumberType, frozen, signed_bits


@dataclass(frozen=True, kw_only=True)
class Input:
    """A frame as the user has it: unsigned integers of `bits` bits (8 for image bytes), HWC, HW or flat."""

    shape: tuple[int, ...]
    bits: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if not 1 <= len(self.shape) <= 3 or min(self.shape) < 1 or self.size > MAX_LANES:
            raise NetworkError(
                f"input shape {list(self.shape)} must have one to three positive sizes, at most {MAX_LANES} values"
            )
        if not 1 <= self.bits <= MAX_INPUT_BITS:
            raise NetworkError(f"input values must have 1 to {MAX_INPUT_BITS} bits, not {self.bits}")

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def _edge(source: Input, levels: int, number: NumberType) -> Edge:
    """HW is HWC of one channel; levels count as channels."""
    shape = source.shape if len(source.shape) != 2 else (*source.shape, 1)
    return Edge(shape=(*shape[:-1], shape[-1] * levels), number=number)


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """Unsigned integers to bits: bit (value, level) is value >= thresholds[level].

    One level is a plain threshold, k levels a thermometer code. The lane of (value i, level k) is
    i * levels + k: levels run fastest, as channels do.
    """

    thresholds: NDArray[np.int64]  # (levels,), strictly increasing, 1 .. 2^bits - 1

    def __post_init__(self) -> None:
        thresholds = frozen(self.thresholds, np.int64, "encoding thresholds")
        if thresholds.ndim != 1 or thresholds.size == 0:
            raise NetworkError(f"encoding thresholds must be a list of levels, not of shape {thresholds.shape}")
        if np.any(np.diff(thresholds) <= 0) or thresholds[0] < 1:
            raise NetworkError(f"encoding thresholds must increase strictly from at least 1, not {thresholds.tolist()}")
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def levels(self) -> int:
        """Lanes of a value."""
        return int(self.thresholds.size)

    @property
    def number(self) -> NumberType:
        """What a lane is."""
        return BINARY

    def edge(self, source: Input) -> Edge:
        """What the first layer takes of the frames of `source`."""
        return _edge(source, self.levels, self.number)

    def check_input(self, source: Input) -> None:
        """Raises NetworkError unless the encoding is one for the values of `source`."""
        if int(self.thresholds[-1]) >= 1 << source.bits:
            raise NetworkError(f"encoding threshold {int(self.thresholds[-1])} is beyond the {source.bits}-bit input")


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerEncoding:
    """Unsigned integers to signed ones, by a table: the first layer takes integers with +-1 weights."""

    table: NDArray[np.int64]  # (2^bits,), value to integer, of at most MAX_INPUT_BITS + 1 bits

    def __post_init__(self) -> None:
        table = frozen(self.table, np.int64, "encoding table")
        if table.ndim != 1 or table.size == 0:
            raise NetworkError(f"an encoding table must have one integer for each value, not shape {table.shape}")
        object.__setattr__(self, "table", table)
        if self.number.bits > MAX_INPUT_BITS + 1:
            raise NetworkError(
                f"encoding table reaches {int(table.min())}..{int(table.max())}, more than "
                f"{MAX_INPUT_BITS + 1} bits hold"
            )

    @property
    def levels(self) -> int:
        """Lanes of a value."""
        return 1

    @property
    def number(self) -> NumberType:
        """What a lane is: a signed integer, as wide as the table needs."""
        bits = max(signed_bits(int(self.table.min())), signed_bits(int(self.table.max())))
        return NumberType(kind="signed", bits=bits)

    def edge(self, source: Input) -> Edge:
        """What the first layer takes of the frames of `source`."""
        return _edge(source, self.levels, self.number)

    def check_input(self, source: Input) -> None:
        """Raises NetworkError unless the encoding is one for the values of `source`."""
        if self.table.size != 1 << source.bits:
            raise NetworkError(
                f"an encoding table for {source.bits}-bit values has {1 << source.bits} entries, not {self.table.size}"
            )

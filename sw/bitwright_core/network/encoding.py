"""The input of a network, and how its values become what the first layer takes: bits, or signed integers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INPUT_BITS, MAX_INTEGER_BITS, MAX_LANES, MAX_VALUES, frozen
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType, signed_bits, signed_type, unsigned_type


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

    @property
    def edge(self) -> Edge:
        """Shape and number type of a frame."""
        return Edge(shape=self.shape, number=unsigned_type(self.bits))


def _edge(source: Input, levels: int, number: NumberType) -> Edge:
    """HW is HWC of one channel; levels count as channels."""
    shape = source.shape if len(source.shape) != 2 else (*source.shape, 1)
    return Edge(shape=(*shape[:-1], shape[-1] * levels), number=number)


def _check_rows(rows: int, source: Input, what: str) -> None:
    """Raises NetworkError unless there is a row for all values of a frame, for each channel or for each value."""
    if rows not in (1, *_row_counts(source)):
        channels, size = _row_counts(source)
        raise NetworkError(
            f"an encoding has one row of {what} for all values, {channels} (one a channel) or {size} (one a value), "
            f"not {rows}"
        )


def _row_counts(source: Input) -> tuple[int, int]:
    """Channels (the last axis of HWC; HW has one, a flat frame as many as values), and values."""
    return _edge(source, 1, BINARY).shape[-1], source.size


def _fewest(rows: NDArray[np.int64], source: Input) -> NDArray[np.int64]:
    """The same rows (count, ...), given once each: (1, ...), (channels, ...), or as they are."""
    for count in (1, _row_counts(source)[0]):
        if len(rows) > count and (rows.reshape(-1, count, *rows.shape[1:]) == rows[:count]).all():
            return rows[:count]
    return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class ThresholdEncoding:
    """Unsigned integers to bits: bit (value, level) is value >= thresholds[level].

    One level is a plain threshold, k levels a thermometer code. The lane of (value i, level k) is
    i * levels + k: levels run fastest, as channels do. With several rows of thresholds, value i takes row
    i % rows: a row a channel, or a row a value. There a threshold may also be 0 (a bit that is always 1) or 2^bits
    (always 0).
    """

    thresholds: NDArray[np.int64]  # (levels,), strictly increasing, 1 .. 2^bits - 1; or (rows, levels), not decreasing

    def __post_init__(self) -> None:
        thresholds = frozen(self.thresholds, np.int64, "encoding thresholds")
        if thresholds.ndim not in (1, 2) or thresholds.size == 0:
            raise NetworkError(
                f"encoding thresholds must be a list of levels, or rows of such lists, not of shape {thresholds.shape}"
            )
        if thresholds.ndim == 2 and len(thresholds) == 1:
            thresholds = thresholds[0]
        if thresholds.ndim == 1:
            if np.any(np.diff(thresholds) <= 0) or thresholds[0] < 1:
                raise NetworkError(
                    f"encoding thresholds must increase strictly from at least 1, not {thresholds.tolist()}"
                )
        elif np.any(np.diff(thresholds, axis=1) < 0) or thresholds.min() < 0:
            raise NetworkError("rows of encoding thresholds must not decrease, and begin at 0 or more")
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def levels(self) -> int:
        """Lanes of a value."""
        return int(self.thresholds.shape[-1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """(1, levels), (channels, levels) or (values, levels): value i of a frame takes row i % len(rows)."""
        return self.thresholds.reshape(-1, self.levels)

    @property
    def tables(self) -> None:
        """None: lanes are comparisons, and bits."""

    @property
    def number(self) -> NumberType:
        """The number type of a lane: a bit for -1 or +1."""
        return BINARY

    @property
    def is_version_1(self) -> bool:
        """Whether the first version of the file format has it: one list for all values."""
        return self.thresholds.ndim == 1

    def edge(self, source: Input) -> Edge:
        """What the first layer takes of the frames of `source`."""
        return _edge(source, self.levels, self.number)

    def encode(self, flat: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames (n, values) to bits (n, values * levels)."""
        bits = flat[:, :, None] >= np.tile(self.rows, (flat.shape[1] // len(self.rows), 1))
        return bits.reshape(len(flat), flat.shape[1] * self.levels).astype(np.uint8)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file has of it."""
        return {"thresholds": self.thresholds}

    def digest_parts(self, source: Input) -> Iterator[bytes]:
        """Everything that decides what it makes of the frames of `source`."""
        if self.thresholds.ndim == 1:
            yield repr((source.shape, source.bits, self.thresholds.tolist())).encode()
        else:
            yield repr((source.shape, source.bits, "rows", self.rows.shape)).encode()
            yield self.rows.astype("<i8").tobytes()

    def fitted(self, source: Input) -> "ThresholdEncoding":
        """The encoding for the values of `source`, in as few rows as say it. Raises NetworkError if it fits others."""
        _check_rows(len(self.rows), source, "thresholds")
        largest = int(self.thresholds.max())
        if largest > 1 << source.bits or (self.is_version_1 and largest >= 1 << source.bits):
            raise NetworkError(f"encoding threshold {largest} is beyond the {source.bits}-bit input")
        fewest = _fewest(self.rows, source)
        if len(fewest) == 1 and (np.any(np.diff(fewest) <= 0) or fewest.min() < 1 or largest >= 1 << source.bits):
            raise NetworkError(
                "an encoding that is the same for all values has thresholds that differ, from 1 to "
                f"{(1 << source.bits) - 1}, not {fewest[0].tolist()}"
            )
        return self if len(fewest) == len(self.rows) else ThresholdEncoding(thresholds=fewest)


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerEncoding:
    """Unsigned integers to signed ones, by a table: the first layer takes integers with +-1 weights.

    With several rows, value i of a frame takes row i % rows: a table a channel, or a table a value.
    """

    table: NDArray[np.int64]  # (2^bits,), value to integer, of at most MAX_INTEGER_BITS bits; or (rows, 2^bits)

    def __post_init__(self) -> None:
        table = frozen(self.table, np.int64, "encoding table")
        if table.ndim not in (1, 2) or table.size == 0:
            raise NetworkError(
                f"an encoding table must have one integer for each value, or rows of such tables, not shape "
                f"{table.shape}"
            )
        if table.ndim == 2 and len(table) == 1:
            table = table[0]
        if table.size > MAX_VALUES:
            raise NetworkError(f"encoding tables may have at most {MAX_VALUES} entries, not {table.size}")
        object.__setattr__(self, "table", table)
        if self.number.bits > MAX_INTEGER_BITS:
            raise NetworkError(
                f"encoding table reaches {int(table.min())}..{int(table.max())}, more than {MAX_INTEGER_BITS} bits hold"
            )

    @property
    def levels(self) -> int:
        """Lanes of a value."""
        return 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """(1, 2^bits), (channels, 2^bits) or (values, 2^bits): value i of a frame takes row i % len(rows)."""
        return self.table.reshape(-1, self.table.shape[-1])

    @property
    def tables(self) -> NDArray[np.int64]:
        """`rows`: what looks each value up; an encoding whose lanes are bits has none."""
        return self.rows

    @property
    def number(self) -> NumberType:
        """The number type of a lane: a signed integer, as wide as the table needs."""
        bits = max(signed_bits(int(self.table.min())), signed_bits(int(self.table.max())))
        return signed_type(bits)

    @property
    def is_version_1(self) -> bool:
        """Whether the first version of the file format has it: one table for all values, of up to 17 bits."""
        return self.table.ndim == 1 and self.number.bits <= MAX_INPUT_BITS + 1

    def edge(self, source: Input) -> Edge:
        """What the first layer takes of the frames of `source`."""
        return _edge(source, self.levels, self.number)

    def encode(self, flat: NDArray[np.integer]) -> NDArray[np.int32]:
        """Frames (n, values) to integers (n, values)."""
        tables = self.rows.astype(np.int32)
        if len(tables) == 1:
            return tables[0][flat]
        return tables[np.arange(flat.shape[1]) % len(tables), flat]

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What a network file has of it."""
        return {"table": self.table}

    def digest_parts(self, source: Input) -> Iterator[bytes]:
        """Everything that decides what it makes of the frames of `source`."""
        if self.table.ndim == 1:
            yield repr((source.shape, source.bits, "integers", self.table.tolist())).encode()
        else:
            yield repr((source.shape, source.bits, "rows of integers", self.rows.shape)).encode()
            yield self.rows.astype("<i8").tobytes()

    def fitted(self, source: Input) -> "IntegerEncoding":
        """The encoding for the values of `source`, in as few rows as say it. Raises NetworkError if it fits others."""
        _check_rows(len(self.rows), source, "integers")
        if self.table.shape[-1] != 1 << source.bits:
            raise NetworkError(
                f"an encoding table for {source.bits}-bit values has {1 << source.bits} entries, not "
                f"{self.table.shape[-1]}"
            )
        fewest = _fewest(self.rows, source)
        return self if len(fewest) == len(self.rows) else IntegerEncoding(table=fewest)

"""What a value of the graph is in hardware, while the graph is walked: raw input, accumulators, bits, or numbers.

Each is a source of expressions; `in_channels` brings a view's constants into the source's own axes, where they
may differ from channel to channel and not from pixel to pixel.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import BINARY, ENCODED, NumberType
from bitwright_onnx.expression import Expr, evaluate, map_constants
from bitwright_onnx.lanes import ScaledRows
from bitwright_onnx.view import View

_EVEN = 2.0**-20  # of the largest value: unevenness that float32 arithmetic alone explains
MAX_DOTS = 1 << 23  # of a table over all of them


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """The shape of a value in the graph, without frames, and the axis of its channels."""

    shape: tuple[int, ...]
    axis: int

    @property
    def channels(self) -> int:
        return self.shape[self.axis]

    @property
    def position(self) -> NDArray[np.int64]:
        """Where each value, in the graph's order, lies in hardware: raster order, channels fastest."""
        moved = np.moveaxis(np.arange(int(np.prod(self.shape))).reshape(self.shape), self.axis, -1)
        where = np.empty(moved.size, np.int64)
        where[moved.reshape(-1)] = np.arange(moved.size)
        return where

    def spread(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Columns (n, channels) with an axis of 1 for each of the plane's others."""
        ones = [1] * len(self.shape)
        ones[self.axis] = self.channels
        return columns.reshape(-1, *ones)


def in_channels(view: View, plane: Plane) -> Expr:
    """The view's expression with constants (1, ..., channels, ...) in the axes of its source.

    Raises ValueError if the view takes values twice or leaves some out, or if a constant differs between pixels.
    """
    size = int(np.prod(plane.shape))
    indices = view.indices.reshape(-1)
    if len(indices) != size or len(np.unique(indices)) != size:
        raise ValueError(f"it takes {len(np.unique(indices))} of {size} values, or some more than once")

    def move(array: NDArray[Any]) -> NDArray[Any]:
        if array.size == 1:
            return array.reshape((1,) * (len(plane.shape) + 1))
        if view.index is not None or array.shape[1:] != _compact(plane):
            full = np.empty(size, array.dtype)
            full[indices] = np.broadcast_to(array, (1, *view.shape)).reshape(-1)
            rows = np.moveaxis(full.reshape(plane.shape), plane.axis, 0).reshape(plane.channels, -1)
            if not (rows == rows[:, :1]).all() and not np.isnan(rows).any():
                raise ValueError("a constant differs from pixel to pixel of one channel")
            array = plane.spread(rows[None, :, 0])
        return array

    return map_constants(view.expression, move)


def _compact(plane: Plane) -> tuple[int, ...]:
    return tuple(size if axis == plane.axis else 1 for axis, size in enumerate(plane.shape))


def channel_table(expression: Expr, plane: Plane, columns: NDArray[Any], *, exact: bool = False) -> NDArray[Any]:
    """The expression on columns (n, channels) of source values: (n, channels)."""
    table = evaluate(expression, plane.spread(columns), exact=exact)
    return np.broadcast_to(table, (len(columns), *_compact(plane))).reshape(len(columns), -1)


def chunk_channels(expression: Expr, plane: Plane, part: slice) -> tuple[Expr, Plane]:
    """The expression for some channels alone."""
    index = [slice(None)] * (len(plane.shape) + 1)
    index[plane.axis + 1] = part
    count = len(range(*part.indices(plane.channels)))
    shape = tuple(count if axis == plane.axis else size for axis, size in enumerate(plane.shape))

    def cut(array: NDArray[Any]) -> NDArray[Any]:
        return array[tuple(index)] if array.shape[plane.axis + 1] > 1 else array

    return map_constants(expression, cut), Plane(shape=shape, axis=plane.axis)


@dataclass(frozen=True, kw_only=True, eq=False)
class RawInput:
    """Frames as the user has them."""

    plane: Plane
    giver: str = ENCODED


@dataclass(frozen=True, kw_only=True, eq=False)
class Bits:
    """One bit a value; what 0 and 1 stand for, channel by channel."""

    plane: Plane
    zero: NDArray[np.float64]  # (channels,)
    one: NDArray[np.float64]  # (channels,)
    giver: str = ENCODED  # the name of the layer

    @property
    def number(self) -> NumberType:
        return BINARY

    @property
    def values(self) -> NDArray[np.float32]:
        """Both, as (2, channels)."""
        return np.stack([self.zero, self.one]).astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Values that are stored as numbers, of a few bits or sums, and what the numbers stand for, channel by channel."""

    plane: Plane
    number: NumberType
    middle: NDArray[np.float64]  # (channels,): what the number 0 stands for
    step: NDArray[np.float64]  # (channels,): what each further one adds
    giver: str = ENCODED  # the name of the layer
    ends: tuple[int, int] | None = None  # the least and the largest number that occurs; None: all of the type may

    @property
    def reach(self) -> tuple[int, int]:
        """The least and the largest number that occurs."""
        return self.number.stored if self.ends is None else self.ends

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Every number that a value may be, rising, (numbers,). Raises ValueError if there are too many to look at."""
        least, largest = self.reach
        if largest - least >= MAX_DOTS:
            raise ValueError(f"its values take {largest - least + 1:,} numbers, too many to look at each")
        return np.arange(least, largest + 1)

    @property
    def values(self) -> NDArray[np.float32]:
        """What each of `numbers` stands for, (numbers, channels)."""
        return (self.middle + self.step * self.numbers[:, None]).astype(np.float32)

    def behind(self, values: NDArray[Any]) -> "Levels":
        """What follows, which makes `values` (numbers, channels) of the numbers. Raises ValueError for uneven ones."""
        found = values.astype(np.float64)
        numbers = self.numbers
        step = (found[-1] - found[0]) / max(1, numbers[-1] - numbers[0])
        middle = found[0] - step * numbers[0]
        if 0 in numbers:
            middle = found[int(np.searchsorted(numbers, 0))]
        size = np.abs(found).max()
        odd = (np.abs(middle + step * numbers[:, None] - found) > _EVEN * size).any(axis=0)
        if not np.isfinite(found).all() or odd.any() or (step == 0).any():
            raise UnevenError("what is made of activations of several bits is no straight line of them in each channel")
        return replace(self, middle=middle, step=step)


def counted(
    plane: Plane, number: NumberType, middle: NDArray[np.float64], step: NDArray[np.float64], giver: str
) -> Bits | Levels:
    """What thresholds give: bits if there is one level that counts from 0, else numbers; 0 is worth `middle`."""
    if number.xnor:
        return Bits(plane=plane, zero=middle, one=middle + step, giver=giver)
    return Levels(plane=plane, number=number, middle=middle, step=step, giver=giver)


class UnevenError(ValueError):
    """Raised where what is made of numbers is no straight line of them, so that it needs thresholds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Integers:
    """Numbers that an operator gives and that thresholds are decided on: like `Accumulators`, but without weights."""

    plane: Plane
    name: str
    node: Any  # what gave them, for refusals
    rows: ScaledRows  # without weights: what a number is worth
    least: int
    most: int
    stride: int = 1  # from one number to the next

    @property
    def largest(self) -> int:
        """The largest absolute value of the numbers."""
        return max(abs(self.least), abs(self.most))

    @property
    def count(self) -> int:
        """How many different numbers can occur."""
        return (self.most - self.least) // self.stride + 1

    def dots_at(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers at places `index` of those that can occur, rising from 0."""
        return self.least + self.stride * index

    @property
    def dots(self) -> NDArray[np.int64]:
        """Every number that can occur, rising. Raises ValueError for more than can be looked at."""
        return _all(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulators:
    """Sums of a layer whose output is not decided yet. `convolution` has its window, None for a dense layer."""

    plane: Plane
    name: str
    node: Any  # the product
    rows: ScaledRows
    sums_dots: bool  # accumulators are dot products of step 1, not popcounts
    largest: int  # of the dot product
    takes: NumberType
    convolution: dict[str, Any] | None
    source: str = ENCODED  # the name of the layer whose values it takes

    @property
    def count(self) -> int:
        """How many different dot products can occur."""
        return 2 * self.largest + 1 if self.sums_dots else self.largest + 1

    def dots_at(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """The dot products number `index` of those that can occur, rising from 0."""
        return (1 if self.sums_dots else 2) * index - self.largest

    @property
    def dots(self) -> NDArray[np.int64]:
        """Every dot product that can occur, rising. Raises ValueError for more than can be looked at."""
        return _all(self)


def _all(signal: Accumulators | Integers) -> NDArray[np.int64]:
    if signal.count > MAX_DOTS:
        raise ValueError(
            f"its sums take {signal.count:,} values, too many to look at each; only what rises or falls with them by "
            "its operations alone (sums, products and comparisons with constants) can follow"
        )
    return signal.dots_at(np.arange(signal.count))


Signal = RawInput | Accumulators | Bits | Levels  # what a value of the graph is

"""What is done to each value by itself, or to those at one place of several images."""

from dataclasses import dataclass

from bitwright_core.numbers import NumberType


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A value that is added, times its scale: one for all channels, or one each."""

    number: NumberType
    scales: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LaneRule:
    """The sum of the operands and of an offset, of one for all channels or of one each; then, unless `levels` is None,
    `base` and one more for each of the channel's levels that the sum reaches.

    `gives` is the number type of the result.
    """

    operands: tuple[Operand, ...]
    offsets: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...] | None  # (channels, levels)
    base: int
    gives: NumberType

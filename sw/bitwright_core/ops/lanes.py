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
    """What a lane becomes: the sum of the operands and of an offset, or how many levels that sum reaches.

    Offsets are one for all channels, or one each. Where `levels` is None, the sum itself is given; else `base` plus the
    number of the channel's levels that the sum reaches. `gives` is the number type of the result.

    Raises ValueError where lanes of that type cannot hold the result: a sum that is given as it is needs a type whose
    lanes hold what they stand for, which a bit for -1 or +1 does not.
    """

    operands: tuple[Operand, ...]
    offsets: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...] | None  # (channels, levels)
    base: int
    gives: NumberType

    def __post_init__(self) -> None:
        least, most = self.gives.stored
        if self.levels is None:
            if (self.gives.least, self.gives.largest) != (least, most):
                raise ValueError(
                    f"a sum is given as it is, but a {self.gives} lane holds {least} for {self.gives.least}; "
                    "give an integer, or levels"
                )
            return
        counts = {len(levels) for levels in self.levels}
        if len(counts) != 1:
            raise ValueError(f"every channel must have as many levels, not {sorted(counts)}")
        top = self.base + counts.pop()
        if self.base < least or top > most:
            raise ValueError(f"levels give {self.base} to {top}, but a {self.gives} lane holds {least} to {most}")

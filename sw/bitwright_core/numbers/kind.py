"""What differs from one kind of number to another, as one object: the pattern for a file beside this one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

PaddingValue = Literal["minus_one", "plus_one", "zero"]
PADDING: Mapping[PaddingValue, int] = MappingProxyType({"minus_one": -1, "plus_one": 1, "zero": 0})


@dataclass(frozen=True, kw_only=True)
class NumberKind:
    """A kind of number, of any width that it may have.

    Arrays of the golden model hold whole numbers ("stored"), lanes of the hardware their bits in two's complement. A
    stored number s is worth scale * s + offset, so that the largest value is the largest stored one, too.

    stored(bits): the least and the largest stored number. planes(bits): what each bit of a lane adds to the stored
    number, lowest bit first.
    """

    name: str  # as network files and errors have it
    widths: range  # bits that a value may have
    stored: Callable[[int], tuple[int, int]]
    planes: Callable[[int], tuple[int, ...]]
    paddings: tuple[PaddingValue, ...]  # what a convolution may pad with; a zero always adds nothing
    scale: int = 1
    offset: int = 0

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"kind {self.name}: the scale must be at least 1, not {self.scale}")

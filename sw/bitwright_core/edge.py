"""The values between two operators, seen from outside: their shape and number type."""

import math
from dataclasses import dataclass

from bitwright_core.numbers import NumberType


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The values of one frame between two operators: their shape (HWC or flat) and their number type."""

    shape: tuple[int, ...]
    number: NumberType

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value of the graph: its name, who gives it (for errors), and its shape and number type."""

    name: str
    giver: str  # "the encoded input", or "layer conv0"
    edge: Edge

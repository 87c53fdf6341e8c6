"""Sums of windows: average pools, whose divisor folds into what follows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType, signed_bits, signed_type
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts
from bitwright_core.ops.pool2d import Pool2d
from bitwright_core.ops.windows import PoolRule, taps
from bitwright_core.tensors import Tensors


class SumPool2dFacts(Facts, omit_defaults=True, tag="sum_pool2d"):
    """A pool of sums in the header of a network file."""

    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    takes: NumberFacts

    def build(self, tensors: Tensors) -> "SumPool2d":
        takes = NumberType(kind=self.takes.kind, bits=self.takes.bits)
        return SumPool2d(name=self.name, shape=self.shape, kernel=self.kernel, stride=self.stride, takes=takes)


@dataclass(frozen=True, kw_only=True)
class SumPool2d(Pool2d):
    """The sum of each window, channel by channel, a signed integer: an average pool times the size of its window.

    A bit counts as -1 or +1. Nothing pads. The average of a whole image has its height and width as the kernel.
    """

    kind: ClassVar[str] = "sum_pool2d"
    facts_type: ClassVar[type[Facts]] = SumPool2dFacts
    rule: ClassVar[PoolRule] = "sum"

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)  # (down, across)
    takes: NumberType = BINARY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.edge.number.bits > MAX_INTEGER_BITS:
            raise NetworkError(
                f"layer {self.name}: sums take {self.edge.number.bits} bits, more than {MAX_INTEGER_BITS}"
            )

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives."""
        count = self.kernel[0] * self.kernel[1]
        bits = max(signed_bits(count * self.takes.least), signed_bits(count * self.takes.largest))
        return Edge(shape=(*self.windows.shape, self.shape[2]), number=signed_type(bits))

    @property
    def operations(self) -> int:
        return (self.kernel[0] * self.kernel[1] - 1) * self.edge.size

    @property
    def size_text(self) -> str:
        return f"sp{self.kernel[0]}x{self.kernel[1]}"

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The sum of each window, (n, *edge shape)."""
        images = self.takes.integers(given[0].reshape(-1, *self.shape))
        total: NDArray[np.integer] = taps(images, self.windows).sum(axis=(3, 4))
        return total

    def facts(self) -> SumPool2dFacts:
        takes = NumberFacts(kind=self.takes.kind, bits=self.takes.bits)
        return SumPool2dFacts(name=self.name, shape=self.shape, kernel=self.kernel, stride=self.stride, takes=takes)

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape, self.kernel, self.stride)).encode()

"""Thresholds by themselves: integers to activations."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS, MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType
from bitwright_core.ops.lanes import LaneRule, Operand
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts, Weightless, check_number, check_shape
from bitwright_core.outputs.thresholds import Thresholds
from bitwright_core.tensors import Tensors


class QuantizeFacts(Facts, omit_defaults=True, tag="quantize"):
    """Thresholds by themselves in the header of a network file."""

    shape: list[int]
    takes: NumberFacts
    levels: int = 1
    base: int = 0

    def build(self, tensors: Tensors) -> "Quantize":
        if not self.shape or min(self.shape) < 1 or self.levels < 1:
            raise NetworkError(f"layer {self.name}: sizes must be positive")
        return Quantize(
            name=self.name,
            shape=tuple(self.shape),
            takes=NumberType(kind=self.takes.kind, bits=self.takes.bits),
            output=Thresholds.read(tensors, self.shape[-1], self.levels, self.base),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(Weightless):
    """Integers to activations, by the thresholds of each channel: what `Thresholds` are to accumulators."""

    kind: ClassVar[str] = "quantize"
    facts_type: ClassVar[type[Facts]] = QuantizeFacts

    name: str
    shape: tuple[int, ...]  # (height, width, channels), or flat
    takes: NumberType
    output: Thresholds

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        if len(self.shape) not in (1, 3):
            raise NetworkError(f"{where}: a shape is (height, width, channels) or flat, not {list(self.shape)}")
        object.__setattr__(self, "shape", sizes(self.shape, len(self.shape), f"{where}: the shape", 1))
        if math.prod(self.shape) > MAX_VALUES:
            raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(self.shape)}")
        if self.takes.bits > MAX_INTEGER_BITS:
            raise NetworkError(f"{where}: values of at most {MAX_INTEGER_BITS} bits, not {self.takes}")
        if self.output.outputs != self.shape[-1]:
            raise NetworkError(f"{where}: {self.shape[-1]} channels but {self.output.outputs} rows of thresholds")
        self.output.check(where, self.takes.least, self.takes.largest, "the largest value")

    @property
    def lanes(self) -> LaneRule:
        return LaneRule(
            operands=(Operand(number=self.takes, scales=(1,)),),
            offsets=(0,),
            levels=tuple(map(tuple, self.output.values.tolist())),
            base=self.output.base,
            gives=self.edge.number,
        )

    @property
    def edge(self) -> Edge:
        """Shape and number type of what it gives."""
        return Edge(shape=self.shape, number=self.output.number(self.takes.least, self.takes.largest))

    @property
    def size_text(self) -> str:
        return "q" if self.output.levels == 1 else f"q{self.output.levels}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_shape(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The activations, (n, *shape)."""
        return self.output.of(self.takes.integers(given[0].reshape(len(given[0]), *self.shape)))

    def facts(self) -> QuantizeFacts:
        return QuantizeFacts(
            name=self.name,
            shape=list(self.shape),
            takes=NumberFacts(kind=self.takes.kind, bits=self.takes.bits),
            levels=self.output.levels,
            base=self.output.base,
        )

    def arrays(self) -> dict[str, NDArray[np.integer]]:
        return {**self.output.arrays()}

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape, self.output.digest_name)).encode()
        yield from (array.astype("<i8").tobytes() for array in self.output.arrays().values())

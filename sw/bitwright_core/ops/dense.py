"""Fully connected layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.number_facts import NumberFacts, number_facts, number_type, weight_facts, weight_number
from bitwright_core.ops.operator import Facts, check_number, check_size
from bitwright_core.outputs import Output, read_output
from bitwright_core.tensors import Tensors


class DenseFacts(Facts, omit_defaults=True, tag="dense"):
    """A dense layer in the header of a network file."""

    inputs: int
    outputs: int
    output: Literal["thresholds", "scores", "votes", "sums"]
    integer_bits: int = 0  # of a layer that takes signed integers; 0: it takes bits, or what `takes` says
    takes: NumberFacts | None = None
    levels: int = 1
    base: int = 0
    weight_type: NumberFacts | None = None  # None: bits that stand for -1 and +1

    def build(self, tensors: Tensors) -> "Dense":
        if self.inputs < 1 or self.outputs < 1:
            raise NetworkError(f"layer {self.name}: sizes must be positive")
        weight_type = weight_number(self.weight_type)
        return Dense(
            name=self.name,
            weights=tensors.numbers("weights", self.outputs, self.inputs, weight_type),
            output=read_output(self.output, tensors, self.outputs, self.levels, self.base),
            takes=number_type(self.integer_bits, self.takes),
            weight_type=weight_type,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(MatrixLayer):
    """A fully connected layer: an accumulator for each row, then `output`.

    It takes an image, too, in raster order with the channels fastest. `takes` is signed for a first layer on
    integers, unsigned behind thresholds of several levels.
    """

    kind: ClassVar[str] = "dense"
    facts_type: ClassVar[type[Facts]] = DenseFacts

    name: str
    weights: NDArray[np.integer]  # (outputs, inputs); of bits 1 is +1 and 0 is -1
    output: Output
    takes: NumberType = BINARY
    weight_type: NumberType = BINARY  # ternary, or signed of 2 to 8 bits: `weights` are the numbers themselves

    def __post_init__(self) -> None:
        self._check_matrix("outputs, inputs")
        self._check_output()

    @property
    def size_text(self) -> str:
        return f"{self.outputs}{self._types_text}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_size(self.name, self.inputs, before)
        check_number(self.name, self.takes, before)
        return self.edge

    def facts(self) -> DenseFacts:
        bits, takes = number_facts(self.takes)
        return DenseFacts(
            name=self.name,
            inputs=self.inputs,
            outputs=self.outputs,
            output=self.output.kind,
            integer_bits=bits,
            takes=takes,
            levels=self.output.levels,
            base=self.output.base,
            weight_type=weight_facts(self.weight_type),
        )

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.weights.shape)).encode()
        yield from self._digest_arrays()

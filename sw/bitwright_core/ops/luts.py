"""Layers of lookup tables: neurons that read a few bits each and give what their truth table says.

The field calls them LUT networks, weightless or logic-gate networks (Umuroglu et al., LogicNets, arXiv:2004.03021;
Bacellar et al., Differentiable Weightless Neural Networks, arXiv:2410.11112). A neuron of six inputs is one LUT6.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.bits import pack_bits
from bitwright_core.checks import MAX_LANES, check_name, frozen
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY
from bitwright_core.ops.operator import Facts, Weightless, check_number, check_size
from bitwright_core.tensors import Tensors

MAX_FAN_IN = 6


class LutsFacts(Facts, omit_defaults=True, tag="luts"):
    """A layer of lookup tables in the header of a network file."""

    inputs: int
    outputs: int
    fan_in: int

    def build(self, tensors: Tensors) -> "Luts":
        if self.inputs < 1 or self.outputs < 1 or not 1 <= self.fan_in <= MAX_FAN_IN:
            raise NetworkError(f"layer {self.name}: sizes must be positive, and a fan-in at most {MAX_FAN_IN}")
        return Luts(
            name=self.name,
            inputs=self.inputs,
            wires=tensors.take("wires", (self.outputs, self.fan_in)),
            tables=tensors.bits("tables", self.outputs, 1 << self.fan_in),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Luts(Weightless):
    """Neurons of `fan_in` inputs each: bit k of a neuron's address is input wires[neuron, k], and it gives
    tables[neuron, address].

    It takes bits, of an image, too, in raster order with the channels fastest, and gives bits.
    """

    kind: ClassVar[str] = "luts"
    facts_type: ClassVar[type[Facts]] = LutsFacts

    name: str
    inputs: int
    wires: NDArray[np.int32]  # (outputs, fan_in), each 0 .. inputs - 1
    tables: NDArray[np.uint8]  # (outputs, 2^fan_in), 0 or 1

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        if not 1 <= self.inputs <= MAX_LANES:
            raise NetworkError(f"{where}: inputs must lie in 1..{MAX_LANES}, not {self.inputs}")
        wires = frozen(self.wires, np.int32, f"{where}, wires")
        tables = frozen(self.tables, np.uint8, f"{where}, tables")
        if wires.ndim != 2 or not 1 <= wires.shape[1] <= MAX_FAN_IN or not 1 <= len(wires) <= MAX_LANES:
            raise NetworkError(
                f"{where}: wires must have shape (outputs, fan-in), a fan-in of 1 to {MAX_FAN_IN}, not {wires.shape}"
            )
        if tables.shape != (len(wires), 1 << wires.shape[1]):
            raise NetworkError(
                f"{where}: tables must have shape {(len(wires), 1 << wires.shape[1])} for {len(wires)} neurons of "
                f"{wires.shape[1]} inputs, not {tables.shape}"
            )
        if wires.min() < 0 or wires.max() >= self.inputs:
            raise NetworkError(
                f"{where}: wires must lie in 0..{self.inputs - 1}, not {int(wires.min())}..{int(wires.max())}"
            )
        if tables.max() > 1:
            raise NetworkError(f"{where}: tables must hold 0 and 1, not {int(tables.max())}")
        object.__setattr__(self, "wires", wires)
        object.__setattr__(self, "tables", tables)

    @property
    def lookup(self) -> "Luts":
        """The layer itself: it has nothing but tables (see `Operator`)."""
        return self

    @property
    def outputs(self) -> int:
        """Neurons."""
        return len(self.wires)

    @property
    def fan_in(self) -> int:
        """Inputs of a neuron."""
        return int(self.wires.shape[1])

    @property
    def weight_bits(self) -> int:
        """Bits of its tables."""
        return int(self.tables.size)

    @property
    def operations(self) -> int:
        """A lookup for each neuron; the field counts no multiplications here."""
        return self.outputs

    @property
    def source(self) -> Edge:
        """Shape and number type of what it takes: flat, whatever the shape before."""
        return Edge(shape=(self.inputs,), number=BINARY)

    @property
    def edge(self) -> Edge:
        return Edge(shape=(self.outputs,), number=BINARY)

    @property
    def size_text(self) -> str:
        return f"{self.outputs}lut{self.fan_in}"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_size(self.name, self.inputs, before)
        check_number(self.name, BINARY, before)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """What each neuron's table says, (n, outputs)."""
        bits = given[0].reshape(len(given[0]), self.inputs)
        address = np.zeros((len(bits), self.outputs), np.uint8)
        for k in range(self.fan_in):
            address |= bits[:, self.wires[:, k]].astype(np.uint8) << np.uint8(k)
        return self.tables[np.arange(self.outputs), address]

    @property
    def shows(self) -> int:
        """-1: each neuron's bit is a signed number of one bit, 0 or -1."""
        return -1

    def facts(self) -> LutsFacts:
        return LutsFacts(name=self.name, inputs=self.inputs, outputs=self.outputs, fan_in=self.fan_in)

    def arrays(self) -> dict[str, NDArray[np.integer]]:
        return {"wires": self.wires, "tables": pack_bits(self.tables)}

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.inputs, self.wires.shape)).encode()
        yield self.wires.astype("<i4").tobytes()
        yield pack_bits(self.tables).tobytes()

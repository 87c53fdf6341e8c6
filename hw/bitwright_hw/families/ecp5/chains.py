"""ECP5 carry chains: additions put behind one another in CCU2C cells.

Half of a CCU2C adds two functions of two inputs each and the carry from the half before, at one LUT4 for the
sum bit and the carry together (Lattice FPGA-DS-02012; the cell model of Yosys). The second function must be 0
when its inputs are, as the cell takes its own carry from the first two inputs alone: entries 0 to 3 of its table.

Inputs that no function has are 1, which a slice gives by itself. A 0 at the third or fourth would be a wire: nextpnr
brings one net to all of them, and in a large design they are a quarter of what it has to route.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from amaranth.hdl import C, Instance, Module, Signal, Value

from bitwright_hw.families.chains import CarryChains, ChainFamily, ChainLength, ChainOperand

CHAIN = 32  # halves in a row; each pair adds 43 ps to a carry that timing analysis believes to run through


@dataclass(frozen=True, kw_only=True)
class Half:
    """Half of a CCU2C: its four inputs and its table (bit i: inputs i)."""

    inputs: tuple[Value, ...]
    init: int


def adding(one: ChainOperand, other: ChainOperand) -> Half:
    """Adds both and the carry."""
    init = sum((one.at(i & 3) ^ other.at(i >> 2)) << i for i in range(16))
    return Half(inputs=(*_pair(one.inputs), *_pair(other.inputs)), init=init)


def entering(carry: ChainOperand) -> Half:
    """Starts a carry, and gives out the one before as its sum bit: with the last input 1 nothing is added."""
    return Half(inputs=(*_pair(carry.inputs), *_pair(())), init=sum(carry.at(i) << i for i in range(4)))


def _pair(inputs: Sequence[Value]) -> list[Value]:
    return [*inputs, *[C(1, 1)] * (2 - len(inputs))]


_length = partial(ChainLength, CHAIN, even=True)


class Chains(CarryChains[Half]):
    """CarryChains of halves of CCU2C cells."""

    def __init__(self, m: Module):
        super().__init__(m, _length())

    def positions(self, pairs: Sequence[tuple[ChainOperand, ChainOperand]], carry: ChainOperand) -> list[Half]:
        return [entering(carry), *(adding(one, other) for one, other in pairs)]

    def ending(self) -> Half:
        return entering(ChainOperand.zero())

    def make(self) -> None:
        if len(self.cells) % 2:
            self.put(self.ending(), Signal(name="unused"))
        carry: Value = C(0, 1)
        for k in range(0, len(self.cells), 2):
            ports: dict[str, Value] = {}
            for i in range(2):
                for name, value in zip("ABCD", self.cells[k + i].inputs, strict=True):
                    ports[f"i_{name}{i}"] = value
            out = Signal(name="carry")
            self.m.submodules += Instance(
                "CCU2C",
                p_INIT0=C(self.cells[k].init, 16),
                p_INIT1=C(self.cells[k + 1].init, 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                o_S0=self.sums[k],
                o_S1=self.sums[k + 1],
                o_COUT=out,
                **ports,
            )
            carry = out


def _none(functions: int) -> int:
    """LUTs beside the chains: a position takes two functions of two inputs each, and a carry another."""
    return 0


CHAINS = ChainFamily(
    chains=Chains,
    length=_length,
    spare=_none,
    agree=ChainOperand.different,
    start=ChainOperand.either,
    preload=ChainOperand.bit,
    inverted_weights=True,
    inverted_preload=False,
)

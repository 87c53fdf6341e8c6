"""Gowin carry chains: additions put behind one another in ALU cells.

An ALU takes a LUT4, of which the carry has two inputs for itself (Gowin UG288; Project Apicula, doc/alu.md). In mode
ADDSUB it adds I0, the carry, and I1 or its complement as I3 says: I1 XNOR I3, which is an agreeing lane. In mode MULT
it adds I3, the carry and I0 AND I1. So a position takes a bit and a function of two inputs.

nextpnr puts an ALU in front of every chain, and fills it to an even number; with that, a whole one has six CFUs. It
takes the first carry from a constant alone: of nextpnr 0.11, one from logic also depends on the neighbouring chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from amaranth.hdl import C, Instance, Module, Signal, Value

from bitwright_hw.families.chains import CarryChains, ChainFamily, ChainLength, ChainOperand

CHAIN = 35  # cells in a row, beside nextpnr's own
ADDSUB, MULT = 2, 9
_XNOR, _AND, _BIT, _INVERSE = (2, 0b1001), (2, 0b1000), (1, 0b10), (1, 0b01)
_TAKEN = (_XNOR, _AND, _INVERSE)  # what a cell makes by itself, beside a bit: inputs and table


@dataclass(frozen=True, kw_only=True)
class Alu:
    """An ALU but for its carries: its mode, I0, I1 and I3."""

    mode: int
    inputs: tuple[Value, Value, Value]


def _kind(operand: ChainOperand) -> tuple[int, int]:
    return len(operand.inputs), operand.table


def adding(bit: Value, other: ChainOperand) -> Alu:
    """Adds `bit`, `other` and the carry."""
    kind = _kind(other)
    if kind == _XNOR:
        return Alu(mode=ADDSUB, inputs=(bit, *other.inputs))
    if kind == _AND:
        return Alu(mode=MULT, inputs=(*other.inputs, bit))
    if kind == _INVERSE:
        return Alu(mode=ADDSUB, inputs=(bit, *other.inputs, C(0, 1)))
    return Alu(mode=ADDSUB, inputs=(bit, *(other.inputs or (C(0, 1),)), C(1, 1)))


def entering(bit: Value) -> Alu:
    """Starts a carry, and gives out the one before as its sum: it adds the bit twice, which is nothing and a carry."""
    return Alu(mode=ADDSUB, inputs=(bit, bit, C(1, 1)))


_length = partial(ChainLength, CHAIN, even=False)


class AluChains(CarryChains[Alu]):
    """CarryChains of ALU cells."""

    def __init__(self, m: Module):
        super().__init__(m, _length())

    def positions(self, pairs: Sequence[tuple[ChainOperand, ChainOperand]], carry: ChainOperand) -> list[Alu]:
        """A LUT makes a function of two inputs where another meets it in the same position."""
        first, *lowest = self._plain([*pairs[0], carry])
        cells = [entering(_bit(first))]
        for pair in (lowest, *pairs[1:]):
            bit, function = self._plain(pair)
            cells.append(adding(_bit(bit), function))
        return cells

    def ending(self) -> Alu:
        return entering(C(0, 1))

    def _plain(self, operands: Sequence[ChainOperand]) -> list[ChainOperand]:
        """The same with one function of two inputs at most, which is the last: of the others LUTs make bits."""
        functions = [k for k, operand in enumerate(operands) if _kind(operand) in _TAKEN]
        kept = functions[-1] if functions else len(operands) - 1
        found = []
        for k, operand in enumerate(operands):
            if k == kept:
                continue
            if operand.inputs and _kind(operand) != _BIT:
                bit = Signal(name="lane")
                self.m.d.comb += bit.eq(_value(operand))
                found.append(ChainOperand.bit(bit))
            else:
                found.append(operand)
        return [*found, operands[kept]]

    def make(self) -> None:
        carry: Value = C(0, 1)
        for cell, total in zip(self.cells, self.sums, strict=True):
            out = Signal(name="carry")
            ports = dict(zip(("i_I0", "i_I1", "i_I3"), cell.inputs, strict=True))
            self.m.submodules += Instance("ALU", p_ALU_MODE=cell.mode, i_CIN=carry, o_SUM=total, o_COUT=out, **ports)
            carry = out


def _bit(operand: ChainOperand) -> Value:
    return operand.inputs[0] if operand.inputs else C(0, 1)


def _value(operand: ChainOperand) -> Value:
    """A function as logic."""
    kind = _kind(operand)
    if kind == _INVERSE:
        return ~operand.inputs[0]
    x, w = operand.inputs
    return x & w if kind == _AND else ~(x ^ w)


def _spare(functions: int) -> int:
    """LUTs of functions of two inputs that meet: a position has room for one."""
    return max(0, functions - 1)


def _started(accumulator: Value, preload: Value) -> ChainOperand:
    """The one that is not 0, with the preload complemented: they differ where one is 1."""
    return ChainOperand.equal(accumulator, preload)


CHAINS = ChainFamily(
    chains=AluChains,
    length=_length,
    spare=_spare,
    agree=ChainOperand.equal,
    start=_started,
    preload=ChainOperand.inverse,
    inverted_weights=False,
    inverted_preload=True,
)

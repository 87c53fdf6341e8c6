"""Neurons that are lookup tables of a few bits each."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bitwright_core.network import Luts
from bitwright_core.ops.operator import Lookup

Neuron = tuple[tuple[int, ...], int]  # the inputs that it depends on, and its table as a number
INVERTER = 0b01  # the table of one input that is its complement


class LutNeurons(wiring.Component):
    """All neurons of a layer of lookup tables, a frame a cycle.

    `i` brings a frame a word, at any pace; `o` gives the neurons' bits, neuron 0 lowest. A table keeps the inputs that
    it depends on alone; neurons that are equal are made once. One of six inputs takes a LUT6, or four LUT4s at most
    (a family's wide multiplexers join them).

    Latency: 1 cycle. Throughput: a word a cycle. Reset: forgets the word inside.
    """

    LATENCY = 1

    def __init__(self, *, layer: Luts):
        self.layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(layer.inputs, always_ready=True)),
                "o": Out(stream.Signature(layer.outputs, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        look_up(m, self.o.payload, neurons(self.layer), self.i.payload)
        m.d.sync += self.o.valid.eq(self.i.valid)
        return m


def look_up(m: Module, given: Value, rows: Sequence[Neuron], bits: Value) -> None:
    """Registers what neurons make of `bits` in `given`, a bit each. Equal neurons are made once, and those that depend
    on nothing are no registers, so that synthesis sees behind them that they never change."""
    made: dict[Neuron, Value] = {}
    for k, neuron in enumerate(rows):
        if not neuron[0]:
            m.d.comb += given[k].eq(neuron[1])
        elif neuron not in made:
            made[neuron] = given[k]
            m.d.sync += given[k].eq(_table(bits, *neuron))
        else:
            m.d.comb += given[k].eq(made[neuron])


def _table(bits: Value, wires: tuple[int, ...], table: int) -> Value:
    return Const(table, 1 << len(wires)).bit_select(Cat(bits[wire] for wire in wires), 1)


@lru_cache(maxsize=64)
def neurons(layer: Lookup) -> tuple[Neuron, ...]:
    """For each neuron: the inputs that it depends on, each once and in rising order, and its table as a number.

    Bit a of it is what the neuron gives at address a, of which bit k is input k of these. Equal neurons come out equal.
    """
    return tuple(reduced(wires, table) for wires, table in zip(layer.wires.tolist(), layer.tables, strict=True))


def reduced(wires: list[int], table: NDArray[np.uint8]) -> Neuron:
    """The inputs that a table depends on, and the table over them: see `neurons`."""
    distinct = sorted(set(wires))
    address = np.arange(1 << len(distinct))
    given = np.zeros_like(address)
    for k, wire in enumerate(wires):
        given |= (address >> distinct.index(wire) & 1) << k
    values = table[given].reshape((2,) * len(distinct))  # axis 0 is the last input
    kept: list[int] = []
    for wire in reversed(distinct):
        low, high = (np.take(values, bit, axis=len(kept)) for bit in (0, 1))  # axes in front are those of `kept`
        if (low == high).all():
            values = low
        else:
            kept.append(wire)
    bits = values.reshape(-1)
    return tuple(sorted(kept)), int(sum(int(bit) << k for k, bit in enumerate(bits)))


def behind(rows: Sequence[Neuron], before: Sequence[Neuron]) -> tuple[Neuron, ...]:
    """`rows` as synthesis sees them behind neurons `before`: those that never change are constants there, and equal
    ones are one wire, the first."""
    first: dict[Neuron, int] = {}
    wire = [first.setdefault(neuron, k) for k, neuron in enumerate(before)]
    plain = [bool(neuron[0]) and wire[k] == k for k, neuron in enumerate(before)]
    return tuple(row if all(plain[k] for k in row[0]) else _joined(row, before, wire) for row in rows)


def _joined(row: Neuron, before: Sequence[Neuron], wire: Sequence[int]) -> Neuron:
    wires, table = row
    address = np.arange(1 << len(wires))
    for k, given in enumerate(wires):
        if not before[given][0]:
            address = address & ~(1 << k) | before[given][1] << k
    bits = np.array([table >> int(a) & 1 for a in address], np.uint8)
    return reduced([wire[given] for given in wires], bits)

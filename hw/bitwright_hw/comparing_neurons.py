"""Neurons that are lookup tables of bits of values and of comparisons of such bits."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.encoder import at_least
from bitwright_hw.input_bits import LateComparison
from bitwright_hw.luts import LutNeurons, Neuron, look_up


class ComparingNeurons(wiring.Component):
    """The first layer of tables where values are compared behind the frame, a frame a cycle.

    `i` brings a frame of `inputs` kept bits a word, at any pace; `o` gives the neurons' bits, neuron 0 lowest. Each of
    `compared` is made once; `neurons` read the bits and, numbered behind them, what these give. A comparison that a
    table takes in is no more than that table.

    Latency: 1 cycle. Throughput: a word a cycle. Reset: forgets the word inside.
    """

    LATENCY = LutNeurons.LATENCY

    def __init__(self, *, inputs: int, compared: Sequence[LateComparison], neurons: Sequence[Neuron]):
        self.inputs = inputs
        self.compared = tuple(compared)
        self.neurons = tuple(neurons)
        super().__init__(
            {
                "i": In(stream.Signature(inputs, always_ready=True)),
                "o": Out(stream.Signature(len(self.neurons), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reached = Signal(len(self.compared))
        for k, each in enumerate(self.compared):
            m.d.comb += reached[k].eq(at_least(Cat(self.i.payload[wire] for wire in each.wires), each.threshold))
        look_up(m, self.o.payload, self.neurons, Cat(self.i.payload, reached))
        m.d.sync += self.o.valid.eq(self.i.valid)
        return m

"""The hardwired engine: a layer whose weights are constants in the logic, a frame or a window a cycle."""

from amaranth.hdl import C, Cat, Module, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.network import MatrixLayer, Thresholds
from bitwright_core.plan import Fold
from bitwright_hw.constant_bits import Known, known_outputs
from bitwright_hw.engine_numbers import LevelNumbers, accumulator_bits, level_numbers
from bitwright_hw.families import Family
from bitwright_hw.few_neurons import FewNeurons
from bitwright_hw.levels import LevelUnit
from bitwright_hw.neurons import Neurons
from bitwright_hw.popcount import AccumulateRow
from bitwright_hw.timing import Pipeline, valid_after


class HardwiredEngine(wiring.Component):
    """A MatrixEngine of PE = outputs and SIMD = inputs without XNOR gates and weight memory.

    Ports and contract are those of MatrixEngine: `i` brings a frame a word (a convolution's window), at any pace, `o`
    gives popcount - T of every row (or the popcount, in a layer of scores), and `activations` the activations. `known`
    has, of each input, the value that it always has, or None if it changes.

    popcount = 2 * (set inputs of weight 1) + constant - (set inputs): a row adds only the inputs of its rarer
    weight, half of them or fewer, and the sum of all inputs is made once. Full adders that several rows have in common
    are shared (bitwright_hw.arithmetic.shared_sums); what is left is added as suits the target (its `sums`). The
    threshold is part of the row's constant, and so are inputs that never change; a row whose bit never changes has a
    constant activation, and rows that are equal are made once. On values or with weights of a few bits a row adds bits
    of several weights (`FewNeurons`); activations of several levels come from a LevelUnit, while `given` is high.

    Latency: `latency` = stages + 2 cycles, and that of the LevelUnit more to `given`. Throughput: a word a cycle.
    Reset: forgets the words inside.
    """

    def __init__(self, *, layer: MatrixLayer, family: Family, stages: int, known: Known | None = None):
        self.layer = layer
        self.family = family
        self.stages = stages
        self.known = (None,) * layer.inputs if known is None else known
        self.fold = Fold(inputs=layer.inputs, outputs=layer.outputs, pe=layer.outputs, simd=layer.inputs)
        self.bits = accumulator_bits(layer, self.fold)
        made = Neurons if layer.counts_bits else FewNeurons
        self.neurons = made(layer=layer, known=self.known, bits=self.bits, family=family)
        self.levels = level_numbers(layer, self.fold)
        fields = data.ArrayLayout(signed(self.bits), layer.outputs)
        code_bits = self.levels.code_bits if self.levels else 1
        super().__init__(
            {
                "i": In(stream.Signature(layer.inputs * layer.takes.bits, always_ready=True)),
                "o": Out(stream.Signature(fields, always_ready=True)),
                **({"activations": Out(layer.outputs * code_bits)} if self.biased else {}),
                **({"given": Out(1)} if self.levels else {}),
            }
        )

    @property
    def biased(self) -> bool:
        """Whether the layer has thresholds."""
        return isinstance(self.layer.output, Thresholds)

    @property
    def shared(self) -> dict[str, AccumulateRow]:
        """The modules that this one instantiates by name: none."""
        return {}

    @staticmethod
    def latency_of(pipeline: Pipeline, layer: MatrixLayer, fold: Fold) -> int:
        """Cycles from a frame's word to the results of such an engine: activations or counts."""
        levels = level_numbers(layer, fold)
        return pipeline.stages + 2 + (levels.latency if levels else 0)

    @property
    def latency(self) -> int:
        return self.stages + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.valid.eq(valid_after(m, self.i.valid, self.latency))

        totals = dict(zip(self.neurons.distinct, self._totals(m), strict=True))
        known = known_outputs(self.layer, self.known) if self.layer.counts_bits else (None,) * self.layer.outputs
        for k, (row, value) in enumerate(zip(self.neurons.rows, known, strict=True)):
            total = totals[row]
            if row.complemented:
                m.d.comb += self.o.payload[k].eq(~total)
            elif self.biased:
                m.d.comb += self.o.payload[k].eq(Cat(total[:-1], ~total[-1]))
            else:
                m.d.comb += self.o.payload[k].eq(total)
            if self.biased and self.levels is None:
                m.d.comb += self.activations[k].eq(total[-1] if value is None else C(value, 1))
        if self.levels is not None:
            self._coded(m, self.levels)
        return m

    def _totals(self, m: Module) -> list[Value]:
        """The values of the distinct rows, `latency` cycles after the inputs: 2 * members + (~s + constant)."""
        neurons = self.neurons
        constants = [row.constant for row in neurons.distinct]
        lanes, bits = neurons.lanes(self.i.payload), self.bits + neurons.below
        totals = self.family.sums.totals(m, neurons.sums, lanes, constants, bits, neurons.seen_bits, self.stages)
        return [total[neurons.below :] if neurons.below else total for total in totals]

    def _coded(self, m: Module, numbers: LevelNumbers) -> None:
        """Activations of several levels, of totals with their bias."""
        m.submodules.levels = levels = LevelUnit(
            bits=self.bits,
            middle=numbers.middle,
            others=numbers.others,
            base=numbers.base,
            code_bits=numbers.code_bits,
            passes_apart=1,
        )
        values = [self.o.payload[k] for k in range(self.layer.outputs)]
        m.d.comb += [
            levels.valid.eq(self.o.valid),
            levels.totals.eq(Cat(Cat(value[:-1], ~value[-1]) for value in values)),
            self.activations.eq(levels.o),
            self.given.eq(levels.o_valid),
        ]

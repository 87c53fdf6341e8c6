"""The matrix engine: PE rows of XNOR-popcount, SIMD lanes wide, over folds of a layer's weights."""

import numpy as np
from amaranth.hdl import (
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
    signed,
)
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bitwright_core.network import MatrixLayer, Scores, signed_bits
from bitwright_core.plan import Fold, Memory
from bitwright_hw.families import Family
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.integer_row import IntegerRow, chain_length, corrections, skewed, word_terms, x_bits
from bitwright_hw.memory_contents import Contents
from bitwright_hw.popcount import AccumulateRow
from bitwright_hw.preloads import Borders, Preloads
from bitwright_hw.rom import Rom, rom_attributes, rom_place
from bitwright_hw.timing import Pipeline

Matrix = MatrixLayer


def _folded(layer: Matrix, fold: Fold) -> np.ndarray:
    """The weights as (NF * PE, SF * SIMD). Rows and columns that only pad are 1."""
    padded = np.ones((fold.neuron_folds * fold.pe, fold.synapse_folds * fold.simd), np.uint8)
    padded[: layer.outputs, : layer.inputs] = layer.rows
    return padded


def weight_rows(layer: Matrix, fold: Fold) -> NDArray[np.uint8]:
    """(words, PE * SIMD): the weight memory. Word nf * SF + sf holds row nf * PE + pe, columns sf * SIMD + s, in bit
    pe * SIMD + s. Rows and columns that only pad are 1."""
    padded = _folded(layer, fold)
    folded = padded.reshape(fold.neuron_folds, fold.pe, fold.synapse_folds, fold.simd).transpose(0, 2, 1, 3)
    return folded.reshape(fold.cycles, fold.lanes)


def count_range(layer: Matrix) -> tuple[int, int]:
    """The least and the largest count of a row: popcounts of bits, dot products of integers."""
    return (0, layer.inputs) if layer.counts_bits else (-layer.largest_dot, layer.largest_dot)


def accumulator_bits(layer: Matrix, fold: Fold) -> int:
    """Width of count - T over every count and threshold that can occur (of the count alone for scores)."""
    least, largest = count_range(layer)
    if isinstance(layer.output, Scores):
        return max(signed_bits(least), signed_bits(largest))
    thresholds = layer.engine_thresholds
    low, high = int(thresholds.min()), int(thresholds.max())
    if layer.outputs % fold.pe:
        high = largest + 1  # the rows that only pad
    return max(signed_bits(least - high), signed_bits(largest - low), layer.inputs.bit_length())


def preload_values(layer: Matrix, fold: Fold, bits: int) -> tuple[tuple[int, ...], ...]:
    """For each border class of output pixels and each pass nf, 2^(bits - 1) - T of rows nf * PE + pe; rows that only
    pad have a T beyond the largest count.

    The bias makes the top bit of a row's total the activation itself, so that no row needs an inverter. A layer of
    scores starts from 0. On integers all start with what IntegerRow lacks.
    """
    values = [tuple(row) for row in _starts(layer, fold, bits).tolist()]
    return tuple(values[:1] if len(set(values)) == 1 else values)


def preload_count(layer: Matrix, fold: Fold, bits: int) -> int:
    """How many `preload_values` has."""
    starts = _starts(layer, fold, bits)
    return 1 if bool((starts == starts[0]).all()) else len(starts)


def _starts(layer: Matrix, fold: Fold, bits: int) -> NDArray[np.int64]:
    """(border classes * NF, PE): `preload_values`, one for all where they are equal or not."""
    rows = fold.neuron_folds * fold.pe
    start: NDArray[np.int64] = np.zeros((1, rows), np.int64)
    if not isinstance(layer.output, Scores):
        thresholds = layer.engine_thresholds
        start = np.full((len(thresholds), rows), count_range(layer)[1] + 1, np.int64)
        start[:, : layer.outputs] = thresholds
        start = (1 << (bits - 1)) - start
    if not layer.counts_bits:
        start = start + corrections(_folded(layer, fold), fold.simd)
    return start.reshape(-1, fold.pe)


def preload_borders(layer: Matrix) -> Borders | None:
    """Which thresholds hold where, if they depend on the pixel."""
    windows = layer.borders
    if windows is None:
        return None
    across = len(windows.column_classes)
    return Borders(
        rows=tuple(across * int(row) for row in windows.row_class), columns=tuple(windows.column_class.tolist())
    )


class RowPool:
    """The row modules of a design: engines with equal rows instantiate one module, elaborated once."""

    def __init__(self) -> None:
        self.modules: dict[str, AccumulateRow] = {}

    def get(self, layer: Matrix, fold: Fold, family: Family, stages: int) -> tuple[str, AccumulateRow]:
        """The module name and the component of the rows of `layer`, folded so."""
        bits = accumulator_bits(layer, fold)
        single = fold.synapse_folds == 1
        if not layer.counts_bits:
            lane_bits = layer.takes.bits
            name = f"row_{fold.simd}x{lane_bits}x{bits}{'_single' if single else ''}"
            if name not in self.modules:
                self.modules[name] = IntegerRow(simd=fold.simd, lane_bits=lane_bits, bits=bits, single=single)
            return name, self.modules[name]
        name = f"row_{fold.simd}x{bits}_{stages}{'_single' if single else ''}"
        if name not in self.modules:
            self.modules[name] = AccumulateRow(simd=fold.simd, bits=bits, family=family, stages=stages, single=single)
        return name, self.modules[name]


class MatrixEngine(wiring.Component):
    """Popcounts of agreeing lanes, less a threshold, for every row of a dense or convolutional layer.

    `i` brings a window's SF = ceil(inputs / SIMD) words of SIMD lanes, NF = ceil(outputs / PE) times over, at
    any pace; lanes that only pad are 0. A frame of a dense layer is one window. After each pass `o` gives PE signed
    fields: popcount - T, whose sign bit is the complement of the activation, or the popcount itself in a layer of
    scores. Row nf * PE + pe is field pe of pass nf. T may depend on the window's place in the image. A layer on
    integers has lanes of `layer.takes.bits` bits, and dot products in place of popcounts.

    With `o`, `activations` gives the rows' activations (of a layer with thresholds): the row totals' top bits, free
    of the inverter that `o` has for its sign bit.

    A pass starts from -T, so that no comparator is needed (the FINN papers compare afterwards).
    Latency: `latency` = read_latency + stages + 1 cycles from a pass's last word to `o`. Throughput: a word a cycle,
    NF * SF cycles a window. With a `read_latency` of 2 the weights pass a register behind their memory.
    The engine never waits: whoever feeds it has made sure of room behind it. Reset: at a frame's first word.

    The rows are instances of one module, which the emitter adds to the design: `rows` keeps it.
    """

    def __init__(
        self,
        *,
        layer: Matrix,
        fold: Fold,
        memory: Memory,
        family: Family,
        stages: int,
        rows: RowPool,
        read_latency: int = 1,
    ):
        self.layer = layer
        self.fold = fold
        self.memory = memory
        self.family = family
        self.stages = stages
        self.read_latency = read_latency
        self.rows = rows
        self.bits = accumulator_bits(layer, fold)
        self.row_module, self.row = rows.get(layer, fold, family, stages)
        fields = data.ArrayLayout(signed(self.bits), fold.pe)
        super().__init__(
            {
                "i": In(stream.Signature(fold.simd * layer.takes.bits, always_ready=True)),
                "o": Out(stream.Signature(fields, always_ready=True)),
                **({"activations": Out(fold.pe)} if self.biased else {}),
            }
        )

    @property
    def biased(self) -> bool:
        """Whether the rows' totals carry their bias: in a layer with thresholds."""
        return not isinstance(self.layer.output, Scores)

    @property
    def shared(self) -> dict[str, AccumulateRow]:
        """The modules that this one instantiates by name."""
        return {self.row_module: self.row}

    @staticmethod
    def latency_of(pipeline: Pipeline) -> int:
        """The latency of an engine with these registers."""
        return pipeline.read_latency + pipeline.stages + 1

    @property
    def latency(self) -> int:
        return self.read_latency + self.row.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fold, bits = self.fold, self.bits

        # Stage 0: the word, and the address of its weights.
        address = Signal(range(max(2, fold.cycles)))
        word = Signal(range(max(2, fold.synapse_folds)))
        with m.If(self.i.valid):
            m.d.sync += [
                address.eq(count_up(address, fold.cycles)),
                word.eq(count_up(word, fold.synapse_folds)),
            ]
        weights, lanes = self._weights(m, address), Signal(self.row.x_bits)
        binary, lane_bits = self.layer.counts_bits, self.layer.takes.bits
        m.d.sync += lanes.eq(self.i.payload if binary else word_terms(m, self.i.payload, fold.simd, lane_bits))
        for _ in range(self.read_latency - 1):
            word_lanes, word_weights = lanes, weights
            lanes, weights = Signal(len(lanes), reset_less=True), Signal(fold.lanes, reset_less=True)
            m.d.sync += [lanes.eq(word_lanes), weights.eq(word_weights)]
        of_row: list[Value] = [weights[pe * fold.simd : (pe + 1) * fold.simd] for pe in range(fold.pe)]
        if not binary:
            parts = [min(2, fold.simd - 2 * k) for k in range(chain_length(fold.simd))]
            of_row = [skewed(m, row, parts) for row in of_row]
            lanes = skewed(m, lanes, [x_bits(part, lane_bits) for part in parts])

        # valid, first and last of the word, delayed to the cycle in which the rows take them.
        starts = Signal()
        ends = Signal()
        m.d.comb += [
            starts.eq(self.i.valid & (word == 0)),
            ends.eq(self.i.valid & (word == fold.synapse_folds - 1)),
        ]
        history: list[Value] = [Cat(self.i.valid, starts, ends)]
        for k in range(self.latency):
            flags = Signal(3, name=f"flags_{k}")
            m.d.sync += flags.eq(history[-1])
            history.append(flags)
        taken = self.read_latency + self.row.preload_delay
        m.d.comb += self.o.valid.eq(history[-1][2])

        values = preload_values(self.layer, fold, bits)
        m.submodules.preloads = preloads = Preloads(
            values=values,
            bits=bits,
            passes_apart=fold.synapse_folds,
            borders=preload_borders(self.layer) if len(values) > 1 else None,
        )
        m.d.comb += preloads.take.eq(history[taken][1])
        for pe in range(fold.pe):
            total = Signal(bits, name=f"total_{pe}")
            m.submodules[f"row_{pe}"] = Instance(
                self.row_module,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_x=lanes,
                i_w=of_row[pe],
                i_valid=history[taken][0],
                i_last=history[taken][2],
                i_preload=preloads.o[pe * bits : (pe + 1) * bits],
                o_o=total,
            )
            if self.biased:
                m.d.comb += [
                    self.o.payload[pe].eq(Cat(total[:-1], ~total[-1])),
                    self.activations[pe].eq(total[-1]),
                ]
            else:
                m.d.comb += self.o.payload[pe].eq(total)
        return m

    def _weights(self, m: Module, address: Signal) -> Value:
        """The weights of the word that came one cycle ago, complemented where the rows take them so."""
        rows = Contents(bits=weight_rows(self.layer, self.fold) ^ np.uint8(self.row.inverted_weights))
        if rows.depth == 1:
            return Const(rows.words[0], self.fold.lanes)
        made = self.family.lut_roms
        if made is not None and rom_place(self.memory, rows.depth) == "distributed":
            m.submodules.weights = luts = made.make(self.fold.lanes, rows.words)
            m.d.comb += [luts.addr.eq(address), luts.en.eq(self.i.valid)]
            return luts.data
        m.submodules.weights = rom = Rom(rows, attrs=rom_attributes(self.memory, rows.depth))
        read = rom.read_port()
        m.d.comb += [read.addr.eq(address), read.en.eq(self.i.valid)]
        weights = Signal(self.fold.lanes)
        m.d.comb += weights.eq(read.data)
        return weights

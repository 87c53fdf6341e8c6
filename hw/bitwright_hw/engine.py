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

from bitwright_core.loading import LoadMemory
from bitwright_core.network import Scores
from bitwright_core.plan import Fold, Memory
from bitwright_hw.banked_memory import BankedMemory, LoadBus, share
from bitwright_hw.engine_loads import EngineLoads
from bitwright_hw.engine_numbers import (
    Matrix,
    accumulator_bits,
    given_preloads,
    level_numbers,
    plane_order,
    preload_borders,
    preload_values,
    weight_rows,
    weight_width,
)
from bitwright_hw.families import Family
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.integer_row import IntegerRow, chain_length, skewed, word_terms, x_bits
from bitwright_hw.levels import LevelUnit
from bitwright_hw.memory_contents import Contents
from bitwright_hw.plane_counter import PlaneCounter
from bitwright_hw.popcount import AccumulateRow, ProductRow, SerialRow
from bitwright_hw.preloads import Preloads
from bitwright_hw.rom import Rom, rom_attributes, rom_place
from bitwright_hw.row_pool import RowPool
from bitwright_hw.timing import Pipeline


class MatrixEngine(wiring.Component):
    """Popcounts of agreeing lanes or dot products, less a threshold, for every row of a dense or convolutional layer.

    `i` brings a window's SF = ceil(inputs / SIMD) words of SIMD lanes, NF = ceil(outputs / PE) times over, at
    any pace; lanes that only pad are 0. A frame of a dense layer is one window. After each pass `o` gives PE signed
    fields: popcount - T, whose sign bit is the complement of the activation, or the popcount itself in a layer of
    scores. Row nf * PE + pe is field pe of pass nf. T may depend on the window's place in the image. A layer on
    values or with weights of several bits has lanes of `layer.takes.bits` bits, and dot products in place of popcounts.

    With `o`, `activations` gives the rows' activations (of a layer with thresholds): the row totals' top bits, free
    of the inverter that `o` has for its sign bit. Where they have several levels, T is the middle one, and
    `activations` has their codes of `layer.edge.number.bits` bits while `given` is high, some cycles later (LevelUnit).

    Where the fold says that `planes` follow each other, a row has one popcount, and the window comes plane product by
    plane product: SF words, `fold.plane_products` times over, for each pass.

    Rows of several groups at a time take lanes of their own: of the word's lanes, lane s of group j of the
    `fold.groups_at_once` is s * groups_at_once + j, and the rows of a group follow each other.

    A pass starts from -T, so that no comparator is needed (the FINN papers compare afterwards).
    Latency: `latency` = read_latency + stages + 1 cycles from a pass's last word to `o`, and that of LevelUnit more to
    `given`. Throughput: a word a cycle, NF * SF cycles a window. With a `read_latency` of 2 the weights pass a register
    behind their memory. Where the fold is loadable, weights and thresholds are those that `load` brings.
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
        self.levels = level_numbers(layer, fold)
        self.order = plane_order(layer, fold)
        self.row_module, self.row = rows.get(layer, fold, family, stages)
        fields = data.ArrayLayout(signed(self.bits), fold.pe)
        super().__init__(
            {
                "i": In(stream.Signature(fold.word_lanes * layer.takes.bits, always_ready=True)),
                "o": Out(stream.Signature(fields, always_ready=True)),
                **(
                    {"activations": Out(fold.pe * (self.levels.code_bits if self.levels else 1))} if self.biased else {}
                ),
                **({"given": Out(1)} if self.levels else {}),
                **({"load": In(LoadBus(self.loads))} if self.loads else {}),
            }
        )

    @property
    def biased(self) -> bool:
        """Whether the rows' totals carry their bias: in a layer with thresholds."""
        return not isinstance(self.layer.output, Scores)

    @property
    def loads(self) -> tuple[LoadMemory, ...]:
        """The memories that are loaded."""
        return self._loaded.memories if self.fold.loadable else ()

    @property
    def _loaded(self) -> EngineLoads:
        return EngineLoads(layer=self.layer, fold=self.fold, family=self.family)

    @property
    def shared(self) -> dict[str, AccumulateRow]:
        """The modules that this one instantiates by name."""
        return {self.row_module: self.row}

    @staticmethod
    def latency_of(pipeline: Pipeline, layer: Matrix, fold: Fold) -> int:
        """Cycles from a pass's last word to the results of such an engine: activations or counts."""
        levels = level_numbers(layer, fold)
        return pipeline.read_latency + pipeline.stages + 1 + (levels.latency if levels else 0)

    @property
    def latency(self) -> int:
        return self.read_latency + self.row.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fold, bits = self.fold, self.bits

        # Stage 0: the word, and the address of its weights.
        address = Signal(range(max(2, fold.weight_words)))
        word = Signal(range(max(2, fold.synapse_folds)))
        planes = None
        if self.order is None:
            with m.If(self.i.valid):
                m.d.sync += [
                    address.eq(count_up(address, fold.cycles)),
                    word.eq(count_up(word, fold.synapse_folds)),
                ]
        else:
            m.submodules.planes = planes = PlaneCounter(order=self.order, fold=fold)
            m.d.comb += [planes.step.eq(self.i.valid), address.eq(planes.address)]
        loaded = {memory.part: memory for memory in self.loads}
        weights_load = None
        if loaded:
            weights, weights_load = self._loaded_weights(m, address)
        else:
            weights = self._weights(m, address)
        lanes = Signal(fold.groups_at_once * self.row.x_bits, name="lanes")
        m.d.sync += lanes.eq(self._row_lanes(m, planes))
        for _ in range(self.read_latency - 1):
            word_lanes, word_weights = lanes, weights
            lanes = Signal(len(lanes), name="lanes", reset_less=True)
            weights = Signal(len(weights), name="weights", reset_less=True)
            m.d.sync += [lanes.eq(word_lanes), weights.eq(word_weights)]
        row_bits = self.row.w_bits
        of_row: list[Value] = [weights[pe * row_bits : (pe + 1) * row_bits] for pe in range(fold.pe)]
        if isinstance(self.row, IntegerRow):
            parts = [min(2, fold.simd - 2 * k) for k in range(chain_length(fold.simd))]
            of_row = [skewed(m, row, parts) for row in of_row]
            terms, of_group = [x_bits(part, self.layer.takes.bits) for part in parts], lanes
            size = self.row.x_bits
            skewed_ = [skewed(m, of_group[low : low + size], terms) for low in range(0, len(of_group), size)]
            lanes = skewed_[0] if len(skewed_) == 1 else Cat(skewed_)

        # valid, first and last of the word, delayed to the cycle in which the rows take them.
        starts = Signal()
        ends = Signal()
        history: list[Value] = [Cat(self.i.valid, starts, ends)]
        if planes is None:
            m.d.comb += [
                starts.eq(self.i.valid & (word == 0)),
                ends.eq(self.i.valid & (word == fold.synapse_folds - 1)),
            ]
        else:  # a preload is done with when its last bit was taken
            m.d.comb += [starts.eq(self.i.valid & planes.fed), ends.eq(self.i.valid & planes.last)]
            history = [Cat(self.i.valid, starts, ends, planes.double, planes.flip, planes.turn)]
        for k in range(self.latency):
            flags = Signal(len(history[0]), name=f"flags_{k}")
            m.d.sync += flags.eq(history[-1])
            history.append(flags)
        taken = self.read_latency + self.row.preload_delay
        m.d.comb += self.o.valid.eq(history[-1][2])

        values = given_preloads(preload_values(self.layer, fold, bits), self.row.inverted_preload)
        m.submodules.preloads = preloads = Preloads(
            values=values,
            bits=bits,
            passes_apart=fold.synapse_folds,
            borders=preload_borders(self.layer) if len(values) > 1 else None,
            loaded=loaded.get("thresholds", loaded.get("starts")),
        )
        levels = self._level_unit(loaded.get("levels"))
        if loaded:
            share(m, self.load, [weights_load, *(unit.load for unit in (preloads, levels) if unit and unit.loaded)])
        m.d.comb += preloads.take.eq(history[taken][1])
        totals: list[Value] = []
        for pe in range(fold.pe):
            total = Signal(bits, name=f"total_{pe}")
            m.submodules[f"row_{pe}"] = Instance(
                self.row_module,
                i_clk=ClockSignal(),
                i_rst=ResetSignal(),
                i_x=lanes if fold.groups_at_once == 1 else self._lanes_of(lanes, pe),
                i_w=of_row[pe],
                i_valid=history[taken][0],
                i_last=history[taken][2],
                i_preload=preloads.o[pe * bits : (pe + 1) * bits],
                **({} if planes is None else self._turns(history[taken])),
                o_o=total,
            )
            totals.append(total)
            if self.biased:
                m.d.comb += self.o.payload[pe].eq(Cat(total[:-1], ~total[-1]))
            else:
                m.d.comb += self.o.payload[pe].eq(total)
            if self.biased and self.levels is None:
                m.d.comb += self.activations[pe].eq(total[-1])
        if levels is not None:
            m.submodules.levels = levels
            m.d.comb += [
                levels.valid.eq(self.o.valid),
                levels.totals.eq(Cat(*totals)),
                self.activations.eq(levels.o),
                self.given.eq(levels.o_valid),
            ]
        return m

    def _turns(self, flags: Value) -> dict[str, Value]:
        """What a SerialRow is told beside the flags of all rows."""
        assert isinstance(self.row, SerialRow)
        ports = {"i_double": flags[3]}
        if self.row.flips:
            ports["i_flip"] = flags[4]
        if self.row.doublings > 1:
            ports["i_turn"] = flags[5:]
        return ports

    def _lanes_of(self, lanes: Value, pe: int) -> Value:
        """Of the lanes of several groups those of row `pe`."""
        group, size = pe // self.fold.group_rows, self.row.x_bits
        return lanes[group * size : (group + 1) * size]

    def _row_lanes(self, m: Module, planes: PlaneCounter | None) -> Value:
        """The word as rows take it, one group after the other."""
        fold, bits, word = self.fold, self.layer.takes.bits, self.i.payload
        if planes is not None:
            return self._plane(m, planes)
        if fold.groups_at_once == 1:
            return self._group_lanes(m, word)
        each = [
            Cat(word[k * bits : (k + 1) * bits] for k in range(group, fold.word_lanes, fold.groups_at_once))
            for group in range(fold.groups_at_once)
        ]
        return Cat(self._group_lanes(m, lanes) for lanes in each)

    def _plane(self, m: Module, planes: PlaneCounter) -> Value:
        """The plane of the word's product, one group after the other."""
        assert self.order is not None
        fold, bits, word = self.fold, self.layer.takes.bits, self.i.payload
        plane = Signal(fold.word_lanes, name="plane")
        groups = [range(group, fold.word_lanes, fold.groups_at_once) for group in range(fold.groups_at_once)]
        each = [
            self.order.products.word(Cat(word[k * bits : (k + 1) * bits] for k in group), fold.simd) for group in groups
        ]
        with m.Switch(planes.product):
            for number, step in enumerate(self.order.steps):
                at = step.product.x * fold.simd
                with m.Case(number):
                    m.d.comb += plane.eq(Cat(lanes[at : at + fold.simd] for lanes in each))
        return plane

    def _group_lanes(self, m: Module, lanes: Value) -> Value:
        """`simd` lanes as rows take them."""
        simd = self.fold.simd
        if isinstance(self.row, ProductRow):
            return self.row.products.word(lanes, simd)
        if isinstance(self.row, IntegerRow):
            return word_terms(m, lanes, simd, self.layer.takes.bits)
        return lanes

    def _level_unit(self, loaded: LoadMemory | None) -> LevelUnit | None:
        """What makes activations of several levels, if they have."""
        numbers = self.levels
        if numbers is None:
            return None
        return LevelUnit(
            bits=self.bits,
            middle=numbers.middle,
            others=numbers.others,
            base=numbers.base,
            code_bits=numbers.code_bits,
            passes_apart=self.fold.pass_words,
            borders=preload_borders(self.layer),
            loaded=loaded,
        )

    def _loaded_weights(self, m: Module, address: Signal) -> tuple[Value, wiring.PureInterface]:
        """The same from a memory that is loaded, and its `load`."""
        contents = self._loaded.contents(self.layer)[0]
        place = rom_place(self.memory, contents.depth)
        m.submodules.weights = banked = BankedMemory(memory=self.loads[0], contents=contents, place=place)
        m.d.comb += [banked.addr.eq(address), banked.en.eq(self.i.valid)]
        return banked.data, banked.load

    def _weights(self, m: Module, address: Signal) -> Value:
        """The weights of the word that came one cycle ago, complemented where the rows take them so."""
        rows = Contents(bits=weight_rows(self.layer, self.fold) ^ np.uint8(self.row.inverted_weights))
        width = weight_width(self.layer, self.fold)
        if rows.depth == 1:
            return Const(rows.words[0], width)
        made = self.family.lut_roms
        if made is not None and rom_place(self.memory, rows.depth) == "distributed":
            m.submodules.weights = luts = made.make(width, rows.words)
            m.d.comb += [luts.addr.eq(address), luts.en.eq(self.i.valid)]
            return luts.data
        m.submodules.weights = rom = Rom(rows, attrs=rom_attributes(self.memory, rows.depth))
        read = rom.read_port()
        m.d.comb += [read.addr.eq(address), read.en.eq(self.i.valid)]
        weights = Signal(width)
        m.d.comb += weights.eq(read.data)
        return weights

"""The last layer's popcounts to class scores, and the scores to a class."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.loading import LoadMemory, ScoreWidths
from bitwright_core.network import signed_bits
from bitwright_core.plan import ceil_div
from bitwright_hw.banked_memory import BankedMemory, LoadBus, share
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.memory_contents import Contents
from bitwright_hw.rom import NARROW_WORDS, Rom, rom_attributes, rom_place


@dataclass(frozen=True, kw_only=True)
class ScoreParams:
    """The constants of a frame's scores, and how they are worked off: the arguments of ScoreUnit and ArgMax.

    `pe` counts of `bits` bits, from `least` (below 0 for dot products of integers) to `inputs`, come at least `spacing`
    cycles apart. With `widths`, other scales and offsets are loaded, which fit into these.
    """

    pe: int
    bits: int
    spacing: int
    inputs: int
    scale: tuple[int, ...]
    offset: tuple[int, ...]
    least: int = 0
    widths: ScoreWidths | None = None

    def __post_init__(self) -> None:
        if min(self.pe, self.bits, self.spacing) < 1:
            raise ValueError("pe, bits and spacing must be positive")
        if not self.least <= 0 <= self.inputs:
            raise ValueError(f"counts must lie in a range around 0, not {self.least}..{self.inputs}")
        if not self.scale or len(self.scale) != len(self.offset):
            raise ValueError("scale and offset must have one length, at least 1")

    @property
    def classes(self) -> int:
        return len(self.scale)

    @property
    def lanes(self) -> int:
        """Scores a cycle: the least divisor of pe that finishes a word before the next one comes."""
        return next(n for n in range(ceil_div(self.pe, self.spacing), self.pe + 1) if self.pe % n == 0)

    @property
    def steps(self) -> int:
        """Cycles that one input word takes."""
        return self.pe // self.lanes

    @property
    def words(self) -> int:
        """Words of `lanes` scores in a frame."""
        return ceil_div(self.classes, self.pe) * self.steps

    @property
    def lowest(self) -> int:
        """The least score that can occur."""
        if self.widths is not None:
            return -(1 << (self.widths.score_bits - 1))
        return min(s * self.least + o for s, o in zip(self.scale, self.offset, strict=True))

    @property
    def score_bits(self) -> int:
        if self.widths is not None:
            return self.widths.score_bits
        highest = max(s * self.inputs + o for s, o in zip(self.scale, self.offset, strict=True))
        return max(signed_bits(self.lowest), signed_bits(highest))

    @property
    def scale_bits(self) -> int:
        return max(s.bit_length() for s in self.scale) or 1 if self.widths is None else self.widths.scale_bits

    @property
    def row(self) -> data.StructLayout:
        """The constants of a class."""
        return data.StructLayout({"scale": unsigned(self.scale_bits), "offset": signed(self.score_bits)})

    @property
    def contents(self) -> Contents:
        """The words of the memory of constants: those of `lanes` classes, lane 0 lowest."""
        row, lanes = self.row, self.lanes
        words = []
        for start in range(0, self.words * lanes, lanes):
            value = 0
            for lane, c in enumerate(range(start, start + lanes)):
                real = c < self.classes
                scale, offset = (self.scale[c], self.offset[c]) if real else (0, self.lowest)
                value |= row.const({"scale": scale, "offset": offset}).as_bits() << lane * row.size
            words.append(value)
        return Contents.of(lanes * row.size, words)

    @property
    def class_bits(self) -> int:
        return max(1, (self.lanes * self.words - 1).bit_length())

    @property
    def argmax_latency(self) -> int:
        """Cycles from a frame's last word of scores to its class."""
        return (self.lanes - 1).bit_length() + 1


class ScoreUnit(wiring.Component):
    """score_c = scale_c * p_c + offset_c for the classes of a frame, `params.lanes` of them a cycle.

    `i` brings `pe` popcounts at a time, class 0 first; `o` gives `lanes` scores a cycle in class order. Lanes
    beyond the last class get the least score that can occur, so that they never win.

    Latency: 4 cycles from a word to its first scores. Throughput: as the input's spacing. Cost: one multiplier
    a lane, none where every scale is 1 and every offset 0. With `loaded` the constants are those that `load` brings.
    """

    LATENCY = 4

    def __init__(self, *, params: ScoreParams, loaded: LoadMemory | None = None):
        self.params = params
        self.loaded = loaded
        scores = data.ArrayLayout(signed(params.score_bits), params.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(params.bits), params.pe), always_ready=True)),
                "o": Out(stream.Signature(scores, always_ready=True)),
                **({} if loaded is None else {"load": In(LoadBus([loaded]))}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        params = self.params
        lanes = params.lanes
        held = Signal(params.pe * params.bits)
        left = Signal(range(params.steps + 1))
        active = Signal()
        m.d.comb += active.eq(left != 0)
        with m.If(self.i.valid):
            m.d.sync += [held.eq(self.i.payload.as_value()), left.eq(params.steps)]
        with m.Elif(active):
            m.d.sync += [held.eq(held >> lanes * params.bits), left.eq(left - 1)]

        word = Signal(range(max(2, params.words)))
        with m.If(active):
            m.d.sync += word.eq(count_up(word, params.words))
        counts = Signal(lanes * params.bits)
        valid = [Signal(name=f"valid_{k}") for k in range(2)]
        m.d.sync += [counts.eq(held), valid[0].eq(active), valid[1].eq(valid[0]), self.o.valid.eq(valid[1])]

        identity = set(params.scale) == {1} and set(params.offset) == {0} and params.classes == params.words * lanes
        identity = identity and self.loaded is None
        scale_bits, row = params.scale_bits, params.row
        if not identity:
            constants = self._constants(m, word, active)
        for lane in range(lanes):
            shape = signed if params.least < 0 else unsigned
            count = Signal(shape(params.bits), name=f"count_{lane}")
            m.d.comb += count.eq(counts.word_select(lane, params.bits))
            product = Signal(shape(scale_bits + params.bits), name=f"product_{lane}")
            offset = Signal(signed(params.score_bits), name=f"offset_{lane}")
            if identity:
                m.d.sync += product.eq(count)
            else:
                constant = data.View(row, constants.word_select(lane, row.size))
                m.d.sync += [product.eq(count * constant.scale), offset.eq(constant.offset)]
            m.d.sync += self.o.payload[lane].eq(product + offset)
        return m

    def _constants(self, m: Module, word: Signal, active: Signal) -> Value:
        """The constants of `word`, a cycle later."""
        contents = self.params.contents
        if self.loaded is not None:
            place = rom_place("auto", 2 * contents.depth, limit=NARROW_WORDS)
            m.submodules.constants = banked = BankedMemory(memory=self.loaded, contents=contents, place=place)
            share(m, self.load, [banked.load])
            m.d.comb += [banked.addr.eq(word), banked.en.eq(active)]
            return banked.data
        m.submodules.constants = rom = Rom(contents, attrs=rom_attributes("auto", contents.depth, limit=NARROW_WORDS))
        read = rom.read_port()
        m.d.comb += [read.addr.eq(word), read.en.eq(active)]
        return read.data


class ArgMax(wiring.Component):
    """The class of a frame: the first of its largest scores.

    `i` brings what ScoreUnit gives, at any pace: `lanes` scores a cycle in class order, `words` words a frame.

    Latency: ceil(log2(lanes)) + 1 cycles from a frame's last word to `o`. Throughput: a word a cycle.
    """

    def __init__(self, *, params: ScoreParams):
        self.params = params
        scores = data.ArrayLayout(signed(params.score_bits), params.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(scores, always_ready=True)),
                "o": Out(stream.Signature(params.class_bits, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        params = self.params
        class_bits = params.class_bits
        word = Signal(range(max(2, params.words)))
        with m.If(self.i.valid):
            m.d.sync += word.eq(count_up(word, params.words))
        first_class = Signal(class_bits)  # the class of lane 0
        with m.If(self.i.valid):
            m.d.sync += first_class.eq(Mux(word == params.words - 1, 0, first_class + params.lanes))

        # A tree over the lanes, a register after each level; an entry is (score, lane within the word).
        entries = [(self.i.payload[lane], lane) for lane in range(params.lanes)]
        valid, first, last, base = self.i.valid, word == 0, word == params.words - 1, first_class
        level = 0
        while len(entries) > 1:
            merged = []
            for k in range(0, len(entries) - 1, 2):
                (a, a_lane), (b, b_lane) = entries[k : k + 2]
                score = Signal(signed(params.score_bits), name=f"score_{level}_{k}")
                lane = Signal(range(params.lanes), name=f"lane_{level}_{k}")
                m.d.sync += [score.eq(Mux(b > a, b, a)), lane.eq(Mux(b > a, b_lane, a_lane))]
                merged.append((score, lane))
            if len(entries) % 2:
                score = Signal(signed(params.score_bits), name=f"score_{level}_odd")
                lane = Signal(range(params.lanes), name=f"lane_{level}_odd")
                m.d.sync += [score.eq(entries[-1][0]), lane.eq(entries[-1][1])]
                merged.append((score, lane))
            entries = merged
            flags = Signal(3, name=f"flags_{level}")
            base_q = Signal(class_bits, name=f"base_{level}")
            m.d.sync += [flags.eq(Cat(valid, first, last)), base_q.eq(base)]
            valid, first, last, base = flags[0], flags[1], flags[2], base_q
            level += 1

        score, lane = entries[0]
        best = Signal(signed(params.score_bits))
        m.d.sync += self.o.valid.eq(valid & last)
        with m.If(valid & (first | (score > best))):
            m.d.sync += [best.eq(score), self.o.payload.eq(base + lane)]
        return m

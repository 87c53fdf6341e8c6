"""The thresholds of an engine's rows, fetched one pass ahead."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.loading import LoadMemory
from bitwright_core.plan import ceil_div
from bitwright_hw.banked_memory import BankedMemory, LoadBus, share
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.memory_contents import Contents
from bitwright_hw.piecewise import piecewise
from bitwright_hw.rom import NARROW_WORDS, Rom, rom_attributes, rom_place


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Which rows of `values` hold at which output pixel of an image, in raster order.

    Pixel (y, x) takes the passes of block rows[y] + columns[x].
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]


def preload_sizes(pe: int, passes_apart: int) -> tuple[int, int]:
    """How many of `pe` values the memory gives a cycle, and the cycles in which it gives those of a pass."""
    rows = ceil_div(pe, passes_apart)
    return rows, ceil_div(pe, rows)


def preload_words(values: tuple[tuple[int, ...], ...], bits: int, passes_apart: int) -> list[int]:
    """The words of the memory for `values` of each pass: the chain's groups, the farthest one first."""
    rows, steps = preload_sizes(len(values[0]), passes_apart)
    mask = (1 << bits) - 1
    words = []
    for row in values:
        padded = [*row, *[0] * (steps * rows - len(row))]
        groups = [padded[k : k + rows] for k in range(0, len(padded), rows)]
        words += [sum((value & mask) << k * bits for k, value in enumerate(group)) for group in reversed(groups)]
    return words


def preload_contents(values: tuple[tuple[int, ...], ...], bits: int, passes_apart: int) -> Contents:
    """The same as a memory's contents."""
    return Contents.of(preload_sizes(len(values[0]), passes_apart)[0] * bits, preload_words(values, bits, passes_apart))


class Preloads(wiring.Component):
    """Gives `pe` values of `bits` bits to the rows of an engine: those of pass 0, 1, ... and around again.

    `o` holds a pass's values, row 0 lowest, until `take` is high for a cycle (in which they may still be used), and
    holds the next pass's `passes_apart` cycles later. In between they shift through a chain of registers, from
    a memory that is read a few rows at a time: so narrow a memory takes no LUTs where `pe` values side by side
    would take a quarter of a LUT for each lane of a 32 x 32 engine. Reset: pass 0, at once; `take` comes two
    cycles later at the earliest, as the memory has shown its next word then.

    `values` has a row for each pass, of `pe` values each. With `borders` it has that for each block, one block's passes
    after the other's, and the passes of an output pixel are those of its block.

    With `loaded`, the values are those that a load brings, and `values` what it begins with. The chain is filled
    steps + 2 cycles after a reset or a refill of `load`; until then no `take` may come.
    """

    def __init__(
        self,
        *,
        values: tuple[tuple[int, ...], ...],
        bits: int,
        passes_apart: int,
        borders: Borders | None = None,
        loaded: LoadMemory | None = None,
    ):
        if not values or len({len(row) for row in values}) != 1 or not values[0]:
            raise ValueError("values must have rows of one length, at least 1")
        if passes_apart < 1 or bits < 1:
            raise ValueError("passes_apart and bits must be at least 1")
        self.values = values
        self.bits = bits
        self.passes_apart = passes_apart
        self.borders = borders
        self.loaded = loaded
        if len(values) % self.blocks:
            raise ValueError(f"values must have as many rows for each of {self.blocks} blocks, not {len(values)}")
        ports = {"take": In(1), "o": Out(self.pe * bits)}
        super().__init__(ports if loaded is None else {**ports, "load": In(LoadBus([loaded]))})

    @property
    def pe(self) -> int:
        return len(self.values[0])

    @property
    def blocks(self) -> int:
        return 1 if self.borders is None else max(self.borders.rows) + max(self.borders.columns) + 1

    @property
    def rows_a_step(self) -> int:
        """Values that the memory gives a cycle."""
        return preload_sizes(self.pe, self.passes_apart)[0]

    @property
    def steps(self) -> int:
        """Cycles in which the chain shifts, for each pass."""
        return preload_sizes(self.pe, self.passes_apart)[1]

    def _words(self) -> list[int]:
        """The memory: for each pass the chain's groups, the farthest one first."""
        return preload_words(self.values, self.bits, self.passes_apart)

    def elaborate(self, platform: object) -> Module:
        if self.loaded is not None:
            return self._banked(self.loaded)
        m = Module()
        words = self._words()
        width = self.rows_a_step * self.bits
        chain = Signal(
            self.steps * width,
            init=sum(word << k * width for k, word in enumerate([words[k] for k in self._sequence(self.steps)][::-1])),
        )
        m.d.comb += self.o.eq(chain)
        if len(self.values) == 1:
            return m
        attrs = rom_attributes("auto", len(words), limit=NARROW_WORDS)
        m.submodules.storage = storage = Rom.of(width, words, attrs=attrs)
        read = storage.read_port()
        left = Signal(range(self.steps))
        shift = Signal()
        # `following` is the word to shift in next; the memory shows it, since its address runs one ahead
        first = self._sequence(self.steps + 2)
        following = Signal(range(len(words)), init=first[self.steps])
        after = Signal(range(len(words)), init=first[self.steps + 1])
        m.d.comb += [shift.eq(self.take | (left != 0)), read.addr.eq(Mux(shift, after, following)), read.en.eq(1)]
        with m.If(shift):
            m.d.sync += [following.eq(after), chain.eq(Cat(read.data, chain))]
            m.d.sync += after.eq(count_up(after, len(words)) if self.borders is None else self._next(m, shift, after))
        with m.If(self.take):
            m.d.sync += left.eq(self.steps - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m

    def _banked(self, loaded: LoadMemory) -> Module:
        """The same from a memory that is loaded: the first pass's values, too, come of it."""
        m = Module()
        contents = preload_contents(self.values, self.bits, self.passes_apart)
        place = rom_place("auto", 2 * contents.depth, limit=NARROW_WORDS)
        m.submodules.storage = storage = BankedMemory(memory=loaded, contents=contents, place=place)
        share(m, self.load, [storage.load])
        chain = Signal(self.steps * contents.width)
        first = self._sequence(self.steps + 2)
        following = Signal(range(contents.depth), init=first[0])
        after = Signal(range(contents.depth), init=first[1])
        left = Signal(range(self.steps + 1), init=self.steps)
        fresh = Signal(init=1)  # the memory does not show word `following` yet
        shift = Signal()
        m.d.comb += [
            self.o.eq(chain),
            shift.eq(self.take | ((left != 0) & ~fresh)),
            storage.addr.eq(Mux(shift, after, following)),
            storage.en.eq(1),
        ]
        m.d.sync += fresh.eq(0)
        with m.If(shift):
            m.d.sync += [following.eq(after), chain.eq(Cat(storage.data, chain))]
        after_next = count_up(after, contents.depth) if self.borders is None else self._next(m, shift, after, 1)
        with m.If(shift):
            m.d.sync += after.eq(after_next)
        with m.If(self.take):
            m.d.sync += left.eq(self.steps - 1)
        with m.Elif((left != 0) & ~fresh):
            m.d.sync += left.eq(left - 1)
        with m.If(self.load.refill):
            m.d.sync += [following.eq(first[0]), after.eq(first[1]), left.eq(self.steps), fresh.eq(1)]
        return m

    def _place(self, index: int) -> tuple[int, int, int, int]:
        """(y, x, pass, step) of word `index` in the order in which they are used."""
        pixel, word = divmod(index, len(self.values) // self.blocks * self.steps)
        if self.borders is None:
            return 0, 0, *divmod(word, self.steps)
        height, width = len(self.borders.rows), len(self.borders.columns)
        return pixel // width % height, pixel % width, *divmod(word, self.steps)

    def _sequence(self, count: int) -> list[int]:
        """The memory's addresses in the order in which they are used, the first `count`."""
        size = len(self.values) // self.blocks * self.steps
        found = []
        for index in range(count):
            y, x, number, step = self._place(index)
            block = 0 if self.borders is None else self.borders.rows[y] + self.borders.columns[x]
            found.append(block * size + number * self.steps + step)
        return found

    def _next(self, m: Module, shift: Value, after: Value, begins: int | None = None) -> Value:
        """The address behind `after`: counters hold the place of `after`, which is at first that of word `begins`, and
        move on with `shift`."""
        assert self.borders is not None
        rows, columns = self.borders.rows, self.borders.columns
        size = len(self.values) // self.blocks * self.steps
        places = self._place(self.steps + 1 if begins is None else begins)
        limits = (len(rows), len(columns), size)
        y, x, word = (
            Signal(range(max(2, limit)), name=name, init=init)
            for name, limit, init in zip(
                ("y", "x", "word"), limits, (*places[:2], places[2] * self.steps + places[3]), strict=True
            )
        )
        to_x, to_y = count_up(x, len(columns)), count_up(y, len(rows))
        last, last_x = Signal(), Signal(name="last_x")
        m.d.comb += [last.eq(word == size - 1), last_x.eq(x == len(columns) - 1)]
        new_x, new_y = Signal.like(x), Signal.like(y, name="new_y")
        m.d.comb += [new_x.eq(Mux(last, to_x, x)), new_y.eq(Mux(last & last_x, to_y, y))]
        with m.If(shift):
            m.d.sync += [word.eq(count_up(word, size)), x.eq(new_x), y.eq(new_y)]
        if self.loaded is not None:
            with m.If(self.load.refill):
                m.d.sync += [place.eq(place.init) for place in (y, x, word)]
        width = len(after)
        begin = Signal(width)
        m.d.comb += begin.eq(
            piecewise(new_y, [block * size for block in rows], width)
            + piecewise(new_x, [block * size for block in columns], width)
        )
        return Mux(last, begin, after + 1)

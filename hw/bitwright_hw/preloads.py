"""The thresholds of an engine's rows, fetched one pass ahead."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitwright.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.rom import NARROW_WORDS, rom_attributes


class Preloads(wiring.Component):
    """Gives `pe` values of `bits` bits to the rows of an engine: those of pass 0, 1, ... and around again.

    `o` holds a pass's values, row 0 lowest, until `take` is high for a cycle (in which they may still be used), and
    holds the next pass's `passes_apart` cycles later. In between they shift through a chain of registers, from
    a memory that is read a few rows at a time: so narrow a memory takes no LUTs where `pe` values side by side
    would take a quarter of a LUT for each lane of a 32 x 32 engine. Reset: pass 0, at once.

    `values` has a row for each pass, of `pe` values each.
    """

    def __init__(self, *, values: tuple[tuple[int, ...], ...], bits: int, passes_apart: int):
        if not values or len({len(row) for row in values}) != 1 or not values[0]:
            raise ValueError("values must have rows of one length, at least 1")
        if passes_apart < 1 or bits < 1:
            raise ValueError("passes_apart and bits must be at least 1")
        self.values = values
        self.bits = bits
        self.passes_apart = passes_apart
        super().__init__({"take": In(1), "o": Out(self.pe * bits)})

    @property
    def pe(self) -> int:
        return len(self.values[0])

    @property
    def rows_a_step(self) -> int:
        """Values that the memory gives a cycle."""
        return ceil_div(self.pe, self.passes_apart)

    @property
    def steps(self) -> int:
        """Cycles in which the chain shifts, for each pass."""
        return ceil_div(self.pe, self.rows_a_step)

    def _words(self) -> list[int]:
        """The memory: for each pass the chain's groups, the farthest one first."""
        mask = (1 << self.bits) - 1
        words = []
        for row in self.values:
            padded = [*row, *[0] * (self.steps * self.rows_a_step - self.pe)]
            groups = [padded[k : k + self.rows_a_step] for k in range(0, len(padded), self.rows_a_step)]
            words += [
                sum((value & mask) << k * self.bits for k, value in enumerate(group)) for group in reversed(groups)
            ]
        return words

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self._words()
        width = self.rows_a_step * self.bits
        chain = Signal(
            self.steps * width, init=sum(word << k * width for k, word in enumerate(words[: self.steps][::-1]))
        )
        m.d.comb += self.o.eq(chain)
        if len(self.values) == 1:
            return m
        attrs = rom_attributes("auto", len(words), limit=NARROW_WORDS)
        m.submodules.storage = storage = memory.Memory(shape=unsigned(width), depth=len(words), init=words, attrs=attrs)
        read = storage.read_port()
        left = Signal(range(self.steps))
        shift = Signal()
        # `following` is the word to shift in next; the memory shows it, since its address runs one ahead
        following = Signal(range(len(words)), init=self.steps)
        after = Signal(range(len(words)), init=(self.steps + 1) % len(words))
        m.d.comb += [shift.eq(self.take | (left != 0)), read.addr.eq(Mux(shift, after, following)), read.en.eq(1)]
        with m.If(shift):
            m.d.sync += [
                following.eq(after),
                after.eq(count_up(after, len(words))),
                chain.eq(Cat(read.data, chain)),
            ]
        with m.If(self.take):
            m.d.sync += left.eq(self.steps - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m

"""The threshold stage of layers whose activations have several levels: accumulators to codes of a few bits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bitwright_core.loading import LoadMemory
from bitwright_core.plan import ceil_div
from bitwright_hw.banked_memory import LoadBus, banked_counts, share
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.preloads import Borders, Preloads
from bitwright_hw.rom import NARROW_WORDS, rom_place


def level_units(pe: int, passes_apart: int) -> int:
    """How many rows are compared at a time: as few as the cycles from pass to pass allow."""
    return ceil_div(pe, passes_apart)


def level_steps(pe: int, passes_apart: int) -> int:
    """Cycles in which the rows of a pass are compared."""
    return ceil_div(pe, level_units(pe, passes_apart))


def levels_latency(pe: int, passes_apart: int) -> int:
    """Cycles from a pass's totals to its codes."""
    steps = level_steps(pe, passes_apart)
    return steps + 1 if steps > 1 else 1


class LevelUnit(wiring.Component):
    """Gives for each of `pe` totals the code of `code_bits` bits that stands for `base` + the number of levels reached.

    `valid` comes with the totals of a pass, at least `passes_apart` cycles after that of the pass before; the totals
    stay until the next one. A total of `bits` bits is unsigned, row 0 lowest, and its top bit tells whether level
    `middle` is reached (the preload of its accumulator saw to that). `others` has a row for each pass, around and
    around, of `pe` tuples: what a total is compared with for each of the other levels, in order, in the totals' own
    numbers. Levels do not fall from one to the next. With `borders` there is that for each block, as in Preloads.

    With `loaded`, the levels are those that a load brings, and `others` what it begins with; `valid` comes 3 cycles
    after a reset or a refill of `load` at the earliest.

    A few comparators are shared: `units` rows at a time are compared, `steps` times, while the next pass is on its way.
    `o` has the codes of a pass, row 0 lowest, while `o_valid` is high; they are no longer there afterwards.

    Latency: `latency` = 1 cycle from `valid` to `o_valid`, or steps + 1 if steps is more than 1. Throughput: a pass in
    `passes_apart` cycles. Reset: at pass 0; `valid` comes two cycles later at the earliest.
    """

    def __init__(
        self,
        *,
        bits: int,
        middle: int,
        others: tuple[tuple[tuple[int, ...], ...], ...],
        base: int,
        code_bits: int,
        passes_apart: int,
        borders: Borders | None = None,
        loaded: LoadMemory | None = None,
    ):
        if min(bits, code_bits, passes_apart) < 1:
            raise ValueError("bits, code_bits and passes_apart must be at least 1")
        if (
            not others
            or not others[0]
            or len({len(row) for row in others}) != 1
            or len({len(row) for rows in others for row in rows}) != 1
        ):
            raise ValueError("others must have rows of as many tuples of one length")
        if not 0 <= middle <= len(others[0][0]):
            raise ValueError(f"middle must be one of the levels, not {middle}")
        self.pe = pe = len(others[0])
        self.bits = bits
        self.middle = middle
        self.others = others
        self.base = base
        self.code_bits = code_bits
        self.passes_apart = passes_apart
        self.borders = borders
        self.loaded = loaded
        ports = {"valid": In(1), "totals": In(pe * bits), "o": Out(pe * code_bits), "o_valid": Out(1)}
        super().__init__(ports if loaded is None else {**ports, "load": In(LoadBus([loaded]))})

    @property
    def units(self) -> int:
        return level_units(self.pe, self.passes_apart)

    @property
    def steps(self) -> int:
        return level_steps(self.pe, self.passes_apart)

    @property
    def latency(self) -> int:
        return levels_latency(self.pe, self.passes_apart)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, units, steps = self.bits, self.units, self.steps
        totals = [self.totals[k * bits : (k + 1) * bits] for k in range(self.pe)]
        compares, last, held = self._one_after_another(m, totals) if steps > 1 else (self.valid, self.valid, totals)
        levels = self._words(m, compares)
        codes = Signal(units * self.code_bits)
        count = len(self.others[0][0])
        for unit, total in enumerate(held):
            mine = [levels[(unit * count + k) * bits : (unit * count + k + 1) * bits] for k in range(count)]
            reached: list[Value] = [total >= level for level in mine]
            reached.insert(self.middle, total[-1])
            m.d.comb += codes[unit * self.code_bits : (unit + 1) * self.code_bits].eq(self._code(m, reached, unit))
        chain = Signal(steps * units * self.code_bits, reset_less=True)
        with m.If(compares):
            m.d.sync += chain.eq(Cat(chain, codes)[len(codes) :])
        m.d.comb += self.o.eq(chain)
        m.d.sync += self.o_valid.eq(last)
        return m

    def _one_after_another(self, m: Module, totals: Sequence[Value]) -> tuple[Value, Value, list[Value]]:
        """Whether totals are compared, whether the last ones of a pass are, and which: those of step 0, 1, ... a cycle
        after they were chosen."""
        step = Signal(range(self.steps))
        runs, compares, last = Signal(), Signal(), Signal(name="last")
        m.d.comb += runs.eq(self.valid | (step != 0))
        with m.If(runs):
            m.d.sync += step.eq(count_up(step, self.steps))
        m.d.sync += [compares.eq(runs), last.eq(step == self.steps - 1)]
        held: list[Value] = []
        for unit in range(self.units):
            rows = [totals[k] for k in range(unit, self.pe, self.units)]
            total = Signal(self.bits, name=f"held_{unit}", reset_less=True)
            m.d.sync += total.eq(_chosen(step, rows))
            held.append(total)
        return compares, last, held

    def _words(self, m: Module, compares: Value) -> Value:
        """What the totals of this step are compared with."""
        count = len(self.others[0][0])
        if not count:
            return Const(0, 1)
        m.submodules.words = words = Preloads(
            values=self.words,
            bits=self.bits,
            passes_apart=1,
            borders=self.borders if len(self.words) > 1 else None,
            loaded=self.loaded,
        )
        if self.loaded is not None:
            share(m, self.load, [words.load])
        m.d.comb += words.take.eq(compares)
        return words.o

    @property
    def words(self) -> tuple[tuple[int, ...], ...]:
        """What is compared in each step of each pass; one for all where they are equal and not loaded."""
        return level_words(self.others, self.units, self.steps, loaded=self.loaded is not None)

    def _code(self, m: Module, reached: Sequence[Value], unit: int) -> Value:
        """The code for levels of which the first so many are reached."""
        bits: list[Value] = []
        codes = [self.base + count for count in range(len(reached) + 1)]
        for k in range(self.code_bits):
            values = [code >> k & 1 for code in codes]
            bit = Signal(name=f"code_{unit}_{k}")
            changes = [
                level for level, before, after in zip(reached, values, values[1:], strict=False) if before != after
            ]
            m.d.comb += bit.eq(_parity([*changes, Const(values[0], 1)]))
            bits.append(bit)
        return Cat(*bits)


@dataclass(frozen=True, kw_only=True)
class LevelSizes:
    """What the size of a LevelUnit depends on: its rows, cycles from pass to pass, and bits of a total; how many levels
    there are, and bits of a code."""

    pe: int
    passes_apart: int
    bits: int
    levels: int
    code_bits: int


def level_counts(sizes: LevelSizes, *, passes: int, borders: bool, varying: int | None, costs: Costs) -> Counts:
    """What a LevelUnit takes: the rows that are chosen, their comparators and codes, and the memory of what they are
    compared with, a word for each step of `passes` passes (of all blocks), of which `varying` bits are held in
    block RAM; for one word a constant. None are `varying` where all are loaded."""
    units, steps = level_units(sizes.pe, sizes.passes_apart), level_steps(sizes.pe, sizes.passes_apart)
    cost, others, bits, code_bits = costs.levels, sizes.levels - 1, sizes.bits, sizes.code_bits
    width, words = units * others * bits, steps * passes
    luts = cost.base + units * (cost.fixed + cost.compared * bits * others + max(0, others - 1) * code_bits / 3)
    luts += cost.chosen * units * bits * (steps - 1)
    ffs = steps * units * code_bits + 1 + (units * bits + counter_bits(steps) + 2 if steps > 1 else 0)
    total = Counts(luts=round(luts), ffs=ffs)
    if not others or (words == 1 and varying is not None):
        return total
    control = 2 * counter_bits(words)
    total += Counts(luts=round(costs.preload_control.at(control)), ffs=width + control)
    if borders:
        total += Counts(luts=costs.borders, ffs=8)
    if varying is None:
        return total + banked_counts(width, words, rom_place("auto", 2 * words, limit=NARROW_WORDS), costs)
    if rom_place("auto", words, limit=NARROW_WORDS) == "block":
        return total + Counts(block_rams=costs.block_rams(varying, words))
    return total + Counts(luts=costs.rom(width, words))


def level_words(
    others: tuple[tuple[tuple[int, ...], ...], ...], units: int, steps: int, *, loaded: bool = False
) -> tuple[tuple[int, ...], ...]:
    """A LevelUnit's memory words; one where all are equal, unless they are loaded. Units without a row in the last step
    compare with 0."""
    count = len(others[0][0])
    words = []
    for row in others:
        padded = [*row, *[(0,) * count] * (units * steps - len(row))]
        words += [
            tuple(value for values in padded[k * units : (k + 1) * units] for value in values) for k in range(steps)
        ]
    return tuple(words[:1] if len(set(words)) == 1 and not loaded else words)


def varying_bits(others: NDArray[np.int64], passes_apart: int) -> int:
    """Of a memory word of `others` (passes, pe, levels but the middle one), how many bits some word has otherwise."""
    passes, pe, count = others.shape
    units, steps = level_units(pe, passes_apart), level_steps(pe, passes_apart)
    padded = np.zeros((passes, units * steps, count), np.int64)
    padded[:, :pe] = others
    words = padded.reshape(passes * steps, units * count)
    return sum(bits.bit_count() for bits in np.bitwise_or.reduce(words ^ words[0], axis=0).tolist())


def _chosen(index: Value, values: Sequence[Value]) -> Value:
    """values[index], in a tree of multiplexers by the bits of `index`."""
    level = list(values)
    for bit in index:
        level = [Mux(bit, level[k + 1], level[k]) if k + 1 < len(level) else level[k] for k in range(0, len(level), 2)]
    return level[0]


def _parity(values: Sequence[Value]) -> Value:
    """The XOR of all, in a balanced tree."""
    level = list(values)
    while len(level) > 1:
        level = [level[k] ^ level[k + 1] if k + 1 < len(level) else level[k] for k in range(0, len(level), 2)]
    return level[0]

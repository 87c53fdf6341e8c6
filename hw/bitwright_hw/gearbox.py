"""Words of one width into words of another, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs


@dataclass(frozen=True, kw_only=True)
class ShiftParams:
    """A gearbox between widths of which neither divides the other, in units of their common divisor."""

    unit: int  # bits
    step: int  # units that an input word adds
    last_step: int  # units that a frame's last input word adds: as many as fill the last output word
    out_step: int  # units of an output word
    capacity: int  # units that can wait

    @property
    def furthest(self) -> int:
        """The most units below an input word when it is taken."""
        return self.capacity - min(self.step, self.last_step)


def shift_params(in_width: int, out_width: int, bits: int) -> ShiftParams:
    unit = gcd(in_width, out_width)
    step, out_step = in_width // unit, out_width // unit
    last_step = ceil_div(bits, out_width) * out_step - (ceil_div(bits, in_width) - 1) * step
    capacity = max(2 * out_step, out_step - 1 + max(step, last_step))
    return ShiftParams(unit=unit, step=step, last_step=last_step, out_step=out_step, capacity=capacity)


class Gearbox(wiring.Component):
    """Repacks frames of `bits` bits from `in_width`-bit words to `out_width`-bit words, bit 0 first.

    A frame is ceil(bits / in_width) words in and ceil(bits / out_width) words out. Bits of the last input word
    beyond the frame must be zero; bits of the last output word beyond it are zero. Frames need no marks: the
    component counts words, and returns to a frame's start on reset only.

    Latency: the first word that is complete shows one cycle after the input word that completed it.
    Throughput: one word a cycle on the wider side's pace, across frame ends too. While `o.ready` stays high and
    in_width <= out_width, `i.ready` stays high; with in_width >= out_width, `o.valid` stays high from a frame's
    first word to its last as long as a word is offered in every cycle. Equal widths are a wire (latency 0).
    Combinational path: o.ready to i.ready.

    If not `reader_waits`, `o.ready` is taken to be high always, which saves the logic of `i.ready`.
    """

    def __init__(self, *, in_width: int, out_width: int, bits: int, reader_waits: bool = True):
        if min(in_width, out_width, bits) < 1:
            raise ValueError("in_width, out_width and bits must be at least 1")
        if in_width > out_width and not reader_waits:
            raise ValueError("a gearbox from wide to narrow words always makes its writer wait")
        self.in_width = in_width
        self.out_width = out_width
        self.bits = bits
        self.reader_waits = reader_waits
        super().__init__(
            {
                "i": In(stream.Signature(in_width)),
                "o": Out(stream.Signature(out_width)),
            }
        )

    @property
    def words_in(self) -> int:
        return ceil_div(self.bits, self.in_width)

    @property
    def words_out(self) -> int:
        return ceil_div(self.bits, self.out_width)

    @property
    def latency(self) -> int:
        return 0 if self.in_width == self.out_width else 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.in_width == self.out_width:
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
            return m
        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready if self.reader_waits else self.i.valid)
        index = Signal(range(max(2, self.words_in)))
        last = Signal()
        m.d.comb += last.eq(index == self.words_in - 1)
        with m.If(taken):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        if self.out_width % self.in_width == 0:
            self._collect(m, taken, last)
        elif self.in_width % self.out_width == 0:
            self._split(m, taken, last)
        else:
            self._shift(m, taken, last, index == (self.words_in - 2) % self.words_in)
        return m

    def _collect(self, m: Module, taken: Value, last: Value) -> None:
        """out_width is a multiple: input words fill slots; the first one clears the slots above it."""
        slots = [Signal(self.in_width, name=f"slot_{k}") for k in range(self.out_width // self.in_width)]
        slot = Signal(range(len(slots)))
        full = Signal()
        m.d.comb += [
            self.o.payload.eq(Cat(slots)),
            self.o.valid.eq(full),
            self.i.ready.eq(~full | self.o.ready if self.reader_waits else 1),
        ]
        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(taken):
            ends = last | (slot == len(slots) - 1)
            m.d.sync += [full.eq(ends), slot.eq(Mux(ends, 0, slot + 1))]
            for k, register in enumerate(slots):
                with m.If(slot == k):
                    m.d.sync += register.eq(self.i.payload)
                if k:
                    with m.If(slot == 0):
                        m.d.sync += register.eq(0)

    def _split(self, m: Module, taken: Value, last: Value) -> None:
        """in_width is a multiple: one input word is held and shifted out."""
        parts = self.in_width // self.out_width
        parts_of_last = self.words_out - (self.words_in - 1) * parts
        held = Signal(self.in_width)
        left = Signal(range(parts + 1))
        m.d.comb += [
            self.o.payload.eq(held),
            self.o.valid.eq(left != 0),
            self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready)),
        ]
        with m.If(taken):
            m.d.sync += [held.eq(self.i.payload), left.eq(Mux(last, parts_of_last, parts))]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [held.eq(held >> self.out_width), left.eq(left - 1)]

    def _shift(self, m: Module, taken: Value, last: Value, before_last: Value) -> None:
        """Any widths: words are inserted above the bits that wait, in units of the widths' common divisor.

        A frame's last word counts as many bits as fill the last output word. The bits above those that wait
        are zero, so that insertion is an OR.
        """
        box = shift_params(self.in_width, self.out_width, self.bits)
        unit, capacity, step, out_step, last_step = box.unit, box.capacity, box.step, box.out_step, box.last_step
        waiting = Signal(capacity * unit)
        # registers hold what follows from the number of waiting bits, so that little logic lies behind them
        valid = Signal()  # a word is complete
        base = Signal(range(capacity + 1))  # where the next input word goes, in units
        emit = Signal()
        m.d.comb += [self.o.payload.eq(waiting), self.o.valid.eq(valid)]
        kept, inserted = Signal.like(waiting), Signal.like(waiting, name="inserted")
        m.d.comb += kept.eq(Mux(emit, waiting >> self.out_width, waiting))
        moved: Value = self.i.payload
        for bit in range(box.furthest.bit_length()):  # by `base` units, a power of two at a time: few LUT4s
            further = Signal(min(len(moved) + (unit << bit), len(waiting)), name=f"moved_{bit}")
            m.d.comb += further.eq(Mux(base[bit], moved << (unit << bit), moved))
            moved = further
        m.d.comb += inserted.eq(moved)
        after = Signal(range(capacity + 1))
        beyond = Signal(range(capacity + 1))  # after - out_step, if that many
        complete = Signal()
        m.d.comb += [
            after.eq(base + Mux(taken, Mux(last, last_step, step), 0)),
            beyond.eq(after - out_step),
            complete.eq(Mux(taken, Mux(last, base >= out_step - last_step, base >= out_step - step), base >= out_step)),
        ]
        m.d.sync += [waiting.eq(kept | Mux(taken, inserted, 0)), valid.eq(complete)]
        if not self.reader_waits:
            m.d.comb += [emit.eq(valid), self.i.ready.eq(1)]
            m.d.sync += base.eq(Mux(complete, beyond, after))
            return
        # of waiting bits: all, and those behind a word that leaves
        count, left = Signal.like(base), Signal.like(base, name="left")
        fits = Signal(2, init=3)  # whether the next input word fits: if no word leaves, if one does
        needed = Mux(Mux(taken, before_last, last), last_step, step)
        m.d.sync += [
            count.eq(after),
            left.eq(beyond),
            fits.eq(Cat(after + needed <= capacity, after + needed <= capacity + out_step)),
        ]
        m.d.comb += [
            emit.eq(valid & self.o.ready),
            base.eq(Mux(emit, left, count)),
            self.i.ready.eq(Mux(emit, fits[1], fits[0])),
        ]


def gearbox_times(arrivals: Sequence[int], in_width: int, out_width: int, bits: int) -> list[int]:
    """When a narrow-to-wide Gearbox gives each word of a frame, given when each input word is taken."""
    if in_width == out_width:
        return list(arrivals)
    times: list[int] = []
    for word in range(ceil_div(bits, out_width)):
        completing = min(ceil_div((word + 1) * out_width, in_width), len(arrivals)) - 1
        earliest = arrivals[completing] + 1
        times.append(max(earliest, times[-1] + 1) if times else earliest)
    return times


def gearbox_counts(in_width: int, out_width: int, bits: int, costs: Costs, *, flowing: bool = False) -> Counts:
    """A Gearbox; if `flowing`, one to narrower words whose `o.ready` is high, or follows from little."""
    if in_width == out_width:
        return Counts()
    cost = costs.gearbox
    words = ceil_div(bits, in_width)
    if out_width % in_width == 0:
        slots = out_width // in_width
        return Counts(
            luts=round(cost.widen + in_width + cost.slot * slots),
            ffs=out_width + 1 + counter_bits(slots) + counter_bits(words),
        )
    if in_width % out_width == 0:
        even = bits % in_width == 0  # otherwise a frame's last word has fewer parts, which ECP5's wide LUTs pay for
        return Counts(
            luts=round((1 if even else cost.odd_bits) * in_width + cost.narrow),
            ffs=in_width + counter_bits(in_width // out_width + 1) + (0 if words == 1 else counter_bits(words)),
        )
    box = shift_params(in_width, out_width, bits)
    width = box.capacity * box.unit
    stages, moved = 0, in_width
    for bit in range(box.furthest.bit_length()):
        moved = min(moved + (box.unit << bit), width)
        stages += moved
    luts = round(cost.shifted.at(stages))
    if in_width > out_width:
        narrowed = cost.narrowed * stages + cost.held * width
        luts = round(cost.flowing.at(stages + width)) if flowing else luts + round(narrowed)
    return Counts(
        luts=luts,
        ffs=width + box.capacity.bit_length() + counter_bits(words),
    )

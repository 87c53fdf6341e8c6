"""Beats of the input stream to pixels of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from amaranth.hdl import Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.tokens import Tokens

DEPTH = 16  # beats that wait: more than the round trip of a token
MOST_STEPS = 6  # of a table that is value plus a constant for each of so many ranges


@dataclass(frozen=True, kw_only=True)
class SourceParams:
    """The arguments of PixelSource: beats of `beat_lanes` lanes, `lane_bits` bits each, of images of `pixels` pixels.

    A pixel has `channels` lanes and leaves in words of `width` lanes, which divides channels. `table`, if not empty,
    gives for each value of a lane the signed integer of `out_bits` bits that takes its place.
    """

    beat_lanes: int
    lane_bits: int
    pixels: int
    channels: int
    width: int
    table: tuple[int, ...] = ()
    out_bits: int = 1

    def __post_init__(self) -> None:
        if self.channels % self.width:
            raise ValueError(f"width must divide the {self.channels} channels, not {self.width}")

    @property
    def pixel_words(self) -> int:
        return self.channels // self.width

    @property
    def words(self) -> int:
        """Words of a frame."""
        return self.pixels * self.pixel_words

    @property
    def beats(self) -> int:
        """Beats of a frame."""
        return ceil_div(self.pixels * self.channels, self.beat_lanes)


class PixelSource(wiring.Component):
    """Takes beats as they come and gives pixels, a word a cycle, once there is room for them.

    `space` gives a token for each beat, which may then come in any later cycle; a frame is `params.beats` beats, and
    lanes of its last beat beyond it are 0. `o` gives a pixel's words after a token of `grant` has been taken for it, in
    the cycle of its first word; it is never stalled.

    Latency: 1 cycle from a beat to the first word that is complete, and one more if a beat and a word are not equally
    wide. Throughput: a beat or a word a cycle. Reset: forgets all beats.
    """

    def __init__(self, *, params: SourceParams):
        self.params = params
        super().__init__(
            {
                "i": In(stream.Signature(params.beat_lanes * params.lane_bits, always_ready=True)),
                "space": Out(Tokens),
                "grant": In(Tokens),
                "o": Out(stream.Signature(params.width * (params.out_bits if params.table else params.lane_bits),
                                          always_ready=True)),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.params
        beat_bits = p.beat_lanes * p.lane_bits
        m.submodules.beats = beats = memory.Memory(
            shape=unsigned(beat_bits), depth=DEPTH, init=[], attrs={"ram_style": "distributed"}
        )
        m.submodules.gearbox = gearbox = Gearbox(
            in_width=beat_bits, out_width=p.width * p.lane_bits, bits=p.pixels * p.channels * p.lane_bits
        )
        writer, reader = beats.write_port(), beats.read_port(domain="comb")
        write_at, read_at, level = Signal(range(DEPTH)), Signal(range(DEPTH)), Signal(range(DEPTH + 1))
        free = Signal(range(DEPTH + 1), init=DEPTH)
        taken = Signal()
        m.d.comb += [
            writer.addr.eq(write_at), writer.data.eq(self.i.payload), writer.en.eq(self.i.valid),
            reader.addr.eq(read_at),
            gearbox.i.valid.eq(level != 0), gearbox.i.payload.eq(reader.data),
            taken.eq(gearbox.i.valid & gearbox.i.ready),
            self.space.valid.eq(free != 0),
        ]  # fmt: skip
        m.d.sync += [
            level.eq(level + self.i.valid - taken),
            free.eq(free - (self.space.valid & self.space.ready) + taken),
        ]
        with m.If(self.i.valid):
            m.d.sync += write_at.eq(write_at + 1)
        with m.If(taken):
            m.d.sync += read_at.eq(read_at + 1)

        first = Signal(init=1)  # whether the next word is a pixel's first
        if p.pixel_words > 1:
            word = Signal(range(p.pixel_words))
            with m.If(gearbox.o.valid & gearbox.o.ready):
                m.d.sync += word.eq(count_up(word, p.pixel_words))
            m.d.comb += first.eq(word == 0)
        m.d.comb += [
            gearbox.o.ready.eq(~first | self.grant.valid),
            self.grant.ready.eq(gearbox.o.valid & first),
            self.o.valid.eq(gearbox.o.valid & gearbox.o.ready),
        ]
        if not p.table:
            m.d.comb += self.o.payload.eq(gearbox.o.payload)
            return m
        bits = (len(p.table) - 1).bit_length()
        values = [gearbox.o.payload[k * p.lane_bits : k * p.lane_bits + bits] for k in range(p.width)]
        m.d.comb += self.o.payload.eq(Cat(*(looked_up(m, value, p.table, p.out_bits) for value in values)))
        return m


def table_steps(table: Sequence[int]) -> int:
    """How often a table less the value itself changes from one value to the next."""
    offsets = [entry - index for index, entry in enumerate(table)]
    return sum(a != b for a, b in pairwise(offsets))


def looked_up(m: Module, value: Value, table: Sequence[int], bits: int) -> Value:
    """`table[value]` in `bits` bits, in the same cycle.

    A table that differs from the value itself by a constant in each of a few ranges takes an addition and the ranges'
    comparisons, any other a memory's worth of LUTs.
    """
    offsets = [entry - index for index, entry in enumerate(table)]
    starts = [k for k in range(1, len(table)) if offsets[k] != offsets[k - 1]]
    result = Signal(bits)
    if table_steps(table) <= MOST_STEPS:
        offset = Signal(signed(max(bits, len(value)) + 2))
        m.d.comb += offset.eq(offsets[0])
        for start in starts:
            with m.If(value >= start):
                m.d.comb += offset.eq(offsets[start])
        m.d.comb += result.eq(value + offset)
        return result
    rom = memory.Memory(
        shape=unsigned(bits), depth=len(table), init=[entry & (1 << bits) - 1 for entry in table],
        attrs={"ram_style": "logic", "rom_style": "distributed"},
    )  # fmt: skip
    m.submodules += rom
    reader = rom.read_port(domain="comb")
    m.d.comb += [reader.addr.eq(value), result.eq(reader.data)]
    return result

"""Beats of the input stream to pixels of images."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.lookup import lane_table, looked_up, looked_up_in
from bitwright_hw.memory_ports import unnamed_write_port
from bitwright_hw.row_pattern import table_pattern
from bitwright_hw.tokens import Tokens

DEPTH = 16  # beats that wait: more than the round trip of a token


@dataclass(frozen=True, kw_only=True)
class SourceParams:
    """The arguments of PixelSource: beats of `beat_lanes` lanes, `lane_bits` bits each, of images of `pixels` pixels.

    A pixel has `channels` lanes and leaves in words of `width` lanes, which divides channels. `tables`, if not empty,
    give for each value of a lane the signed integer of `out_bits` bits that takes its place: value i of a frame takes
    table i modulo their number.
    """

    beat_lanes: int
    lane_bits: int
    pixels: int
    channels: int
    width: int
    tables: tuple[tuple[int, ...], ...] = ()
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
                "o": Out(
                    stream.Signature(
                        params.width * (params.out_bits if params.tables else params.lane_bits), always_ready=True
                    )
                ),
            }
        )

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
        writer = unnamed_write_port(beats)
        reader = beats.read_port(domain="comb")
        write_at, read_at, level = Signal(range(DEPTH)), Signal(range(DEPTH)), Signal(range(DEPTH + 1), name="level")
        free = Signal(range(DEPTH + 1), init=DEPTH)
        taken = Signal()
        m.d.comb += [
            writer.addr.eq(write_at),
            writer.data.eq(self.i.payload),
            writer.en.eq(self.i.valid),
            reader.addr.eq(read_at),
            gearbox.i.valid.eq(level != 0),
            gearbox.i.payload.eq(reader.data),
            taken.eq(gearbox.i.valid & gearbox.i.ready),
            self.space.valid.eq(free != 0),
        ]
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
        if not p.tables:
            m.d.comb += self.o.payload.eq(gearbox.o.payload)
            return m
        bits = (len(p.tables[0]) - 1).bit_length()
        values = [gearbox.o.payload[k * p.lane_bits : k * p.lane_bits + bits] for k in range(p.width)]
        if len(p.tables) == 1:
            m.d.comb += self.o.payload.eq(Cat(*(looked_up(m, value, p.tables[0], p.out_bits) for value in values)))
            return m
        pattern = table_pattern(p.tables, p.pixels * p.channels, p.width)
        phase = pattern.phase(m, self.o.valid)
        tables = [[lane_table(p.tables, cells[k]) for cells in pattern.cells] for k in range(p.width)]
        integers = [looked_up_in(m, value, phase, lane, p.out_bits) for value, lane in zip(values, tables, strict=True)]
        m.d.comb += self.o.payload.eq(Cat(*integers))
        return m

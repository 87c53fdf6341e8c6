"""The buffer in front of an engine: whole frames in, each frame out as often as the engine needs it."""

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.rom import ram_attributes
from bitwright_hw.tokens import Tokens


def count_up(value: Signal, limit: int) -> Value:
    """The next value of a counter that runs 0 .. limit - 1 and wraps."""
    if limit & (limit - 1) == 0 and limit > 1:
        return (value + 1)[: limit.bit_length() - 1]
    return Mux(value == limit - 1, 0, value + 1)


def frame_ports(width: int, gives: stream.Signature) -> dict[str, wiring.Member]:
    """The ports of what keeps frames: words of `width` bits in, with tokens, and what it `gives` for them.

    A frame's token is one of `space`; with its last word `drop` says whether to forget it, and `done` is high. What is
    given takes its token from `grant`.
    """
    return {
        "i": In(stream.Signature(width, always_ready=True)),
        "drop": In(1),
        "done": Out(1),
        "space": Out(Tokens),
        "grant": In(Tokens),
        "o": Out(gives),
    }


class FrameBuffer(wiring.Component):
    """Keeps up to `banks` frames of `words` words and sends each one `repeats` times over, first in, first out.

    Writer: takes a token of `space`, then writes the frame's words to `i` at any pace (there is always room).
    With the last word, `drop` says whether the frame is to be forgotten; `done` is high in that cycle.

    Reader: starts on a frame when the frame is complete and `grant` gives a token, and then sends
    words * repeats words on `o`. The bank is free again once its last word has been read.

    Latency: the first word shows on `o` three cycles after the last one was written, if the reader is idle and
    has a grant. Throughput: one word a cycle, without a gap between repeats and between frames that wait.
    Reset: forgets every frame. Storage: one write port, one read port, banks * words rows (LUT memory,
    or block RAM where that takes hundreds of LUTs).
    """

    LATENCY = 3

    def __init__(self, *, width: int, words: int, banks: int, repeats: int):
        if min(width, words, banks, repeats) < 1:
            raise ValueError("width, words, banks and repeats must be at least 1")
        self.width = width
        self.words = words
        self.banks = banks
        self.repeats = repeats
        super().__init__(frame_ports(width, stream.Signature(width)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.banks * self.words
        m.submodules.storage = storage = memory.Memory(
            shape=unsigned(self.width), depth=depth, init=[], attrs=ram_attributes(self.width, depth)
        )
        writer = storage.write_port()
        reader = storage.read_port()
        kept = self._write(m, writer)
        finish = self._read(m, reader, kept)

        # Room: a bank is taken with its token, and free again when its frame was read or dropped.
        free = Signal(range(self.banks + 1), init=self.banks)
        taken = Signal()
        m.d.comb += [self.space.valid.eq(free != 0), taken.eq(self.space.valid & self.space.ready)]
        m.d.sync += free.eq(free - taken + finish + (self.done & self.drop))
        return m

    def _write(self, m: Module, writer: memory.WritePort) -> Signal:
        """Rows in order; a dropped frame takes the row counter back to where it began. High when a frame is kept."""
        depth = self.banks * self.words
        write_row = Signal(range(max(2, depth)))
        write_base = Signal(range(max(2, depth)))
        write_word = Signal(range(max(2, self.words)))
        kept = Signal()
        next_row = count_up(write_row, depth)
        m.d.comb += [
            writer.addr.eq(write_row),
            writer.data.eq(self.i.payload),
            writer.en.eq(self.i.valid),
            self.done.eq(self.i.valid & (write_word == self.words - 1)),
            kept.eq(self.done & ~self.drop),
        ]
        with m.If(self.i.valid):
            m.d.sync += [write_row.eq(next_row), write_word.eq(count_up(write_word, self.words))]
        with m.If(self.done):
            with m.If(self.drop):
                m.d.sync += write_row.eq(write_base)
            with m.Else():
                m.d.sync += write_base.eq(next_row)
        return kept

    def _read(self, m: Module, reader: memory.ReadPort, kept: Signal) -> Signal:
        """A frame starts in the cycle of the last read of the one before it, or when idle. High with its last read."""
        depth = self.banks * self.words
        active = Signal()
        start = Signal()
        issue = Signal()
        finish = Signal()
        complete = Signal(range(self.banks + 1))
        m.d.comb += [
            start.eq((complete != 0) & self.grant.valid & (~active | finish)),
            self.grant.ready.eq((complete != 0) & (~active | finish)),
        ]
        m.d.sync += complete.eq(complete + kept - start)
        with m.If(start):
            m.d.sync += active.eq(1)
        with m.Elif(finish):
            m.d.sync += active.eq(0)

        read_row = Signal(range(max(2, depth)))
        read_base = Signal(range(max(2, depth)))
        read_word = Signal(range(max(2, self.words)))
        read_pass = Signal(range(max(2, self.repeats)))
        last_word = Signal()
        m.d.comb += [
            issue.eq(active & (~self.o.valid | self.o.ready)),
            last_word.eq(read_word == self.words - 1),
            finish.eq(issue & last_word & (read_pass == self.repeats - 1)),
            reader.addr.eq(read_row),
            reader.en.eq(issue),
            self.o.payload.eq(reader.data),
        ]
        following = count_up(read_row, depth)
        with m.If(issue):
            m.d.sync += [self.o.valid.eq(1), read_word.eq(count_up(read_word, self.words))]
            with m.If(finish):
                m.d.sync += [read_row.eq(following), read_base.eq(following), read_pass.eq(0)]
            with m.Elif(last_word):
                m.d.sync += [read_row.eq(read_base), read_pass.eq(read_pass + 1)]
            with m.Else():
                m.d.sync += read_row.eq(following)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return finish

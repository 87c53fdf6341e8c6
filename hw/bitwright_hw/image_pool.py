"""Pools of images as they stream by, largest values or sums: partial results of pooled pixels are all that is kept."""

from dataclasses import dataclass, field
from functools import cached_property

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.network import Windows
from bitwright_core.ops.windows import PoolRule
from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Windows along one axis: `count` of them, `kernel` long and `stride` apart, over `size` steps, the first one
    beginning `before` steps ahead of step 0. One that reaches beyond the last step ends there.

    The last window ends with the axis, too, though it takes nothing from steps beyond its own: so the last result of an
    image comes with its last pixel, and never before its frame.
    """

    size: int
    count: int
    kernel: int
    stride: int
    before: int

    @property
    def slots(self) -> int:
        """Windows that can be open at a time."""
        return ceil_div(self.kernel, self.stride)

    def first(self, window: int) -> int:
        return max(0, window * self.stride - self.before)

    @property
    def taken(self) -> int:
        """Steps that some window may take: those before the last one's end."""
        return min(self.size, self.furthest)

    def last(self, window: int) -> int:
        if window == self.count - 1:
            return self.size - 1
        return min(self.size, window * self.stride - self.before + self.kernel) - 1

    @property
    def furthest(self) -> int:
        """Steps that the last window would reach to, those beyond `size` included."""
        return (self.count - 1) * self.stride - self.before + self.kernel

    @property
    def ends_differ(self) -> bool:
        """Whether no two windows end at one step, so that results never come faster than steps."""
        return self.count < 2 or self.last(self.count - 2) < self.taken - 1

    def begins(self, slot: int) -> int:
        """Bit t is 1 if a window of `slot` begins at step t; window k has slot k mod slots."""
        return sum(1 << self.first(window) for window in range(slot, self.count, self.slots))

    def ends(self, slot: int) -> int:
        """Bit t is 1 if a window of `slot` ends at step t."""
        return sum(1 << self.last(window) for window in range(slot, self.count, self.slots))

    @property
    def all_ends(self) -> int:
        """Bit t is 1 if a window ends at step t."""
        return sum(1 << self.last(window) for window in range(self.count))


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """How values of a window become one, lane by lane, as stored: the largest, or their sum.

    Lanes have `in_bits` bits on their way in, and `bits` from there on; they are `signed` or not. A result is at least
    `least`, which is what a window begins with, and what does not count becomes.
    """

    rule: PoolRule = "max"
    in_bits: int = 1
    bits: int = 1
    signed: bool = False
    least: int = 0

    @property
    def is_or(self) -> bool:
        """Whether it is OR: the largest of bits."""
        return self.rule == "max" and self.bits == 1

    def neutral(self, lanes: int) -> int:
        """A word of `lanes` lanes that changes nothing."""
        lane = 0 if self.rule == "sum" else self.least & ((1 << self.bits) - 1)
        return sum(lane << k * self.bits for k in range(lanes))

    def widened(self, word: Value) -> Value:
        """A word of lanes as they come, with the lanes that partial results have."""
        if self.in_bits == self.bits:
            return word
        parts = [word[low : low + self.in_bits] for low in range(0, len(word), self.in_bits)]
        more = self.bits - self.in_bits
        return Cat(Cat(part, part[-1].replicate(more) if self.signed else C(0, more)) for part in parts)

    def combined(self, a: Value, b: Value) -> Value:
        """Two words, lane by lane."""
        if self.is_or:
            return a | b
        found = []
        for low in range(0, len(a), self.bits):
            x, y = (word[low : low + self.bits] for word in (a, b))
            if self.rule == "sum":
                found.append((x + y)[: self.bits])
            else:
                larger = x.as_signed() > y.as_signed() if self.signed else x > y
                found.append(Mux(larger, x, y))
        return Cat(found)


@dataclass(frozen=True, kw_only=True)
class PoolParams:
    """The arguments of ImagePool: `windows` over an image whose pixels come as `words` words of `width` lanes.

    No two windows may end in one row or one column of the image, as they do where they overlap in the padding below or
    to the right; such padding has to be made pixels of the image.
    """

    windows: Windows
    width: int
    words: int
    reduction: Reduction = field(default_factory=Reduction)

    def __post_init__(self) -> None:
        if not all(axis.ends_differ for axis in self.axes):
            raise ValueError("two windows of a pool end in one row or one column of the image")

    @property
    def in_width(self) -> int:
        """Bits of a word that comes."""
        return self.width * self.reduction.in_bits

    @property
    def out_width(self) -> int:
        """Bits of a word that goes, and of partial results."""
        return self.width * self.reduction.bits

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns."""
        w = self.windows
        rows, columns = (
            Axis(size=w.image[k], count=w.shape[k], kernel=w.kernel[k], stride=w.stride[k], before=w.padding[2 * k])
            for k in range(2)
        )
        return rows, columns

    @cached_property
    def completing(self) -> list[int]:
        """For each pooled pixel: the pixel of the image that completes it."""
        rows, columns = self.axes
        return [
            rows.last(y) * self.windows.image[1] + columns.last(x)
            for y in range(rows.count)
            for x in range(columns.count)
        ]


def _bit(table: int, index: Signal, size: int) -> Value:
    return C(table, size).bit_select(index, 1)


class PoolAxis(wiring.Component):
    """A reduction along one axis: of `axis.size` steps of `inner` words each, the words of every window's end.

    Word k of a window's result is that of words k of its steps; it leaves with the last step's word k.
    Storage: `axis.slots` * inner words. Latency: 1 cycle. Throughput: a word a cycle. Reset: at step 0.
    """

    LATENCY = 1

    def __init__(self, *, axis: Axis, inner: int, width: int, reduction: Reduction | None = None):
        self.axis = axis
        self.reduction = reduction or Reduction()
        self.inner = inner
        self.width = width
        super().__init__(
            {
                "i": In(stream.Signature(width, always_ready=True)),
                "o": Out(stream.Signature(width, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axis = self.axis
        step, word = Signal(range(max(2, axis.size))), Signal(range(max(2, self.inner)), name="word")
        with m.If(self.i.valid):
            m.d.sync += word.eq(count_up(word, self.inner))
            with m.If(word == self.inner - 1):
                m.d.sync += step.eq(count_up(step, axis.size))
        payload: Value = self.i.payload
        neutral = C(self.reduction.neutral(self.width // self.reduction.bits), self.width)
        if self.reduction.is_or:
            neutral = C(0)
        if axis.taken < axis.size:
            payload = Mux(step < axis.taken, payload, neutral)
        result = payload
        for slot in range(min(axis.slots, axis.count)):
            old = self._old(m, slot, word)
            new = Signal(self.width, name=f"new_{slot}")
            kept = Mux(_bit(axis.begins(slot), step, axis.size), neutral, old)
            m.d.comb += new.eq(self.reduction.combined(payload, kept))
            self._store(m, slot, new)
            result = new if slot == 0 else Mux(_bit(axis.ends(slot), step, axis.size), new, result)
        m.d.sync += [
            self.o.valid.eq(self.i.valid & _bit(axis.all_ends, step, axis.size)),
            self.o.payload.eq(result),
        ]
        return m

    def _old(self, m: Module, slot: int, word: Signal) -> Value:
        """The partial result that belongs to the word on `i`."""
        if self.inner == 1:
            self._writer: Signal | None = Signal(self.width, name=f"partial_{slot}")
            return self._writer
        storage = memory.Memory(
            shape=unsigned(self.width), depth=self.inner, init=[], attrs={"ram_style": "distributed"}
        )
        m.submodules[f"partial_{slot}"] = storage
        reader = storage.read_port(domain="comb")
        writer = storage.write_port()
        m.d.comb += [reader.addr.eq(word), writer.addr.eq(word), writer.en.eq(self.i.valid)]
        self._data = writer.data
        return reader.data

    def _store(self, m: Module, slot: int, new: Signal) -> None:
        if self.inner == 1:
            assert self._writer is not None
            with m.If(self.i.valid):
                m.d.sync += self._writer.eq(new)
        else:
            m.d.comb += self._data.eq(new)


class ImagePool(wiring.Component):
    """The largest value of each window of an image, OR on bits, or the sum, pixel by pixel in raster order.

    `i` brings a pixel's words, `o` gives those of a pooled pixel as the last pixel of its window comes. First along the
    row, then down the columns: what is kept are words of one row, and partial rows of pooled pixels, as many as
    windows overlap. FINN's pool keeps the same for windows that do not overlap, and has no other.

    `space` gives a token for each pixel of the image, and takes one of `grant` for each that completes a pooled one.
    Latency: 2 cycles. Throughput: a word a cycle. Reset: at an image's first pixel.
    """

    LATENCY = 2 * PoolAxis.LATENCY

    def __init__(self, *, params: PoolParams):
        self.params = params
        super().__init__(
            {
                "i": In(stream.Signature(params.in_width, always_ready=True)),
                "space": Out(Tokens),
                "grant": In(Tokens),
                "o": Out(stream.Signature(params.out_width, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.params
        rows, columns = p.axes
        width, how = p.out_width, p.reduction
        m.submodules.across = across = PoolAxis(axis=columns, inner=p.words, width=width, reduction=how)
        m.submodules.down = down = PoolAxis(axis=rows, inner=columns.count * p.words, width=width, reduction=how)
        for source, sink in ((self.i, across.i), (across.o, down.i), (down.o, self.o)):
            payload = p.reduction.widened(source.payload) if source is self.i else source.payload
            m.d.comb += [sink.valid.eq(source.valid), sink.payload.eq(payload)]

        row, column = Signal(range(max(2, rows.size))), Signal(range(max(2, columns.size)), name="column")
        completes = Signal()
        m.d.comb += [
            completes.eq(_bit(rows.all_ends, row, rows.size) & _bit(columns.all_ends, column, columns.size)),
            self.space.valid.eq(~completes | self.grant.valid),
            self.grant.ready.eq(self.space.ready & completes),
        ]
        with m.If(self.space.valid & self.space.ready):
            m.d.sync += column.eq(count_up(column, columns.size))
            with m.If(column == columns.size - 1):
                m.d.sync += row.eq(count_up(row, rows.size))
        return m

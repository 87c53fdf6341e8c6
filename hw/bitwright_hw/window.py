"""The sliding window: pixels in, and for each output pixel of a convolution its window as an engine takes it."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.piecewise import piecewise_grid
from bitwright_hw.rom import ram_attributes
from bitwright_hw.tokens import Tokens
from bitwright_hw.window_lanes import WindowRead, bundled, padded, slot_of
from bitwright_hw.window_params import WindowParams


class Window(wiring.Component):
    """Keeps the last `capacity` pixels of a stream of images and sends each output pixel's window `passes` times.

    Writer: takes a token of `space` for a pixel, then writes its words of `in_width` lanes to `i` at any pace (there is
    always room). Lanes of a pixel's last word beyond its channels must be zero.

    Reader: starts on an output pixel, in raster order, when the last pixel that it needs was written and `grant` gives
    a token, and then sends `passes` times the window's ceil(inputs / simd) words, lanes in the order (ky, kx, channel),
    channel fastest; those that only fill a pass's last word are 0. With groups it does so for the lanes of group after
    group, or of bundles of them (`params.groups_at_once`). `o` is never stalled. Pixels that no later window
    needs give their room back: a stretch of the raster is kept, kernel rows less one and a kernel's width, and what the
    capacity has beyond that lets writing and reading overlap, from frame to frame, too.

    Several pixels of the kernel are read at once if `simd` asks for it: each has a memory of its own, and in the
    memory for offset d pixel i lies where pixel i - d lies in the first one, so that one address reads them all. What
    lies outside the image is replaced as it is read. Taps lie as far apart as the windows' dilation says. (FINN's
    generator moves whole windows through shift registers, or reads `simd` channels of one pixel, which must divide
    them.)

    Latency: `params.latency` cycles from a start to the first word; an output pixel may start in the cycle after its
    last pixel was written. Interval: `params.cycles` for each output pixel, without a gap. Reset: forgets all pixels.
    """

    def __init__(self, *, params: WindowParams):
        self.params = params
        super().__init__(
            {
                "i": In(stream.Signature(params.in_width * params.lane_bits, always_ready=True)),
                "space": Out(Tokens),
                "grant": In(Tokens),
                "o": Out(stream.Signature(params.simd * params.bundle_bits, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.params
        words = [
            memory.Memory(
                shape=unsigned(p.storage_lanes * p.lane_bits),
                depth=p.depth,
                init=[],
                attrs=ram_attributes(p.storage_lanes * p.lane_bits, p.depth),
            )
            for _ in range(p.copies)
        ]
        for k, storage in enumerate(words):
            m.submodules[f"pixels_{k}"] = storage
        written = self._write(m, words)
        self._read(m, words, written)
        return m

    def _write(self, m: Module, copies: list[memory.Memory]) -> Value:
        """Words into the memories; high in the cycle of a pixel's last one."""
        p = self.params
        m.submodules.widen = widen = Gearbox(
            in_width=p.in_width * p.lane_bits,
            out_width=p.storage_lanes * p.lane_bits,
            bits=p.channels * p.lane_bits,
            reader_waits=False,
        )
        m.d.comb += [widen.i.valid.eq(self.i.valid), widen.i.payload.eq(self.i.payload), widen.o.ready.eq(1)]
        last: Signal | None = None
        for k, storage in enumerate(copies):
            writer = storage.write_port()
            address = Signal(range(max(2, p.depth)), name=f"write_{k}", init=-p.offset(k) % p.depth)
            follows = last if p.chained and k % p.tile[1] else None
            with m.If(widen.o.valid):
                m.d.sync += address.eq(count_up(address, p.depth) if follows is None else follows)
            last = address
            m.d.comb += [
                writer.addr.eq(address),
                writer.data.eq(widen.o.payload),
                writer.en.eq(widen.o.valid),
            ]
        if p.pixel_words == 1:
            return widen.o.valid
        word = Signal(range(p.pixel_words))
        with m.If(widen.o.valid):
            m.d.sync += word.eq(count_up(word, p.pixel_words))
        return widen.o.valid & (word == p.pixel_words - 1)

    def _read(self, m: Module, copies: list[memory.Memory], written: Value) -> None:
        p = self.params
        rows, columns = p.windows.shape
        # of the next output pixel
        row, column = Signal(range(max(2, rows))), Signal(range(max(2, columns)), name="column")
        start, finish, active = Signal(), Signal(), Signal(name="active")

        # Whether it may start: its pixels are there, there is room for its result, and the reader has the time.
        missing_limit = max(p.capacity, 2 * p.image_pixels) + 1
        missing = Signal(range(-missing_limit, missing_limit), init=int(p.need[0]) + 1)  # pixels it still needs
        most = max(map(max, p.need_steps))
        step = Signal(range(most + 1))
        timer = Signal(range(p.cycles + 1))
        may_start = Signal()
        m.d.comb += [
            step.eq(piecewise_grid(row, column, p.need_steps, len(step))),
            finish.eq(active & (timer == 1)),
            may_start.eq((missing <= 0) & (~active | finish)),
            self.grant.ready.eq(may_start),
            start.eq(may_start & self.grant.valid),
        ]
        m.d.sync += missing.eq(missing - written + Mux(start, step, 0))
        with m.If(start):
            m.d.sync += [active.eq(1), timer.eq(p.cycles), column.eq(count_up(column, columns))]
            with m.If(column == columns - 1):
                m.d.sync += row.eq(count_up(row, rows))
        with m.Else():
            m.d.sync += [active.eq(active & ~finish), timer.eq(timer - 1)]

        # Room: a pixel's is free again when the last output pixel that needs it is done.
        released = Signal(range(max(map(max, p.release_steps)) + 1))
        free = Signal(range(p.capacity + p.image_pixels + 1), init=p.capacity)
        m.d.comb += self.space.valid.eq(free != 0)
        m.d.sync += free.eq(free - (self.space.valid & self.space.ready) + Mux(finish, released, 0))
        with m.If(start):
            m.d.sync += released.eq(piecewise_grid(row, column, p.release_steps, len(released)))

        # The corner's address, and from there the words of a pass.
        base, corner = Signal(range(max(2, p.depth)), init=p.base), Signal(range(max(2, p.depth)), name="corner")
        with m.If(start):
            way = Signal(len(base))
            m.d.comb += way.eq(piecewise_grid(row, column, p.base_steps, len(base)))
            m.d.sync += [base.eq(self._added(m, base, way, "base")), corner.eq(base)]
        self._words(m, copies, start, base, corner, row, column)

    def _added(self, m: Module, address: Value, way: Value, name: str) -> Value:
        """(address + way) modulo depth; both are below depth."""
        depth = self.params.depth
        if depth & (depth - 1) == 0:
            return (address + way)[: max(1, depth.bit_length() - 1)]
        total, wrapped = Signal(len(address) + 1, name=f"{name}_sum"), Signal(len(address) + 2, name=f"{name}_wrapped")
        m.d.comb += [total.eq(address + way), wrapped.eq(address + way - depth)]
        return Mux(wrapped[-1], total, wrapped)[: len(address)]

    def _words(
        self,
        m: Module,
        copies: list[memory.Memory],
        start: Value,
        base: Value,
        corner: Value,
        row: Value,
        column: Value,
    ) -> None:
        """Reads the words of every pass, and sends them."""
        p = self.params
        (down, across), (tall, wide), (y, x) = p.windows.kernel, p.tile, p.windows.dilation
        lines, groups = ceil_div(down, tall), across // wide
        reading, fetched, issue = Signal(), Signal(), Signal(name="issue")
        word, group, line = (
            Signal(range(max(2, n)), name=name)
            for n, name in ((p.round_words, "word"), (groups, "group"), (lines, "line"))
        )
        pass_left = Signal(range(max(2, p.passes)))
        address = Signal(range(max(2, p.depth)))
        last_in_line, last_in_pass, last = Signal(), Signal(), Signal(name="last")
        to_next_tap = wide * x * p.pixel_words - (p.round_words - 1)
        to_next_line = (tall * y * p.windows.image[1] - (across - wide) * x) * p.pixel_words - (p.round_words - 1)
        m.d.comb += [
            last_in_line.eq((word == p.round_words - 1) & (group == groups - 1)),
            last_in_pass.eq(last_in_line & (line == lines - 1)),
        ]
        step: Value | int = to_next_tap % p.depth
        if p.round_words > 1 and to_next_tap != 1:
            step = Mux(word == p.round_words - 1, to_next_tap % p.depth, 1)
        way = Signal(len(address))
        within = Mux(last_in_line, to_next_line % p.depth, step)
        slot: Value | None = None
        if p.groups > 1:
            span = ((lines - 1) * tall * y * p.windows.image[1] + (across - wide) * x) * p.pixel_words
            rounds = self._rounds(m, issue & last_in_pass, pass_left, back=1 - p.round_words - span)
            slot = rounds.slot
            m.d.comb += [last.eq(last_in_pass & rounds.last), way.eq(Mux(last_in_pass, rounds.way, within))]
        else:
            m.d.comb += [last.eq(last_in_pass & (pass_left == 0)), way.eq(within)]
        with m.If(issue):
            m.d.sync += [address.eq(self._added(m, address, way, "address")), word.eq(count_up(word, p.round_words))]
            with m.If(word == p.round_words - 1):
                m.d.sync += group.eq(count_up(group, groups))
            with m.If(last_in_line):
                m.d.sync += line.eq(count_up(line, lines))
            if p.groups == 1:
                with m.If(last_in_pass):
                    m.d.sync += [address.eq(corner), pass_left.eq(pass_left - 1)]
            with m.If(last):
                m.d.sync += reading.eq(0)
        with m.If(start):
            m.d.sync += [reading.eq(1), address.eq(base), pass_left.eq(p.passes - 1)]

        place = WindowRead(start=start, issue=issue, row=row, column=column, line=line, group=group)
        payload = []
        for k, storage in enumerate(copies):
            reader = storage.read_port()
            m.d.comb += [reader.addr.eq(address), reader.en.eq(issue)]
            read = reader.data if slot is None else slot_of(m, p, k, reader.data, issue, slot)
            lanes = Signal(len(read), name=f"lanes_{k}")
            m.d.comb += lanes.eq(padded(m, p, k, read, place))
            payload.append(bundled(p, lanes))
        m.submodules.narrow = narrow = Gearbox(
            in_width=p.read_bits, out_width=p.simd * p.bundle_bits, bits=p.inputs * p.bundle_bits
        )
        m.d.comb += [
            issue.eq(reading & (~fetched | narrow.i.ready)),
            narrow.i.valid.eq(fetched),
            narrow.i.payload.eq(Cat(payload)),
            narrow.o.ready.eq(1),
            self.o.valid.eq(narrow.o.valid),
            self.o.payload.eq(narrow.o.payload),
        ]
        with m.If(issue):
            m.d.sync += fetched.eq(1)
        with m.Elif(narrow.i.ready):
            m.d.sync += fetched.eq(0)

    def _rounds(self, m: Module, ends: Value, pass_left: Signal, *, back: int) -> "_Rounds":
        """Counts passes and rounds, a pass at the end of each (`ends`). `back` is the way from a pass's last address to
        its first."""
        p = self.params
        slot, round_ = Signal(range(max(2, p.slots)), name="slot"), Signal(range(max(2, p.rounds)), name="round")
        on, last_slot = Signal(), Signal(name="last_slot")
        m.d.comb += [on.eq(pass_left == 0), last_slot.eq((slot == p.slots - 1) | (round_ == p.rounds - 1))]
        with m.If(ends):
            m.d.sync += pass_left.eq(Mux(on, p.passes - 1, pass_left - 1))
            with m.If(on):
                m.d.sync += [round_.eq(count_up(round_, p.rounds)), slot.eq(Mux(last_slot, 0, slot + 1))]
        way = Mux(on & last_slot, (back + p.round_words) % p.depth, back % p.depth)
        return _Rounds(last=on & (round_ == p.rounds - 1), way=way, slot=slot)


@dataclass(frozen=True, kw_only=True)
class _Rounds:
    """The passes of all groups: whether one is the `last` of a window, the `way` from its last address to that of the
    next, and the `slot` of words that it reads."""

    last: Value
    way: Value
    slot: Value

"""The gate between the AXI4-Stream input and the accelerator: only frames of the right length pass as such."""

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import InputFormat
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.tokens import Tokens


class FrameGuard(wiring.Component):
    """Cuts an AXI4-Stream into frames of `format.beats` beats, and marks those that are not to be used.

    In the ordinary mode a packet is one frame: TLAST on its last beat, TKEEP high for exactly the frame's
    bytes. With `batch` high a packet holds any number of frames, each in whole beats; TLAST may be on any
    frame's last beat, and TKEEP of a frame's padding is not looked at.

    What leaves on `o` is always a whole number of frames, in beats whose padding is zero: a frame that ends
    early is filled up with zeros, and what exceeds a frame is swallowed up to TLAST. `verdict` is valid in the
    cycle of a frame's last beat on `o`, and says whether to drop it and whether it ended a packet. `short`,
    `long` and `keep` are high for one cycle when such an error is seen.

    A token of `space` is taken for each `token_beats` beats, by default a frame's, before the first of them; while
    there is none, TREADY is low.
    Latency: 0. Throughput: a beat a cycle, across frames too. Reset: waits for a frame's first beat.
    """

    MASKS: ClassVar[bool] = True

    def __init__(self, *, format: InputFormat, token_beats: int | None = None):
        self.format = format
        self.token_beats = format.beats if token_beats is None else token_beats
        if self.token_beats not in (1, format.beats):
            raise ValueError(f"a token is for one beat or for a frame's {format.beats}, not for {self.token_beats}")
        width = format.data_bits
        self.axis_layout = data.StructLayout({"data": width, "keep": width // 8, "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(self.axis_layout)),
                "batch": In(1),
                "space": In(Tokens),
                "o": Out(stream.Signature(width, always_ready=True)),
                "verdict": Out(stream.Signature(data.StructLayout({"drop": 1, "last": 1}), always_ready=True)),
                "short": Out(1),
                "long": Out(1),
                "keep": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.format
        all_keep = (1 << fmt.data_bits // 8) - 1
        data_bits_of_last = fmt.values * fmt.value_bits - (fmt.beats - 1) * fmt.data_bits
        last_keep = (1 << fmt.bytes - (fmt.beats - 1) * fmt.data_bits // 8) - 1
        last_mask = (1 << data_bits_of_last) - 1

        index = Signal(range(max(2, fmt.beats)))
        reserved = Signal()  # a token is in hand for the frame that `index` is in
        filling = Signal()  # the frame ended early: zeros follow
        swallowing = Signal()  # the frame is complete, the packet goes on
        faulty = Signal()  # an earlier beat of this frame had a wrong TKEEP
        beat = self.i.payload
        taken = Signal()  # a beat of a frame
        advance = Signal()  # a beat leaves
        last_beat = Signal()
        wrong_keep = Signal()
        m.d.comb += [
            last_beat.eq(index == fmt.beats - 1),
            self.i.ready.eq((reserved & ~filling) | swallowing),
            taken.eq(self.i.valid & reserved & ~filling & ~swallowing),
            advance.eq(taken | (filling & reserved)),
            self.o.valid.eq(advance),
            self.o.payload.eq(
                Mux(filling, 0, beat.data & Mux(last_beat, last_mask, (1 << fmt.data_bits) - 1))
                if self.MASKS
                else beat.data
            ),
        ]
        needed = Mux(last_beat, last_keep, all_keep)
        m.d.comb += wrong_keep.eq(
            taken & Mux(self.batch & last_beat, (beat.keep & needed) != needed, beat.keep != needed)
        )
        m.d.comb += [
            self.short.eq(taken & beat.last & ~last_beat),
            self.long.eq(taken & ~beat.last & last_beat & ~self.batch),
            self.keep.eq(wrong_keep & ~self.short),
            self.verdict.valid.eq(advance & last_beat),
            # of a frame that ends now: neither index nor valid matters, which leaves little logic
            self.verdict.payload.drop.eq(
                filling
                | faulty
                | (~self.batch & ~beat.last)
                | Mux(self.batch, (beat.keep & last_keep) != last_keep, beat.keep != last_keep)
            ),
            self.verdict.payload.last.eq(taken & beat.last),
            self.busy.eq(index != 0),
        ]
        with m.If(advance):
            m.d.sync += [index.eq(count_up(index, fmt.beats)), faulty.eq((faulty | self.keep) & ~last_beat)]
            with m.If(last_beat):
                m.d.sync += filling.eq(0)
            with m.Elif(self.short):
                m.d.sync += filling.eq(1)
        with m.If(self.long):
            m.d.sync += swallowing.eq(1)
        with m.Elif(swallowing & self.i.valid & beat.last):
            m.d.sync += swallowing.eq(0)
        self._take_tokens(m, reserved, advance & last_beat if self.token_beats > 1 else advance & 1)
        return m

    def _take_tokens(self, m: Module, reserved: Signal, used: Value) -> None:
        """Takes the next token no later than with the last beat that the one in hand is for."""
        wants = Signal(unsigned(1))
        m.d.comb += [wants.eq(~reserved | used), self.space.ready.eq(wants)]
        with m.If(wants):
            m.d.sync += reserved.eq(self.space.valid)


class UnmaskedGuard(FrameGuard):
    """A FrameGuard for readers that look at no padding and drop frames that ended early: these are what `i` had."""

    MASKS = False

"""The class of each pixel of a stream: the number of its first largest channel."""

from dataclasses import dataclass

from amaranth.hdl import C, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.numbers import NumberType
from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.scores import ArgMax, ScoreParams


@dataclass(frozen=True, kw_only=True)
class PixelClassParams:
    """The arguments of PixelClass: pixels of `channels` values of type `number` come in words of `lanes`."""

    number: NumberType
    channels: int
    lanes: int

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.channels or self.channels < 2:
            raise ValueError(f"lanes must lie in 1..channels, and channels be at least 2, not {self.lanes}")

    @property
    def words(self) -> int:
        """Words of a pixel."""
        return ceil_div(self.channels, self.lanes)

    @property
    def class_bits(self) -> int:
        """Bits of a class."""
        return (self.channels - 1).bit_length()

    @property
    def scores(self) -> ScoreParams:
        """The values as scores, for ArgMax: stored numbers, in whose order their values are."""
        least, largest = self.number.stored
        return ScoreParams(
            pe=self.lanes,
            bits=self.number.bits,
            spacing=1,
            inputs=max(0, largest),
            least=min(0, least),
            scale=(1,) * self.channels,
            offset=(0,) * self.channels,
        )

    @property
    def latency(self) -> int:
        """Cycles from a pixel's last word to its class."""
        return self.scores.argmax_latency


class PixelClass(wiring.Component):
    """The number of the first largest channel of each pixel, by the ArgMax that chooses the class of a frame.

    `i` brings pixels in words of `lanes` values, channel 0 first, at any pace; lanes beyond a pixel's last channel may
    hold anything. `o` has a word a pixel, of `class_bits` bits.

    Latency: `latency` cycles from a pixel's last word to `o`. Throughput: a word a cycle. Reset: at a pixel's first
    word. Cost: that of ArgMax.
    """

    def __init__(self, *, params: PixelClassParams):
        self.params = params
        super().__init__(
            {
                "i": In(stream.Signature(params.lanes * params.number.bits, always_ready=True)),
                "o": Out(stream.Signature(params.class_bits, always_ready=True)),
            }
        )

    @property
    def latency(self) -> int:
        return self.params.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, scores = self.params, self.params.scores
        m.submodules.largest = largest = ArgMax(params=scores)
        used = p.channels - (p.words - 1) * p.lanes
        last = Signal()
        if p.words > 1:
            word = Signal(range(p.words))
            with m.If(self.i.valid):
                m.d.sync += word.eq(count_up(word, p.words))
            m.d.comb += last.eq(word == p.words - 1)
        for lane in range(p.lanes):
            value = self.i.payload[lane * p.number.bits : (lane + 1) * p.number.bits]
            number = value.as_signed() if p.number.signed else value
            if lane >= used:  # never above what there is, and behind it
                number = Mux(last, C(scores.lowest, largest.i.payload[lane].shape()), number)
            m.d.comb += largest.i.payload[lane].eq(number)
        m.d.comb += [
            largest.i.valid.eq(self.i.valid),
            self.o.valid.eq(largest.o.valid),
            self.o.payload.eq(largest.o.payload),
        ]
        return m

"""The source: beats to the pixels of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.framing import InputFormat
from bitwright_core.network import Network
from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts
from bitwright_hw.encoder import values_in
from bitwright_hw.encoder_counts import source_table_counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.gearbox import gearbox_counts, shift_params
from bitwright_hw.marked_graph import Actor, Link
from bitwright_hw.pixel_source import DEPTH, PixelSource, SourceParams
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Index, Stage, Timing, Words, feed
from bitwright_hw.window_params import storage_lanes

AROUND = 8  # beats that lie around its memory


@dataclass(frozen=True, kw_only=True)
class SourceStage(Stage):
    """Keeps DEPTH beats, and gives pixels: takes a token for each, with its first word."""

    params: SourceParams

    def component(self, rows: RowPool) -> PixelSource:
        return PixelSource(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, PixelSource)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        """Two actors, that which puts beats into the gearbox and that which gives its words; one where it is a wire."""
        p = self.params
        (beats,) = words
        every = np.arange(p.beats, dtype=np.int64)
        entering = self.name
        if not self._is_wire:
            entering = f"{self.name} beats"
            timing.actors.append(Actor(name=entering, firings=p.beats, cycles=1))
        waiting = Link(
            name=f"{self.name} memory",
            giver=beats.actor,
            taker=entering,
            takes=beats.takes,
            makes=beats.makes,
            delay=int(beats.after[-1]),
            need=every,
            oldest=np.arange(p.beats + 1, dtype=np.int64),
            handover=0,
            capacity=DEPTH,
        )
        timing.links.append(waiting)
        timing.actors.append(Actor(name=self.name, firings=p.words, cycles=1, burst=p.pixel_words))
        if not self._is_wire:
            completing, left = self._gearbox
            shifted = Link(
                name=f"{self.name} gearbox",
                giver=entering,
                taker=self.name,
                takes=every,
                makes=every,
                delay=0,
                need=completing,
                oldest=np.append(completing, p.beats),
                handover=-1,
                room=left - 1,
            )
            timing.links.append(shifted)
        first = np.arange(p.pixels, dtype=np.int64) * p.pixel_words
        after = np.arange(1 - p.pixel_words, 1, dtype=np.int64)
        return Words(actor=self.name, takes=first, makes=first + p.pixel_words - 1, after=after, by_pixel=True, late=1)

    @property
    def _widths(self) -> tuple[int, int]:
        """Bits of a beat, and of a word before the tables."""
        return self.params.beat_lanes * self.params.lane_bits, self.params.width * self.params.lane_bits

    @property
    def _is_wire(self) -> bool:
        return self._widths[0] == self._widths[1]

    @property
    def _gearbox(self) -> tuple[Index, Index]:
        """The beat that completes each word; how many words must have left before each beat enters."""
        p = self.params
        in_width, out_width = self._widths
        beats, words = np.arange(p.beats, dtype=np.int64), np.arange(p.words, dtype=np.int64)
        if out_width % in_width == 0:
            ratio = out_width // in_width
            return np.minimum((words + 1) * ratio, p.beats) - 1, beats // ratio
        if in_width % out_width == 0:
            ratio = in_width // out_width
            return words // ratio, beats * ratio
        box = shift_params(in_width, out_width, p.pixels * p.channels * p.lane_bits)
        units = (beats + 1) * box.step
        units[-1] = p.words * box.out_step
        return np.searchsorted(units, (words + 1) * box.out_step), np.maximum(
            0, -((box.capacity - units) // box.out_step)
        )

    def cost(self, costs: Costs) -> Counts:
        p = self.params
        beat, word = self._widths
        total = Counts(luts=costs.source, ffs=20) + costs.register_file(beat, DEPTH)
        total += gearbox_counts(beat, word, p.pixels * p.channels * p.lane_bits, costs, flowing=True)
        if p.tables:
            total += source_table_counts(p, costs)
        return total

    @property
    def frames_ahead(self) -> int:
        return ceil_div(DEPTH + AROUND, self.params.beats) + 2


def source_params(network: Network, format: InputFormat, *, simd: int | None, interval: int) -> SourceParams:
    """The source of a network that begins with images.

    Its words have as many lanes as a convolution that takes the image with `simd` lanes reads at a time, or more if
    that takes longer than `interval`; all channels where a pool takes it (None).
    """
    height, width, channels = network.encoded_edge.shape
    tables: tuple[tuple[int, ...], ...] = ()
    out_bits = 1
    if network.encoding.tables is not None:
        tables, out_bits = tuple(map(tuple, network.encoding.tables.tolist())), network.encoding.number.bits
    lanes = channels
    if simd is not None:
        lanes = storage_lanes(channels, max(min(channels, simd), ceil_div(height * width * channels, interval)))
    return SourceParams(
        beat_lanes=values_in(format) * (1 if tables or format.encoded else network.encoding.levels),
        lane_bits=format.value_bits if tables else 1,
        pixels=height * width,
        channels=channels,
        width=lanes,
        tables=tables,
        out_bits=out_bits,
    )

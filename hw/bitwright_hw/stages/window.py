"""The window unit in front of a convolution, or of a pool whose windows overlap in the padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import MatrixLayer, Windows
from bitwright_core.plan import Fold, ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.gearbox import gearbox_counts, gearbox_times
from bitwright_hw.marked_graph import Actor, Link
from bitwright_hw.rom import ram_counts
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words, feed
from bitwright_hw.window import Window
from bitwright_hw.window_params import WindowParams

SLACK = 2  # pixels beyond what the schedule asks for
HANDOVER = 1  # cycles from the end of an output pixel until the pixels that nobody needs any more have given their room
ON_THE_WAY = 8  # cycles that words are in gearboxes and memories around it


@dataclass(frozen=True, kw_only=True)
class WindowStage(Stage):
    """Keeps pixels in line buffers; takes a token for each output pixel and sends its window.

    `around` is how long words and pixels are on their way beside it, in pools in front and in the engine behind.
    """

    params: WindowParams
    around: int = 0

    def component(self, rows: RowPool) -> Window:
        return Window(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, Window)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        w = self.params
        pixels, made = w.windows.pixels, words[0]
        widths = w.in_width * w.lane_bits, w.storage_lanes * w.lane_bits, w.channels * w.lane_bits
        timing.actors.append(Actor(name=self.name, firings=pixels, cycles=w.cycles))
        lines = Link(
            name=self.name,
            giver=made.actor,
            taker=self.name,
            takes=made.takes,
            makes=made.makes,
            delay=gearbox_times(made.after.tolist(), *widths)[-1],
            late=made.late,
            need=w.need,
            oldest=w.oldest,
            handover=HANDOVER,
            least=w.least_capacity,
            slack=SLACK,
        )
        timing.links.append(lines)
        every = np.arange(pixels, dtype=np.int64)
        after = np.arange(w.latency, w.latency + w.cycles, dtype=np.int64)
        return Words(actor=self.name, takes=every, makes=every, after=after, by_pixel=True)

    def sized(self, capacity: int) -> Self:
        return replace(self, params=replace(self.params, capacity=capacity))

    def expected(self, filled: int, interval: int) -> Self:
        """Two frames lie in it for a moment, each with the rows that its windows need."""
        return self.sized(2 * self.params.least_capacity + SLACK)

    def cost(self, costs: Costs) -> Counts:
        """Line buffers, addresses and counters, and the gearboxes around them."""
        window, bits = self.params, counter_bits
        width = window.storage_lanes * window.lane_bits
        address, cycles = bits(window.depth), window.cycles.bit_length()
        counters = bits(window.image_pixels) + bits(window.capacity) + cycles + bits(window.windows.pixels)
        control = costs.window
        each = control.address if window.depth & (window.depth - 1) == 0 else control.odd_address
        total = Counts(
            luts=round(control.base + control.counter * counters + each * address),
            ffs=2 * counters + 3 * address + window.read_bits,
        )
        writers = (window.writers - 1) * (address + 2)
        total += Counts(luts=writers + address, ffs=window.copies * address)
        if any(window.windows.padding):
            total += Counts(luts=window.read_bits // 2 + 16, ffs=sum(window.windows.kernel) + 1)
        if window.slots > 1:  # three more slots a LUT
            total += Counts(luts=ceil_div(window.read_bits * (window.slots - 1), 3), ffs=2 * counter_bits(window.slots))
        for _ in range(window.copies):
            total += ram_counts(width, window.depth, costs)
        total += gearbox_counts(window.in_width * window.lane_bits, width, window.channels * window.lane_bits, costs)
        return total + gearbox_counts(
            window.read_bits,
            window.simd * window.bundle_bits,
            window.inputs * window.bundle_bits,
            costs,
            flowing=True,
        )

    @property
    def keeps(self) -> bool:
        return True

    @property
    def frames_ahead(self) -> int:
        """The frames of a line buffer whose last output pixel is not done, so all pixels between are kept."""
        w = self.params
        frame = w.cycles * w.windows.pixels
        return ceil_div(w.capacity, w.image_pixels) + 1 + ceil_div(self.around + ON_THE_WAY, frame) + 1


def window_params(layer: MatrixLayer, windows: Windows, fold: Fold, in_width: int) -> WindowParams:
    """The window unit of `layer`, folded so, for words of `in_width` lanes; its capacity is still to be found."""
    return WindowParams(
        windows=windows,
        channels=layer.channels,
        in_width=in_width,
        simd=fold.simd,
        passes=max(1, fold.neuron_folds // fold.groups) * fold.plane_products,
        groups=fold.groups,
        groups_at_once=fold.groups_at_once,
        capacity=1,
        lane_bits=layer.takes.bits,
        padding_lane=layer.padding_lane,
    )

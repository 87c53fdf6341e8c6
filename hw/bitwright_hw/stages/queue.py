"""The frame queue in front of a dense layer's engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import gearbox_counts, gearbox_times
from bitwright_hw.marked_graph import Actor, Link
from bitwright_hw.rom import ram_counts
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Verdict, Words, feed

MIN_BANKS = 2
HANDOVER = 3  # cycles from a frame's last read until its bank is taken again: release, token, and one to spare
START = 1  # cycles from a frame's last word to the start of its reading at the earliest


def queue_counts(*, in_width: int, out_width: int, bits: int, banks: int, repeats: int, costs: Costs) -> Counts:
    """A FrameQueue: the buffer and the gearboxes around it."""
    width = max(in_width, out_width)
    words = ceil_div(bits, width)
    depth = banks * words
    counters = 4 * counter_bits(depth) + 2 * counter_bits(words) + counter_bits(repeats) + 2 * banks.bit_length()
    total = Counts(luts=round(costs.queue.at(counters)), ffs=counters + width + 2)
    total += ram_counts(width, depth, costs)
    total += gearbox_counts(in_width, width, bits, costs)
    return total + gearbox_counts(width, out_width, bits, costs)


def banks_for(loop: int, interval: int) -> int:
    """Frames that a queue holds, where `loop` cycles lie between a frame's token and the next one in its bank."""
    return max(MIN_BANKS, ceil_div(loop, interval))


@dataclass(frozen=True, kw_only=True)
class QueueStage(Stage):
    """Keeps whole frames; takes a token for each and sends it `repeats` times. The arguments of FrameQueue."""

    in_width: int
    out_width: int
    bits: int
    repeats: int
    banks: int = MIN_BANKS

    def component(self, rows: RowPool) -> FrameQueue:
        return FrameQueue(
            in_width=self.in_width,
            out_width=self.out_width,
            bits=self.bits,
            banks=self.banks,
            repeats=self.repeats,
        )

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, FrameQueue)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant, unit.o.ready)

    @property
    def cycles(self) -> int:
        """Words of a frame, with all repeats."""
        return ceil_div(self.bits, self.out_width) * self.repeats

    def loop(self, filled: int) -> int:
        """Cycles of a bank's round trip, for a frame whose last word is written `filled` cycles after its token."""
        return filled + START + self.cycles + HANDOVER

    def expected(self, filled: int, interval: int) -> Self:
        widened = int(self.in_width < self.out_width)
        return self.sized(banks_for(self.loop(filled + widened), interval))

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        frame = words[0].whole()
        width = max(self.in_width, self.out_width)
        widened = gearbox_times(range(words[0].count), self.in_width, width, self.bits)[-1] - (words[0].count - 1)
        timing.actors.append(Actor(name=self.name, firings=1, cycles=self.cycles))
        none = np.zeros(1, np.int64)
        banks = Link(
            name=self.name,
            giver=frame.actor,
            taker=self.name,
            takes=frame.takes,
            makes=frame.makes,
            delay=int(frame.after[-1]) + widened,
            late_firings=1 if frame.by_pixel else 0,  # the token of a frame's first pixel may come a pixel early
            need=none,
            oldest=np.arange(2, dtype=np.int64),
            handover=HANDOVER,
            least=MIN_BANKS,
        )
        timing.links.append(banks)
        first = FrameBuffer.LATENCY - START + (1 if self.out_width < width else 0)
        return Words(actor=self.name, takes=none, makes=none, after=first + np.arange(self.cycles, dtype=np.int64))

    def sized(self, capacity: int) -> Self:
        return replace(self, banks=capacity)

    def cost(self, costs: Costs) -> Counts:
        return queue_counts(
            in_width=self.in_width,
            out_width=self.out_width,
            bits=self.bits,
            banks=self.banks,
            repeats=self.repeats,
            costs=costs,
        )

    @property
    def frames(self) -> int:
        return self.banks

    @property
    def drops_frames(self) -> bool:
        return True

    def verdict(self, unit: wiring.Component | None, k: int) -> Verdict:
        assert isinstance(unit, FrameQueue)
        return Verdict(unit.done, unit.drop)

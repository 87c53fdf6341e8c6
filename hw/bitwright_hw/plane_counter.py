"""Where a word stands in a pass of a plane-serial engine."""

from itertools import pairwise
from typing import TypeVar

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bitwright_core.plan import Fold, ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_buffer import count_up
from bitwright_hw.piecewise import piecewise
from bitwright_hw.plane_order import PlaneOrder


class PlaneCounter(wiring.Component):
    """Counts the words of an engine, which come product after product: the window's words for the first product of
    planes (`order.steps`), for the second, and so on, and all of that for each pass.

    Everything is for the word that is there, and moves on with `step`: the number of its `product`; the `address` of
    its weights, whose memory has for each pass the window's words of the lowest plane, then of the next; whether it is
    the `last` of a pass; whether it is the last that needs the preload (`fed`); and, for the row, `double`, `flip` and
    `turn` (see SerialRow).

    Latency: none. Throughput: a word a cycle. Reset: at the first word of a pass 0.
    """

    def __init__(self, *, order: PlaneOrder, fold: Fold):
        self.order = order
        self.fold = fold
        super().__init__(
            {
                "step": In(1),
                "product": Out(range(max(2, len(order.steps)))),
                "address": Out(range(max(2, fold.weight_words))),
                "last": Out(1),
                "fed": Out(1),
                "double": Out(1),
                "flip": Out(1),
                "turn": Out(range(max(2, order.doublings))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps, words, depth = self.order.steps, self.fold.synapse_folds, self.fold.weight_words
        planes = [step.product.w for step in steps]
        word = Signal(range(max(2, words)))
        product = Signal(len(self.product), name="at")
        last_word, last_product = Signal(), Signal(name="last_product")
        m.d.comb += [
            self.product.eq(product),
            last_word.eq(word == words - 1),
            last_product.eq(product == len(steps) - 1),
            self.last.eq(last_word & last_product),
            self.fed.eq(last_word & (product == self.order.fed)),
        ]
        with m.If(self.step):
            m.d.sync += word.eq(count_up(word, words))
            with m.If(last_word):
                m.d.sync += product.eq(count_up(product, len(steps)))
        for signal, values in (
            (self.double, [step.doubles for step in steps]),
            (self.flip, [step.flips for step in steps]),
        ):
            places = [k for k, value in enumerate(values) if value]
            if places:
                chosen = Signal(name=f"{signal.name}s")
                with m.Switch(product), m.Case(*places):
                    m.d.comb += chosen.eq(1)
                m.d.comb += signal.eq(last_word & chosen)
        m.d.comb += self.turn.eq(piecewise(product, [step.turn for step in steps], len(self.turn)))
        if depth == 1:
            return m

        # behind a product's last word comes the first of the next one's plane; behind the last product that of a pass
        address = Signal(range(depth), name="place", init=planes[0] * words)
        m.d.comb += self.address.eq(address)
        ways = [(after - plane) * words - (words - 1) for plane, after in pairwise(planes)]
        ways.append((self.fold.planes[1] + planes[0] - planes[-1]) * words - (words - 1))
        way, following = Signal(len(address)), Signal(len(address), name="following")
        m.d.comb += [
            way.eq(piecewise(product, [step % (1 << len(address)) for step in ways], len(address))),
            following.eq(address + Mux(last_word, way, 1)),
        ]
        around = Signal()
        m.d.comb += around.eq(self.last & (address == depth - 1 - (self.fold.planes[1] - 1 - planes[-1]) * words))
        with m.If(self.step):
            m.d.sync += address.eq(Mux(around, planes[0] * words, following))
        return m


def plane_counts(order: PlaneOrder, fold: Fold, costs: Costs) -> Counts:
    """What an engine takes beside its rows: a PlaneCounter, and what chooses the plane of each lane."""
    word, product, address = (counter_bits(n) for n in (fold.synapse_folds, len(order.steps), fold.weight_words))
    chosen = fold.word_lanes * chosen_lane_luts(fold.planes[0], costs)
    return Counts(luts=plane_counter_luts(order, address) + chosen, ffs=word + product + address)


AddressBits = TypeVar("AddressBits", int, NDArray[np.int64])


def plane_counter_luts(order: PlaneOrder, address: AddressBits) -> AddressBits:
    """LUTs of a PlaneCounter of so many bits of address beside the counters that every engine has: an adder and its
    choices, and what depends on the product."""
    return 2 * address + counter_bits(len(order.steps)) + 4


def chosen_lane_luts(planes: int, costs: Costs) -> int:
    """LUTs that choose one bit of `planes`."""
    return ceil_div(planes, 4) if costs.lut_inputs >= 6 else planes - 1

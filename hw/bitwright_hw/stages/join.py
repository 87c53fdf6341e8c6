"""Where values meet: units of several streams, pixels or frames, brought together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import JoinRule
from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.gearbox import gearbox_times
from bitwright_hw.join import Join, JoinInput, JoinParams
from bitwright_hw.marked_graph import Actor, Link
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.queue import queue_counts
from bitwright_hw.stages.stage import Giver, Stage, Timing, Verdict, Words

if TYPE_CHECKING:
    from bitwright_hw.stage_graph import Stream

SLACK = 1  # units beyond what the schedule asks for
HANDOVER = 1  # cycles from the last word of an input that is read until its room may be taken again
ON_THE_WAY = 8  # cycles that words are in gearboxes and memories around it


@dataclass(frozen=True, kw_only=True)
class JoinStage(Stage):
    """Keeps what comes of each input until there is some of all; takes a token for each unit that it gives.

    A unit is a pixel, `pixels` of them a frame, or a whole frame where `pixels` is None. `before` are the stages that
    the words of each input pass first, none where it is empty.
    """

    params: JoinParams
    pixels: int | None
    before: tuple[tuple[Stage, ...], ...] = ()

    def component(self, rows: RowPool) -> Join:
        return Join(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, Join)
        for k, given in enumerate(givers):
            giver = given
            for stage in self._before(k):
                part = stage.component(RowPool())
                m.submodules[f"{self.name}_{stage.name}_{k}"] = part
                giver = stage.connect(m, part, [giver])
            i = getattr(unit, f"i_{k}")
            m.d.comb += [i.valid.eq(giver.valid), i.payload.eq(giver.payload)]
            wiring.connect(m, giver.grant, getattr(unit, f"space_{k}"))
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        """A firing for each unit, which needs that of every input."""
        p, units = self.params, self.pixels or 1
        timing.actors.append(Actor(name=self.name, firings=units, cycles=p.words))
        every = np.arange(units, dtype=np.int64)
        for k, (each, given) in enumerate(zip(p.inputs, words, strict=True)):
            made = given
            for stage in self._before(k):
                made = stage.times(timing, [made])
            parts = self.pixels is None and made.by_pixel  # an image as a frame: its words come by pixels
            if parts:
                order = gearbox_times(range(made.count), each.in_width, each.out_width, each.bits)
                delay = int(made.after[-1]) + order[-1] - (made.count - 1)
                made = made.whole()
            else:
                delay = gearbox_times(made.after.tolist(), each.in_width, each.out_width, each.bits)[-1]
            link = Link(
                name=self._room(k),
                giver=made.actor,
                taker=self.name,
                takes=made.takes,
                makes=made.makes,
                delay=delay,
                late=made.late,
                late_firings=1 if parts else 0,  # the token of a frame's first pixel may come a pixel early
                need=every,
                oldest=np.arange(units + 1, dtype=np.int64),
                handover=HANDOVER + p.offset(k) + each.words - p.words,
                slack=SLACK,
            )
            timing.links.append(link)
        after = Join.LATENCY + np.arange(p.words, dtype=np.int64)
        return Words(actor=self.name, takes=every, makes=every, after=after, by_pixel=self.pixels is not None)

    def _before(self, k: int) -> tuple[Stage, ...]:
        """The stages that the words of input k pass first."""
        return self.before[k] if self.before else ()

    def _room(self, k: int) -> str:
        """The name of the room of input k."""
        return f"{self.name} {k}"

    def roomed(self, capacities: Mapping[str, int]) -> Self:
        inputs = tuple(replace(each, capacity=capacities[self._room(k)]) for k, each in enumerate(self.params.inputs))
        return replace(self, params=replace(self.params, inputs=inputs))

    def cost(self, costs: Costs) -> Counts:
        """A queue for each input, and whose turn it is; and what its words pass first."""
        p = self.params
        total = Counts(luts=len(p.inputs) + counter_bits(p.words), ffs=counter_bits(p.words))
        for stages in self.before:
            for stage in stages:
                total += stage.cost(costs)
        if not p.beside:
            total += Counts(luts=ceil_div(p.out_width * len(p.inputs), 3))
        for each in p.inputs:
            total += queue_counts(
                in_width=each.in_width,
                out_width=each.out_width,
                bits=each.bits,
                banks=each.capacity,
                repeats=1,
                costs=costs,
            )
        return total

    @property
    def _most(self) -> int:
        return max(each.capacity for each in self.params.inputs)

    @property
    def keeps(self) -> bool:
        return True

    @property
    def frames_ahead(self) -> int:
        if self.pixels is None:
            return 0
        frame = self.pixels * self.params.words
        return ceil_div(self._most, self.pixels) + 1 + ceil_div(ON_THE_WAY, frame) + 1

    @property
    def frames(self) -> int:
        return self._most if self.pixels is None else 0

    @property
    def drops_frames(self) -> bool:
        return self.pixels is None

    def verdict(self, unit: wiring.Component | None, k: int) -> Verdict:
        assert isinstance(unit, Join)
        return Verdict(getattr(unit, f"done_{k}"), getattr(unit, f"drop_{k}"))


def join_params(rule: JoinRule, streams: Sequence["Stream"], interval: int) -> JoinParams:
    """A join of these streams that takes at most `interval` cycles a frame, or a cycle a unit where it has to."""
    least = max(min(stream.lanes, stream.size) for stream in streams)
    units = rule.pixels or 1
    if rule.beside:
        return _params(streams, [least] * len(streams), beside=True)
    common = gcd(*rule.sizes[:-1])
    for lanes in range(least, common + 1):
        words = sum(ceil_div(size, lanes) for size in rule.sizes)
        if common % lanes == 0 and words * units <= interval:
            return _params(streams, [lanes] * len(streams), beside=False)
    return _params(streams, rule.sizes, beside=True)


def _params(streams: Sequence["Stream"], lanes: Sequence[int], *, beside: bool) -> JoinParams:
    inputs = tuple(
        JoinInput(
            in_width=min(stream.lanes, stream.size) * stream.lane_bits,
            out_width=count * stream.lane_bits,
            bits=stream.size * stream.lane_bits,
            capacity=1,
        )
        for stream, count in zip(streams, lanes, strict=True)
    )
    return JoinParams(inputs=inputs, beside=beside)

"""The end of a classifier: scores, the class, and results that wait for the output stream."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.design import ScoreProbe
from bitwright_core.framing import OutputFormat
from bitwright_core.loading import LoadMemory, score_constants, score_widths
from bitwright_core.network import MatrixLayer, Scores, Votes
from bitwright_core.plan import Fold
from bitwright_hw.banked_memory import share
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.credit_fifo import memory_words
from bitwright_hw.engine_numbers import accumulator_bits, count_range
from bitwright_hw.families.costs import Costs
from bitwright_hw.marked_graph import Actor, Link
from bitwright_hw.memory_contents import Contents
from bitwright_hw.results import ResultQueue
from bitwright_hw.scores import ArgMax, ScoreParams, ScoreUnit
from bitwright_hw.stages.queue import MIN_BANKS
from bitwright_hw.stages.stage import Giver, Stage, Timing, WayOut, Words

HANDOVER = 4  # cycles from a result's last beat until its room is taken again: release, token, and two to spare
START = 1  # cycles from a class to the start of its result at the earliest


def score_params(layer: MatrixLayer, fold: Fold) -> ScoreParams:
    """The scores of a last layer that is folded so. Raises TypeError for one that gives bits.

    Votes are scores of activations: votes_c times the bit.
    """
    if isinstance(layer.output, Votes):
        votes = tuple(layer.output.votes.tolist())
        return ScoreParams(
            pe=fold.pe,
            bits=1,
            spacing=fold.pass_words,
            inputs=1,
            scale=votes,
            offset=(0,) * len(votes),
            widths=score_widths(layer) if fold.loadable else None,
        )
    if not isinstance(layer.output, Scores):
        raise TypeError(f"layer {layer.name} gives bits, not scores")
    least, largest = count_range(layer, fold)
    return ScoreParams(
        pe=fold.pe,
        bits=accumulator_bits(layer, fold),
        spacing=fold.pass_words,
        inputs=largest,
        least=least,
        scale=tuple(layer.output.scale.tolist()),
        offset=tuple(layer.output.offset.tolist()),
        widths=score_widths(layer) if fold.loadable else None,
    )


@dataclass(frozen=True, kw_only=True)
class ClassStage(Stage):
    """Keeps results; takes no token, and sends each as its scores, if `format` says so, and its class.

    `counts` tells that scores are counts as they come, none below 0.
    """

    params: ScoreParams
    format: OutputFormat
    slots: int = MIN_BANKS
    layer: str = ""  # whose constants are loaded, if they are
    counts: bool = False

    @property
    def loads(self) -> tuple[LoadMemory, ...]:
        if self.params.widths is None:
            return ()
        contents = self.params.contents
        return (LoadMemory(layer=self.layer, part="scores", width=contents.width, depth=contents.depth),)

    def load_contents(self, layer: MatrixLayer) -> list[Contents]:
        scale, offset = (tuple(each.tolist()) for each in score_constants(layer))
        return [replace(self.params, scale=scale, offset=offset).contents]

    @property
    def probe(self) -> ScoreProbe | None:
        """Where a bench sees the scores, and how they lie there."""
        p = self.params
        return ScoreProbe(valid="core.scores.o__valid", data="core.scores.o__payload", lanes=p.lanes, bits=p.score_bits)

    @property
    def decision(self) -> int:
        """Cycles from a frame's last counts to its class: the scores of a word follow each other."""
        return ScoreUnit.LATENCY + self.params.steps - 1 + self.params.argmax_latency

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        return givers[0]

    def finish(self, m: Module, unit: wiring.Component | None, giver: Giver, way_out: WayOut) -> None:
        """Connects counts to the output stream."""
        loaded = self.loads[0] if self.loads else None
        m.submodules.scores = scores = ScoreUnit(params=self.params, loaded=loaded)
        if way_out.load is not None:
            share(m, way_out.load, [scores.load])
        m.submodules.argmax = argmax = ArgMax(params=self.params)
        m.submodules.results = results = ResultQueue(params=self.params, slots=self.slots, scores=self.format.scores)
        m.d.comb += [scores.i.valid.eq(giver.valid), scores.i.payload.as_value().eq(giver.payload)]
        wiring.connect(m, argmax.o, results.klass)
        for sink in (argmax.i, results.score):
            m.d.comb += [sink.valid.eq(scores.o.valid), sink.payload.eq(scores.o.payload.as_value())]
        wiring.connect(m, giver.grant, results.space)
        m.d.comb += [
            results.tag.valid.eq(way_out.tags.r_rdy),
            results.tag.payload.eq(way_out.tags.r_data),
            way_out.tags.r_en.eq(results.tag.ready),
            way_out.finished.eq(results.tag.ready),
        ]
        wiring.connect(m, results.o, wiring.flipped(way_out.o))

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        frame = words[0].whole()
        none = np.zeros(1, np.int64)
        timing.actors.append(Actor(name=self.name, firings=1, cycles=self.format.beats))
        slots = Link(
            name=self.name,
            giver=frame.actor,
            taker=self.name,
            takes=frame.takes,
            makes=frame.makes,
            delay=int(frame.after[-1]) + self.decision,
            need=none,
            oldest=np.arange(2, dtype=np.int64),
            handover=HANDOVER,
            least=MIN_BANKS,
        )
        timing.links.append(slots)
        after = ResultQueue.LATENCY - START + np.arange(self.format.beats, dtype=np.int64)
        return Words(actor=self.name, takes=none, makes=none, after=after)

    def sized(self, capacity: int) -> Self:
        return replace(self, slots=capacity)

    def cost(self, costs: Costs) -> Counts:
        """Scores, class and results, whatever the room for them where scores are no counts."""
        if self.counts:
            return count_costs(self.params, costs, slots=self.slots, sent=self.format.scores)
        return score_counts(self.params, costs, sent=self.format.scores)

    @property
    def frames(self) -> int:
        return self.slots


def score_counts(scores: ScoreParams, costs: Costs, *, sent: bool) -> Counts:
    """ScoreUnit, ArgMax and ResultQueue; `sent` if scores go out."""
    held = scores.pe * scores.bits
    size = scores.score_bits
    scale_bits = max(scores.scale).bit_length()
    dsp = costs.multipliers and scale_bits > 1 and scale_bits + scores.bits >= 9
    shift = held * 0.7 if scores.steps > 1 else 0
    constants = scores.lanes * (scale_bits + size) * (1 if scores.words > 4 else 0.4)
    argmax = (scores.lanes - 1) * 1.5 * size + 1.5 * size
    luts = shift + constants + argmax + (0 if dsp else scores.lanes * prod((scale_bits, scores.bits)))
    results = 60 if sent else 12
    each = costs.scores
    return Counts(
        luts=round(each.logic * luts + each.lane_bit * scores.lanes * size + each.results * results),
        ffs=held + round(3.2 * scores.lanes * size),
        lutram=(8 if sent else 4) if costs.lut_memories else 0,
        dsps=scores.lanes if dsp else 0,
    )


def count_costs(scores: ScoreParams, costs: Costs, *, slots: int, sent: bool) -> Counts:
    """The same where scores are counts: their sign bit never changes, and is nowhere; none is multiplied."""
    cost, bits = costs.counts, scores.bits - 1
    luts = cost.base + cost.klass * scores.class_bits + cost.slot * (counter_bits(memory_words(slots)) - 1)
    luts += cost.merge * (scores.lanes - 1) * bits
    if scores.steps > 1:
        luts += cost.held * scores.pe * bits
    lutram = (8 if sent else 4) if costs.lut_memories else 0
    if sent:
        width, words = scores.lanes * scores.score_bits, slots * scores.words
        luts += cost.sent + cost.sent_word * counter_bits(words) + (cost.sent_bit * width if scores.lanes > 1 else 0)
        luts += costs.buffer(width, words).luts
    ffs = scores.pe * scores.bits + round(3.2 * scores.lanes * scores.score_bits)
    return Counts(luts=round(luts), ffs=ffs, lutram=lutram)

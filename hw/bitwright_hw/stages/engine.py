"""What the stages of all engines have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from amaranth.hdl import Module, Value
from amaranth.lib import stream

from bitwright_core.network import MatrixLayer
from bitwright_core.plan import Fold
from bitwright_hw.engine_numbers import accumulator_bits
from bitwright_hw.families import Family
from bitwright_hw.memory_places import Place
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words
from bitwright_hw.timing import Pipeline


@dataclass(frozen=True, kw_only=True)
class EngineStage(Stage):
    """Computes `layer`: takes words as they come, and never makes who gives them wait.

    After each pass it gives the results of `fold.pe` rows: activations, or counts of a layer of scores.
    """

    layer: MatrixLayer
    fold: Fold
    family: Family
    pipeline: Pipeline

    @property
    def latency(self) -> int:
        """Cycles from a pass's last word to its results."""
        raise NotImplementedError

    @property
    def weights_in(self) -> Place | Literal["logic"]:
        """Where the weights lie, as manifests say it."""
        raise NotImplementedError

    @property
    def joins(self) -> bool:
        """Whether it takes the words of another such engine as they come, without a queue."""
        return False

    @property
    def bits(self) -> int:
        """Width of its accumulators, whose values are what its probe shows."""
        return accumulator_bits(self.layer, self.fold)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        fold, (given,) = self.fold, words
        return replace(given, after=given.after[fold.pass_words - 1 :: fold.pass_words] + self.latency)

    @property
    def frames(self) -> int:
        return 1


def give_words(m: Module, giver: Giver, i: stream.Interface) -> None:
    """Words to the port `i` of an engine."""
    m.d.comb += [i.valid.eq(giver.valid), i.payload.eq(giver.payload)]
    if giver.ready is not None:
        m.d.comb += giver.ready.eq(1)


def results(valid: Value, activations: Value | None, counts: Value, giver: Giver) -> Giver:
    """What an engine gives: activations, or counts where it has none; tokens pass it."""
    return Giver(valid, counts if activations is None else activations, giver.grant)

"""A layer's folds and memories, and those among them that a plan may want."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import Fold, Memory, Plan, Planes, ceil_div, distinct_folds, fold_of, row_choices
from bitwright_hw.engine_numbers import Matrix
from bitwright_hw.engines.folded_costs import engine_costs
from bitwright_hw.families.costs import Costs
from bitwright_hw.stages.classes import score_counts, score_params

NEAR = 40  # choices of a layer that are kept beside its front
MOST_LANES = 3  # of a convolution's fold, times what the interval asks for


@dataclass(frozen=True)
class Choice:
    """A layer's fold and memory, and what its engine takes (and the scores behind a last layer's)."""

    fold: Fold
    memory: Memory
    luts: int
    block_rams: float


class LayerChoices:
    """The choices of `layer`, for each interval those that no other beats in LUTs and blocks, or that come near.

    `scored` says that what makes scores of its results counts with it; `planes` are as in plans. `done(n, total)` tells
    how far the table of all choices is.
    """

    def __init__(
        self,
        layer: Matrix,
        options: Plan,
        *,
        costs: Costs,
        scored: bool,
        planes: Planes = "parallel",
        done: Callable[[int, int], None] = lambda done, total: None,
    ):
        self.layer = layer
        self.options = options
        self.costs = costs
        self.scored = scored
        self.planes: Planes = planes
        self.done = done
        self.pes = [pe for passes in distinct_folds(layer.outputs) for pe in _sizes(layer.outputs, passes)]
        if layer.groups > 1:
            self.pes = row_choices(layer.outputs, layer.groups)
        self.simds = [simd for words in distinct_folds(layer.inputs) for simd in _sizes(layer.inputs, words)]

    def within(self, interval: int) -> list[Choice]:
        """The front of those of at most `interval` cycles, then the NEAR next to it.

        Empty where not even one cycle a pixel is that short.
        """
        cycles, _, _, _, luts, _ = self._every
        layer = self.layer
        kept = cycles <= interval
        if layer.pixels > 1:
            # the most cycles that a fold may have, or more where not even one cycle a pixel is that short
            least = max(layer.pixels, min(interval, layer.weight_bits * layer.pixels))
            kept &= MOST_LANES * cycles >= least
        places = np.flatnonzero(kept)
        mine = luts[places]
        if not len(mine):
            return []
        before = np.append(np.iinfo(np.int64).max, np.minimum.accumulate(mine)[:-1])
        front = mine < before
        beside = np.flatnonzero(~front)
        near = beside[np.argsort((mine - before)[beside], kind="stable")[:NEAR]]
        return [self._choice(place) for place in (*places[front], *places[near])]

    def _choice(self, place: int) -> Choice:
        _, row, column, distributed, luts, blocks = (table[place] for table in self._every)
        layer = self.layer
        fold = fold_of(layer, self.pes[row], self.simds[column], self.planes)
        memory: Memory = "auto" if fold.weight_words == 1 else "distributed" if distributed else "block"
        return Choice(fold, memory, int(luts), float(blocks))

    def _told(self, table: int, columns: int) -> None:
        """So many columns of a table, the first or the second, are done."""
        total = len(self.simds)
        self.done(table * total + columns, 2 * total)

    @cached_property
    def _every(self) -> tuple[NDArray[np.int64], ...]:
        """Cycles a frame, row and column of PE and SIMD, whether weights lie in LUTs, LUTs and blocks of every choice,
        by blocks, LUTs and SIMD."""
        layer = self.layer
        memories: tuple[Memory, ...] = ("block", "distributed")
        costs = [
            engine_costs(
                layer,
                memory,
                self.options,
                self.pes,
                self.simds,
                costs=self.costs,
                planes=self.planes,
                done=partial(self._told, k),
            )
            for k, memory in enumerate(memories)
        ]
        luts, blocks = (np.stack(tables, axis=2) for tables in zip(*costs, strict=True))
        if self.scored:
            luts, blocks = self._with_scores(luts, blocks)
        passes = -(-layer.outputs // np.array(self.pes, np.int64))
        words = -(-layer.inputs // np.array(self.simds, np.int64))
        one = fold_of(layer, 1, 1, self.planes)
        cycles = np.broadcast_to((passes[:, None] * words * one.plane_products)[:, :, None], luts.shape)
        weight_words = cycles.reshape(-1) // one.planes[0]
        rows, columns, distributed = np.indices(luts.shape).reshape(3, -1)
        simd = np.array(self.simds)[columns]
        order = np.lexsort((simd, luts.reshape(-1), blocks.reshape(-1)))
        # weights of one word lie in no memory
        order = order[~((weight_words == 1) & (distributed == 1))[order]]
        flat = (layer.pixels * cycles.reshape(-1), rows, columns, distributed, luts.reshape(-1), blocks.reshape(-1))
        return tuple(table[order] for table in flat)

    def _with_scores(
        self, luts: NDArray[np.int64], blocks: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        layer = self.layer
        luts, blocks = luts.copy(), blocks.copy()
        for row, pe in enumerate(self.pes):
            for column, simd in enumerate(self.simds):
                fold = fold_of(layer, pe, simd, self.planes)
                scores = score_counts(score_params(layer, fold), self.costs, sent=self.options.scores)
                luts[row, column] += scores.luts
                blocks[row, column] += scores.block_rams
        return luts, blocks


def _sizes(size: int, folds: int) -> list[int]:
    """PE or SIMD for so many folds: the least, and what is a multiple of 8 if it folds alike."""
    least = ceil_div(size, folds)
    round_ = ceil_div(least, 8) * 8
    return [least] if round_ == least or ceil_div(size, round_) != folds or round_ > size else [least, round_]

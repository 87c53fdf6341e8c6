"""The search for plans: the least LUTs for a rate, or the highest rate within a budget.

A plan's interval T is that of its slowest stage, so for a given T each layer takes any fold of at most T cycles, and
its weights lie in block RAM or in LUTs. LUTs and blocks add up over the layers, but for the stages between two engines,
which depend on the fold of one and of the next: queues, line buffers, pools. The least LUTs for T, and for each number
of blocks, are therefore a shortest path through the layers' choices with two weights: layer by layer, each choice keeps
the pairs (LUTs, blocks) that no other pair beats, a Pareto front. What lies between two engines comes from
`lower.in_front`, with the room that it is expected to need, so that the search adds up the stages of the plan's own
graph. The result is exact for this over the choices that `engines.folded_choices` keeps: a layer's own
front and the NEAR next to it, which a cheaper queue may make up for. In a network that branches, what lies between
is counted as if the layers further back were folded for the fewest LUTs of their own.

A plan for T is one for T + 1, too, so the highest rate in a budget is found by bisection over the intervals that occur.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from bitwright_core.buildable import check_buildable
from bitwright_core.framing import input_format, output_format
from bitwright_core.network import Network
from bitwright_core.plan import Fold, LayerPlan, Plan, Planes, ceil_div, distinct_folds, fold_of, planes_of, row_choices
from bitwright_core.progress import Progress, no_progress
from bitwright_hw.between_engines import BetweenEngines
from bitwright_hw.cells import Counts
from bitwright_hw.engines.folded import FOLDED
from bitwright_hw.engines.folded_choices import Choice
from bitwright_hw.estimate import Estimate, costs_of, estimate, shell_counts
from bitwright_hw.families import Family
from bitwright_hw.lower import head


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A plan, and what the model expects of it."""

    plan: Plan
    estimate: Estimate

    @property
    def interval(self) -> int:
        return self.estimate.cycles

    @property
    def frames_per_second(self) -> float:
        return self.plan.clock_mhz * 1e6 / self.interval


@dataclass(frozen=True)
class _Path:
    """A choice for each layer, and what they take together."""

    luts: int
    block_rams: float
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class _Front:
    """Ways through the layers so far, none beaten by another whose last fold is the same; those of a fold together.

    Way i ends in choice `choice[i]` of the last layer and comes from way `before[i]` of the front before.
    """

    luts: NDArray[np.int64]
    block_rams: NDArray[np.floating]
    choice: NDArray[np.int64]
    before: NDArray[np.int64]
    folds: list[Fold | None]
    fold: NDArray[np.int64]  # of each way, as a number in `folds`


class Sizer:
    """Finds plans for `network` with the options of `options`, whose layers do not matter, on parts of `family`.

    With `planes` "serial", layers on values or weights of several bits take their planes one after the other. It is not
    chosen by the search: a popcount for all planes at SIMD lanes does in a cycle what one of a plane does at as many
    times the lanes, so where folds of both keep an interval their popcounts are about as large.

    Raises PlanError for options that the network cannot have.
    """

    def __init__(
        self,
        network: Network,
        options: Plan,
        *,
        family: Family,
        planes: Planes = "parallel",
        progress: Progress | None = None,
    ):
        check_buildable(network)
        self.network = network
        self.layers = network.matrix_layers
        self.options = options
        self.family = family
        self.costs = costs_of(family)
        self.progress = progress or no_progress
        self.input = input_format(network, options)
        self.output = output_format(network, options)
        self._head = head(network, options, self.input)
        self._shell = sum((step.stage.cost(self.costs) for step in self._head), shell_counts(self.costs))
        self._folds = [
            FOLDED.choices(
                layer,
                options,
                costs=self.costs,
                done=partial(self._counting, k),
                scored=layer.gives_scores,
                planes=planes_of(layer, planes),
            )
            for k, layer in enumerate(self.layers)
        ]
        self._between = BetweenEngines(
            network,
            options,
            costs=self.costs,
            head=self._head,
            folds=self._folds,
            input=self.input,
            output=self.output,
        )

    @property
    def least_interval(self) -> int:
        """Cycles a frame of the slower of the input and output streams, or of a layer at a cycle a pixel: no fold makes
        it faster."""
        return max(self.input.beats, self.output.beats, self.most_pixels[0])

    @cached_property
    def most_pixels(self) -> tuple[int, str]:
        """The most cycles that pixels of a frame, which pass in a row, take at the least, and what says so."""
        products = {
            choices.layer.name: fold_of(choices.layer, 1, 1, choices.planes).plane_products for choices in self._folds
        }
        found = []
        for node in self.network.nodes:
            each = products.get(node.name, 1)
            said = "a cycle each" if each == 1 else f"{each} products of planes each"
            found.append((node.pixels * each, f"layer {node.name} has {node.pixels:,} pixels, {said}"))
        if self.network.takes_images:
            height, width, _ = self.network.encoded_edge.shape
            found.append((height * width, f"the input has {height * width:,} pixels, a cycle each"))
        return max(found)

    @cached_property
    def intervals(self) -> list[int]:
        """Every interval that some plan has, from the least up."""
        found = {self.least_interval}
        for choices in self._folds:
            layer = choices.layer
            products = fold_of(layer, 1, 1, choices.planes).plane_products
            for pe in row_choices(layer.outputs, layer.groups):
                passes = ceil_div(layer.outputs, pe) * products
                found |= {passes * words * layer.pixels for words in distinct_folds(layer.inputs)}
        return sorted(cycles for cycles in found if cycles >= self.least_interval)

    def most_weights(self, *, luts: float, block_rams: float) -> float:
        """Weights of which block RAMs and LUTs are full: no plan within these limits has more, whatever its folds."""
        left = max(0, luts - self._shell.luts)
        return self.costs.block_bits * block_rams + self.costs.lut_bits * left

    def smallest(self, interval: int, *, luts: float = float("inf"), block_rams: float = float("inf")) -> Sized | None:
        """The plan of the least LUTs whose interval is at most `interval` cycles; None if none keeps to the limits."""
        if interval < self.least_interval:
            return None
        paths = self._paths(interval, block_rams, luts)
        for path in sorted(paths, key=lambda path: (path.luts, path.block_rams)):
            sized = self._sized(path)
            total = sized.estimate.total
            # the search may count a bank less in a queue than solve() does
            if total.luts <= luts and total.block_rams <= block_rams:
                return sized
        return None

    def fastest(self, *, luts: float = float("inf"), block_rams: float = float("inf")) -> Sized | None:
        """The plan of the highest rate within the limits, of those the one of the least LUTs; None if none fits."""
        intervals = self.intervals
        found: dict[int, Sized | None] = {}
        steps = len(intervals).bit_length()

        def fits(index: int) -> bool:
            self.progress("sizing", min(len(found), steps), steps)
            found[index] = self.smallest(intervals[index], luts=luts, block_rams=block_rams)
            return found[index] is not None

        index = bisect_left(range(len(intervals)), True, key=fits)
        self.progress("sizing", steps, steps)
        return found[index] if index < len(intervals) else None

    def frontier(self, *, luts: float, block_rams: float, points: int = 24) -> list[Sized]:
        """Plans within the limits that no other beats in rate and LUTs, the fastest first: at most `points`, their
        intervals about evenly apart on a logarithmic scale up to the one of the least LUTs."""
        fastest = self.fastest(luts=luts, block_rams=block_rams)
        if fastest is None:
            return []
        slowest = self.intervals[-1]
        ratio = (slowest / fastest.interval) ** (1 / max(1, points - 1))
        asked = sorted({round(fastest.interval * ratio**k) for k in range(1, points)})
        found = [fastest]
        for done, interval in enumerate(asked):
            self.progress("frontier", done, len(asked))
            sized = self.smallest(interval, luts=luts, block_rams=block_rams)
            if sized is not None and sized.estimate.total.luts < found[-1].estimate.total.luts:
                found.append(sized)
        self.progress("frontier", len(asked), len(asked))
        return found

    @property
    def _scored_by_engine(self) -> bool:
        """Whether the last layer's engine gives scores; its choices count what makes them."""
        return self.network.gives_scores and self.network.last.matrix is not None

    def _counting(self, k: int, done: int, total: int) -> None:
        self.progress(f"folds of {self.layers[k].name}", done, total)

    def _sized(self, path: _Path) -> Sized:
        layers = tuple(
            LayerPlan(
                name=folds.layer.name,
                pe=choice.fold.pe,
                simd=choice.fold.simd,
                memory=choice.memory,
                planes=folds.planes,
            )
            for folds, choice in zip(self._folds, path.choices, strict=True)
        )
        plan = replace(self.options, layers=layers)
        return Sized(plan=plan, estimate=estimate(self.network, plan, family=self.family))

    def _paths(self, interval: int, block_rams: float, luts: float = float("inf")) -> list[_Path]:
        """The Pareto front of the plans of at most `interval` cycles, `block_rams` blocks and `luts` LUTs."""
        options = [choices.within(interval) for choices in self._folds]
        # blocks and LUTs that the layers from k on take at the least
        blocks_needed = [
            sum(min(choice.block_rams for choice in layer) for layer in options[k:]) for k in range(len(options))
        ]
        luts_needed = [sum(min(choice.luts for choice in layer) for layer in options[k:]) for k in range(len(options))]
        none = np.zeros(1, np.int64)
        fronts = [_Front(none + self._shell.luts, np.full(1, float(self._shell.block_rams)), none, none, [None], none)]
        for k, layer in enumerate(options):
            limits = block_rams - sum(blocks_needed[k + 1 : k + 2]), luts - sum(luts_needed[k + 1 : k + 2])
            fronts.append(self._extended(fronts[-1], k, layer, interval, *limits))
        front = fronts[-1]
        ends = [
            Counts() if self._scored_by_engine else self._between.counts(len(options), fold, None, interval)
            for fold in front.folds
        ]
        total_luts = front.luts + np.array([end.luts for end in ends], np.int64)[front.fold]
        total_blocks = front.block_rams + np.array([end.block_rams for end in ends], float)[front.fold]
        places = np.flatnonzero((total_blocks <= block_rams) & (total_luts <= luts))
        found = []
        for way in places[_pareto(total_luts[places], total_blocks[places])]:
            chosen, at = [], way
            for layer, ways in zip(options[::-1], fronts[:0:-1], strict=True):
                chosen.append(layer[ways.choice[at]])
                at = ways.before[at]
            found.append(_Path(int(total_luts[way]), float(total_blocks[way]), tuple(chosen[::-1])))
        return found

    def _extended(
        self, front: _Front, k: int, layer: list[Choice], interval: int, block_rams: float, luts: float
    ) -> _Front:
        """Each way of `front` with each choice of layer k, within the limits."""
        of_fold: dict[Fold, list[int]] = {}
        for number, choice in enumerate(layer):
            of_fold.setdefault(choice.fold, []).append(number)
        parts: list[tuple[NDArray[np.int64], NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]] = []
        sizes = []
        for fold, numbers in of_fold.items():
            queues = [self._between.counts(k, before, fold, interval) for before in front.folds]
            way_luts = front.luts + np.array([queue.luts for queue in queues], np.int64)[front.fold]
            way_blocks = front.block_rams + np.array([queue.block_rams for queue in queues], float)[front.fold]
            all_luts = np.concatenate([way_luts + layer[number].luts for number in numbers])
            all_blocks = np.concatenate([way_blocks + layer[number].block_rams for number in numbers])
            places = np.flatnonzero((all_blocks <= block_rams) & (all_luts <= luts))
            places = places[_pareto(all_luts[places], all_blocks[places])]
            numbered, before = np.divmod(places, max(1, len(way_luts)))
            parts.append((all_luts[places], all_blocks[places], np.array(numbers)[numbered], before))
            sizes.append(len(places))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        folds = [fold for fold, size in zip(of_fold, sizes, strict=True) if size]
        numbers_of = np.repeat(np.arange(len(folds)), [size for size in sizes if size])
        return _Front(columns[0], columns[1], columns[2], columns[3], [*folds], numbers_of)


def _pareto(luts: NDArray[np.int64], block_rams: NDArray[np.floating]) -> NDArray[np.int64]:
    """The places of those that no other beats in LUTs and blocks, from the fewest blocks up."""
    order = np.lexsort((luts, block_rams))
    mine = luts[order]
    best = np.append(np.iinfo(np.int64).max, np.minimum.accumulate(mine)[:-1]) if len(mine) else mine
    return order[mine < best]

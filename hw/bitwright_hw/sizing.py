"""Folds and memories for a network: the least LUTs for a rate, or the highest rate within a budget.

A plan's interval T is that of its slowest stage, so for a given T each layer takes any fold of at most T cycles, and
its weights lie in block RAM or in LUTs. LUTs and blocks add up over the layers, but for the queue between two layers,
which depends on the fold of one and of the next; so do a convolution's line buffers, and pools. The least LUTs for T,
and for each number of blocks, are therefore a shortest path through the layers' choices with two weights: layer by
layer, each choice keeps the pairs (LUTs, blocks) that no other pair beats, a Pareto front. The result is exact for
the model of `estimate` over the choices that LayerChoices keeps: a layer's own front and the NEAR next to it, which a
cheaper queue may make up for.

A plan for T is one for T + 1, too, so the highest rate in a budget is found by bisection over the intervals that occur.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from bitwright_core.buildable import check_buildable
from bitwright_core.errors import PlanError
from bitwright_core.framing import RESULT_BITS, input_format, output_format
from bitwright_core.network import Conv2d, MaxPool2d, Network
from bitwright_core.plan import Fold, LayerPlan, Plan, ceil_div, distinct_folds
from bitwright_core.progress import Progress, no_progress
from bitwright_hw.cells import Counts
from bitwright_hw.engine import MatrixEngine
from bitwright_hw.estimate import (
    Estimate,
    costs_of,
    estimate,
    pool_counts,
    queue_counts,
    shell_counts,
    source_counts,
    window_counts,
)
from bitwright_hw.families import Family
from bitwright_hw.image_params import image_source, pool_params, window_params
from bitwright_hw.layer_choices import Choice, LayerChoices
from bitwright_hw.params import HANDOVER, MIN_BANKS, QueueParams, engine_pipeline, lanes_in, values_in


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

    Raises PlanError for options that the network cannot have.
    """

    def __init__(self, network: Network, options: Plan, *, family: Family, progress: Progress | None = None):
        check_buildable(network)
        self.network = network
        self.layers = network.matrix_layers
        self.options = options
        self.family = family
        self.costs = costs_of(family)
        self.progress = progress or no_progress
        self.input = input_format(network, options)
        self.output = output_format(network, options)
        self._counted: dict[tuple[object, ...], Counts] = {}
        self._folds = [
            LayerChoices(
                layer,
                options,
                costs=self.costs,
                done=partial(self._counting, k),
                scored=network if network.gives_scores and k == len(self.layers) - 1 else None,
            )
            for k, layer in enumerate(self.layers)
        ]

    @property
    def least_interval(self) -> int:
        """Cycles a frame of the slower of the input and output streams, or of a layer at a cycle a pixel: no fold makes
        it faster."""
        return max(self.input.beats, self.output.beats, self.most_pixels[0])

    @cached_property
    def most_pixels(self) -> tuple[int, str]:
        """The most pixels of a frame that pass in a row, a cycle each at the least, and where."""
        found = [(node.pixels, f"layer {node.name}") for node in self.network.nodes]
        if isinstance(self.network.layers[0], Conv2d | MaxPool2d):
            height, width, _ = self.network.encoded_edge.shape
            found.append((height * width, "the input"))
        return max(found)

    @cached_property
    def intervals(self) -> list[int]:
        """Every interval that some plan has, from the least up."""
        found = {self.least_interval}
        for layer in self.layers:
            for passes in distinct_folds(layer.outputs):
                found |= {passes * words * layer.pixels for words in distinct_folds(layer.inputs)}
        return sorted(cycles for cycles in found if cycles >= self.least_interval)

    def most_weights(self, *, luts: float, block_rams: float) -> float:
        """Weights of which block RAMs and LUTs are full: no plan within these limits has more, whatever its folds."""
        left = max(0, luts - shell_counts(self.network, self.input, self.costs).luts)
        return self.costs.block_bits * block_rams + self.costs.lut_bits * left

    def smallest(self, interval: int, *, luts: float = float("inf"), block_rams: float = float("inf")) -> Sized | None:
        """The plan of the least LUTs whose interval is at most `interval` cycles; None if none keeps to the limits."""
        if interval < self.least_interval:
            return None
        paths = self._paths(interval, block_rams, luts)
        for path in sorted(paths, key=lambda path: (path.luts, path.block_rams)):
            sized = self._sized(path)
            total = sized.estimate.total
            # the search may count a bank less in a queue than derive() does
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

    def _counting(self, k: int, done: int, total: int) -> None:
        self.progress(f"folds of {self.layers[k].name}", done, total)

    def _sized(self, path: _Path) -> Sized:
        layers = tuple(
            LayerPlan(name=layer.name, pe=choice.fold.pe, simd=choice.fold.simd, memory=choice.memory)
            for layer, choice in zip(self.layers, path.choices, strict=True)
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
        shell = shell_counts(self.network, self.input, self.costs)
        none = np.zeros(1, np.int64)
        fronts = [_Front(none + shell.luts, np.full(1, float(shell.block_rams)), none, none, [None], none)]
        for k, layer in enumerate(options):
            limits = block_rams - sum(blocks_needed[k + 1 : k + 2]), luts - sum(luts_needed[k + 1 : k + 2])
            fronts.append(self._extended(fronts[-1], k, layer, interval, *limits))
        front = fronts[-1]
        ends = [
            Counts() if self.network.gives_scores else self._queue(len(options), fold, None, interval)
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
            queues = [self._queue(k, before, fold, interval) for before in front.folds]
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

    @cached_property
    def _pools(self) -> list[tuple[MaxPool2d, ...]]:
        """The pools in front of each layer with weights, and behind the last one."""
        found: list[tuple[MaxPool2d, ...]] = [()]
        for layer in self.network.layers:
            if isinstance(layer, MaxPool2d):
                found[-1] = (*found[-1], layer)
            else:
                found.append(())
        return found

    def _queue(self, k: int, before: Fold | None, after: Fold | None, interval: int) -> Counts:
        """`_queue_counts`, which many folds and intervals share."""
        layer = self.layers[k] if k < len(self.layers) else None
        key: tuple[object, ...]
        if isinstance(layer, Conv2d) and before is not None and after is not None:
            key = k, before.pe, after.simd, after.neuron_folds
        else:
            key = k, before, after, interval
        if key not in self._counted:
            self._counted[key] = self._queue_counts(k, before, after, interval)
        return self._counted[key]

    def _queue_counts(self, k: int, before: Fold | None, after: Fold | None, interval: int) -> Counts:
        """The queue or the line buffers in front of layer k, and pools before them: of the input if there is no layer
        before, of the results if none after.

        Banks as in params.derive, for a frame that comes from an idle stage before.
        """
        total = Counts()
        lanes = before.pe if before else 0
        if before is None and not self.network.is_dense and isinstance(self.network.layers[0], Conv2d | MaxPool2d):
            source = image_source(
                self.network,
                after,
                beat_lanes=values_in(self.input),
                encoded=self.input.encoded,
                value_bits=self.input.value_bits,
                interval=interval,
            )
            total, lanes = source_counts(source, self.costs), source.width
        for pool in self._pools[k]:
            params, padding = pool_params(pool, lanes)
            total += pool_counts(params, self.costs)
            if padding is not None:
                total += window_counts(replace(padding, capacity=2 * padding.least_capacity + 2), self.costs)
        layer = self.layers[k] if k < len(self.layers) else None
        if isinstance(layer, Conv2d) and after is not None:
            window = window_params(layer, after, lanes)
            # two frames lie in it for a moment, each with the rows that its windows need
            return total + window_counts(replace(window, capacity=2 * window.least_capacity + 2), self.costs)
        if before is None:
            in_width, filled = lanes_in(self.network, self.input), self.input.beats + 1
        else:
            # weights in block RAM may take a cycle more than those in LUTs
            choice = LayerPlan(name="before", pe=before.pe, simd=before.simd, memory="block")
            latency = MatrixEngine.latency_of(engine_pipeline(before, choice, self.options))
            in_width, filled = before.pe, min(interval, before.frame_cycles) + latency + 1
        if after is None:
            out_width, bits, repeats = RESULT_BITS, self.network.outputs, 1
        else:
            scale = 1 if layer is None else layer.takes.bits
            out_width, bits, repeats = after.simd * scale, after.inputs * scale, after.neuron_folds
        loop = filled + (in_width < out_width) + ceil_div(bits, out_width) * repeats + HANDOVER
        banks = max(MIN_BANKS, ceil_div(loop, interval))
        queue = QueueParams(in_width=in_width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)
        return total + queue_counts(queue, self.costs)


def _pareto(luts: NDArray[np.int64], block_rams: NDArray[np.floating]) -> NDArray[np.int64]:
    """The places of those that no other beats in LUTs and blocks, from the fewest blocks up."""
    order = np.lexsort((luts, block_rams))
    mine = luts[order]
    best = np.append(np.iinfo(np.int64).max, np.minimum.accumulate(mine)[:-1]) if len(mine) else mine
    return order[mine < best]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a design may take of a board: some is left for what lies around it, and for placing it."""

    luts: int
    block_rams: int

    @staticmethod
    def of(luts: int, block_rams: int, *, max_luts: int | None = None) -> "Limits":
        """Four fifths of the LUTs, or `max_luts`, and all blocks but four, which a DMA and its buses take.

        Raises PlanError for a `max_luts` beyond the board's.
        """
        if max_luts is not None and not 1 <= max_luts <= luts:
            raise PlanError(f"max_luts must lie in 1..{luts:,}, which the board has, not {max_luts:,}")
        return Limits(luts=luts * 4 // 5 if max_luts is None else max_luts, block_rams=max(0, block_rams - 4))


def size_for(
    network: Network,
    options: Plan,
    *,
    family: Family,
    limits: Limits,
    target_fps: float | None = None,
    progress: Progress | None = None,
) -> Sized:
    """The least LUTs for `target_fps` frames/s at the clock of `options`, or the highest rate, within `limits`.

    Raises PlanError, with the figures that show why, if nothing fits.
    """
    sizer = Sizer(network, options, family=family, progress=progress)
    most = {"luts": limits.luts, "block_rams": limits.block_rams}
    allowed = f"the {limits.luts:,} LUTs and {limits.block_rams} block RAMs allowed"
    weights = sum(layer.weight_bits for layer in network.matrix_layers)
    if weights > sizer.most_weights(**most):
        raise PlanError(
            f"network {network.name} does not fit {allowed} at any rate: they hold at most "
            f"{sizer.most_weights(**most):,.0f} weights ({sizer.costs.block_bits:,} a block RAM, "
            f"{sizer.costs.lut_bits} a LUT), and it has {weights:,}; choose a larger board, or fewer weights"
        )
    if target_fps is None:
        fastest = sizer.fastest(**most)
        if fastest is None:
            least = sizer.smallest(sizer.intervals[-1])
            assert least is not None  # no limits
            total = least.estimate.total
            raise PlanError(
                f"network {network.name} does not fit {allowed} at any rate: its least plan takes {total.luts:,} LUTs "
                f"and {total.block_rams:g} block RAMs, {least.interval:,} cycles a frame"
            )
        return fastest
    clock = options.clock_mhz * 1e6
    if not 0 < target_fps <= clock:
        raise PlanError(f"the target must lie in 1..{clock:,.0f} frames/s, one a cycle, not {target_fps:,.15g}")
    interval = int(clock / target_fps)
    asked = f"{target_fps:,.15g} frames/s at {options.clock_mhz:g} MHz is an interval of {interval:,} cycles"
    if interval < sizer.least_interval:
        raise PlanError(f"{asked}, {_stream_bound(sizer)}")
    sized = sizer.smallest(interval, **most)
    if sized is not None:
        return sized
    narrow = sizer.smallest(interval, block_rams=limits.block_rams)
    wide = sizer.smallest(interval)
    assert wide is not None  # no limits, and the streams are fast enough
    if narrow is not None:
        needs = f"{narrow.estimate.total.luts:,} LUTs beside {narrow.estimate.total.block_rams:g} block RAMs"
    else:
        needs = f"{wide.estimate.total.luts:,} LUTs and {wide.estimate.total.block_rams:g} block RAMs"
    fastest = sizer.fastest(**most)
    best = (
        "nothing fits at any rate"
        if fastest is None
        else (f"the highest rate that fits is {fastest.frames_per_second:,.0f} frames/s ({fastest.interval:,} cycles)")
    )
    raise PlanError(f"{asked}: needs at least {needs} of {allowed}; {best}")


def _stream_bound(sizer: Sizer) -> str:
    """Why no fold has so short an interval, and what would."""
    clock = sizer.options.clock_mhz * 1e6
    pixels, where = sizer.most_pixels
    if pixels == sizer.least_interval:
        return f"but {where} has {pixels:,} pixels, a cycle each, so at most {clock / pixels:,.0f} frames/s"
    if sizer.output.beats >= sizer.input.beats:
        return (
            f"but a result takes {sizer.output.beats} beats of the output stream, so at most "
            f"{clock / sizer.output.beats:,.0f} frames/s; without scores a result is one beat"
        )
    remedy = "a wider data_bits" if sizer.input.encoded else "a wider data_bits, or encoding host,"
    return (
        f"but a frame takes {sizer.input.beats} beats of the input stream ({sizer.input.bytes:,} bytes, "
        f"{sizer.input.data_bits} bits a beat), so at most {clock / sizer.input.beats:,.0f} frames/s; "
        f"{remedy} makes it shorter"
    )


def check_fits(expected: Estimate, board: str, *, luts: int, block_rams: int, unit: str) -> None:
    """Raises PlanError, with the sum, if a design takes more than `board` has. Block RAM is exact; LUTs are
    refused beyond the estimate's error, 15 %."""
    total = expected.total
    if total.block_rams > block_rams:
        parts = " + ".join(f"{layer.name} {layer.total.block_rams:g}" for layer in expected.layers)
        raise PlanError(
            f"the weights need {total.block_rams:g} {unit} ({parts}) of the {block_rams} on {board}; "
            'put a layer\'s in LUTs (memory = "distributed"), choose other folds, or size for the board'
        )
    if total.luts > 1.15 * luts:
        parts = " + ".join(f"{layer.name} {layer.total.luts:,}" for layer in expected.layers)
        raise PlanError(
            f"the design needs about {total.luts:,} of the {luts:,} LUTs on {board} ({parts} + {expected.other.luts:,}"
            "); fold it further, or size it for the board"
        )

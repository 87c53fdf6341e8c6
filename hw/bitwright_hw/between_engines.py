"""What lies between two engines, counted for the folds of both: queues, line buffers, pools, and the ends of a network.

The search for plans asks this for each pair of folds, so what depends on less is kept.
"""

from collections.abc import Sequence

from bitwright_core.framing import InputFormat, OutputFormat
from bitwright_core.network import ENCODED, MatrixLayer, Network
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.cells import Counts
from bitwright_hw.engine_numbers import level_numbers, products_of
from bitwright_hw.engines.folded_choices import LayerChoices
from bitwright_hw.families.costs import Costs
from bitwright_hw.handlers import Step
from bitwright_hw.lower import Given, end_of, gaps, in_front, results_of, source
from bitwright_hw.stages.stage import Stage
from bitwright_hw.timing import engine_pipeline


class BetweenEngines:
    """Counts the stages between the engines of `network`, built with the options of `options`.

    `head` are the stages in front of all layers, `folds` each layer's choices, `input` and `output` the streams' forms.
    """

    def __init__(
        self,
        network: Network,
        options: Plan,
        *,
        costs: Costs,
        head: Sequence[Step],
        folds: Sequence[LayerChoices],
        input: InputFormat,
        output: OutputFormat,
    ):
        self.network = network
        self.layers = network.matrix_layers
        self.options = options
        self.costs = costs
        self.input = input
        self.output = output
        self._head = head
        self._folds = folds
        self._gaps = gaps(network)
        self._latencies: dict[tuple[object, ...], int] = {}
        self._counted: dict[tuple[object, ...], Counts] = {}
        self._stages: dict[tuple[object, ...], list[Stage]] = {}
        self._stage_costs: dict[Stage, Counts] = {}
        self._references: dict[int, dict[str, Fold]] = {}

    def counts(self, k: int, before: Fold | None, after: Fold | None, interval: int) -> Counts:
        """What lies in front of the engine of layer k, folded as `after`, when the one before is folded as `before`:
        behind the input if there is none before (None), up to the output if there is none after. `interval` is the
        plan's, in cycles."""
        key: tuple[object, ...] = k, before, after, interval
        if before is None or after is None or not self.network.is_chain:
            pass
        elif self.layers[k].windows is not None:
            key = k, before.pe, after.simd, after.neuron_folds, after.groups_at_once, after.planes
        if key not in self._counted:
            self._counted[key] = self._found(k, before, after, interval)
        return self._counted[key]

    def _latency(self, layer: MatrixLayer, fold: Fold) -> int:
        """Of an engine folded so: with weights in block RAM, which may take a cycle more than those in LUTs."""
        products, levels = products_of(layer), level_numbers(layer, fold)
        key = fold.simd, fold.cycles > 1, None if products is None else products.key, fold.planes
        if key not in self._latencies:
            choice = LayerPlan(name="before", pe=fold.pe, simd=fold.simd, memory="block")
            binary = None if products is None else layer
            found = engine_pipeline(fold, choice, self.options, binary)
            self._latencies[key] = found.read_latency + found.stages + 1
        return self._latencies[key] + (levels.latency if levels else 0)

    def _found(self, k: int, before: Fold | None, after: Fold | None, interval: int) -> Counts:
        """`counts`, which many folds and intervals share. The room is what a frame needs that comes from an idle stage
        before."""
        total = Counts()
        given = dict(self._earlier(k, interval))
        if before is not None:
            filled = min(interval, before.frame_cycles) + self._latency(self.layers[k - 1], before) + 1
            if after is not None and self.network.is_chain:
                return self._expected(self._between_engines(k, before, after, interval), filled, interval)
            given[self.layers[k - 1].name] = Given(stream=results_of(self.layers[k - 1], before))
        elif self.network.takes_images:
            others = {} if self.network.is_chain else self._reference(interval)
            folds = others if after is None else {**others, self.layers[k].name: after}
            step = source(self.network, self.input, folds, interval)
            total, given[ENCODED], filled = step.stage.cost(self.costs), Given(stream=step.gives), 0
        else:
            given[ENCODED], filled = Given(stream=self._head[-1].gives), self.input.beats + 1
        stages: list[Stage] = []
        for node, steps, comes in in_front(self._gaps[k], given, after, plan=self.options, interval=interval):
            given[node.name] = comes
            stages += [step.stage for step in steps]
        if after is None:
            steps, end = end_of(self.network, given[self.network.last.name].stream, None, self.output)
            stages += [*(step.stage for step in steps), end]
        return total + self._expected(stages, filled, interval)

    def _between_engines(self, k: int, before: Fold, after: Fold, interval: int) -> list[Stage]:
        """The stages between the engines of layers k - 1 and k of a chain, which many folds and all intervals share."""
        key = k, before.pe, after.simd, after.neuron_folds, after.planes
        if key not in self._stages:
            layer = self.layers[k - 1]
            given = {layer.name: Given(stream=results_of(layer, before))}
            found = in_front(self._gaps[k], given, after, plan=self.options, interval=interval)
            self._stages[key] = [step.stage for _, steps, _ in found for step in steps]
        return self._stages[key]

    def _expected(self, stages: list[Stage], filled: int, interval: int) -> Counts:
        """What stages take with the room that they are likely to need."""
        total = Counts()
        for stage in stages:
            roomed = stage.expected(filled, interval)
            if roomed not in self._stage_costs:
                self._stage_costs[roomed] = roomed.cost(self.costs)
            total += self._stage_costs[roomed]
        return total

    def _reference(self, interval: int) -> dict[str, Fold]:
        """The fold of each layer that takes the fewest LUTs of its own."""
        if interval not in self._references:
            chosen = [min(choices.within(interval), key=lambda choice: choice.luts) for choices in self._folds]
            self._references[interval] = {
                layer.name: choice.fold for layer, choice in zip(self.layers, chosen, strict=True)
            }
        return self._references[interval]

    def _earlier(self, k: int, interval: int) -> dict[str, Given]:
        """How values come that were given before layer k - 1: nobody takes them in a chain. In a graph they come from
        layers folded as `_reference` says, so that the search is exact for a chain alone."""
        if self.network.is_chain:
            return {}
        folds = self._reference(interval)
        stream = self._head[-1].gives
        if self.network.takes_images:
            stream = source(self.network, self.input, folds, interval).gives
        given = {ENCODED: Given(stream=stream)}
        for layer, gap in zip(self.layers[:k], self._gaps, strict=False):
            for node, _, comes in in_front(gap, given, folds[layer.name], plan=self.options, interval=interval):
                given[node.name] = comes
            given[layer.name] = Given(stream=results_of(layer, folds[layer.name]))
        return given

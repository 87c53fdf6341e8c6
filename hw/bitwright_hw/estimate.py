"""What a network takes on an FPGA under a plan, and its cycles, without synthesis: a model of Yosys' results.

Each stage says what it takes (`Stage.cost`). Rows are exact (popcount.row_luts), block RAM follows Yosys' own choice
among the shapes of a block, weights in LUTs are the distinct columns of the memory. Control is linear in the widths of
its counters, fitted to Yosys.
"""

from dataclasses import dataclass
from typing import Any

from bitwright_core.errors import PlanError
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_hw.accelerator import frame_record_counts
from bitwright_hw.cells import Counts, LayerCounts
from bitwright_hw.control import control_counts
from bitwright_hw.families import COUNTED, Family
from bitwright_hw.families.costs import Costs
from bitwright_hw.solve import solved
from bitwright_hw.weight_loader import loader_counts


@dataclass(frozen=True, kw_only=True)
class LayerEstimate(LayerCounts):
    """What a layer takes, and its cycles a frame."""

    cycles: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a design is expected to take on `family`, and its steady interval."""

    family: Family
    layers: tuple[LayerEstimate, ...]
    other: Counts
    cycles: int

    @property
    def total(self) -> Counts:
        total = self.other
        for layer in self.layers:
            total += layer.total
        return total

    def _repr_html_(self) -> str:
        """How a notebook shows it: what each layer takes."""
        from bitwright_core.html import html_table

        parts = [(layer.name, layer.total, layer.cycles) for layer in self.layers]
        rows = [(name, c.luts, c.ffs, c.block_rams, cycles) for name, c, cycles in parts]
        for name, counts in (("all else", self.other), ("total", self.total)):
            rows.append((name, counts.luts, counts.ffs, counts.block_rams, self.cycles))
        columns = ("part", "LUTs", "flip-flops", self.family.block_ram.title, "cycles")
        return html_table(f"Estimate for {self.family.name}", [("a frame every", self.cycles)], columns, rows)

    def to_dict(self) -> dict[str, Any]:
        """The estimate as `bitwright synth --json` prints it."""
        memory = self.family.block_ram
        layers = [{"name": layer.name, **layer.total.to_dict(memory), "cycles": layer.cycles} for layer in self.layers]
        total = self.total.to_dict(memory)
        return {**total, "cycles": self.cycles, "layers": layers, "other": self.other.to_dict(memory)}


def estimate(network: Network, plan: Plan, *, family: Family) -> Estimate:
    """Estimates the design that `generate(network, plan)` would write. Raises PlanError for a plan that does not fit,
    and for a hardwired layer, whose LUTs nobody knows before synthesis.

    LUTs of a plan whose target is `family` come out within 15 % of Yosys' (`make bench` shows the worst), those
    of another target's portable rows within a third; block RAM exactly, but for deep weight
    memories (thousands of words), which take a little less. Flip-flops are rough.
    """
    costs = costs_of(family)
    solution = solved(network, plan)
    graph = solution.graph
    left = dict(graph.by_name)
    layers = []
    for entry in graph.layers:
        engine = left.pop(entry.engine.name).cost(costs)
        queue = left.pop(entry.queue).cost(costs) if entry.queue is not None else Counts()
        cycles = entry.engine.fold.frame_cycles
        layers.append(LayerEstimate(name=entry.layer.name, engine=engine, queue=queue, cycles=cycles))
    for stage in graph.whole:
        counts = left.pop(stage.name).cost(costs)
        layers.append(LayerEstimate(name=stage.computes, engine=counts, queue=Counts(), cycles=1))
    names = [node.name for node in network.shown_nodes]
    layers.sort(key=lambda layer: names.index(layer.name))
    other = shell_counts(costs, registers=plan.registers, tags=graph.table_tags)
    if graph.loads:
        other += loader_counts(graph.loads)
    for stage in left.values():
        other += stage.cost(costs)
    return Estimate(family=family, layers=tuple(layers), other=other, cycles=solution.interval_cycles)


def shell_counts(costs: Costs, *, registers: bool = True, tags: int | None = None) -> Counts:
    """What the parts around the stages take: the registers, if any, and the queues of verdicts and tags, in front of
    lookup tables with room for `tags` (StageGraph.table_tags)."""
    records = frame_record_counts(costs, tags)
    return control_counts(costs) + records if registers else records


def costs_of(family: Family) -> Costs:
    """The cost model's constants of `family`. Raises PlanError for one that has none (generic)."""
    if family.costs is None:
        names = ", ".join(counted.name for counted in COUNTED)
        raise PlanError(f"family {family.name} is no FPGA, whose resources could be counted; say one of {names}")
    return family.costs

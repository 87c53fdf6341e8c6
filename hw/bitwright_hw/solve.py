"""From a graph of stages to its interval, the room in each stage, and its exact latency."""

from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_hw.lower import lower
from bitwright_hw.marked_graph import MarkedGraph
from bitwright_hw.stage_graph import Solution, StageGraph
from bitwright_hw.stages.stage import Timing, Words


def solve(graph: StageGraph) -> Solution:
    """The graph with the capacities that make its interval that of the slowest stage, by the argument of
    `bitwright_hw.marked_graph`.

    The latency is that of a frame in an idle accelerator: from its first beat to its result's last beat.
    """
    marked, last = timing(graph)
    capacities = marked.capacities()
    starts = marked.first_frame(capacities)[last.actor]
    return Solution(
        graph=graph.sized(capacities),
        interval_cycles=marked.interval,
        latency_cycles=starts[int(last.makes[-1])] + int(last.after[-1]),
        stream_cycles=_stream_cycles(graph, marked),
    )


def timing(graph: StageGraph) -> tuple[MarkedGraph, Words]:
    """The actors and buffers of the stages, and the words of the last one."""
    found = Timing()
    words: dict[str, Words] = {}
    for stage in graph.order:
        words[stage.name] = stage.times(found, [words[giver] for giver in graph.givers(stage)])
    return found.graph, words[graph.end.name]


def solved(network: Network, plan: Plan) -> Solution:
    """All that follows from a network and a plan. Raises PlanError if the plan does not fit the network."""
    return solve(lower(network, plan))


def _stream_cycles(graph: StageGraph, marked: MarkedGraph) -> int:
    """The most work of a frame of a stage that is no engine's own: where frames come by pixels, or values meet."""
    own = {entry.queue for entry in graph.layers} | {graph.guard.name, graph.end.name}
    work = {actor.name: actor.work for actor in marked.actors}
    return max((work[s.name] for s in graph.stages if s.name in work.keys() - own), default=0)

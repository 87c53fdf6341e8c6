"""What a manifest must say, derived once more from the design's network and plan.

A manifest tells simulators and drivers what to look at. If it named fewer layers, or a shorter result, a comparison
would look at less and pass. So nothing is compared by a manifest that network and plan do not bear out.
"""

from collections.abc import Iterator
from pathlib import Path

from bitwright_core.errors import DesignError
from bitwright_core.framing import input_format, output_format
from bitwright_core.loading import structure
from bitwright_core.manifest import Manifest, planned_entry, register_map, whole_entry
from bitwright_core.network import Network, Node
from bitwright_core.plan import Plan, folds

SCORES, CLASS, OUTPUT = "scores", "class", "output"


def gives_codes(node: Node) -> bool:
    """Whether hardware shows the activations of a layer with weights by themselves: those of several levels, which the
    sign of its margin does not tell."""
    return node.operator.matrix is not None and node.operator.matrix.gives_codes


def codes_of(layer: str) -> str:
    """What the activations of a layer are called where they are compared beside its margins."""
    return f"{layer} codes"


def integers_a_frame(network: Network) -> dict[str, int]:
    """The integers of each frame that a verification must compare, by layer, then of what follows the last one."""
    seen: dict[str, int] = {}
    for node in network.shown_nodes:
        seen[node.name] = node.edge.size
        if gives_codes(node):
            seen[codes_of(node.name)] = node.edge.size
    if network.gives_scores:
        return {**seen, SCORES: network.outputs, CLASS: 1}
    return {**seen, OUTPUT: network.outputs}


def check_derived(folder: Path, manifest: Manifest, network: Network, plan: Plan) -> None:
    """Raises DesignError, naming the first field, unless the manifest of a design follows from its network and plan."""
    for field, found, due in _fields(manifest, network, plan):
        if found != due:
            raise DesignError(
                f"{folder}: the manifest's {field} is {found}, but network and plan give {due}; "
                "generate the design again"
            )


def _fields(manifest: Manifest, network: Network, plan: Plan) -> Iterator[tuple[str, object, object]]:
    shown = network.shown_nodes
    yield "target", manifest.target, plan.target
    yield "clock_mhz", manifest.clock_mhz, plan.clock_mhz
    yield "list of layers", [entry.name for entry in manifest.layers], [node.name for node in shown]
    planned = {choice.name: (fold, choice) for fold, choice in zip(folds(network, plan), plan.layers, strict=True)}
    for entry, node in zip(manifest.layers, shown, strict=True):
        if node.name in planned:
            fold, choice = planned[node.name]
            due = planned_entry(node, fold, choice, memory=entry.memory, latency_cycles=entry.latency_cycles)
        else:
            due = whole_entry(node, latency_cycles=entry.latency_cycles)
        yield f"layer {node.name}", entry, due
    probed = [(probe.layer, probe.pe) for probe in manifest.probes]
    yield "list of probes (layer, pe)", probed, [(entry.name, entry.pe) for entry in manifest.layers]
    coded = [(probe.layer, probe.pe) for probe in manifest.code_probes]
    due_codes = [(each.name, each.pe) for each, node in zip(manifest.layers, shown, strict=True) if gives_codes(node)]
    yield "list of probes of codes (layer, pe)", coded, due_codes
    yield "probe of scores", manifest.score_probe is not None, network.gives_scores
    yield "input", manifest.input, input_format(network, plan)
    yield "output", manifest.output, output_format(network, plan)
    yield "registers", manifest.registers, register_map(plan)
    loads = manifest.loads
    yield "structure", None if loads is None else loads.structure, structure(network, plan) if plan.loadable else None
    yield "load that it begins with", loads is not None and loads.first is not None, plan.begins_empty

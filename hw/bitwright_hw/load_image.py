"""What is loaded into an accelerator so that it computes another network."""

import msgspec

from bitwright_core.errors import DesignError
from bitwright_core.loading import FIXED, Load, LoadEntry, check_structure, load_data, structure
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan import Plan
from bitwright_hw.solve import solved
from bitwright_hw.stage_graph import StageGraph

FIRST_LOAD = "own.weights.load"  # of a design that begins without weights


def load_of(network: Network, held: Network, plan: Plan, where: object) -> Load:
    """The load that makes the accelerator of `held` and `plan` compute `network`.

    Raises DesignError, naming `where`, for a network of another structure, or a plan without loadable layers.
    """
    if not plan.loadable:
        raise DesignError(f"{where}: {FIXED}")
    check_structure(network, held, plan, where)
    return _load(network, solved(held, plan).graph)


def initial_load(graph: StageGraph) -> Load:
    """The load of the network that the accelerator begins with."""
    return _load(graph.network, graph)


def load_entry(graph: StageGraph, load: Load) -> LoadEntry:
    """What a manifest says of loads, where `load` is that of the network that the design is generated with."""
    file = FIRST_LOAD if graph.plan.begins_empty else msgspec.UNSET
    return LoadEntry(structure=load.structure, memories=list(graph.loads), crc=load.crc, file=file)


def _load(network: Network, graph: StageGraph) -> Load:
    layers: dict[str, MatrixLayer] = {
        entry.layer.name: layer for entry, layer in zip(graph.layers, network.matrix_layers, strict=True)
    }
    parts = []
    for stage in graph.stages:
        if stage.loads:
            layer = layers[stage.loads[0].layer]
            parts += [contents.bits for contents in stage.load_contents(layer)]
    return Load(
        name=network.name,
        network_digest=network.digest,
        structure=structure(graph.network, graph.plan),
        data=load_data(parts),
    )

"""A plan with other choices: folds, engines, planes, weights that are loaded, and where those lie."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bitwright_core.errors import PlanError
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan.folding import planes_of
from bitwright_core.plan.plan import LayerPlan, Plan, Planes


def with_folds(
    plan: Plan, network: Network, *, pe: Sequence[int] | None = None, simd: Sequence[int] | None = None
) -> Plan:
    """`plan` with other PE and SIMD: one value for all layers (cut to what a small layer has), or one each.

    Raises PlanError for a value below 1, a wrong count, or, where one is given for each layer, a value
    beyond the layer's size.
    """
    rows = _chosen("pe", pe, [layer.outputs for layer in network.matrix_layers], [layer.pe for layer in plan.layers])
    lanes = _chosen(
        "simd", simd, [layer.inputs for layer in network.matrix_layers], [layer.simd for layer in plan.layers]
    )
    if pe is not None and len(pe) == 1:
        rows = [_cut(layer, each) for layer, each in zip(network.matrix_layers, rows, strict=True)]
    layers = (replace(layer, pe=pe_, simd=simd_) for layer, pe_, simd_ in zip(plan.layers, rows, lanes, strict=True))
    result = replace(plan, layers=tuple(layers))
    result.check(network)
    return result


def hardwired(plan: Plan, network: Network) -> Plan:
    """`plan` with every layer hardwired. Raises PlanError for a layer that is too large for it."""
    layers = tuple(
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        for layer in network.matrix_layers
    )
    result = replace(plan, layers=layers)
    result.check(network)
    return result


def with_planes(plan: Plan, network: Network, planes: Planes) -> Plan:
    """`plan` with the planes of every folded layer taken so; with "serial", of those that have several.

    Raises PlanError for "serial" and a plan without such a layer.
    """
    layers = tuple(
        replace(choice, planes=planes_of(layer, planes)) if choice.engine == "folded" else choice
        for choice, layer in zip(plan.layers, network.matrix_layers, strict=True)
    )
    if planes == "serial" and all(choice.planes == "parallel" for choice in layers):
        raise PlanError(
            f"network {network.name} has no folded layer on values or weights of several bits, whose planes could be "
            "taken one after the other"
        )
    return replace(plan, layers=layers)


def with_loadable(plan: Plan, network: Network, which: Literal["all", "last"]) -> Plan:
    """`plan` whose layers with weights, or the last of them alone, take other weights while they run.

    Raises PlanError for a layer that cannot.
    """
    layers = tuple(replace(layer, loadable=which == "all" or layer is plan.layers[-1]) for layer in plan.layers)
    result = replace(plan, layers=layers)
    result.check(network)
    return result


def with_ultra(plan: Plan, network: Network, which: Sequence[str] | None = None) -> Plan:
    """`plan` with the weights of its loadable layers, or of those that `which` names, in UltraRAM.

    The accelerator then begins without weights. Raises PlanError for a name that no layer has, and for weights that are
    fixed.
    """
    known = [layer.name for layer in plan.layers]
    chosen = [layer.name for layer in plan.layers if layer.loadable] if which is None else list(which)
    for name in chosen:
        if name not in known:
            raise PlanError(f"no layer with weights is called {name}; there are {', '.join(known)}")
    if not chosen:
        raise PlanError("no layer is loadable, and UltraRAM holds loaded weights alone; make some loadable first")
    layers = tuple(replace(layer, memory="ultra") if layer.name in chosen else layer for layer in plan.layers)
    result = replace(plan, layers=layers)
    result.check(network)
    return result


def _cut(layer: MatrixLayer, pe: int) -> int:
    """The most that is at most `pe` and that the groups of a layer may have."""
    if layer.groups == 1:
        return pe
    rows = layer.outputs // layer.groups
    return pe // rows * rows if pe >= rows else max(each for each in range(1, pe + 1) if rows % each == 0)


def _chosen(key: str, values: Sequence[int] | None, limits: list[int], present: list[int]) -> list[int]:
    if values is None:
        return present
    if len(values) == 1:
        if values[0] > max(limits):
            raise PlanError(f"{key} {values[0]} is more than any layer has ({max(limits)} at the most)")
        return [min(values[0], limit) for limit in limits]
    if len(values) != len(limits):
        raise PlanError(f"{len(values)} values of {key} for {len(limits)} layers; give one, or one each")
    return list(values)

"""Folds to choose from, the smallest of them in time, and the plan that has it for every layer."""

from bitwright_core.buildable import check_buildable
from bitwright_core.engine_rules import serial_refusal
from bitwright_core.errors import PlanError
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan.fold import Fold, ceil_div, fold_of
from bitwright_core.plan.plan import LayerPlan, Plan, Planes


def smallest_fold(inputs: int, outputs: int, cycles: int, groups: int = 1) -> Fold:
    """The fold of the fewest lanes that takes at most `cycles` (at least 1) cycles a frame.

    Among equals: fewer padded lanes, then the most square one (PE near SIMD keeps both the accumulators
    and the popcount trees small).
    """

    def cost(fold: Fold) -> tuple[int, int, float]:
        padding = fold.cycles * fold.lanes - inputs * outputs
        return fold.lanes, padding, max(fold.pe / fold.simd, fold.simd / fold.pe)

    best: Fold | None = None
    for pe in row_choices(outputs, groups):
        folds_ = ceil_div(outputs, pe)
        if folds_ > cycles:
            continue
        simd = ceil_div(inputs, min(inputs, cycles // folds_))
        fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd, groups=groups)
        if best is None or cost(fold) < cost(best):
            best = fold
    assert best is not None  # one neuron fold is always among the candidates
    return best


def distinct_folds(size: int) -> list[int]:
    """Every value of ceil(size / k): about 2 sqrt(size) of them."""
    values = {ceil_div(size, k) for k in range(1, int(size**0.5) + 2)}
    return sorted(values | {ceil_div(size, v) for v in values} | {1})


def row_choices(outputs: int, groups: int = 1) -> list[int]:
    """The PEs to choose from: for every number of passes the least PE that gives it.

    Without groups any from 1 to `outputs`; in groups those that divide the rows of a group, or are a multiple of them.
    """
    if groups == 1:
        return [ceil_div(outputs, passes) for passes in distinct_folds(outputs)]
    rows = outputs // groups
    within = [pe for pe in range(1, rows) if rows % pe == 0]
    return [*(rows * ceil_div(groups, passes) for passes in distinct_folds(groups)), *within[::-1]]


def default_plan(network: Network, *, cycles: int | None = None, planes: Planes = "parallel") -> Plan:
    """A balanced plan: every layer as small as it can be while it takes at most `cycles` cycles a frame.

    With `planes` "serial", layers on values or weights of several bits take their planes one after the other.

    Without `cycles`, the larger of 64 and what brings the largest layer to 1,024 lanes.
    """
    check_buildable(network)
    if cycles is None:
        cycles = max([64, *(ceil_div(layer.weights.size * layer.pixels, 1024) for layer in network.matrix_layers)])
    if cycles < 1:
        raise PlanError(f"a frame takes at least 1 cycle, not {cycles}")
    layers = []
    for layer in network.matrix_layers:
        mine = planes_of(layer, planes)
        windows = layer.pixels * fold_of(layer, 1, 1, mine).plane_products
        fold = smallest_fold(layer.inputs, layer.outputs, max(1, cycles // windows), layer.groups)
        layers.append(LayerPlan(name=layer.name, pe=fold.pe, simd=fold.simd, planes=mine))
    return Plan(layers=tuple(layers), scores=network.gives == "values")


def planes_of(layer: MatrixLayer, planes: Planes) -> Planes:
    """How a folded engine of `layer` takes its planes, where plane-serial is asked for: so if it has several."""
    return planes if serial_refusal("folded", layer) is None else "parallel"

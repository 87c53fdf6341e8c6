"""Plans for a board whose layers are loadable: the weights that block RAM has no room for lie in UltraRAM."""

from collections.abc import Callable
from typing import Literal

from bitwright_core.errors import PlanError
from bitwright_core.network import Network
from bitwright_core.plan import Plan, with_loadable, with_ultra
from bitwright_hw.cells import Counts
from bitwright_hw.estimate import Estimate, estimate
from bitwright_hw.families import Family
from bitwright_hw.sizer import Sized
from bitwright_hw.sizing import Limits

_SHARES = (8, 4, 2, 1)  # block RAMs that an UltraRAM is counted as in the search: as many bits, or as many lanes


def size_loadable(
    network: Network,
    options: Plan,
    which: Literal["all", "last"],
    *,
    limits: Limits,
    ultra_rams: int,
    search: Callable[..., Sized],
) -> Plan:
    """The plan that `search`, which is `size_for` for a family and a rate, finds with the options `options`, with
    `which` of its layers loadable, on a board with so many UltraRAMs.

    Where that takes more than `limits`, the search counts each UltraRAM as some block RAMs, first as 8, then as fewer,
    and the layers that take the most block RAM move to UltraRAM, one after the other, until the rest fits. Raises
    PlanError, with the figures, if nothing fits.
    """
    found = ""
    for share in (0, *(_SHARES if ultra_rams else ())):
        allowed = Limits(luts=limits.luts, block_rams=limits.block_rams + share * ultra_rams)
        try:
            sized = search(network, options, limits=allowed)
        except PlanError as error:
            found = found or str(error)
            continue
        family = sized.estimate.family
        plan, expected = _moved(network, with_loadable(sized.plan, network, which), family, limits, ultra_rams)
        total = expected.total
        if _fits(total, limits, ultra_rams):
            return plan
        found = (
            f"network {network.name} with loadable layers needs {total.luts:,} LUTs, {total.block_rams:g} block RAMs "
            f"and {total.ultra_rams} UltraRAMs of the {limits.luts:,} LUTs, {limits.block_rams} block RAMs and "
            f"{ultra_rams} UltraRAMs allowed; ask for a lower rate, or make the last layer alone loadable"
        )
    raise PlanError(found)


def _fits(total: Counts, limits: Limits, ultra_rams: int) -> bool:
    return total.luts <= limits.luts and total.block_rams <= limits.block_rams and total.ultra_rams <= ultra_rams


def _moved(network: Network, plan: Plan, family: Family, limits: Limits, ultra_rams: int) -> tuple[Plan, Estimate]:
    """`plan` with as many of its loadable layers in UltraRAM as block RAM has no room for, those of the most first."""
    expected = estimate(network, plan, family=family)
    blocks = {layer.name: layer.engine.block_rams for layer in expected.layers}
    loadable = [layer.name for layer in plan.layers if layer.loadable and blocks[layer.name]]
    for name in sorted(loadable, key=lambda name: -blocks[name]):
        if expected.total.block_rams <= limits.block_rams:
            break
        moved = with_ultra(plan, network, [name])
        taken = estimate(network, moved, family=family)
        if taken.total.ultra_rams <= ultra_rams:
            plan, expected = moved, taken
    return plan, expected

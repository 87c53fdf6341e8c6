"""What hardware cannot be made for yet, said in one place: a Network can say more than engines compute."""

from bitwright_core.errors import PlanError
from bitwright_core.network import Network, Node

STAGES = frozenset(("luts", "group_sum", "upsample2d", "arg_max"))  # kinds that are stages by themselves


def check_buildable(network: Network) -> None:
    """Raises PlanError, in one sentence that names the layer, for a network that hardware cannot be made for."""
    for node in network.nodes:
        why = _why_not(node)
        if why is not None:
            raise PlanError(f"layer {node.name} {why}")


def _why_not(node: Node) -> str | None:
    """What of a node no hardware does; None where it can be made."""
    operator = node.operator
    if (
        operator.matrix is not None
        or operator.join is not None
        or operator.lanes is not None
        or operator.kind in STAGES
    ):
        return None
    if node.operator.pooling is None:
        return f"is of kind {node.operator.kind}, for which no hardware is made"
    return None

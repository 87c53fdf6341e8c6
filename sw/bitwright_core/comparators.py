"""Which networks may compare their input behind a collected frame, within their first tables."""

from bitwright_core.network import ENCODED, Network, ThresholdEncoding
from bitwright_core.ops.operator import Lookup


def first_tables(network: Network) -> Lookup | None:
    """The layer of tables that takes all of the encoded input and is alone in it, where values of two bits or more are
    compared with thresholds; None where there is no such layer."""
    if not isinstance(network.encoding, ThresholdEncoding) or network.input.bits < 2:
        return None
    takers = [node.operator for node in network.nodes if ENCODED in node.takes]
    return takers[0].lookup if len(takers) == 1 else None

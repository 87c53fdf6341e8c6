"""Bits that never change, whatever the frame: what a hardwired layer need not compute.

No bit of an encoded frame is one: thresholds of an encoding lie in 1 .. 2^bits - 1, so that both sides can occur. A
neuron whose threshold its popcount always or never reaches is one, and may make others so in the layers behind; so is
a table that says one thing at all addresses.
"""

from collections.abc import Collection, Sequence

from bitwright_core.network import MatrixLayer, Network, Thresholds
from bitwright_hw.luts import neurons

Known = tuple[int | None, ...]  # of each bit the value that it always has, or None


def agreeing_range(weights: Sequence[int], known: Known) -> tuple[int, int]:
    """The least and the largest popcount of a row."""
    always = sum(value == weight for value, weight in zip(known, weights, strict=True))
    return always, always + known.count(None)


def known_outputs(layer: MatrixLayer, known: Known) -> Known:
    """Of each activation of `layer` the value that it always has; of scores and of activations of a few bits, None."""
    if not isinstance(layer.output, Thresholds) or layer.output.levels > 1:
        return (None,) * layer.outputs
    found: list[int | None] = []
    for weights, threshold in zip(layer.rows.tolist(), layer.engine_levels[0, :, 0].tolist(), strict=True):
        low, high = agreeing_range(weights, known)
        found.append(1 if threshold <= low else 0 if threshold > high else None)
    return tuple(found)


def known_inputs(network: Network, loadable: Collection[str] = ()) -> list[Known]:
    """Of each matrix layer's inputs the values that they always have. None is known of a convolution's results, nor of
    those of layers that are `loadable`, by name."""
    found: list[Known] = []
    known: dict[str, Known] = {}
    for node in network.nodes:
        layer, given = node.operator.matrix, [known.get(name, ()) for name in node.takes]
        if node.operator.lookup is not None:
            known[node.name] = tuple(None if wires else table for wires, table in neurons(node.operator.lookup))
            continue
        if layer is None:
            rule = node.operator.join
            if rule is not None and rule.pixels is None and not rule.beside and all(given):
                known[node.name] = tuple(bit for each in given for bit in each)
            continue
        known_here = given[0] or (None,) * layer.inputs
        found.append(known_here)
        if layer.windows is None and layer.counts_bits and layer.name not in loadable:
            known[node.name] = known_outputs(layer, known_here)
    return found

"""What a verification asks of its arguments before, and of what it compared behind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.derived import integers_a_frame
from bitwright_core.design import Design
from bitwright_core.errors import DataError, DesignError
from bitwright_core.network import Network


def check_compared(compared: dict[str, int], network: Network, frames: int) -> None:
    """Raises DesignError if fewer integers of a layer were compared than `network` has."""
    due = integers_a_frame(network)
    for name, count in due.items():
        if compared.get(name, 0) != count * frames:
            raise DesignError(
                f"{compared.get(name, 0):,} integers of {name} were compared in place of {count * frames:,}; "
                "generate the design again"
            )


def check_shape(design: Design, network: Network) -> None:
    """Raises DesignError unless `network` has the shapes that `design` was generated for."""
    manifest = design.manifest
    mine = [(node.inputs, node.outputs) for node in network.shown_nodes]
    theirs = [(layer.inputs, layer.outputs) for layer in manifest.layers]
    if mine != theirs:
        raise DesignError(
            f"network {network.name} has layers {_shapes(mine)}, but {design.folder} was generated for "
            f"{_shapes(theirs)}; give the network that the design was generated from"
        )
    known = design.network
    for what, a, b in (
        ("input shape", list(network.input.shape), list(known.input.shape)),
        ("input bits", network.input.bits, known.input.bits),
        ("encoding levels", network.encoding.levels, known.encoding.levels),
        ("what the first layer takes", str(network.encoding.number), str(known.encoding.number)),
        ("shapes of layers", _edges(network), _edges(known)),
        ("kind of output (scores, bits or integers)", _result(network), _result(known)),
    ):
        if a != b:
            raise DesignError(f"network {network.name} differs from that of {design.folder} in {what}: {a}, not {b}")


def _result(network: Network) -> str:
    return "scores" if network.gives_scores else network.gives


def _edges(network: Network) -> list[tuple[int, ...]]:
    return [node.edge.shape for node in network.nodes]


def _shapes(layers: list[tuple[int, int]]) -> str:
    return ", ".join(f"{inputs}x{outputs}" for inputs, outputs in layers)


def check_labels(labels: NDArray[Any] | None, count: int, network: Network) -> NDArray[np.int64] | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.ndim == 2:
        if network.gives != "bits" or array.shape != (count, network.outputs) or not np.isin(array, (0, 1)).all():
            raise DataError(
                f"labels of 0 and 1 are for networks that give bits, here ({count}, {network.outputs}) of "
                f"{network.gives}, not {array.dtype} of shape {array.shape}"
            )
        return array.astype(np.int64)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"labels must be {count} integers, one a frame, not {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)

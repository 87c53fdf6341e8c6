"""Which layers an engine takes, by the name that a plan gives it: plans are checked without the hardware."""

from collections.abc import Callable

from bitwright_core.network import MatrixLayer, Votes

HARDWIRED_WEIGHTS = 1 << 18  # the most of a hardwired layer: some 40,000 LUTs of 7-series


def _folded(layer: MatrixLayer, pe: int, simd: int) -> str | None:
    """Takes every layer at any PE and SIMD that it has; in groups with whole groups, or parts of one alike."""
    rows = layer.outputs // layer.groups
    if layer.groups > 1 and rows % pe and pe % rows:
        return f"pe must divide the {rows} outputs of a group, or be a multiple of them, not {pe}"
    return None


def _hardwired(layer: MatrixLayer, pe: int, simd: int) -> str | None:
    if (pe, simd) != (layer.outputs, layer.inputs):
        return (
            f"a hardwired layer has all rows and lanes at a time, so pe {layer.outputs} and simd {layer.inputs}, "
            f"not {pe} and {simd}"
        )
    if layer.windows is not None or not layer.counts_bits or isinstance(layer.output, Votes) or layer.output.levels > 1:
        return (
            "only dense layers on bits, with weights of a bit and thresholds of one level or scores, can be hardwired; "
            "leave out its engine"
        )
    if layer.weights.size > HARDWIRED_WEIGHTS:
        return (
            f"{layer.weights.size:,} weights are too many to hardwire ({HARDWIRED_WEIGHTS:,} at the most); "
            "give it a pe and simd and leave out its engine"
        )
    return None


RULES: dict[str, Callable[[MatrixLayer, int, int], str | None]] = {"folded": _folded, "hardwired": _hardwired}


def refusal(engine: str, layer: MatrixLayer, pe: int, simd: int) -> str | None:
    """Why the engine does not take `layer` with this PE and SIMD, in one sentence that follows its name; None if it
    does."""
    return RULES[engine](layer, pe, simd)

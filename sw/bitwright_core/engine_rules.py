"""Which layers an engine takes, by the name that a plan gives it: plans are checked without the hardware."""

from collections.abc import Callable

from bitwright_core.network import MatrixLayer, Votes

HARDWIRED_WEIGHTS = 1 << 18  # the most of a hardwired layer, times its planes: some 40,000 LUTs of 7-series
HARDWIRED_LANE_BITS = 16


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
    if isinstance(layer.output, Votes):
        return "only layers with thresholds, scores or sums can be hardwired; leave out its engine"
    if layer.groups > 1:
        return f"its {layer.groups} groups take lanes of their own, so it cannot be hardwired; leave out its engine"
    if layer.engine_offsets.any():
        return (
            "zeros around bits change its thresholds from pixel to pixel, so it cannot be hardwired; "
            "pad with -1 or +1, or leave out its engine"
        )
    if layer.takes.bits > HARDWIRED_LANE_BITS:
        return (
            f"a hardwired layer takes values of at most {HARDWIRED_LANE_BITS} bits, not {layer.takes}; "
            "leave out its engine"
        )
    planes = layer.takes.bits * layer.weight_type.bits
    if layer.weights.size * planes > HARDWIRED_WEIGHTS:
        most = HARDWIRED_WEIGHTS // planes
        return (
            f"{layer.weights.size:,} weights are too many to hardwire ({most:,} at the most); "
            "give it a pe and simd and leave out its engine"
        )
    return None


RULES: dict[str, Callable[[MatrixLayer, int, int], str | None]] = {"folded": _folded, "hardwired": _hardwired}


def plane_products(layer: MatrixLayer) -> int:
    """Products of a bit-plane of the values and one of the weights that a dot product of `layer` is the sum of."""
    return layer.takes.bits * layer.weight_type.bits


def serial_refusal(engine: str, layer: MatrixLayer) -> str | None:
    """Why the engine does not take the planes of `layer` one after the other, as `refusal` says it."""
    if engine != "folded":
        return 'a hardwired layer adds all planes at a time; leave out its engine, or planes = "serial"'
    if plane_products(layer) == 1:
        return (
            f"{layer.takes} values and {layer.weight_type} weights have one plane each, and nothing comes after it; "
            'leave out planes = "serial"'
        )
    return None


def refusal(engine: str, layer: MatrixLayer, pe: int, simd: int) -> str | None:
    """Why the engine does not take `layer` with this PE and SIMD, in one sentence that follows its name; None if it
    does."""
    return RULES[engine](layer, pe, simd)


def memory_refusal(memory: str, *, loadable: bool) -> str | None:
    """Why weights cannot lie in `memory`, as `refusal` says it; None if they can."""
    if memory != "ultra" or loadable:
        return None
    return (
        "UltraRAM holds nothing at power-up, so fixed weights cannot lie in it; give the layer loadable = true, or "
        'memory = "block"'
    )


def load_refusal(engine: str) -> str | None:
    """Why other weights cannot be loaded into a layer of this engine, as `refusal` says it; None if they can."""
    if engine != "folded":
        return f"a {engine} layer has its weights in the logic, so nothing can be loaded; leave out its engine"
    return None

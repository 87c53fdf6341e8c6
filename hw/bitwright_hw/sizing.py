"""Folds and memories for a network on a board: what a design may take, and plans that keep to it, or why none does."""

from dataclasses import dataclass

from bitwright_core.errors import PlanError
from bitwright_core.network import Network
from bitwright_core.plan import Plan, Planes
from bitwright_core.progress import Progress
from bitwright_hw.estimate import Estimate
from bitwright_hw.families import Family
from bitwright_hw.sizer import Sized, Sizer


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a design may take of a board: some is left for what lies around it, and for placing it."""

    luts: int
    block_rams: int

    @staticmethod
    def of(luts: int, block_rams: int, *, max_luts: int | None = None, max_block_rams: int | None = None) -> "Limits":
        """Four fifths of the LUTs, or `max_luts`, and all blocks but four, which a DMA and its buses take, or
        `max_block_rams`.

        Raises PlanError for more than the board has.
        """
        if max_luts is not None and not 1 <= max_luts <= luts:
            raise PlanError(f"max_luts must lie in 1..{luts:,}, which the board has, not {max_luts:,}")
        if max_block_rams is not None and not 0 <= max_block_rams <= block_rams:
            raise PlanError(f"max_brams must lie in 0..{block_rams:,}, which the board has, not {max_block_rams:,}")
        return Limits(
            luts=luts * 4 // 5 if max_luts is None else max_luts,
            block_rams=max(0, block_rams - 4) if max_block_rams is None else max_block_rams,
        )


def size_for(
    network: Network,
    options: Plan,
    *,
    family: Family,
    limits: Limits,
    target_fps: float | None = None,
    planes: Planes = "parallel",
    progress: Progress | None = None,
) -> Sized:
    """The least LUTs for `target_fps` frames/s at the clock of `options`, or the highest rate, within `limits`.

    With `planes` "serial", layers on values or weights of several bits take their planes one after the other. Raises
    PlanError, with the figures that show why, if nothing fits.
    """
    sizer = Sizer(network, options, family=family, planes=planes, progress=progress)
    most = {"luts": limits.luts, "block_rams": limits.block_rams}
    allowed = f"the {limits.luts:,} LUTs and {limits.block_rams} block RAMs allowed"
    weights = sum(layer.weight_bits for layer in network.matrix_layers)
    if weights > sizer.most_weights(**most):
        raise PlanError(
            f"network {network.name} does not fit {allowed} at any rate: they hold at most "
            f"{sizer.most_weights(**most):,.0f} weights ({sizer.costs.block_bits:,} a block RAM, "
            f"{sizer.costs.lut_bits} a LUT), and it has {weights:,}; choose a larger board, or fewer weights"
        )
    if target_fps is None:
        fastest = sizer.fastest(**most)
        if fastest is None:
            least = sizer.smallest(sizer.intervals[-1])
            assert least is not None  # no limits
            total = least.estimate.total
            raise PlanError(
                f"network {network.name} does not fit {allowed} at any rate: its least plan takes {total.luts:,} LUTs "
                f"and {total.block_rams:g} block RAMs, {least.interval:,} cycles a frame"
            )
        return fastest
    clock = options.clock_mhz * 1e6
    if not 0 < target_fps <= clock:
        raise PlanError(f"the target must lie in 1..{clock:,.0f} frames/s, one a cycle, not {target_fps:,.15g}")
    interval = int(clock / target_fps)
    asked = f"{target_fps:,.15g} frames/s at {options.clock_mhz:g} MHz is an interval of {interval:,} cycles"
    if interval < sizer.least_interval:
        raise PlanError(f"{asked}, {_stream_bound(sizer)}")
    sized = sizer.smallest(interval, **most)
    if sized is not None:
        return sized
    narrow = sizer.smallest(interval, block_rams=limits.block_rams)
    wide = sizer.smallest(interval)
    assert wide is not None  # no limits, and the streams are fast enough
    if narrow is not None:
        needs = f"{narrow.estimate.total.luts:,} LUTs beside {narrow.estimate.total.block_rams:g} block RAMs"
    else:
        needs = f"{wide.estimate.total.luts:,} LUTs and {wide.estimate.total.block_rams:g} block RAMs"
    fastest = sizer.fastest(**most)
    best = (
        "nothing fits at any rate"
        if fastest is None
        else (f"the highest rate that fits is {fastest.frames_per_second:,.0f} frames/s ({fastest.interval:,} cycles)")
    )
    raise PlanError(f"{asked}: needs at least {needs} of {allowed}; {best}")


def _stream_bound(sizer: Sizer) -> str:
    """Why no fold has so short an interval, and what would."""
    clock = sizer.options.clock_mhz * 1e6
    pixels, where = sizer.most_pixels
    if pixels == sizer.least_interval:
        return f"but {where}, so at most {clock / pixels:,.0f} frames/s"
    if sizer.output.beats >= sizer.input.beats:
        return (
            f"but a result takes {sizer.output.beats} beats of the output stream, so at most "
            f"{clock / sizer.output.beats:,.0f} frames/s; without scores a result is one beat"
        )
    remedy = "a wider data_bits" if sizer.input.encoded else "a wider data_bits, or encoding host,"
    return (
        f"but a frame takes {sizer.input.beats} beats of the input stream ({sizer.input.bytes:,} bytes, "
        f"{sizer.input.data_bits} bits a beat), so at most {clock / sizer.input.beats:,.0f} frames/s; "
        f"{remedy} makes it shorter"
    )


def check_fits(expected: Estimate, board: str, *, luts: int, block_rams: int, unit: str, ultra_rams: int = 0) -> None:
    """Raises PlanError, with the sum, if a design takes more than `board` has. Block RAM and UltraRAM are exact; LUTs
    are refused beyond the estimate's error, 15 %."""
    total = expected.total
    if total.ultra_rams > ultra_rams:
        parts = " + ".join(f"{layer.name} {layer.total.ultra_rams}" for layer in expected.layers)
        raise PlanError(
            f"the weights need {total.ultra_rams} UltraRAMs ({parts}) of the {ultra_rams} on {board}; "
            'put a layer\'s in block RAM (memory = "block"), or choose a board with more'
        )
    if total.block_rams > block_rams:
        parts = " + ".join(f"{layer.name} {layer.total.block_rams:g}" for layer in expected.layers)
        raise PlanError(
            f"the weights need {total.block_rams:g} {unit} ({parts}) of the {block_rams} on {board}; "
            'put a layer\'s in LUTs (memory = "distributed"), choose other folds, or size for the board'
        )
    if total.luts > 1.15 * luts:
        parts = " + ".join(f"{layer.name} {layer.total.luts:,}" for layer in expected.layers)
        raise PlanError(
            f"the design needs about {total.luts:,} of the {luts:,} LUTs on {board} ({parts} + {expected.other.luts:,}"
            "); fold it further, or size it for the board"
        )

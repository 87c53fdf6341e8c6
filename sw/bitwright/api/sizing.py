"""Plans: folds by hand or for a board, the frontier, estimates."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bitwright.api.common import PathLike, family_of, needs_extra
from bitwright.notebook import shows_progress
from bitwright_core.errors import PlanError
from bitwright_core.families import FamilyName
from bitwright_core.framing import frame_wide
from bitwright_core.network import Network
from bitwright_core.plan import Comparators, Plan, Planes, default_plan, with_folds, with_loadable, with_planes
from bitwright_core.plan import hardwired as hardwired_plan
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright.accuracy import AccuracyFrontier
    from bitwright.frontier import Exploration
    from bitwright_boards import Board
    from bitwright_hw.cells import Counts
    from bitwright_hw.estimate import Estimate
    from bitwright_hw.sizing import Limits
    from bitwright_train import TrainConfig


@shows_progress
def size(
    network: Network,
    *,
    cycles: int | None = None,
    pe: int | Sequence[int] | None = None,
    simd: int | Sequence[int] | None = None,
    hardwired: bool = False,
    plan: Plan | None = None,
    scores: bool | None = None,
    encoding: Literal["hardware", "host"] | None = None,
    target: FamilyName | None = None,
    clock_mhz: float | None = None,
    data_bits: int | None = None,
    registers: bool | None = None,
    planes: Planes | None = None,
    comparators: Comparators | None = None,
    loadable: Literal["all", "last"] | None = None,
    board: str | None = None,
    target_fps: float | None = None,
    max_luts: int | None = None,
    max_brams: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    """A Plan for `network`: how many rows (PE) and lanes (SIMD) of each layer work at once.

    `cycles` is the most cycles a frame may take (each layer as small as that allows); `pe` and `simd` set
    the folds themselves, one value for all layers or one for each. `hardwired` makes every layer's weights constants in
    the logic; its input stream, if neither `data_bits` nor `plan` decides it, is as wide as a frame, or as a stream
    can be: a frame a beat is a frame a cycle. `planes` "serial" makes layers on values or weights of several bits take
    their bit-planes one after the other, with one popcount a row. The rest are the plan's options, None leaving them at
    their defaults, or at those of `plan` where one is given to start from.

    With `board` (see `bitwright boards`), folds and memories are found: the least LUTs for `target_fps` frames/s, or
    the highest rate within `max_luts` and `max_brams` (by default four fifths of the board's LUTs and all block RAMs
    but four). Target, clock and data_bits are then the board's unless given. With `loadable`, all layers or the last
    one take other weights while they run; those that block RAM has no room for lie in the board's UltraRAM, if any.

        plan = bw.size(network, cycles=256, scores=True)
        plan = bw.size(network, pe=[16, 8], simd=[49, 32])
        plan = bw.size(network, board="pynq-z2", target_fps=100_000)

    Raises PlanError for an impossible fold, or, with the figures, for a rate that does not fit the board.
    """
    if board is not None:
        if any(given is not None for given in (cycles, pe, simd, plan)) or hardwired:
            raise PlanError("a board decides the folds; give it or cycles, pe, simd, hardwired or a plan, not both")
        return _for_board(
            network,
            board,
            target_fps,
            (max_luts, max_brams),
            progress,
            planes or "parallel",
            loadable,
            {
                "scores": _scores(scores, network),
                "encoding": encoding,
                "target": target,
                "clock_mhz": clock_mhz,
                "data_bits": data_bits,
                "registers": registers,
                "comparators": comparators,
            },
        )
    if any(given is not None for given in (target_fps, max_luts, max_brams)):
        raise PlanError("target_fps, max_luts and max_brams need a board; see bitwright boards")
    if hardwired and (cycles, pe, simd) != (None, None, None):
        raise PlanError("hardwired layers have all rows and lanes at a time; give no cycles, pe or simd with them")
    widest = hardwired and data_bits is None and plan is None
    if plan is None:
        plan = default_plan(network, cycles=cycles, planes=planes or "parallel")
    elif cycles is not None:
        raise PlanError("a plan already decides the cycles a frame; give one or the other")
    options: dict[str, Any] = {
        "scores": scores,
        "encoding": encoding,
        "target": target,
        "clock_mhz": clock_mhz,
        "data_bits": data_bits,
        "registers": registers,
        "comparators": comparators,
    }
    plan = replace(plan, **{key: value for key, value in options.items() if value is not None})
    if planes is not None and not hardwired:
        plan = with_planes(plan, network, planes)
    elif planes == "serial":
        raise PlanError("hardwired layers add all planes at a time; give hardwired or planes, not both")
    if hardwired:
        plan = hardwired_plan(frame_wide(plan, network) if widest else plan, network)
    else:
        plan = with_folds(plan, network, pe=_sequence(pe), simd=_sequence(simd))
    return plan if loadable is None else with_loadable(plan, network, loadable)


def _for_board(
    network: Network,
    name: str,
    target_fps: float | None,
    most: tuple[int | None, int | None],
    progress: Progress | None,
    planes: Planes,
    loadable: Literal["all", "last"] | None,
    options: dict[str, Any],
) -> Plan:
    from bitwright_boards import load_board
    from bitwright_hw.families import family_named
    from bitwright_hw.loadable_sizing import size_loadable
    from bitwright_hw.sizing import size_for

    board = load_board(name)
    base, limits = board_base(board, *most, options)
    search = partial(
        size_for, family=family_named(board.target), target_fps=target_fps, planes=planes, progress=progress
    )
    if loadable is None:
        return search(network, base, limits=limits).plan
    return size_loadable(network, base, loadable, limits=limits, ultra_rams=board.resources.ultra_rams, search=search)


def board_base(
    board: "Board", max_luts: int | None, max_brams: int | None, options: dict[str, Any]
) -> "tuple[Plan, Limits]":
    """The options of a plan for `board`, without layers, and what it may take."""
    from bitwright_boards import board_names
    from bitwright_hw.sizing import Limits

    base: dict[str, Any] = {"target": board.target, "clock_mhz": board.clock_mhz, "data_bits": board.data_bits}
    base |= {key: value for key, value in options.items() if value is not None}
    has = board.resources
    limits = Limits.of(has.luts, has.block_rams, max_luts=max_luts, max_block_rams=max_brams)
    # a plan names boards that generate can look up; a board of a file was looked at here
    known = board.name if board.name in board_names() else ""
    return Plan(layers=(), board=known, **base), limits


@shows_progress
def explore(
    network: Network,
    out: PathLike,
    *,
    board: str,
    target_fps: float | None = None,
    max_luts: int | None = None,
    max_brams: int | None = None,
    clock_mhz: float | None = None,
    scores: bool | None = None,
    encoding: Literal["hardware", "host"] | None = None,
    data_bits: int | None = None,
    synth: bool = False,
    ray: str | None = None,
    progress: Progress | None = None,
) -> "Exploration":
    """Sizes `network` for many rates and writes frontier.png, index.html and plan.toml to `out`.

    The options are those of `size`; plan.toml is what `size` gives, and its point is marked. With `synth` Yosys counts
    each point's LUTs and block RAMs, too: on all cores, or on the Ray cluster at address `ray` ("local": one of this
    machine's own).

        bw.explore(network, "frontier", board="pynq-z2").chosen.frames_per_second

    Raises PlanError as `size` does, and for `ray` without `synth`; ToolError if matplotlib or Ray is not installed, or
    as `synth` does.
    """
    from bitwright.frontier import Exploration, Point
    from bitwright_boards import load_board
    from bitwright_hw.families import family_named
    from bitwright_hw.sizer import Sizer
    from bitwright_hw.sizing import size_for

    if ray is not None and not synth:
        raise PlanError("exploring by estimates takes seconds here; a cluster (ray) is for synth")
    with needs_extra("plot", "drawing"):
        import matplotlib  # noqa: F401  (before minutes of search)
    found = load_board(board)
    family = family_named(found.target)
    options = {"scores": _scores(scores, network), "encoding": encoding, "clock_mhz": clock_mhz, "data_bits": data_bits}
    base, limits = board_base(found, max_luts, max_brams, options)
    chosen = size_for(network, base, family=family, limits=limits, target_fps=target_fps, progress=progress)
    sizer = Sizer(network, base, family=family, progress=progress)
    points = sizer.frontier(luts=limits.luts, block_rams=limits.block_rams)
    if chosen.plan not in [point.plan for point in points]:
        points = sorted([*points, chosen], key=lambda point: point.interval)
    counted: list[Counts | None] = [None] * len(points)
    if synth:
        from bitwright.sweep import sweep

        counted = [*sweep(network, [point.plan for point in points], found.target, ray=ray, progress=progress)]
    result = Exploration(
        network=network.name,
        board=found.name,
        title=found.title,
        clock_mhz=base.clock_mhz,
        luts=found.resources.luts,
        block_rams=found.resources.block_rams,
        block_ram_name=found.block_ram_name,
        points=tuple(
            Point(
                plan=point.plan,
                interval_cycles=point.interval,
                frames_per_second=point.frames_per_second,
                luts=point.estimate.total.luts,
                ffs=point.estimate.total.ffs,
                block_rams=point.estimate.total.block_rams,
                chosen=point.plan == chosen.plan,
                counted_luts=None if counts is None else counts.luts,
                counted_block_rams=None if counts is None else counts.block_rams,
            )
            for point, counts in zip(points, counted, strict=True)
        ),
    )
    result.save(Path(out))
    return result


def _scores(asked: bool | None, network: Network) -> bool | None:
    """Whether results hold scores, where the user has not said: always, where scores are the result."""
    return True if asked is None and network.gives == "values" else asked


def _sequence(values: int | Sequence[int] | None) -> Sequence[int] | None:
    return [values] if isinstance(values, int) else values


def estimate(network: Network, plan: Plan, *, family: FamilyName | None = None) -> "Estimate":
    """What `plan` would take, and each layer of it, without generating or synthesizing anything.

    `family` as for `synth`. For a plan whose target is that family, LUTs come out within 15 % of Yosys' and
    block RAM the same; flip-flops are rough.

        bw.estimate(network, bw.size(network, cycles=256, target="xc7")).total.luts

    Raises PlanError for a plan that does not fit, or if neither `family` nor the plan names a family.
    """
    from bitwright_hw.estimate import estimate as model

    return model(network, plan, family=family_of(family, plan))


@shows_progress
def explore_accuracy(
    config: "PathLike | TrainConfig",
    out: PathLike,
    *,
    widths: Sequence[Sequence[int]] = (),
    levels: Sequence[int] = (),
    fan_ins: Sequence[int] = (),
    seeds: Sequence[int] = (),
    epochs: int | None = None,
    data_dir: PathLike | None = None,
    frames: int = 10_000,
    progress: Progress | None = None,
) -> "AccuracyFrontier":
    """Accuracy against LUTs: a configuration of lookup tables trained in all these sizes, each counted and verified.

    `widths` are neurons of each layer, `levels` bits of a value, `fan_ins` inputs of a neuron; each that is not given
    stays the configuration's. Each network is trained, exported and proven, generated, synthesized by Yosys for xc7,
    and simulated on `frames` of the test set. Writes accuracy.png, accuracy.md and accuracy.json under `out`, and each
    network in a folder of its own; what an earlier call has trained is taken up.

        bw.explore_accuracy("mnist-luts-2000", "frontier", widths=[[300], [600], [1000]])

    Raises TrainingError for a configuration without lookup tables, or where simulation differs.
    """
    from bitwright.accuracy import explored, measured, variants
    from bitwright.api.frames import default_data_dir

    with needs_extra("train", "training"):
        import matplotlib  # noqa: F401

        import bitwright_train as training

        chosen = config if isinstance(config, training.TrainConfig) else training.load_config(str(config))
        folder = default_data_dir() if data_dir is None else Path(data_dir)
        configs = [
            training.with_overrides(one, seed=seed, epochs=epochs)
            for one in variants(chosen, widths, levels, fan_ins)
            for seed in seeds or [chosen.seed]
        ]
        return explored(configs, Path(out), lambda one: measured(one, Path(out), folder, frames, progress))

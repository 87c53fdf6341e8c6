"""Designs: generated, simulated, verified, synthesized."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.api.common import PathLike, family_of, needs_extra, open_design
from bitwright.api.frames import load_frames
from bitwright.api.sizing import size
from bitwright.kept import keep_benches, keep_verification
from bitwright.notebook import shows_progress
from bitwright_core.design import Design
from bitwright_core.families import FamilyName
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright_hw.synth import SynthReport
    from bitwright_sim import SimulateReport, VerifyReport


@shows_progress
def generate(
    network: Network,
    plan: Plan | None = None,
    out: PathLike = "design",
    *,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Design:
    """Writes the accelerator for `network` to the folder `out`: Verilog, plan.toml, manifest.json.

    Without a plan, `size(network)` decides. `name` names the design, and its top module bitwright_NAME; without it the
    name is the network's, and the module's has digits of network and plan behind it. A plan that names a board and
    does not fit it is refused with a PlanError. A folder that holds an earlier design is written over (the
    design's `replaced` names what went with it); one with edited files, or with waves and reports of another network,
    only with `force`; a folder that holds anything else is refused with a DesignError.

        design = bw.generate(network, plan, "design")
        design.manifest.interval_cycles
    """
    import bitwright_hw

    chosen = plan if plan is not None else size(network)
    if chosen.board:
        _check_board(network, chosen)
    return bitwright_hw.generate(network, chosen, Path(out), name=name, force=force, progress=progress)


def _check_board(network: Network, plan: Plan) -> None:
    """Raises PlanError if the board of `plan` has too few blocks or LUTs for it."""
    from bitwright_boards import load_board
    from bitwright_hw.estimate import estimate as model
    from bitwright_hw.families import family_named
    from bitwright_hw.sizing import check_fits

    board = load_board(plan.board)
    expected = model(network, plan, family=family_named(board.target))
    check_fits(
        expected,
        plan.board,
        luts=board.resources.luts,
        block_rams=board.resources.block_rams,
        unit=board.block_ram_name,
        ultra_rams=board.resources.ultra_rams,
    )


def write_testbench(
    design: Design | PathLike,
    out: PathLike,
    data: str = "random",
    *,
    frames: int = 10,
    data_dir: PathLike | None = None,
) -> tuple[Path, ...]:
    """Writes golden vectors and a plain Verilog testbench to folder `out`, for simulators that are not driven here.

    The first `frames` frames of `data` go in, and what comes out is compared with the golden model's results. The
    head of testbench.v names the files to compile; the simulator has to run in `out`.

        bw.write_testbench("design", "testbench")
    """
    from bitwright.testbench import write_testbench as write

    opened = open_design(design)
    return write(opened, Path(out), load_frames(opened.network, data, frames=frames, data_dir=data_dir))


@shows_progress
def simulate(
    design: Design | PathLike,
    *,
    simulator: Literal["verilator", "icarus"] = "verilator",
    waves: bool = False,
    bench: str | None = None,
    seed: int | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "SimulateReport":
    """Runs the cocotb benches on a design: random stalls, back-to-back frames, resets, wrong lengths,
    registers; every expected value from the golden model.

        bw.simulate(design, simulator="icarus")

    `bench` runs one of them alone. `waves` keeps the signals in the design's folder, with save files
    for GTKWave and Surfer.

    Verilog that could run, read or write something on this machine is refused with a DesignError (docs/hardware.md),
    unless `trust_verilog`. Raises ToolError if the simulator is missing.
    """
    opened = open_design(design, trust_verilog=trust_verilog)
    with needs_extra("sim", "simulation"):
        from bitwright_sim import simulate as run_benches

        report = run_benches(opened, simulator=simulator, waves=waves, bench=bench, seed=seed, progress=progress)
    if bench is None:
        with suppress(OSError):  # a folder that only can be read keeps nothing
            keep_benches(opened, report)
    return report


@shows_progress
def verify(
    design: Design | PathLike,
    data: str | NDArray[np.integer],
    labels: NDArray[np.integer] | None = None,
    *,
    network: Network | None = None,
    frames: int | None = None,
    frame: int | None = None,
    data_dir: PathLike | None = None,
    jobs: int | None = None,
    stalls: int | None = None,
    reproducer: PathLike | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
    engine: Literal["auto", "sliced", "verilator"] = "auto",
    proof: bool = True,
    ray: str | None = None,
) -> "VerifyReport":
    """Runs frames through the design's Verilog and compares every integer with the golden model's.

    `data` is what `load_frames` takes, or an array of frames (n, ...), with `labels` (n,) for the accuracy.
    The golden model computes `network`, the design's own unless another is given. A first mismatch is
    named by frame, layer and neuron and leaves input, expected and got, and waves in `reproducer`. With a seed in
    `stalls` both sides of the accelerator pause, now for a cycle and now until all its buffers are full or empty.
    `trust_verilog` as in `simulate`. `frame` is the number of the only one to run; `frame_waves` keeps its signals.

    `engine` is "verilator", "sliced" (many frames at a time) or "auto": sliced where that saves time. Frames of a
    sliced run also go through Verilator, and must be equal in every integer and handshake, unless `proof` is false.
    With the address of a Ray cluster in `ray`, or "local", its cores simulate (extra `ray`).

        report = bw.verify(design, data="mnist")
        report.mismatches, report.accuracy
    """
    opened = open_design(design, trust_verilog=trust_verilog)
    with needs_extra("sim", "verification"):
        from bitwright_sim import verify as run_frames

        golden = opened.network if network is None else network
        if isinstance(data, str):
            loaded = load_frames(golden, data, frames=frames, data_dir=data_dir)
            loaded = loaded if frame is None else loaded.only(frame)
            values, labels = loaded.frames, loaded.labels
        else:
            values = np.asarray(data)[:frames]
            labels = None if labels is None else np.asarray(labels)[:frames]
        report = run_frames(
            opened,
            golden,
            values,
            labels,
            jobs=jobs,
            stalls=stalls,
            reproducer=None if reproducer is None else Path(reproducer),
            progress=progress,
            engine=engine,
            proof=proof,
            ray=ray,
        )
    if isinstance(data, str) and network is None and frame is None:
        with suppress(OSError):
            keep_verification(opened, report, data)
    return report


@shows_progress
def frame_waves(
    design: Design | PathLike,
    data: str,
    frame: int = 0,
    *,
    data_dir: PathLike | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Writes every signal of frame number `frame` of `data`, in the idle accelerator, to waves-frame-N.vcd in the
    design's folder, and save files for GTKWave, waves-frame-N.gtkw, which it returns, and Surfer.

        bw.frame_waves("design", "digits", 12)

    Raises DataError for a frame that there is not, OutputError, ToolError; `trust_verilog` as in `simulate`.
    """
    opened = open_design(design, trust_verilog=trust_verilog)
    loaded = load_frames(opened.network, data, data_dir=data_dir).only(frame)
    with needs_extra("sim", "simulation"):
        from bitwright_sim.frame_waves import frame_waves as write

        return write(opened, loaded.frames, opened.folder / f"waves-frame-{frame}.vcd", progress=progress)


@shows_progress
def synth(
    design: Design | PathLike,
    *,
    family: FamilyName | None = None,
    place: bool = False,
    seed: int = 1,
    clock_mhz: float | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "SynthReport":
    """Synthesizes a design with Yosys: LUTs, flip-flops, memories and DSPs of the whole and of each layer.

    `family` is xc7 (counts LUT6, RAMB36), ecp5 (LUT4, EBR), ice40 (LUT4, blocks of 4 kbit) or gowin (LUT4, BSRAM); None
    for the one that the plan's target names.

    With `place`, nextpnr then places and routes it on an ECP5-85F or a GW2AR-18, from `seed`, aiming for `clock_mhz`
    (the plan's unless given). The result lands in synth-FAMILY.json in the design's folder, too. `trust_verilog` as in
    `simulate`.

        report = bw.synth("design", family="xc7")
        report.total.luts, report.layers[0].engine.block_rams, report.estimate.total.luts
        bw.synth("design", family="ecp5", place=True).placed.fmax_mhz

    Raises PlanError if neither `family` nor the plan names one, ToolError if Yosys or nextpnr
    fails or is missing.
    """
    from bitwright_hw.synth import synthesize

    opened = open_design(design, trust_verilog=trust_verilog)
    return synthesize(
        opened, family=family_of(family, opened.plan), place=place, seed=seed, clock_mhz=clock_mhz, progress=progress
    )

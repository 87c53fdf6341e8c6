"""bitwright from Python: the commands of the command line as functions, for scripts and notebooks.

    import bitwright as bw

    bw.train_network("digits", "run")                     # or bring a network file of your own
    network = bw.load("run/network.safetensors")
    plan = bw.size(network, cycles=64, scores=True)       # PE and SIMD of each layer
    design = bw.generate(network, plan, "design")         # Verilog, plan.toml, manifest.json
    bw.simulate(design)                                   # protocol benches, cocotb
    report = bw.verify(design, data="digits")             # a whole test set, bit for bit
    bw.synth(design, family="xc7").total                  # LUTs, flip-flops, block RAM, by Yosys
    bw.build(design, "ulx3s-85f", "design-ulx3s")         # a bitstream, or a Vivado project
    bw.program(design, "digits", host="192.168.2.99")     # frames through a PYNQ board

Every function raises a subclass of BitwrightError, with one sentence, for what a user can get wrong.
`progress(what, done, total)` is called while a function that takes seconds works.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright.atomic import write_bytes, write_text
from bitwright.design import MANIFEST, Design
from bitwright.errors import DataError, PlanError, ToolError
from bitwright.framing import frame_wide
from bitwright.layer import conv_layer, dense_layer
from bitwright.network import Network
from bitwright.network import load as _load
from bitwright.plan import Plan, Target, default_plan, with_folds
from bitwright.plan import hardwired as hardwired_plan

if TYPE_CHECKING:
    from bitwright.bnn_pynq import ParameterSet
    from bitwright.board_build import SerialBuild
    from bitwright.frontier import Exploration
    from bitwright.onnx import Imported
    from bitwright.train import TrainConfig, TrainReport
    from bitwright_boards import Board
    from bitwright_boards.program import ProgramReport
    from bitwright_boards.serial_run import SerialReport
    from bitwright_boards.vivado import PynqBuild
    from bitwright_hw.cells import Family
    from bitwright_hw.estimate import Estimate
    from bitwright_hw.sizing import Limits
    from bitwright_hw.synth import SynthReport
    from bitwright_sim import SimulateReport, VerifyReport

Progress = Callable[[str, int, int], None]
PathLike = str | os.PathLike[str]

RANDOM_FRAMES = 1000
TEST_VECTORS = 100  # frames of a board's self-test

__all__ = [
    "Frames",
    "build",
    "conv_layer",
    "dense_layer",
    "estimate",
    "explore",
    "export_onnx",
    "generate",
    "import_bnn_pynq",
    "import_onnx",
    "load",
    "load_frames",
    "program",
    "run_serial",
    "simulate",
    "size",
    "synth",
    "train_network",
    "verify",
]


def load(path: PathLike) -> Network:
    """The Network in a file, or in a design folder. Raises NetworkError for one that is missing or damaged.

    bw.load("run/network.safetensors")
    """
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        return Design.load(folder).network
    return _load(folder)


def import_bnn_pynq(
    folder: PathLike, *, topology: PathLike, name: str | None = None, progress: Progress | None = None
) -> "ParameterSet":
    """The network of a folder of BNN-PYNQ's parameters, and its original folding as a plan.

    `topology` is lfc, cnv, or the path of a TOML file (docs/import.md); `name` replaces the network's.

        found = bw.import_bnn_pynq("cifar10-cnvW1A1", topology="cnv")
        found.network, found.plan

    Raises ParameterSetError or NetworkError for parameters or a topology that do not fit.
    """
    from bitwright.bnn_pynq import load_topology, read_parameters

    return read_parameters(Path(folder), load_topology(str(topology)), name=name, progress=progress)


def import_onnx(
    path: PathLike,
    *,
    name: str | None = None,
    input_range: tuple[float, float] | None = None,
    input_bits: int | None = None,
    mean: float | Sequence[float] = (),
    std: float | Sequence[float] = (),
    layout: Literal["auto", "nchw", "nhwc"] = "auto",
    encoding: Literal["auto", "thermometer", "integers"] = "auto",
    progress: Progress | None = None,
) -> "Imported":
    """The network of an ONNX or QONNX file with binary weights and activations, exact (docs/onnx.md).

    `input_range` is what the graph takes for the least and the largest raw value, (0, 255) or (0, 1), None where the
    graph tells; `mean` and `std` are a normalisation outside the graph. Raises BitwrightError with every node that
    cannot be imported; ToolError if the onnx package is not installed.

        found = bw.import_onnx("model.onnx", input_range=(0, 1))
        found.network, found.notes
    """
    with needs_extra("onnx", "reading ONNX files"):
        from bitwright.onnx import Options
        from bitwright.onnx import import_onnx as read

        options = Options(
            name=name,
            input_range=input_range,
            input_bits=input_bits,
            mean=(float(mean),) if isinstance(mean, int | float) else tuple(mean),
            std=(float(std),) if isinstance(std, int | float) else tuple(std),
            layout=layout,
            encoding=encoding,
        )
        return read(path, options, progress=progress)


def export_onnx(network: Network, path: PathLike, *, dialect: Literal["standard", "qonnx"] = "standard") -> None:
    """Writes `network` as an ONNX file: raw frames in, the golden model's scores or bits out.

    The standard dialect runs in any runtime; qonnx has BipolarQuant nodes. `import_onnx` gives the same network back.
    Raises ToolError if the onnx package is not installed.
    """
    with needs_extra("onnx", "writing ONNX files"):
        from bitwright.onnx import export_onnx as write

        write(network, path, dialect=dialect)


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
    target: Target | None = None,
    clock_mhz: float | None = None,
    data_bits: int | None = None,
    board: str | None = None,
    target_fps: float | None = None,
    max_luts: int | None = None,
    progress: Progress | None = None,
) -> Plan:
    """A Plan for `network`: how many rows (PE) and lanes (SIMD) of each layer work at once.

    `cycles` is the most cycles a frame may take (each layer as small as that allows); `pe` and `simd` set
    the folds themselves, one value for all layers or one for each. `hardwired` makes every layer's weights constants in
    the logic; its input stream, if neither `data_bits` nor `plan` decides it, is as wide as a frame, or as a stream
    can be: a frame a beat is a frame a cycle. The rest are the plan's options, None leaving them at their
    defaults, or at those of `plan` where one is given to start from.

    With `board` (see `bitwright boards`), folds and memories are found: the least LUTs for `target_fps` frames/s, or
    the highest rate within `max_luts` (by default four fifths of the board's LUTs and all but four blocks). Target,
    clock and data_bits are then the board's unless given.

        plan = bw.size(network, cycles=256, scores=True)
        plan = bw.size(network, pe=[16, 8], simd=[49, 32])
        plan = bw.size(network, board="pynq-z2", target_fps=100_000)

    Raises PlanError for an impossible fold, or, with the figures, for a rate that does not fit the board.
    """
    if board is not None:
        if any(given is not None for given in (cycles, pe, simd, plan)) or hardwired:
            raise PlanError("a board decides the folds; give it or cycles, pe, simd, hardwired or a plan, not both")
        return _for_board(
            network, board, target_fps, max_luts, progress,
            {"scores": scores, "encoding": encoding, "target": target, "clock_mhz": clock_mhz, "data_bits": data_bits},
        )  # fmt: skip
    if target_fps is not None or max_luts is not None:
        raise PlanError("target_fps and max_luts need a board; see bitwright boards")
    if hardwired and (cycles, pe, simd) != (None, None, None):
        raise PlanError("hardwired layers have all rows and lanes at a time; give no cycles, pe or simd with them")
    widest = hardwired and data_bits is None and plan is None
    if plan is None:
        plan = default_plan(network, cycles=cycles)
    elif cycles is not None:
        raise PlanError("a plan already decides the cycles a frame; give one or the other")
    options: dict[str, Any] = {
        "scores": scores,
        "encoding": encoding,
        "target": target,
        "clock_mhz": clock_mhz,
        "data_bits": data_bits,
    }
    plan = replace(plan, **{key: value for key, value in options.items() if value is not None})
    if hardwired:
        return hardwired_plan(frame_wide(plan, network) if widest else plan, network)
    return with_folds(plan, network, pe=_sequence(pe), simd=_sequence(simd))


def _for_board(
    network: Network,
    name: str,
    target_fps: float | None,
    max_luts: int | None,
    progress: Progress | None,
    options: dict[str, Any],
) -> Plan:
    from bitwright_boards import load_board
    from bitwright_hw.sizing import size_for

    board = load_board(name)
    base, limits = _board_base(board, max_luts, options)
    return size_for(
        network, base, family=board.estimate, limits=limits, target_fps=target_fps, progress=progress
    ).plan  # fmt: skip


def _board_base(board: "Board", max_luts: int | None, options: dict[str, Any]) -> "tuple[Plan, Limits]":
    """The options of a plan for `board`, without layers, and what it may take."""
    from bitwright_hw.sizing import Limits

    base: dict[str, Any] = {"target": board.target, "clock_mhz": board.clock_mhz, "data_bits": board.data_bits}
    base |= {key: value for key, value in options.items() if value is not None}
    limits = Limits.of(board.resources.luts, board.resources.block_rams, max_luts=max_luts)
    return Plan(layers=(), board=board.name, **base), limits


def explore(
    network: Network,
    out: PathLike,
    *,
    board: str,
    target_fps: float | None = None,
    max_luts: int | None = None,
    clock_mhz: float | None = None,
    scores: bool | None = None,
    encoding: Literal["hardware", "host"] | None = None,
    data_bits: int | None = None,
    progress: Progress | None = None,
) -> "Exploration":
    """Sizes `network` for many rates and writes frontier.png, index.html and plan.toml to `out`.

    The options are those of `size`; plan.toml is what `size` gives, and its point is marked.

        bw.explore(network, "frontier", board="pynq-z2").chosen.frames_per_second

    Raises PlanError as `size` does; ToolError if matplotlib is not installed.
    """
    from bitwright.frontier import Exploration, Point
    from bitwright_boards import load_board
    from bitwright_hw.sizing import Sizer, size_for

    with needs_extra("plot", "drawing"):
        import matplotlib  # noqa: F401  (before minutes of search)
    found = load_board(board)
    options = {"scores": scores, "encoding": encoding, "clock_mhz": clock_mhz, "data_bits": data_bits}
    base, limits = _board_base(found, max_luts, options)
    chosen = size_for(
        network, base, family=found.estimate, limits=limits, target_fps=target_fps, progress=progress
    )  # fmt: skip
    sizer = Sizer(network, base, family=found.estimate, progress=progress)
    points = sizer.frontier(luts=limits.luts, block_rams=limits.block_rams)
    if chosen.plan not in [point.plan for point in points]:
        points = sorted([*points, chosen], key=lambda point: point.interval)
    result = Exploration(
        network=network.name,
        board=board,
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
            )
            for point in points
        ),
    )
    result.save(Path(out))
    return result


def _sequence(values: int | Sequence[int] | None) -> Sequence[int] | None:
    return [values] if isinstance(values, int) else values


def generate(
    network: Network,
    plan: Plan | None = None,
    out: PathLike = "design",
    *,
    progress: Progress | None = None,
) -> Design:
    """Writes the accelerator for `network` to the folder `out`: Verilog, plan.toml, manifest.json.

    Without a plan, `size(network)` decides. A plan that names a board and does not fit it is refused with a
    PlanError. A folder that holds an earlier design is written over; one
    that holds anything else is refused with a DesignError.

        design = bw.generate(network, plan, "design")
        design.manifest.interval_cycles
    """
    import bitwright_hw

    chosen = plan if plan is not None else size(network)
    if chosen.board:
        _check_board(network, chosen)
    return bitwright_hw.generate(network, chosen, Path(out), progress=progress)


def _check_board(network: Network, plan: Plan) -> None:
    """Raises PlanError if the board of `plan` has too few blocks or LUTs for it."""
    from bitwright_boards import load_board
    from bitwright_hw.estimate import estimate as model
    from bitwright_hw.sizing import check_fits

    board = load_board(plan.board)
    expected = model(network, plan, family=board.estimate)
    check_fits(
        expected,
        plan.board,
        luts=board.resources.luts,
        block_rams=board.resources.block_rams,
        unit=board.block_ram_name,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Frames (n, values) for a network, with their labels (n,) where they have any."""

    name: str
    frames: NDArray[np.integer]
    labels: NDArray[np.int64] | None


def load_frames(network: Network, data: str, *, frames: int | None = None, data_dir: PathLike | None = None) -> Frames:
    """The held-out frames of data set `data` that `network` takes, the first `frames` of them or all.

    `data` is the name of a data set (digits, mnist, fashion-mnist, cifar10), the path of a .npz file, or
    "random" or "random:SEED" for uniform random frames (1,000 unless `frames` says otherwise; no labels).
    `data_dir` holds the files of data sets that are not embedded; without it, the folder that the
    environment variable BITWRIGHT_DATA names, or ./data.

    Raises DataError for a data set that is missing, damaged, or of another shape than the network's.
    """
    from bitwright.golden import check_frames

    if frames is not None and frames < 1:
        raise DataError(f"at least 1 frame is needed, not {frames}")
    if data == "random" or data.startswith("random:"):
        seed = _seed(data)
        count = RANDOM_FRAMES if frames is None else frames
        rng = np.random.default_rng(seed)
        random: NDArray[np.integer] = rng.integers(
            0, 1 << network.input.bits, (count, network.input.size), dtype=np.uint16
        )
        return Frames(name=f"random:{seed}", frames=random, labels=None)
    from bitwright.data import load_dataset

    dataset = load_dataset(data, default_data_dir() if data_dir is None else Path(data_dir))
    chosen = slice(None, frames)
    if frames is not None and frames > len(dataset.test_frames):
        raise DataError(
            f"{frames} frames asked for, but the held-out set of {dataset.name} has {len(dataset.test_frames)}"
        )
    values: NDArray[np.integer] = dataset.test_frames[chosen]
    if _squeezed(values.shape[1:]) == _squeezed(network.input.shape):
        values = values.reshape(len(values), -1)
    try:
        values = check_frames(network, values)
    except DataError as error:
        raise DataError(f"data set {dataset.name}: {error}") from None
    labels = dataset.test_labels[chosen]
    if network.is_classifier and len(labels) and int(labels.max()) >= network.outputs:
        raise DataError(
            f"data set {dataset.name} has label {int(labels.max())}, "
            f"but network {network.name} knows {network.outputs} classes"
        )
    return Frames(name=dataset.name, frames=values, labels=labels if network.is_classifier else None)


def default_data_dir() -> Path:
    """The folder that BITWRIGHT_DATA names, or ./data."""
    return Path(os.environ.get("BITWRIGHT_DATA") or "data")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _seed(data: str) -> int:
    text = data.partition(":")[2] or "0"
    if not text.isdecimal():
        raise DataError(f"random frames take a seed, as in random:7, not {data}")
    return int(text)


def train_network(
    config: "str | os.PathLike[str] | TrainConfig",
    out: PathLike,
    *,
    data_dir: PathLike | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    resume: bool = True,
    progress: Progress | None = None,
) -> "TrainReport":
    """Trains a network (with torch) and writes network.safetensors, metrics.json and a plot to `out`.

    `config` is a TOML file, the name of a configuration that ships (docs/training.md), or a
    TrainConfig; `dataset`, `epochs` and `seed` replace its own. A run that was cut off goes on from its
    checkpoint unless `resume` is False.

        report = bw.train_network("digits", "run")
        report.test_accuracy, report.network

    Raises TrainingError or DataError; ToolError if torch is not installed.
    """
    with needs_extra("train", "training"):
        import bitwright.train as training

        chosen = config if isinstance(config, training.TrainConfig) else training.load_config(str(config))
        chosen = training.with_overrides(chosen, dataset=dataset, epochs=epochs, seed=seed)
        folder = default_data_dir() if data_dir is None else Path(data_dir)
        return training.train(chosen, Path(out), data_dir=folder, resume=resume, progress=progress)


def simulate(
    design: Design | PathLike,
    *,
    simulator: Literal["verilator", "icarus"] = "verilator",
    waves: bool = False,
    seed: int | None = None,
    progress: Progress | None = None,
) -> "SimulateReport":
    """Runs the cocotb benches on a design: random stalls, back-to-back frames, resets, wrong lengths,
    registers; every expected value from the golden model.

        bw.simulate(design, simulator="icarus")

    Raises ToolError if the simulator is missing.
    """
    opened = _design(design)
    with needs_extra("sim", "simulation"):
        from bitwright_sim import simulate as run_benches

        return run_benches(opened, simulator=simulator, waves=waves, seed=seed, progress=progress)


def verify(
    design: Design | PathLike,
    data: str | NDArray[np.integer],
    labels: NDArray[np.integer] | None = None,
    *,
    network: Network | None = None,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    jobs: int | None = None,
    reproducer: PathLike | None = None,
    progress: Progress | None = None,
) -> "VerifyReport":
    """Runs frames through the design's Verilog and compares every integer with the golden model's.

    `data` is what `load_frames` takes, or an array of frames (n, ...), with `labels` (n,) for the accuracy.
    The golden model computes `network`, the design's own unless another is given. A first mismatch is
    named by frame, layer and neuron and leaves input, expected and got, and waves in `reproducer`.

        report = bw.verify(design, data="mnist")
        report.mismatches, report.accuracy
    """
    opened = _design(design)
    with needs_extra("sim", "verification"):
        from bitwright_sim import verify as run_frames

        golden = opened.network if network is None else network
        if isinstance(data, str):
            loaded = load_frames(golden, data, frames=frames, data_dir=data_dir)
            values, labels = loaded.frames, loaded.labels
        else:
            values = np.asarray(data)[:frames]
            labels = None if labels is None else np.asarray(labels)[:frames]
        return run_frames(
            opened,
            golden,
            values,
            labels,
            jobs=jobs,
            reproducer=None if reproducer is None else Path(reproducer),
            progress=progress,
        )


def synth(
    design: Design | PathLike,
    *,
    family: "Family | None" = None,
    place: bool = False,
    seed: int = 1,
    clock_mhz: float | None = None,
    progress: Progress | None = None,
) -> "SynthReport":
    """Synthesizes a design with Yosys: LUTs, flip-flops, memories and DSPs of the whole and of each layer.

    `family` is xc7 (counts LUT6, RAMB36) or ecp5 (LUT4, EBR); None for the one that the plan's target names.

    With `place`, nextpnr then places and routes it on an ECP5-85F, from `seed`, aiming for `clock_mhz` (the plan's
    unless given). The result lands in synth-FAMILY.json in the design's folder, too.

        report = bw.synth("design", family="xc7")
        report.total.luts, report.layers[0].engine.block_rams, report.estimate.total.luts
        bw.synth("design", family="ecp5", place=True).placed.fmax_mhz

    Raises PlanError if neither `family` nor the plan names one, ToolError if Yosys or nextpnr
    fails or is missing.
    """
    from bitwright_hw.synth import synthesize

    opened = _design(design)
    return synthesize(
        opened, family=_family(family, opened.plan), place=place, seed=seed, clock_mhz=clock_mhz, progress=progress
    )


def build(
    design: Design | PathLike,
    board: str,
    out: PathLike | None = None,
    *,
    clock_mhz: float | None = None,
    seeds: int = 1,
    vivado: bool = True,
    progress: Progress | None = None,
) -> "PynqBuild | SerialBuild":
    """Builds a design for `board` in folder `out` (default: beside the design, with the board's name).

    pynq-z1 and pynq-z2: a Vivado project (docs/pynq.md), and with a Vivado on PATH, unless `vivado` is false, the
    overlay, NAME.bit and NAME.hwh. ulx3s-85f and icebreaker: a bitstream with a serial link (docs/open-boards.md), from
    up to `seeds` placements. `clock_mhz` is the plan's unless given.

        bw.build("design", "pynq-z2", "overlay").built

    Raises BoardError for a board without a build, a design for another family, or a clock that cannot be had or is not
    met; ToolError for tools that are missing or fail.
    """
    from bitwright.errors import BoardError
    from bitwright_boards import load_board
    from bitwright_boards.vivado import PRESETS, build_pynq
    from bitwright_hw.serial.platforms import OPEN_BOARDS

    opened = _design(design)
    found = load_board(board)
    folder = build_folder(opened, board) if out is None else Path(out)
    if seeds < 1:
        raise BoardError(f"at least 1 placement is needed, not {seeds}")
    if board in PRESETS:
        if opened.manifest.target not in ("generic", found.target):
            raise BoardError(
                f"the design is for {opened.manifest.target}, {board} is {found.target}; "
                f"generate it with --target {found.target}"
            )
        return build_pynq(opened, found, folder, clock_mhz=clock_mhz, run=vivado, progress=progress)
    if board in OPEN_BOARDS:
        from bitwright_boards.deployment import DESIGN, VECTORS, describe, make_vectors
        from bitwright_hw.serial.build import build_open

        result = build_open(
            opened, OPEN_BOARDS[board], folder, clock_mhz=clock_mhz, seeds=seeds, progress=progress
        )  # fmt: skip
        vectors = make_vectors(opened, load_frames(opened.network, "random", frames=TEST_VECTORS).frames)
        write_text(folder / DESIGN, json.dumps(describe(opened), indent=2) + "\n")
        write_bytes(folder / VECTORS, vectors.to_bytes())
        return result
    raise BoardError(f"nothing is built for {board}, only sized; there are {', '.join([*PRESETS, *OPEN_BOARDS])}")


def run_serial(
    folder: PathLike,
    data: str = "random",
    *,
    port: str | None = None,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    timeout: float = 5.0,
    progress: Progress | None = None,
) -> "SerialReport":
    """Runs frames on the open board that build folder `folder` was programmed into, and compares with the golden model.

    `port` is the board's serial port; without one the board is simulated to its pins. `data` as for `load_frames`.

        bw.run_serial("design-ulx3s-85f", "digits", port="/dev/ttyUSB0").mismatches

    Raises BoardError for a folder that is no such build; the driver's errors, as BoardError, for a board or line that
    does not do; ToolError if there is no simulator.
    """
    from bitwright.board_build import built_design, load_build
    from bitwright.errors import BoardError
    from bitwright_boards.driver import BoardError as DriverError
    from bitwright_boards.serial_run import run_serial as run

    path = Path(folder)
    load_build(path)
    design = built_design(path)
    loaded = load_frames(design.network, data, frames=frames, data_dir=data_dir)
    try:
        with needs_extra("sim", "simulation"):
            return run(
                path, design, loaded.frames, loaded.labels, port=port, timeout=timeout, progress=progress
            )  # fmt: skip
    except DriverError as error:
        raise BoardError(str(error)) from None


def build_folder(design: Design, board: str) -> Path:
    """Where `build` writes unless told otherwise."""
    folder = design.folder.absolute()
    return folder.with_name(f"{folder.name}-{board}")


def program(
    design: Design | PathLike,
    data: str = "random",
    *,
    host: str | None = None,
    simulated: PathLike | None = None,
    board: str = "pynq-z2",
    user: str = "xilinx",
    password: str | None = None,
    key: PathLike | None = None,
    port: int = 22,
    accept_key: str | None = None,
    known_hosts: PathLike | None = None,
    overlay: PathLike | None = None,
    remote_folder: str | None = None,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    batch_frames: int | None = None,
    timeout: float = 5.0,
    progress: Progress | None = None,
) -> "ProgramReport":
    """Puts the design's overlay on a PYNQ board over SSH, runs frames there, and compares with the golden model.

    `data` and `frames` are what `load_frames` takes. `overlay` is the .bit or its folder (default: what `build` left).
    The user's key, or `password`; the host's key must be in `known_hosts`, or have the fingerprint `accept_key`.
    Instead of `host`, `simulated` names the Python of pynq's environment (make pynq-env): then the simulated board on
    this machine runs them, and its overlay is made on the way.

        bw.program("design", "mnist", host="192.168.2.99", password="xilinx", frames=1000).mismatches

    Raises BoardError, each of bitwright_boards.errors for its cause, or DataError.
    """
    from bitwright.errors import BoardError
    from bitwright_boards.deployment import find_overlay, make_vectors
    from bitwright_boards.program import BOARDS, run_on_board, run_simulated
    from bitwright_boards.ssh import Target as Host

    if board not in BOARDS:
        raise BoardError(f"{board} is not programmed over SSH; boards that are: {', '.join(BOARDS)}")
    if (host is None) == (simulated is None):
        raise BoardError("say where the board is with host, or give simulated")
    opened = _design(design)
    if simulated is not None:
        loaded = load_frames(opened.network, data, frames=frames, data_dir=data_dir)
        vectors = make_vectors(opened, loaded.frames, loaded.labels)
        with needs_extra("sim", "the simulated board"):
            return run_simulated(
                opened, vectors, Path(simulated), batch_frames=batch_frames, timeout=timeout, progress=progress
            )
    assert host is not None
    bit = find_overlay(opened, board, None if overlay is None else Path(overlay))
    loaded = load_frames(opened.network, data, frames=frames, data_dir=data_dir)
    return run_on_board(
        opened,
        bit,
        make_vectors(opened, loaded.frames, loaded.labels),
        Host(
            host=host,
            user=user,
            port=port,
            password=password,
            key=None if key is None else Path(key),
            accept_key=accept_key,
            known_hosts=None if known_hosts is None else Path(known_hosts),
        ),
        board=board,
        remote_folder=remote_folder,
        batch_frames=batch_frames,
        timeout=timeout,
        progress=progress,
    )


def estimate(network: Network, plan: Plan, *, family: "Family | None" = None) -> "Estimate":
    """What `plan` would take, and each layer of it, without generating or synthesizing anything.

    `family` as for `synth`. For a plan whose target is that family, LUTs come out within 15 % of Yosys' and
    block RAM the same; flip-flops are rough.

        bw.estimate(network, bw.size(network, cycles=256, target="xc7")).total.luts

    Raises PlanError for a plan that does not fit, or if neither `family` nor the plan names a family.
    """
    from bitwright_hw.estimate import estimate as model

    return model(network, plan, family=_family(family, plan))


def _family(family: "Family | None", plan: Plan) -> "Family":
    if family is not None:
        return family
    if plan.target == "generic":
        raise PlanError("the plan's target is generic; say for which family, xc7 or ecp5")
    return plan.target


_EXTRA_MODULES = {
    "sim": ("cocotb", "cocotb_tools", "cocotbext", "verilator", "find_libpython"),
    "train": ("torch", "sklearn", "matplotlib"),
    "plot": ("matplotlib",),
    "onnx": ("onnx", "google"),
}


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Turns the absence of an extra's modules into a ToolError that says how to get them."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA_MODULES[extra]:
            raise
        raise ToolError(f"{what} needs {missing}, which is not installed: pip install 'bitwright[{extra}]'") from None


def _design(design: Design | PathLike) -> Design:
    return design if isinstance(design, Design) else Design.load(design)

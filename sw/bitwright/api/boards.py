"""Boards: projects and bitstreams built, frames run on them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitwright.api.common import PathLike, needs_extra, open_design
from bitwright.api.frames import Frames, load_frames
from bitwright.notebook import shows_progress
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.design import Design
from bitwright_core.network import Network
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright_boards import Board
    from bitwright_boards.bank import BankedNetwork
    from bitwright_boards.program import Job, ProgramReport
    from bitwright_boards.serial_run import SerialReport
    from bitwright_boards.ssh import Login
    from bitwright_boards.vivado import PynqBuild
    from bitwright_boards.vivado.ip import IpBuild
    from bitwright_core.board_build import SerialBuild

TEST_VECTORS = 100  # frames of a board's self-test


@shows_progress
def build(
    design: Design | PathLike,
    board: str,
    out: PathLike | None = None,
    *,
    clock_mhz: float | None = None,
    seeds: int = 1,
    vivado: bool = True,
    force: bool = False,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "PynqBuild | SerialBuild":
    """Builds a design for `board` in folder `out` (default: beside the design, with the board's name).

    PYNQ-Z1, PYNQ-Z2, boards with Zynq UltraScale+: a Vivado project (docs/pynq.md), and with a Vivado on PATH, unless
    `vivado` is false, the overlay, NAME.bit and NAME.hwh. ECP5 boards, icebreaker and the Tang Nanos: a bitstream with
    a serial link (docs/open-boards.md), from up to `seeds` placements. 7-series boards without a processor: the same
    link in a Vivado project, and its bitstream where there is a Vivado. `clock_mhz` is the plan's unless given. A
    bitstream that is there already is replaced by one of the same design, or with `force`. `trust_verilog` as in
    `simulate`.

        bw.build("design", "pynq-z2", "overlay").built

    Raises BoardError for a board without a build, a design for another family, or a clock that cannot be had or is not
    met, or if a bitstream would be lost; ToolError for tools that are missing or fail.
    """
    from bitwright_boards import boards_with, load_board
    from bitwright_boards.vivado import build_pynq
    from bitwright_core.board_build import check_bitstreams
    from bitwright_core.errors import BoardError
    from bitwright_core.families import PORTABLE

    opened = open_design(design, trust_verilog=trust_verilog)
    found = load_board(board)
    _check_registers(opened)
    _check_ultra_rams(opened, found)
    folder = build_folder(opened, found.name) if out is None else Path(out)
    if seeds < 1:
        raise BoardError(f"at least 1 placement is needed, not {seeds}")
    if not force:
        check_bitstreams(folder, opened, remade=_placed_here(found) or (vivado and shutil.which("vivado") is not None))
    if found.vivado is not None:
        if opened.manifest.target not in (PORTABLE, found.target):
            raise BoardError(
                f"the design is for {opened.manifest.target}, {found.name} is {found.target}; "
                f"generate it with --target {found.target}"
            )
        return build_pynq(opened, found, folder, clock_mhz=clock_mhz, run=vivado, progress=progress)
    if found.serial is not None:
        from bitwright.open_board import open_board
        from bitwright_boards.deployment import DESIGN, VECTORS, describe, first_files, make_vectors
        from bitwright_boards.vivado.serial_project import build_serial, check_place
        from bitwright_hw.serial.build import build_open, write_sources

        serial = open_board(found)
        result: SerialBuild
        if serial.placed_here:
            result = build_open(opened, serial, folder, clock_mhz=clock_mhz, seeds=seeds, progress=progress)
        else:
            check_place(folder, run=vivado)
            sources = write_sources(opened, serial, folder, clock_mhz=clock_mhz)
            result = build_serial(sources, opened, found, folder, run=vivado, progress=progress)
        vectors = make_vectors(opened, load_frames(opened.network, "random", frames=TEST_VECTORS).frames)
        write_text(folder / DESIGN, json.dumps(describe(opened), indent=2) + "\n")
        for name, content in {VECTORS: vectors.to_bytes(), **first_files(opened)}.items():
            write_bytes(folder / name, content)
        return result
    known = boards_with(lambda other: other.built)
    raise BoardError(
        f"nothing is built for {found.name}, it is only sized: that needs {found.needs}; boards with a build: {known}"
    )


def _check_registers(design: Design) -> None:
    """Raises BoardError for a design without registers: drivers know by them what they talk to."""
    from bitwright_core.errors import BoardError

    if not design.manifest.registers:
        raise BoardError(
            f"{design.folder}: the design has no registers, which every build is driven by; generate it with them "
            "(registers = true in its plan)"
        )


def _check_ultra_rams(design: Design, board: "Board") -> None:
    """Raises BoardError for a design with more UltraRAMs than `board` has."""
    from bitwright_boards import boards_with
    from bitwright_core.errors import BoardError
    from bitwright_hw.banked_memory import ultra_rams_of

    needed, has = ultra_rams_of(design.manifest), board.resources.ultra_rams
    if needed > has:
        able = boards_with(lambda other: other.resources.ultra_rams >= needed) or "none that bitwright knows"
        raise BoardError(
            f"the design's weights need {needed} UltraRAMs, and {board.name} has {has}; generate it with them in other "
            f"memories, or build it for a board with so many: {able}"
        )


def _placed_here(board: "Board") -> bool:
    """Whether tools that are here make its bitstream."""
    from bitwright.open_board import open_board

    return board.serial is not None and open_board(board).placed_here


@shows_progress
def package_ip(
    design: Design | PathLike,
    out: PathLike | None = None,
    *,
    part: str | None = None,
    families: Sequence[str] = (),
    vivado: bool = True,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "IpBuild":
    """Writes a design as an IP for Vivado, in folder `out` (default: beside the design, with -ip), for your own design.

    It suits AMD's `families` (Vivado's names), or that of `part`, or without either all of 7-series and UltraScale+.
    With a Vivado on PATH, unless `vivado` is false, it is packaged at once. An example top is beside it
    (docs/own-design.md). `trust_verilog` as in `simulate`.

        bw.package_ip("design", part="xc7a35tcpg236-1").vlnv

    Raises BoardError for a design of other FPGAs, an unknown part or family, or a folder that holds something else;
    ToolError if Vivado fails.
    """
    from bitwright_boards.deployment import make_vectors
    from bitwright_boards.vivado.ip import EXAMPLE_FRAMES, build_ip
    from bitwright_core.errors import BoardError
    from bitwright_core.families import PORTABLE
    from bitwright_hw.families import FAMILIES, family_named

    opened = open_design(design, trust_verilog=trust_verilog)
    _check_registers(opened)
    target = opened.manifest.target
    if target != PORTABLE and family_named(target).vivado is None:
        able = " or ".join(family.name for family in FAMILIES if family.vivado is not None)
        raise BoardError(
            f"the design is for {target}, and an IP is for FPGAs of Vivado; generate it with --target {able}"
        )
    folder = build_folder(opened, "ip") if out is None else Path(out)
    vectors = make_vectors(opened, load_frames(opened.network, "random", frames=EXAMPLE_FRAMES).frames)
    return build_ip(opened, folder, vectors, part=part, families=tuple(families), run=vivado, progress=progress)


@shows_progress
def run_serial(
    folder: PathLike,
    data: str = "random",
    *,
    port: str | None = None,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    timeout: float = 5.0,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "SerialReport":
    """Runs frames on the open board that build folder `folder` was programmed into, and compares with the golden model.

    `port` is the board's serial port; without one the board is simulated to its pins. `data` as for `load_frames`,
    `trust_verilog` as in `simulate`.

        bw.run_serial("design-ulx3s-85f", "digits", port="/dev/ttyUSB0").mismatches

    Raises BoardError for a folder that is no such build; the driver's errors, as BoardError, for a board or line that
    does not do; ToolError if there is no simulator.
    """
    from bitwright_boards.driver import DriverError
    from bitwright_boards.serial_run import run_serial as run
    from bitwright_core.board_build import built_design, load_build
    from bitwright_core.errors import BoardError

    path = Path(folder)
    load_build(path)
    design = built_design(path, trust_verilog=trust_verilog)
    loaded = load_frames(design.network, data, frames=frames, data_dir=data_dir)
    try:
        with needs_extra("sim", "simulation"):
            return run(path, design, loaded.frames, loaded.labels, port=port, timeout=timeout, progress=progress)
    except DriverError as error:
        raise BoardError(str(error)) from None


def build_folder(design: Design, board: str) -> Path:
    """Where `build` writes unless told otherwise."""
    folder = design.folder.absolute()
    return folder.with_name(f"{folder.name}-{board}")


@shows_progress
def program(
    design: Design | PathLike,
    data: str = "random",
    *,
    host: "str | Login | None" = None,
    simulated: PathLike | None = None,
    board: str = "pynq-z2",
    overlay: PathLike | None = None,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    job: "Job | None" = None,
    loads: Sequence[Network] = (),
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "ProgramReport":
    """Puts the design's overlay on a PYNQ board over SSH, runs frames there, and compares with the golden model.

    `host` is the board's name or address, for the user xilinx with a key of yours, or a `Login` that says more.
    `data` and `frames` are what `load_frames` takes. `overlay` is the .bit or its folder (default: what `build` left).
    `job` says how frames run there: in which folder, how many at a time, and how long the board may stand still.
    `loads` are networks for a design with loadable layers: they go along as a bank, and after the design's own network
    each is loaded in turn and runs the frames, then the design's own again; the driver's `choose` takes them by name.
    Instead of `host`, `simulated` names the Python of pynq's environment (make pynq-env): then the simulated board on
    this machine runs them, and its overlay is made on the way; `trust_verilog` as in `simulate`.

        bw.program("design", "mnist", host=bw.Login(host="192.168.2.99", password="xilinx"), frames=1000).mismatches

    Raises BoardError, each of bitwright_boards.errors for its cause, or DataError.
    """
    from bitwright_boards import boards_with, load_board
    from bitwright_boards.deployment import find_overlay, make_vectors
    from bitwright_boards.processing import platform
    from bitwright_boards.program import Job, run_on_board, run_simulated
    from bitwright_boards.simulated.account import check_pynq
    from bitwright_boards.ssh import Login
    from bitwright_core.errors import BoardError

    chosen = load_board(board)
    if chosen.vivado is None or not chosen.vivado.pynq:
        known = boards_with(lambda other: other.vivado is not None and other.vivado.pynq)
        raise BoardError(f"{chosen.name} is not programmed over SSH; boards that are: {known}")
    if (host is None) == (simulated is None):
        raise BoardError("say where the board is with host, or give simulated")
    job = Job() if job is None else job
    opened = open_design(design, trust_verilog=trust_verilog)
    _check_registers(opened)
    if host is None:
        assert simulated is not None
        check_pynq(Path(simulated))
    else:
        bit = find_overlay(opened, chosen, None if overlay is None else Path(overlay))
    loaded = load_frames(opened.network, data, frames=frames, data_dir=data_dir)
    vectors = make_vectors(opened, loaded.frames, loaded.labels)
    bank = _bank(opened, loads, loaded)
    if host is None:
        assert simulated is not None
        place = platform(chosen)
        with needs_extra("sim", "the simulated board"):
            return run_simulated(
                opened, vectors, Path(simulated), job=job, bank=bank, platform=place, progress=progress
            )
    login = Login(host=host) if isinstance(host, str) else host
    return run_on_board(opened, bit, vectors, login, board=chosen.name, job=job, bank=bank, progress=progress)


def _bank(design: Design, loads: Sequence[Network], frames: Frames) -> "tuple[BankedNetwork, ...]":
    """The bank of `loads`, and behind them the design's own network; none without loads. Raises DesignError."""
    from bitwright.api.loads import weights
    from bitwright_boards.bank import bank_of

    if not loads:
        return ()
    networks = [(network, weights(design, network)) for network in (design.network, *loads)]
    own, *others = bank_of(design, networks, frames.frames, frames.labels)
    return (*others, own)

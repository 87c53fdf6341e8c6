"""What `bitwright build` leaves: a folder with a copy of the design, what was made of it, and build.json about both."""

import shutil
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bitwright_core.design import MANIFEST, Design, Manifest
from bitwright_core.errors import BoardError, DesignError
from bitwright_core.manifest import read_manifest
from bitwright_core.near import did_you_mean_path
from bitwright_core.untrusted import (
    MAX_TEXT_BYTES,
    BoardName,
    Identifier,
    Line,
    Megahertz,
    PlainFile,
    VerilogFile,
    decode_json,
    file_inside,
)

FORMAT_VERSION = 1
BUILD_FILE = "build.json"
REBUILD = "build it again: bitwright build"  # what brings back a file of a build
DESIGN_FOLDER = "design"
BITSTREAM_SUFFIXES = (".bit", ".bin", ".fs", ".hwh")  # of what a board is programmed with, and of its handoff


class ClockReport(msgspec.Struct, frozen=True, kw_only=True):
    """A clock after place and route."""

    name: str
    mhz: Megahertz  # asked for
    achieved_mhz: Megahertz

    @property
    def met(self) -> bool:
        return self.achieved_mhz >= self.mhz


class Utilisation(msgspec.Struct, frozen=True, kw_only=True):
    """What of a kind of cell is taken."""

    used: int
    available: int


class SerialBuild(msgspec.Struct, frozen=True, kw_only=True):
    """build.json of a board with a serial link. Names of files are relative to the folder.

    `built` tells whether there is a bitstream; `seed` and what follows are of the placement.
    """

    format: int
    board: BoardName
    top: Identifier
    verilog: VerilogFile  # the top, clock and link; the accelerator lies in the design
    constraints: PlainFile
    bitstream: PlainFile
    built: bool
    oscillator_mhz: Megahertz
    clock_mhz: Megahertz
    baud: Annotated[int, Meta(ge=300, le=100_000_000)]
    device: Line
    tools: list[str] = []
    seed: int = 0
    clocks: list[ClockReport] = []
    utilisation: dict[str, Utilisation] = {}
    critical_path: list[str] = []


def load_build(folder: Path) -> SerialBuild:
    """build.json of `folder`. Raises BoardError if there is none, or it is of another version or board, or names files
    that are not in the folder."""
    if not (folder / BUILD_FILE).exists():
        hint = did_you_mean_path(folder, holds=BUILD_FILE)
        raise BoardError(f"{folder}: no {BUILD_FILE} there{hint}; make it with: bitwright build")
    file = file_inside(folder, BUILD_FILE, BoardError, limit=MAX_TEXT_BYTES, remedy=REBUILD)
    try:
        raw = file.read_bytes()
        if (version := decode_json(raw, dict).get("format")) != FORMAT_VERSION:
            shown = version if isinstance(version, int) and abs(version) < 1 << 31 else "of another kind"
            raise BoardError(f"{file}: format {shown}, but this bitwright reads {FORMAT_VERSION}; build it again")
        build = decode_json(raw, SerialBuild)
        file_inside(folder, build.verilog, BoardError, remedy=REBUILD)
        return build
    except msgspec.DecodeError as error:
        raise BoardError(f"{file}: not of a board with a serial link, or damaged ({error})") from None


def built_design(folder: Path, *, trust_verilog: bool = False) -> Design:
    """The copy of the design in a build folder."""
    return Design.load(folder / DESIGN_FOLDER, trust_verilog=trust_verilog)


def copy_design(design: Design, folder: Path) -> Design:
    """Copies what the manifest names to `folder`/design, in place of an earlier copy, and opens it.

    Raises DesignError for Verilog that is not to be trusted, before anything is written.
    """
    manifest = design.manifest
    _ = design.simulation_sources  # checks them
    target = folder / DESIGN_FOLDER
    if target.is_symlink():
        target.unlink()
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for name in [*manifest.names, MANIFEST]:
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(design.folder / name, target / name)
    return Design.load(target, trust_verilog=design.trust_verilog)


def check_build_folder(folder: Path, own: tuple[str, ...]) -> None:
    """Raises BoardError if `folder` is no earlier build and holds anything but what is named in `own`."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BoardError(f"{folder}: a file is in the way of the build folder; choose another with --out")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in own)
    if foreign and not (folder / BUILD_FILE).is_file():
        raise BoardError(
            f"{folder}: holds {foreign[0]}, which no build put there; nothing was written: choose another folder"
        )


def earlier_design(folder: Path) -> Manifest | None:
    """The manifest of the design that an earlier build in `folder` is of; None for no build, or one that is damaged."""
    try:
        return read_manifest(folder / DESIGN_FOLDER)
    except DesignError:
        return None


def check_bitstreams(folder: Path, design: Design, *, remade: bool) -> None:
    """Raises BoardError if building `design` in `folder` would lose a bitstream.

    That is one of another design or, unless `remade`, any: a build of the same design puts it there again.
    """
    held = sorted(entry.name for entry in folder.glob("*") if entry.suffix in BITSTREAM_SUFFIXES)
    earlier = earlier_design(folder)
    same = earlier is not None and earlier.digest == design.manifest.digest
    if not held or (same and remade):
        return
    whose = "that this build does not make again" if same else f"of another design than {design.manifest.name}"
    if earlier is not None and not same:
        whose += f" of Verilog {design.manifest.digest[:12]}: of {earlier.name}, {earlier.digest[:12]}"
    raise BoardError(
        f"{folder}: holds {', '.join(held)} {whose}; nothing was written: choose another folder with --out, or "
        "replace it with --force"
    )

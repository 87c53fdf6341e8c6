"""What `bitwright build` leaves: a folder with a copy of the design, what was made of it, and build.json about both."""

import shutil
from pathlib import Path

import msgspec

from bitwright.design import MANIFEST, Design
from bitwright.errors import BoardError

FORMAT_VERSION = 1
BUILD_FILE = "build.json"
DESIGN_FOLDER = "design"


class ClockReport(msgspec.Struct, frozen=True, kw_only=True):
    """A clock after place and route."""

    name: str
    mhz: float  # asked for
    achieved_mhz: float

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
    board: str
    top: str
    verilog: str  # the top, clock and link; the accelerator lies in the design
    constraints: str
    bitstream: str
    built: bool
    oscillator_mhz: float
    clock_mhz: float
    baud: int
    device: str
    tools: list[str] = []
    seed: int = 0
    clocks: list[ClockReport] = []
    utilisation: dict[str, Utilisation] = {}
    critical_path: list[str] = []


def load_build(folder: Path) -> SerialBuild:
    """build.json of `folder`. Raises BoardError if there is none, or it is of another version or board."""
    file = folder / BUILD_FILE
    try:
        raw = file.read_bytes()
    except OSError:
        raise BoardError(f"{folder}: no {BUILD_FILE} there; make it with: bitwright build") from None
    try:
        if (version := msgspec.json.decode(raw, type=dict).get("format")) != FORMAT_VERSION:
            raise BoardError(f"{file}: format {version!r}, but this bitwright reads {FORMAT_VERSION}; build it again")
        return msgspec.json.decode(raw, type=SerialBuild)
    except msgspec.DecodeError as error:
        raise BoardError(f"{file}: not of a board with a serial link, or damaged ({error})") from None


def built_design(folder: Path) -> Design:
    """The copy of the design in a build folder."""
    return Design.load(folder / DESIGN_FOLDER)


def copy_design(design: Design, folder: Path) -> Design:
    """Copies what the manifest names to `folder`/design, in place of an earlier copy, and opens it."""
    manifest = design.manifest
    target = folder / DESIGN_FOLDER
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for name in [*manifest.verilog, *manifest.simulation_models, manifest.network, manifest.plan, MANIFEST]:
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(design.folder / name, target / name)
    return Design.load(target)


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

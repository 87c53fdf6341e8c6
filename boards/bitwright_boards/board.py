"""Board descriptions: one TOML file a board, its sources beside the figures; of the package, or a user's own."""

import re
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bitwright_core.errors import BoardError
from bitwright_core.families import FamilyName
from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean, did_you_mean_path
from bitwright_core.untrusted import MAX_TEXT_BYTES, BoardName, Line, Megahertz, PlainFile, decode_toml

BLOCK_NAMES = {36: "BRAM36", 18: "EBR", 4: "EBR (4 kbit)"}  # by kbits: what the maker calls a block

_Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.+-]{1,64}\Z")]  # of a tool's command line or constraints
_Amount = Annotated[int, Meta(ge=1, le=100_000_000)]


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an FPGA part has: LUTs, flip-flops, block RAMs and DSPs, in numbers."""

    luts: _Amount
    lut_inputs: Annotated[int, Meta(ge=4, le=6)]
    ffs: _Amount
    block_rams: _Amount
    block_ram_kbits: int  # parity included: 36 for RAMB36, 18 for EBR
    block_ram_name: Annotated[str, Meta(max_length=24)] = ""  # what the maker calls one, where BLOCK_NAMES has another
    ultra_rams: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # of 288 kbits, for loadable weights
    dsps: Annotated[int, Meta(ge=0, le=1_000_000)]


class Vivado(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board with a Zynq, for which `build` writes a Vivado project. Which processing system it has its part says."""

    preset: PlainFile  # of the processing system's settings, in data/ps7 (Zynq-7000) or data/psu (UltraScale+)
    pynq: bool = False  # runs PYNQ, so that `program` takes overlays to it over SSH


class BoardPin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pin, its inverter on the board if there is one, and its attributes in the words of the constraints file."""

    site: _Word
    inverted: bool = False
    attributes: dict[_Word, _Word] = {}


class Serial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board without a processor, for which `build` puts a serial link beside the accelerator.

    By open tools it is a bitstream; for 7-series, which they do not place, a Vivado project.
    """

    device: tuple[_Word, ...] = ()  # nextpnr's options, where nextpnr places it
    oscillator_mhz: Megahertz
    baud: Annotated[int, Meta(ge=300, le=100_000_000)]
    buffer_bytes: Annotated[int, Meta(ge=16, le=1 << 20)]  # what the link holds of packets that have arrived
    clock: BoardPin
    rx: BoardPin  # of the FPGA: what the computer sends
    tx: BoardPin
    leds: Annotated[tuple[BoardPin, ...], Meta(min_length=1, max_length=3)]


class Jtag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board that openFPGALoader loads, by its own name for it, and where to."""

    board: _Word
    sram: bool = True  # into the FPGA alone, until power goes
    flash: bool = True


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board. `family` is the maker's name, `target` ours: of the Verilog that suits it, and of its estimates.

    `vivado`, `serial` and `jtag` say what can be built for it and how that is loaded. Where nothing is built it is only
    sized, and `missing` says what building would need.
    """

    title: Line
    part: Line
    family: Line
    target: FamilyName
    clock_mhz: Megahertz
    data_bits: int
    sources: tuple[Line, ...]
    resources: Resources
    notes: Annotated[str, Meta(max_length=2000)] = ""
    missing: Annotated[str, Meta(max_length=400)] = ""
    vivado: Vivado | None = None
    serial: Serial | None = None
    jtag: Jtag | None = None
    name: BoardName = ""

    @property
    def block_ram_name(self) -> str:
        """What the maker calls a block."""
        return self.resources.block_ram_name or BLOCK_NAMES[self.resources.block_ram_kbits]

    @property
    def built(self) -> bool:
        """Whether `bitwright build` makes something for it."""
        return self.vivado is not None or self.serial is not None

    @property
    def needs(self) -> str:
        """What building for it would need, where nothing is built."""
        return self.missing or "a section [vivado] or [serial] in its description"


def _folder() -> Traversable:
    return resources.files(__package__) / "data"


def board_names() -> list[str]:
    """Every board of the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def load_board(name: str) -> Board:
    """The board called `name`, or the one that file `name`, which ends in .toml, describes.

    Raises BoardError: with the names there are, for another name; with what is wrong where, for a file.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    names = board_names()
    if name not in names:
        raise BoardError(
            f"no board is called {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}, and files of your "
            "own, which end in .toml"
        )
    return _checked((_folder() / f"{name}.toml").read_bytes(), name, f"board {name}")


def read_board(file: Path) -> Board:
    """The board that a user's `file` describes; it is called as the file is. Raises BoardError."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        hint = did_you_mean_path(file)
        raise BoardError(f"{file}: cannot be read ({error.strerror or error}){hint}") from None
    if len(raw) > MAX_TEXT_BYTES:
        raise BoardError(f"{file}: larger than {MAX_TEXT_BYTES:,} bytes, which no board needs")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,47}", file.stem):
        raise BoardError(f"{file}: the board is called as the file is; name it of a-z, 0-9, - and _, in lower case")
    if file.stem in board_names():
        raise BoardError(f"{file}: a board of bitwright is called {file.stem}; give the file another name")
    return _checked(raw, file.stem, str(file))


def _checked(raw: bytes, name: str, where: str) -> Board:
    try:
        values: dict[str, Any] = decode_toml(raw)
        if mistake := first_mistake(values, Board):
            raise BoardError(f"{where}: {mistake}")
        board = msgspec.convert({**values, "name": name}, Board)
    except msgspec.DecodeError as error:
        raise BoardError(f"{where}: not TOML ({error})") from None
    except msgspec.ValidationError as error:
        raise BoardError(f"{where}: {error}") from None
    kbits = board.resources.block_ram_kbits
    if kbits not in BLOCK_NAMES:
        raise BoardError(
            f"{where}: resources.block_ram_kbits must be one of {', '.join(map(str, BLOCK_NAMES))}, not {kbits}"
        )
    if board.data_bits not in (8, 16, 32, 64, 128, 256, 512):
        raise BoardError(f"{where}: data_bits must be 8, 16, 32 and so on up to 512, not {board.data_bits}")
    return board


def load_boards() -> list[Board]:
    """All of the package, by name."""
    return [load_board(name) for name in board_names()]


def boards_with(has: Callable[[Board], object]) -> str:
    """The names of the package's boards for which `has` is true, joined by commas for a message."""
    return ", ".join(board.name for board in load_boards() if has(board))

"""Board descriptions: package data, one TOML file a board, its sources beside the figures."""

from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from bitwright_core.errors import BoardError
from bitwright_core.near import did_you_mean
from bitwright_core.plan import Target


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a part has."""

    luts: int
    lut_inputs: int
    ffs: int
    block_rams: int
    block_ram_kbits: int  # parity included: 36 for RAMB36, 18 for EBR
    dsps: int


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board. `family` is the maker's name, `target` ours: of the Verilog that suits it, and of its estimates."""

    title: str
    part: str
    family: str
    target: Target
    clock_mhz: float
    data_bits: int
    sources: tuple[str, ...]
    resources: Resources
    notes: str = ""
    name: str = ""

    @property
    def block_ram_name(self) -> str:
        """What the maker calls a block."""
        return {36: "BRAM36", 18: "EBR", 4: "EBR (4 kbit)"}[self.resources.block_ram_kbits]


def _folder() -> Traversable:
    return resources.files(__package__) / "data"


def board_names() -> list[str]:
    """Every board that load_board knows."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def load_board(name: str) -> Board:
    """The board called `name`. Raises BoardError, with the names there are, for another."""
    names = board_names()
    if name not in names:
        raise BoardError(f"no board is called {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}")
    raw = msgspec.toml.decode((_folder() / f"{name}.toml").read_bytes())
    return msgspec.convert({**raw, "name": name}, Board)


def load_boards() -> list[Board]:
    """All of them, by name."""
    return [load_board(name) for name in board_names()]

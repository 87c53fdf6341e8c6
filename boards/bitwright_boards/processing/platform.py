"""A board's processing system: which it is by the family of the part, and the board's settings of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from bitwright_boards.board import Board, boards_with
from bitwright_boards.families import family_of
from bitwright_boards.processing.system import ProcessingSystem
from bitwright_boards.processing.zynq7 import Zynq7
from bitwright_boards.processing.zynq_ultra import ZynqUltra
from bitwright_core.errors import BoardError

SYSTEMS: tuple[ProcessingSystem, ...] = (Zynq7(), ZynqUltra())


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A processing system on a board: `settings` are what the board sets of it (without CONFIG.)."""

    system: ProcessingSystem
    settings: Mapping[str, str]
    part: str

    @property
    def bitstream_part(self) -> str:
        """The part as the header of a .bit names it: 7-series without xc and speed grade, UltraScale+ in full."""
        return self.part.removeprefix("xc").partition("-")[0] if self.system.family == "zynq" else self.part


ZYNQ_7020 = Platform(system=SYSTEMS[0], settings={}, part="xc7z020clg400-1")  # what is simulated unless told otherwise


def platform(board: Board) -> Platform:
    """The platform of `board`. Raises BoardError for one without a project, another part, an unknown preset."""
    if board.vivado is None:
        known = boards_with(lambda other: other.vivado)
        raise BoardError(f"bitwright has no Vivado project for {board.name}; it has them for {known}")
    family = family_of(board.part)
    system = next((system for system in SYSTEMS if system.family == family), None)
    if system is None:
        titles = " or ".join(system.title for system in SYSTEMS)
        raise BoardError(
            f"{board.name}: {board.part} has no processing system that overlays are made for; {titles} has"
        )
    folder = resources.files("bitwright_boards") / "data" / system.presets
    file = folder / f"{board.vivado.preset}.toml"
    if not file.is_file():
        known = ", ".join(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir()))
        raise BoardError(f"{board.name}: there is no preset {board.vivado.preset}; there are {known}")
    return Platform(system=system, settings=tomllib.loads(file.read_text()), part=board.part)

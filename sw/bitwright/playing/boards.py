"""Where a design may be played with that is no simulator here: what reaches it, checked before anything is served."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bitwright.api.common import needs_extra
from bitwright.playing.board import FrameWay, PlayedBoard
from bitwright_boards.ssh import Login
from bitwright_core.design import Design
from bitwright_core.errors import BoardError
from bitwright_core.progress import Progress


@dataclass(frozen=True, kw_only=True)
class PynqPlace:
    """A PYNQ board at `login`, or without one the simulated board under pynq's Python `simulated`.

    `board` says which it is (default: the plan's); `overlay` is the .bit or its folder (default: what `build` left).
    """

    login: Login | None = None
    simulated: Path | None = None
    board: str = ""
    overlay: Path | None = None

    def __post_init__(self) -> None:
        if (self.login is None) == (self.simulated is None):
            raise BoardError("say where the board is with a login, or give simulated")

    def open(self, design: Design, progress: Progress | None) -> PlayedBoard:
        """Connects, and loads the overlay. Raises BoardError, ToolError."""
        from bitwright_boards import load_board
        from bitwright_boards.deployment import find_overlay
        from bitwright_boards.session import Session
        from bitwright_boards.ssh import Connection

        if self.login is not None:
            login, board = self.login, self.board or design.plan.board
            if not board:
                raise BoardError("say which board it is with --board; bitwright boards lists them")
            bit = find_overlay(design, load_board(board), self.overlay)
            return PlayedBoard(lambda: Session(Connection(login), design, bit, progress=progress), login.name)
        return PlayedBoard(self._simulated(design, progress), "the simulated board")

    def _simulated(self, design: Design, progress: Progress | None) -> Callable[[], FrameWay]:
        import tempfile

        from bitwright_boards import load_board
        from bitwright_boards.processing import ZYNQ_7020, platform
        from bitwright_boards.session import Session
        from bitwright_boards.simulated.account import check_pynq
        from bitwright_boards.simulated.bitstream import write_overlay
        from bitwright_boards.simulated.local import LocalBoard

        assert self.simulated is not None
        python = self.simulated
        check_pynq(python)
        board = self.board or design.plan.board
        named = load_board(board) if board else None
        place = ZYNQ_7020 if named is None or (not self.board and named.vivado is None) else platform(named)

        def connect() -> FrameWay:
            with tempfile.TemporaryDirectory(prefix="bitwright-overlay-") as folder, needs_extra("sim", "play"):
                bit = write_overlay(design, Path(folder), platform=place, progress=progress)
                return Session(LocalBoard(python, platform=place, fast=False), design, bit, progress=progress)

        return connect


@dataclass(frozen=True, kw_only=True)
class SerialPlace:
    """The board of build folder `folder` at serial port `port`, or without one the simulation of its pins."""

    folder: Path
    port: str | None = None

    def open(self, design: Design, progress: Progress | None) -> PlayedBoard:
        """Opens the line, and checks the board. Raises BoardError, ToolError."""
        from bitwright_boards.driver import DriverError
        from bitwright_boards.serial_run import SerialFrames
        from bitwright_core.board_build import load_build

        name = f"{load_build(self.folder).board}, {self.port or 'simulated to its pins'}"
        try:
            return PlayedBoard(lambda: SerialFrames(self.folder, design, port=self.port, progress=progress), name)
        except DriverError as error:
            raise BoardError(str(error)) from None

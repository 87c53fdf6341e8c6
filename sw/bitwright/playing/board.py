"""A design on a board, for `play`: PYNQ over SSH, the simulated PYNQ board, or a board on a serial line."""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from bitwright.playing.hardware import HardwareGoneError
from bitwright_boards.driver import DriverError
from bitwright_boards.session import FrameResult
from bitwright_core.errors import BoardError


class FrameWay(Protocol):
    """An open way to a board, such as bitwright_boards.session.Session."""

    def run(self, values: list[int]) -> FrameResult: ...
    def close(self) -> None: ...


class PlayedBoard:
    """Hardware of `play`: frames through the board that `connect` reaches. After an error the next frame connects anew.

    A board has no probes: it tells class, scores and its counter of busy cycles, and no activations.
    """

    def __init__(self, connect: Callable[[], FrameWay], name: str):
        self.name = name
        self._connect = connect
        self._frames: FrameWay | None = connect()
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """What computes."""
        return f"this design, on {self.name},"

    def ask(self, values: list[int]) -> dict[str, Any]:
        """What the board makes of a frame. Raises HardwareGoneError."""
        with self._lock:
            try:
                if self._frames is None:
                    self._frames = self._connect()
                found = self._frames.run(values)
            except (BoardError, DriverError, OSError) as error:
                self._end()
                raise HardwareGoneError(f"{error}; draw again to connect anew") from None
        return {"class": found.classes, "outputs": found.scores or [], "layers": {}, "cycles": found.cycles}

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._frames is not None:
            self._frames.close()
        self._frames = None

"""A design on a PYNQ board, frame by frame: `bitwright play` talks to one job there, which keeps the overlay loaded."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitwright_boards.board_job import MARK
from bitwright_boards.deploy import AnyConnection, deploy
from bitwright_boards.deployment import deployment, make_vectors
from bitwright_boards.errors import JobError
from bitwright_boards.program import HEARTBEAT_SECONDS, Job, job_error, lines, start_job
from bitwright_core.design import Design
from bitwright_core.progress import Progress


@dataclass(frozen=True, kw_only=True)
class FrameResult:
    """What the hardware made of a frame. `cycles` are those that its counter saw busy."""

    classes: int | None  # None of a network that gives bits
    scores: list[int] | None  # or bits; None where the plan sends the class alone
    cycles: int


class Session:
    """Frames through the overlay `bit` of a design, on the board of an open connection, which it then owns.

    The job ends when nobody has spoken to it for a minute, so a thread does. Close it, or use `with`.
    """

    def __init__(self, connection: AnyConnection, design: Design, bit: Path, *, progress: Progress | None = None):
        """Deploys the overlay and loads it. Raises what program.run_on_board does, and closes the connection then."""
        self.connection = connection
        self._closed = threading.Event()
        self._speaking = threading.Lock()
        job = Job()
        try:
            nothing = np.zeros((1, *design.network.input.shape), np.int64)
            files = deployment(design, bit, make_vectors(design, nothing))
            folder = deploy(connection, design.manifest.name, files, job.remote_folder, progress)
            self._process = start_job(connection, folder, job, "--serve")
        except BaseException:
            connection.close()
            raise
        self._events = self._told()
        try:
            self._wait("loaded")
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._beat, name="bitwright board", daemon=True).start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the job and the connection."""
        self._closed.set()
        with suppress(Exception):  # whatever state it is in, it is not needed any more
            self._process.close()
        self.connection.close()

    def run(self, values: list[int]) -> FrameResult:
        """Sends a frame's values through. Raises JobError for what the driver raised, ConnectionLostError."""
        self._say(json.dumps(values).encode() + b"\n")
        return FrameResult(**self._wait("frame"))

    def _wait(self, wanted: str) -> dict[str, Any]:
        for event in self._events:
            kind = event.pop("event")
            if kind == wanted:
                return event
            if kind in ("error", "refused"):
                raise job_error(self.connection, event)
        raise JobError(f"the job on {self.connection.login.name} ended", kind="Ended")

    def _told(self) -> Iterator[dict[str, Any]]:
        for line in lines(self._process, self.connection):
            if line.startswith(MARK):
                yield json.loads(line.removeprefix(MARK))

    def _say(self, data: bytes) -> None:
        with self._speaking:
            self._process.send(data)

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT_SECONDS):
            self._say(b"\n")

"""`bitwright serial`: frames over a serial line, to a board or to its simulation, judged by the golden model."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitwright_boards.deployment import check_description, make_vectors
from bitwright_boards.serial_driver import Accelerator
from bitwright_boards.session import FrameResult
from bitwright_core.design import Design
from bitwright_core.metrics import LabelMetrics
from bitwright_core.progress import Progress

SIMULATED_QUIET_SECONDS = 0.0005  # there is no USB between


@dataclass(frozen=True, kw_only=True)
class SerialReport:
    """What came back. Rates of a simulated board are in its own time."""

    board: str
    port: str  # or "simulated"
    frames: int
    mismatches: tuple[int, ...]  # frames whose class or scores are not the golden model's
    compared: dict[str, int]  # integers: classes, scores or bits
    accuracy: float | None  # None without labels or classes
    golden_accuracy: float | None
    label_metrics: LabelMetrics | None  # of the board's bits, where labels of 0 and 1 came with the frames
    golden_label_metrics: LabelMetrics | None
    frames_per_second: float
    busy_frames_per_second: float  # by the accelerator's own counter of cycles
    latency_seconds: float  # from the first packet sent to its answer
    clock_mhz: float
    packets: int
    repeated: int  # packets sent again
    digest: str

    @property
    def passed(self) -> bool:
        return not self.mismatches

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {**asdict(self), "passed": self.passed}


class SerialFrames:
    """Frames, one at a time, through the board of build folder `folder` at `port`, or without one its simulation."""

    def __init__(self, folder: Path, design: Design, *, port: str | None, progress: Progress | None = None):
        """Raises what Accelerator does; ToolError."""
        check_description(folder, design)
        self._accelerator = Accelerator(folder, port=port, **_line(folder, design, port, progress))

    def run(self, values: list[int]) -> FrameResult:
        """Sends a frame's values through. Raises what Accelerator.run does."""
        result = self._accelerator.run(np.array([values]))
        return FrameResult(
            classes=None if result.classes is None else int(result.classes[0]),
            scores=None if result.scores is None else result.scores[0].tolist(),
            cycles=result.cycles_busy,
        )

    def close(self) -> None:
        """Closes the line."""
        self._accelerator.close()


def _line(folder: Path, design: Design, port: str | None, progress: Progress | None) -> dict[str, Any]:
    """What Accelerator is given in the place of a port: the simulated line, and the time that passes on it."""
    if port is not None:
        return {}
    from bitwright_sim.serial import SimulatedLine

    line = SimulatedLine(folder, trust_verilog=design.trust_verilog, progress=progress)
    return {"line": line, "quiet_seconds": SIMULATED_QUIET_SECONDS, "clock": lambda: line.seconds}


def run_serial(
    folder: Path,
    design: Design,
    frames: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    port: str | None = None,
    timeout: float = 5.0,
    progress: Progress | None = None,
) -> SerialReport:
    """Runs frames (n, ...) on the board of build folder `folder` at serial port `port`, or without one on its
    simulation, and compares with the golden model of `design`. Raises what Accelerator does; ToolError."""
    check_description(folder, design)
    expected = make_vectors(design, frames, labels)
    options = _line(folder, design, port, progress)
    what = f"frames over {port or 'the simulated line'}"
    with Accelerator(folder, port=port, timeout=timeout, **options) as accelerator:
        result = accelerator.run(
            frames,
            progress=None if progress is None else lambda done, total: progress(what, done, total),
        )
        digest, counts = accelerator.digest, accelerator.counts
    wrong = expected.differing(classes=result.classes, scores=result.scores)
    return SerialReport(
        board=accelerator.build.board,
        port=port or "simulated",
        frames=len(frames),
        mismatches=tuple(int(k) for k in np.flatnonzero(wrong)),
        compared=expected.integers,
        accuracy=expected.accuracy(result.classes),
        golden_accuracy=expected.accuracy(expected.classes),
        label_metrics=expected.label_metrics(result.scores),
        golden_label_metrics=expected.label_metrics(expected.scores),
        frames_per_second=result.frames_per_second,
        busy_frames_per_second=result.busy_frames_per_second,
        latency_seconds=result.latency_seconds,
        clock_mhz=accelerator.clock_mhz,
        packets=result.batches,
        repeated=counts.repeated,
        digest=digest,
    )

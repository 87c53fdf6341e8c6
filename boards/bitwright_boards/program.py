"""`bitwright program`: an overlay to a board over SSH, its vectors run there, the results judged here.

Files go into a folder beside their place, are checked by their SHA-256, and are moved into place together: the board
never holds half a deployment. The job on the board ends when the connection does (board_job.py). The judge is the
golden model here, whatever the board says of itself.
"""

import io
import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_boards.bank import BankedNetwork
from bitwright_boards.board_job import MARK
from bitwright_boards.deploy import AnyConnection, deploy
from bitwright_boards.deployment import JOB, Vectors, deployment
from bitwright_boards.errors import JobError, LoginError, MissingPynqError
from bitwright_boards.processing import ZYNQ_7020, Platform
from bitwright_boards.simulated.bitstream import write_overlay
from bitwright_boards.simulated.local import LocalBoard, LocalProcess
from bitwright_boards.ssh import Connection, Login, Process
from bitwright_core.design import Design
from bitwright_core.errors import BoardError, DesignError
from bitwright_core.metrics import LabelMetrics
from bitwright_core.progress import Progress

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0  # the job says something every few seconds


@dataclass(frozen=True, kw_only=True)
class WrongFrame:
    """A frame that came back wrong: its class and scores, and the golden model's."""

    frame: int
    expected_class: int | None
    board_class: int | None
    expected_scores: list[int] | None
    board_scores: list[int] | None


@dataclass(frozen=True, kw_only=True)
class ChosenReport:
    """What a network of the bank gave, once it was loaded into the accelerator."""

    name: str
    digest: str
    seconds: float  # that its load and swap took
    mismatches: tuple[WrongFrame, ...]
    compared: dict[str, int]
    accuracy: float | None
    golden_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class ProgramReport:
    """What `program` found."""

    board: str
    host: str
    folder: str  # on the board
    frames: int
    mismatches: tuple[WrongFrame, ...]
    compared: dict[str, int]  # integers: classes, scores or bits
    accuracy: float | None  # of the board; None without labels or classes
    golden_accuracy: float | None
    label_metrics: LabelMetrics | None  # of the board's bits, where labels of 0 and 1 came with the frames
    golden_label_metrics: LabelMetrics | None
    frames_per_second: float  # as the board's processor measured it, packing included
    latency_seconds: float  # one frame alone, the median of several
    busy_frames_per_second: float  # by the accelerator's own counter of cycles
    cycles_busy: int
    clock_mhz: float
    batches: int
    digest: str
    pynq: str
    python: str
    chosen: tuple[ChosenReport, ...] = ()  # of a bank, in the order in which they computed

    @property
    def passed(self) -> bool:
        return not self.mismatches and not any(each.mismatches for each in self.chosen)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True, kw_only=True)
class Job:
    """How frames run on a board. `timeout` is how many seconds the accelerator may stand still."""

    remote_folder: str | None = None  # where deployments lie; None: bitwright in the user's home
    batch_frames: int | None = None  # frames of a transfer; None: 1 MiB of them
    timeout: float = 5.0


def run_on_board(
    design: Design,
    bit: Path,
    vectors: Vectors,
    login: Login,
    *,
    board: str,
    job: Job,
    bank: Sequence[BankedNetwork] = (),
    progress: Progress | None = None,
) -> ProgramReport:
    """Deploys `bit` (and the .hwh beside it) of `design` to the `board` at `login`, and runs `vectors` there.

    Then each network of the `bank` is loaded in turn, and runs its own.

    Raises HostError, HostKeyError, LoginError, DiskFullError, MissingPynqError,
    ConnectionLostError, or JobError for what the driver raised there.
    """
    with Connection(login) as connection:
        return run_through(
            connection,
            design,
            bit,
            vectors,
            board=board,
            job=job,
            bank=bank,
            progress=progress,
        )


def run_simulated(
    design: Design,
    vectors: Vectors,
    pynq_python: Path,
    *,
    job: Job,
    bank: Sequence[BankedNetwork] = (),
    platform: Platform = ZYNQ_7020,
    fast: bool = False,
    progress: Progress | None = None,
) -> ProgramReport:
    """`run_on_board` for a simulated board of `platform` here, whose overlay is made on the way: no SSH, no board.

    `pynq_python` is the Python of tools/make_pynq_venv; `fast` as in simulated.account. The times are the simulation's;
    cycles_busy and busy_frames_per_second are those of the hardware. Raises ToolError, BoardError, JobError.
    """
    with tempfile.TemporaryDirectory(prefix="bitwright-overlay-") as folder:
        bit = write_overlay(design, Path(folder), platform=platform, progress=progress)
        with LocalBoard(pynq_python, platform=platform, fast=fast) as connection:
            return run_through(
                connection,
                design,
                bit,
                vectors,
                board="simulated",
                job=job,
                bank=bank,
                progress=progress,
            )


def run_through(
    connection: AnyConnection,
    design: Design,
    bit: Path,
    vectors: Vectors,
    *,
    board: str,
    job: Job,
    bank: Sequence[BankedNetwork] = (),
    progress: Progress | None = None,
) -> ProgramReport:
    """Deploys, runs and judges over an open connection: what is left of `run_on_board` behind the login."""
    files = deployment(design, bit, vectors)
    for each in bank:
        files |= each.files
    folder = deploy(connection, design.manifest.name, files, job.remote_folder, progress)
    options = ["--networks", *(each.name for each in bank)] if bank else []
    events = _run(connection, folder, job, progress, *options)
    host = connection.login.name
    results = connection.download(f"{folder}/results.npz")
    report = _judge(design, vectors, results, events, board=board, host=host, folder=folder)
    told = {each["name"]: each for each in events["done"].get("bank", [])}
    contents = [connection.download(f"{folder}/{each.results_file}") for each in bank]
    chosen = [_chosen(each, told, content, host) for each, content in zip(bank, contents, strict=True)]
    return replace(report, chosen=tuple(chosen))


def _chosen(banked: BankedNetwork, told: dict[str, dict[str, Any]], content: bytes, host: str) -> ChosenReport:
    """What a network of the bank gave. Raises JobError where other weights computed."""
    entry = told.get(banked.name)
    if entry is None or entry["crc"] != banked.load.crc:
        raise JobError(f"{host} computed other weights than those of {banked.name}", kind="Results")
    got, mismatches = _compared(banked.vectors, content, host)
    return ChosenReport(
        name=banked.name,
        digest=banked.load.network_digest,
        seconds=entry["seconds"],
        mismatches=mismatches,
        compared=banked.vectors.integers,
        accuracy=banked.vectors.accuracy(got.get("classes")),
        golden_accuracy=banked.vectors.accuracy(banked.vectors.classes),
    )


def _root(connection: AnyConnection) -> tuple[str, bytes]:
    """What to put before a command to run it as root, and what to feed it first. Raises LoginError."""
    if not connection.needs_root:
        return "", b""
    who = connection.run("id -u", what="asking who we are")
    if who.output.split()[-1:] == ["0"]:
        return "", b""
    password = connection.login.password
    sudo = "sudo -H -n" if password is None else "sudo -H -S -p ''"
    feed = b"" if password is None else password.encode() + b"\n"
    tried = connection.run(f"{sudo} true", feed=feed, what="becoming root")
    if tried.status != 0:
        text = " ".join(tried.errors.split())
        raise LoginError(
            f"{connection.login.user} cannot become root on {connection.login.name}, which the FPGA needs ({text}); "
            "give the user's password with --password"
        )
    return f"{sudo} ", feed


def start_job(connection: AnyConnection, folder: str, job: Job, *options: str) -> Process | LocalProcess:
    """Starts the job of deployment `folder` in a login shell, as root."""
    root, feed = _root(connection)
    said = [f"--timeout {job.timeout:g}", *options]
    if job.batch_frames:
        said.append(f"--batch-frames {job.batch_frames}")
    inner = f"cd {shlex.quote(folder)} && exec python3 -B -u {JOB} {' '.join(said)}"
    process = connection.start(f"exec {root}bash -lc {shlex.quote(inner)}", what="starting the job")
    process.send(feed)
    return process


def _run(
    connection: AnyConnection,
    folder: str,
    job: Job,
    progress: Progress | None,
    *options: str,
) -> dict[str, dict[str, Any]]:
    """Runs the job; returns its events by name."""
    process = start_job(connection, folder, job, *options)
    events: dict[str, dict[str, Any]] = {}
    noise: list[str] = []
    try:
        for line in lines(process, connection):
            if not line.startswith(MARK):
                noise.append(line)
                continue
            event = json.loads(line.removeprefix(MARK))
            events[event.pop("event")] = event
            if progress is not None and "done" in event:
                progress(f"frames on {connection.login.name}", event["done"], event["total"])
        status = process.status("running the job")
        noise += process.take_errors(rest=True).decode(errors="replace").splitlines()
    finally:
        process.close()
    if "error" in events:
        raise job_error(connection, events["error"])
    if "done" not in events or status != 0:
        said = " ".join(" ".join(noise[-5:]).split())
        raise JobError(f"the job on {connection.login.name} ended with status {status}: {said}", kind="Ended")
    return events


def job_error(connection: AnyConnection, event: dict[str, Any]) -> BoardError:
    """What an error that the job told is here."""
    kind, message = str(event["kind"]), str(event["message"])
    where = connection.login.name
    if kind == "MissingPynq":
        return MissingPynqError(f"{where}: {message}; is this a PYNQ image (v3), or the wrong host?")
    if kind == "NoDevice":
        return MissingPynqError(f"{where}: {message}")
    return JobError(f"{where}: {kind}: {message}", kind=kind)


def lines(process: Process | LocalProcess, connection: AnyConnection) -> Iterator[str]:
    """The lines that the job writes, while its input gets a line now and then. Raises ConnectionLostError."""
    rest = b""
    heard = beat = time.monotonic()
    while True:
        ended = process.ended
        part = process.take(rest=ended)
        now = time.monotonic()
        if part:
            heard = now
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
        if ended:
            if rest:
                yield rest.decode(errors="replace")
            return
        if now - heard > SILENT_SECONDS:
            raise connection.lost("running the job")
        if now - beat > HEARTBEAT_SECONDS:
            process.send(b"\n")
            beat = now
        if not part:
            time.sleep(0.02)


def _compared(vectors: Vectors, content: bytes, host: str) -> tuple[dict[str, NDArray[Any]], tuple[WrongFrame, ...]]:
    """The arrays of a results file, and the frames that they are wrong for. Raises JobError for other shapes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        got = {name: stored[name] for name in stored.files}
    for name, expected in (("classes", vectors.classes), ("scores", vectors.scores)):
        if expected is not None and (name not in got or got[name].shape != expected.shape):
            raise JobError(f"{host} sent no {name} of the shape {expected.shape}", kind="Results")
    wrong = vectors.differing(classes=got.get("classes"), scores=got.get("scores"))
    return got, tuple(
        WrongFrame(
            frame=int(k),
            expected_class=_class(vectors.classes, k),
            board_class=_class(got.get("classes"), k),
            expected_scores=_row(vectors.scores, k),
            board_scores=_row(got.get("scores"), k),
        )
        for k in np.flatnonzero(wrong)
    )


def _judge(
    design: Design,
    vectors: Vectors,
    content: bytes,
    events: dict[str, dict[str, Any]],
    *,
    board: str,
    host: str,
    folder: str,
) -> ProgramReport:
    loaded, done = events["loaded"], events["done"]
    if loaded["digest"] != design.manifest.network_digest:
        raise DesignError(f"{host} holds the network of digest {loaded['digest'][:12]}, not this design's")
    got, mismatches = _compared(vectors, content, host)
    return ProgramReport(
        board=board,
        host=host,
        folder=folder,
        frames=len(vectors.frames),
        mismatches=mismatches,
        compared=vectors.integers,
        accuracy=vectors.accuracy(got.get("classes")),
        golden_accuracy=vectors.accuracy(vectors.classes),
        label_metrics=vectors.label_metrics(got.get("scores")),
        golden_label_metrics=vectors.label_metrics(vectors.scores),
        frames_per_second=done["frames_per_second"],
        latency_seconds=done["latency_seconds"],
        busy_frames_per_second=done["busy_frames_per_second"],
        cycles_busy=done["cycles_busy"],
        clock_mhz=loaded["clock_mhz"],
        batches=done["batches"],
        digest=loaded["digest"],
        pynq=loaded["pynq"],
        python=loaded["python"],
    )


def _class(classes: Any, frame: Any) -> int | None:
    return None if classes is None else int(classes[frame])


def _row(scores: Any, frame: Any) -> list[int] | None:
    return None if scores is None else [int(value) for value in scores[frame]]

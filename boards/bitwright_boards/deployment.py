"""The folder that goes to a board: overlay, driver, design.json, and vectors to test it with.

NAME.bit NAME.hwh       the overlay
bitwright_driver.py     driver.py, byte for byte
bitwright_job.py        board_job.py, what `bitwright program` starts there
design.json             what the driver must know of the design
vectors.npz             frames, and the golden model's classes and scores for them
"""

import io
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_boards.board import Board
from bitwright_core import golden
from bitwright_core.board_build import REBUILD
from bitwright_core.design import Design
from bitwright_core.errors import BoardError
from bitwright_core.framing import output_format
from bitwright_core.metrics import LabelMetrics
from bitwright_core.network import Network
from bitwright_core.untrusted import MAX_TEXT_BYTES, decode_json, file_inside

FORMAT_VERSION = 1
DRIVER, JOB, DESIGN, VECTORS = "bitwright_driver.py", "bitwright_job.py", "design.json", "vectors.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Frames as the user has them, and what the golden model gives for them."""

    frames: NDArray[np.integer]  # (n, *shape)
    classes: NDArray[np.int64] | None  # (n,), None for a network that gives bits or integers
    scores: NDArray[np.int64] | None  # (n, outputs), scores, bits or integers, None if the design sends none
    labels: NDArray[np.int64] | None = None  # what the data set says: classes (n,), or 0 and 1 (n, labels)

    def to_bytes(self) -> bytes:
        """A .npz of frames, classes and scores; labels stay here."""
        arrays = {"frames": self.frames, "classes": self.classes, "scores": self.scores}
        buffer = io.BytesIO()
        present: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
        np.savez_compressed(buffer, **present)
        return buffer.getvalue()

    def differing(self, *, classes: NDArray[Any] | None, scores: NDArray[Any] | None) -> NDArray[np.bool_]:
        """(n,): which frames a board's answers are wrong for. An answer that is missing, or of another shape, is
        wrong for all."""
        wrong = np.zeros(len(self.frames), bool)
        for got, expected in ((classes, self.classes), (scores, self.scores)):
            if expected is not None:
                if got is None or got.shape != expected.shape:
                    wrong[:] = True
                else:
                    wrong |= (got != expected).reshape(len(wrong), -1).any(axis=1)
        return wrong

    @property
    def integers(self) -> dict[str, int]:
        """How many integers `differing` compares, of classes and of scores (or bits)."""
        arrays = {"classes": self.classes, "scores" if self.classes is not None else "bits": self.scores}
        return {name: int(array.size) for name, array in arrays.items() if array is not None}

    def accuracy(self, classes: NDArray[Any] | None) -> float | None:
        """The share of `classes` (n,) that are the labels; None without either."""
        return None if classes is None or self.labels is None else float(np.mean(classes == self.labels))

    def label_metrics(self, bits: NDArray[Any] | None) -> LabelMetrics | None:
        """How well `bits` (n, labels) tell labels of 0 and 1; None without such labels."""
        if bits is None or self.classes is not None or self.labels is None or self.labels.ndim != 2:
            return None
        return LabelMetrics.of(bits, self.labels)


def make_vectors(
    design: Design, frames: NDArray[Any], labels: NDArray[Any] | None = None, *, network: Network | None = None
) -> Vectors:
    """The golden model's answers to `frames` (n, ...): all that network and plan make the design send.

    `network` is the one that computes, where another than the design's own was loaded.

    Raises DataError for frames that do not fit, DesignError for a manifest that network and plan do not bear out.
    """
    design.check_derived()
    outputs = golden.outputs(design.network if network is None else network, frames)
    form = output_format(design.network, design.plan)
    return Vectors(
        frames=np.asarray(frames),
        classes=outputs.argmax(axis=1) if form.classifier else None,
        scores=outputs if form.scores or not form.classifier else None,
        labels=labels,
    )


def describe(design: Design) -> dict[str, Any]:
    """The content of design.json: what the driver reads, and nothing else."""
    manifest, network = design.manifest, design.network
    encoding = network.encoding
    thresholds = []
    if manifest.input.encoded and encoding.tables is None:  # signed integers are made in hardware alone
        thresholds = encoding.thresholds.tolist()
    loads = {}
    if manifest.loads is not None:
        loads["load"] = {
            "structure": manifest.loads.structure,
            "bytes": manifest.loads.bytes,
            "crc": manifest.loads.crc,
        }
        if manifest.loads.first is not None:
            loads["load"]["first"] = manifest.loads.first
    return {
        "format": FORMAT_VERSION,
        "name": manifest.name,
        "network_digest": manifest.network_digest,
        "verilog_digest": manifest.digest,
        "clock_mhz": manifest.clock_mhz,
        "interval_cycles": manifest.interval_cycles,
        "latency_cycles": manifest.latency_cycles,
        "shape": list(network.input.shape),
        "bits": network.input.bits,
        "encoding_thresholds": thresholds,
        "input": {
            **msgspec.to_builtins(manifest.input),
            "bytes": manifest.input.bytes,
            "beats": manifest.input.beats,
            "stride": manifest.input.stride,
        },
        "output": {**msgspec.to_builtins(manifest.output), "beats": manifest.output.beats},
        "registers": manifest.registers,
        **loads,
    }


def check_description(folder: Path, design: Design) -> None:
    """Raises BoardError unless design.json in build folder `folder` is what `describe` gives for `design`."""
    file = file_inside(folder, DESIGN, BoardError, limit=MAX_TEXT_BYTES, remedy=REBUILD)
    try:
        told = decode_json(file.read_bytes(), dict)
    except msgspec.DecodeError as error:
        raise BoardError(f"{file}: damaged ({error}); build it again") from None
    if told != json.loads(json.dumps(describe(design))):
        raise BoardError(f"{file} is not of the design in {design.folder}; build it again")


def driver_source() -> bytes:
    return (files("bitwright_boards") / "driver.py").read_bytes()


def job_source() -> bytes:
    return (files("bitwright_boards") / "board_job.py").read_bytes()


def find_bitstream(design: Design, board: Board, overlay: Path | None = None) -> Path:
    """The .bit of `design` for `board`: `overlay` itself, or NAME.bit in the folder `overlay`; without it, in
    the folder that `bitwright build` writes beside the design, or in the design's own.

    Raises BoardError, with what to do, if there is none.
    """
    if overlay is not None and overlay.is_file():
        return overlay
    beside = design.folder.absolute()
    folders = [beside.with_name(f"{beside.name}-{board.name}"), design.folder] if overlay is None else [overlay]
    name = f"{design.manifest.name}.bit"
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    maker = "Vivado makes it, and nothing else can for a Zynq" if board.vivado else "it makes one"
    raise BoardError(
        f"there is no bitstream {name} in {' or '.join(str(folder) for folder in folders)}; run bitwright build with "
        f"--board {board.name} ({maker}), or name it with --overlay"
    )


def find_overlay(design: Design, board: Board, overlay: Path | None = None) -> Path:
    """`find_bitstream`, with the .hwh of the same stem beside it. Raises BoardError."""
    bit = find_bitstream(design, board, overlay)
    if not bit.with_suffix(".hwh").is_file():
        raise BoardError(f"{bit.with_suffix('.hwh')} is missing; pynq needs it beside the .bit, of the same name")
    return bit


def first_files(design: Design) -> dict[str, bytes]:
    """What lies beside design.json of a design that begins without weights, by name: the load of its own network."""
    name, load = design.manifest.first_load, design.first_load
    return {} if name is None or load is None else {name: load.content}


def deployment(design: Design, bit: Path, vectors: Vectors) -> dict[str, bytes]:
    """The content of every file that goes to the board, by its name."""
    name = design.manifest.name
    return first_files(design) | {
        f"{name}.bit": bit.read_bytes(),
        f"{name}.hwh": bit.with_suffix(".hwh").read_bytes(),
        DRIVER: driver_source(),
        JOB: job_source(),
        DESIGN: (json.dumps(describe(design), indent=2) + "\n").encode(),
        VECTORS: vectors.to_bytes(),
    }

"""A folder that shows one mismatch: the frame, both sets of integers, waves, and how it was made."""

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DataError, DesignError
from bitwright_core.framing import pack_frames
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache
from bitwright_sim.compare import Mismatch, compare, expected_values, got_values
from bitwright_sim.native.model import NativeModel
from bitwright_sim.native.stalls import NO_STALLS, Pattern

REPRODUCER = "repro.json"
_BEFORE = 8  # frames that go first where the frame alone comes out right


def check_reproducer(out: Path) -> None:
    """Raises DataError if `out` holds other files than an earlier reproducer."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / REPRODUCER).is_file())):
        raise DataError(f"{out}: holds files that are not a reproducer; name an empty or new folder")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong in a run: the first mismatch, the frames of its part, and how both sides paused."""

    first: Mismatch
    part: slice
    stalls: Pattern


def write_reproducer(
    out: Path,
    design: Design,
    network: Network,
    flat: NDArray[Any],
    failure: Failure,
    cache: BuildCache,
    progress: Progress | None,
) -> Path:
    """Reruns the frame that failed with waves and writes folder `out`; returns it.

    The frame goes alone into an idle accelerator. If it comes out right there, up to 8 frames before it (of the
    failing run's part) go first; with stalls, all of the part with the same pauses. Raises
    DataError if `out` holds other files.
    """
    check_reproducer(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    first, part, stalls = failure.first, failure.part, failure.stalls
    frame = first.frame
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / "reproducer"
        folder.mkdir()
        starts = [frame] if frame == part.start else [frame, max(part.start, frame - _BEFORE)]
        if stalls != NO_STALLS:
            starts = [part.start]
        seen, hang = None, ""
        sent = flat[frame : frame + 1]
        for start in starts:
            sent = flat[start : part.stop if stalls != NO_STALLS else frame + 1]
            with NativeModel(design, trace=folder / "waves.vcd", cache=cache, progress=progress) as model:
                try:
                    result = model.run(pack_frames(network, design.plan, sent), stalls)
                except DesignError as error:
                    hang = str(error)
                    break
                seen = compare(design, network, sent, result, model.probes, start).first
                got = got_values(design, network, result, model.probes)
                np.savez_compressed(folder / "got.npz", **{name: array[frame - start] for name, array in got.items()})
            if seen is not None:
                break
        values = expected_values(network, sent)[1]
        last = part.start + len(sent) - 1 if stalls != NO_STALLS else frame
        np.savez_compressed(
            folder / "expected.npz", **{name: array[frame - last - 1] for name, array in values.items()}
        )
        np.save(folder / "input.npy", sent.reshape(len(sent), *network.input.shape))
        note = {
            "what": "bitwright: the first frame whose integers differ from the golden model's",
            "design": str(design.folder.absolute()),
            "verilog_edited": design.edited,
            "design_digest": design.manifest.digest,
            "network_digest": network.digest,
            "design_network_digest": design.manifest.network_digest,
            "mismatch": {**asdict(first), "text": str(first)},
            "rerun": None if seen is None else {**asdict(seen), "text": str(seen)},
            "rerun_hang": hang,
            "stalls": None if stalls == NO_STALLS else asdict(stalls),
            "files": {
                "input.npy": f"frames {last - len(sent) + 1}..{last} as sent after a reset; frame {frame} differs",
                "expected.npz": "that frame's integers by layer (popcount - threshold, scores, class), golden model",
                "got.npz": f"the same from the rerun; {np.iinfo(np.int64).min} where nothing came",
                "waves.vcd": "every signal of the rerun (GTKWave, Surfer); a clock cycle is 10 time units",
            },
        }
        (folder / REPRODUCER).write_text(json.dumps(note, indent=2) + "\n")
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return out

"""A set of frames on a Ray cluster: shards of it, each simulated where a core is free, joined in order.

The design travels with each shard as its files; a machine builds its simulator once and keeps it in its own cache. Ray
runs a shard again, on another worker, when its worker is lost. Ray is imported here alone, and late.
"""

import logging
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_core.manifest import MANIFEST
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.by_verilator import run_by_verilator
from bitwright_sim.native.build import build_native
from bitwright_sim.native.stalls import KINDS
from bitwright_sim.outcome import Outcome, joined
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import run_frames

LOCAL = "local"
_RETRIES = 3  # of a shard whose worker was lost
_LEAST = {"sliced": 1024, "verilator": 64}  # frames of a shard, below which starting it costs more than it saves
_SHARDS_A_CORE = 2
_ANSWER_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Some frames of a set, and all that a worker needs to simulate them."""

    files: dict[str, bytes]  # the design's, by name
    trusted: bool
    network: Network
    frames: NDArray[np.integer]
    engine: Literal["sliced", "verilator"]
    stalls: int | None


def run_shard(shard: Shard) -> Outcome:
    """The outcome of a shard, on one core. Raises what its engine does."""
    with tempfile.TemporaryDirectory(prefix="bitwright-shard-") as name:
        folder = Path(name)
        for file, content in shard.files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(content)
        design = Design.load(folder, trust_verilog=shard.trusted)
        if shard.engine == "sliced":
            return run_frames(design, shard.network, shard.frames, build_sliced(design), jobs=1)
        library = build_native(design)
        return run_by_verilator(design, shard.network, shard.frames, library, jobs=1, stalls=shard.stalls)


def shard_size(frames: int, cores: int, engine: Literal["sliced", "verilator"]) -> int:
    """Frames of a shard: a few for each core, but not too few to be worth a start."""
    return min(frames, max(_LEAST[engine], -(-frames // (_SHARDS_A_CORE * cores))))


def run_on_ray(
    address: str,
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    *,
    engine: Literal["sliced", "verilator"],
    stalls: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Runs and compares frames (n, values) on the cluster at `address`, or on one of this machine's own ("local").

    Raises ToolError where Ray is missing, no cluster answers, or workers are lost again and again, and what the engine
    raises.
    """
    files = {file: (design.folder / file).read_bytes() for file in (*design.manifest.names, MANIFEST)}
    with _cluster(address) as ray:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        size = shard_size(len(flat), cores, engine)
        starts = range(0, len(flat), size)
        work = ray.remote(num_cpus=1, max_retries=_RETRIES)(run_shard)
        started = time.monotonic()
        tasks = []
        for number, start in enumerate(starts):
            tasks.append(
                work.remote(
                    Shard(
                        files=files,
                        trusted=design.trust_verilog,
                        network=network,
                        frames=flat[start : start + size],
                        engine=engine,
                        stalls=None if stalls is None else stalls + number * KINDS,
                    )
                )
            )
        done, left = 0, list(tasks)
        while left:
            if progress is not None:
                progress("simulating", done, len(flat))
            ready, left = ray.wait(left, num_returns=1, timeout=1)
            done += sum(len(one.bad) for one in _results(ray, ready))
        if progress is not None:
            progress("simulating", len(flat), len(flat))
        parts = _results(ray, tasks)
    lanes = max(one.lanes for one in parts) * min(cores, len(parts))
    return joined(parts, seconds=time.monotonic() - started, lanes=lanes)


def _results(ray: Any, tasks: list[Any]) -> list[Outcome]:
    """What tasks gave. Raises what they raised, or ToolError if their workers were lost too often."""
    try:
        found: list[Outcome] = ray.get(tasks)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        told = str(error).strip().splitlines()[0]
        raise ToolError(f"Ray gave up a shard after {_RETRIES + 1} workers were lost with it: {told}") from None
    return found


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Ray, connected. A cluster of this machine's own ends with the block."""
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ToolError(f"--ray needs ray, which is not installed: {install('ray')}") from None
    mine = not ray.is_initialized()
    if mine:
        where: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
        _check_answers(address)
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            told = str(error).strip().splitlines()[0]
            raise ToolError(f"no Ray cluster at {address}: {told}") from None
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises ToolError if nobody listens at a plain HOST:PORT: Ray itself goes on trying for minutes."""
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ToolError(f"no Ray cluster at {address}: {error}") from None

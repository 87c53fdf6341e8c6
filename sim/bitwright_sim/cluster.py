"""A set of frames on a Ray cluster: shards of it, each simulated where a core is free, joined in order.

The design travels with each shard as its files; a machine builds its simulator once and keeps it in its own cache. Ray
runs a shard again, on another worker, when its worker is lost (`ray_cluster`).
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.manifest import MANIFEST
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.by_verilator import run_by_verilator
from bitwright_sim.native.build import build_native
from bitwright_sim.native.stalls import KINDS
from bitwright_sim.outcome import Outcome, joined
from bitwright_sim.ray_cluster import ray_cluster
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import run_frames

_LEAST = {"sliced": 1024, "verilator": 64}  # frames of a shard, below which starting it costs more than it saves
_SHARDS_A_CORE = 2


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
    started = time.monotonic()
    with ray_cluster(address) as cluster:
        size = shard_size(len(flat), cluster.cores, engine)
        shards = [
            Shard(
                files=files,
                trusted=design.trust_verilog,
                network=network,
                frames=flat[start : start + size],
                engine=engine,
                stalls=None if stalls is None else stalls + number * KINDS,
            )
            for number, start in enumerate(range(0, len(flat), size))
        ]
        parts = cluster.run(run_shard, shards, "simulating", progress, sizes=[len(shard.frames) for shard in shards])
    lanes = max(one.lanes for one in parts) * min(cluster.cores, len(parts))
    return joined(parts, seconds=time.monotonic() - started, lanes=lanes)

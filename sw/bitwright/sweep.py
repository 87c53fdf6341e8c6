"""Plans of one network synthesized one beside the other: on this machine's cores, or on a Ray cluster."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from bitwright_core.families import FamilyName
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress
from bitwright_hw import generate
from bitwright_hw.cells import Counts
from bitwright_hw.families import family_named
from bitwright_hw.synth import synthesize

_WHAT = "synthesizing plans"


@dataclass(frozen=True, kw_only=True)
class SynthesisTask:
    """A plan of a network to synthesize for a family."""

    network: Network
    plan: Plan
    family: FamilyName


def synthesize_plan(task: SynthesisTask) -> Counts:
    """What Yosys counts of the plan's design. Raises what generate and synth do."""
    with tempfile.TemporaryDirectory(prefix="bitwright-sweep-") as name:
        design = generate(task.network, task.plan, Path(name) / "design")
        return synthesize(design, family=family_named(task.family)).total


def sweep(
    network: Network,
    plans: Sequence[Plan],
    family: FamilyName,
    *,
    ray: str | None = None,
    progress: Progress | None = None,
) -> list[Counts]:
    """What each plan takes by Yosys, in their order: on all cores, or on the Ray cluster at `ray` ("local": an own)."""
    tasks = [SynthesisTask(network=network, plan=plan, family=family) for plan in plans]
    if ray is not None:
        from bitwright_sim.ray_cluster import ray_cluster

        with ray_cluster(ray) as cluster:
            return cluster.run(synthesize_plan, tasks, _WHAT, progress)
    workers = min(len(tasks), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(synthesize_plan, task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(futures)):
                if progress is not None:
                    progress(_WHAT, done, len(tasks))
                future.result()  # raises as soon as one failed
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if progress is not None:
        progress(_WHAT, len(tasks), len(tasks))
    return [future.result() for future in futures]

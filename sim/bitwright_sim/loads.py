"""Several networks through one accelerator, loaded one after the other, and compared with the golden model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DataError
from bitwright_core.golden import check_frames
from bitwright_core.loading import Load, check_load
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_sim.by_verilator import run_loads
from bitwright_sim.cache import BuildCache
from bitwright_sim.checks import check_compared, check_labels
from bitwright_sim.native.build import build_native
from bitwright_sim.outcome import Outcome
from bitwright_sim.report import VerifyReport
from bitwright_sim.sliced.engine import cores
from bitwright_sim.tools import Verilator


def verify_loads(
    design: Design,
    loads: Sequence[tuple[Network, Load]],
    frames: NDArray[Any],
    labels: NDArray[Any] | None = None,
    *,
    jobs: int | None = None,
    stalls: int | None = None,
    progress: Progress | None = None,
    cache: BuildCache | None = None,
) -> tuple[VerifyReport, ...]:
    """Simulates `frames` (n, ...) with each of `loads` in turn: a network, and what makes `design` compute it.

    The simulated accelerators go on from one to the next: each load comes over the registers and is swapped in, after
    which every integer of every layer must be that network's. By Verilator; a mismatch leaves no reproducer. Arguments
    and errors are those of `verify`; DesignError, too, for a load that the accelerator does not take.
    """
    design.check_derived()
    if not loads:
        raise DataError("no networks to load; give at least one")
    flat = check_frames(design.network, frames)
    if not len(flat):
        raise DataError("no frames to verify; give at least one")
    golden_labels = check_labels(labels, len(flat), design.network)
    if jobs is not None and jobs < 1:
        raise DataError(f"jobs must be at least 1, not {jobs}")
    for network, load in loads:
        check_load(load, network, design.manifest.loads, design.folder)
    library = build_native(design, cache=cache, progress=progress)
    outcomes = run_loads(design, loads, flat, library, jobs=jobs or cores(), stalls=stalls, progress=progress)
    return tuple(
        _report(design, network, outcome, golden_labels, stalls)
        for (network, _), outcome in zip(loads, outcomes, strict=True)
    )


def _report(
    design: Design, network: Network, outcome: Outcome, labels: NDArray[np.int64] | None, stalls: int | None
) -> VerifyReport:
    check_compared(outcome.compared, network, len(outcome.bad))
    classes = labels if network.is_classifier else None
    accuracy, golden_accuracy = outcome.accuracies(classes)
    told, golden_told = outcome.label_metrics(labels)
    return VerifyReport(
        frames=len(outcome.bad),
        mismatches=int(outcome.bad.sum()),
        compared=outcome.compared,
        accuracy=accuracy,
        golden_accuracy=golden_accuracy,
        label_metrics=told,
        golden_label_metrics=golden_told,
        confusion=outcome.confusion(classes, network.outputs),
        interval_cycles=outcome.interval,
        ideal_interval_cycles=design.ideal_interval_cycles,
        latency_cycles=None,
        frames_per_second=len(outcome.bad) / outcome.seconds,
        cycles=outcome.cycles,
        simulator=Verilator.find().name,
        stalls=stalls,
        edited=design.edited,
        first_mismatch=outcome.first,
        reproducer=None,
        reproducer_error="" if outcome.first is None else "networks that are loaded leave none",
    )

"""What a set of frames did in a simulator, whichever it was, beside what the golden model says."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.metrics import LabelMetrics
from bitwright_sim.compare import Mismatch
from bitwright_sim.native.stalls import NO_STALLS, Pattern

_LOOKED_AT = 100  # classes of a confusion matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What n frames did."""

    bad: NDArray[np.bool_]  # (n,)
    first: Mismatch | None
    run: range = field(default=range(0))  # the frames of the simulation that met `first`, back to back from reset on
    stalls: Pattern = NO_STALLS  # of that simulation
    compared: dict[str, int]  # integers of each layer, and of what follows the last one
    classes: NDArray[np.int64] | None  # (n,) of a network that gives scores; -1 where missing
    golden_classes: NDArray[np.int64] | None
    bits: NDArray[np.int64] | None  # (n, outputs) of a network that gives bits; -1 where missing
    golden_bits: NDArray[np.int64] | None
    interval: float | None  # None for too few frames
    cycles: int  # simulated, of all jobs, or lanes in use
    seconds: float
    lanes: int  # frames at a time, of all jobs

    def accuracies(self, labels: NDArray[np.int64] | None) -> tuple[float | None, float | None]:
        """Shares of frames whose class is the label (n,), by the hardware and by the golden model."""
        if labels is None or labels.ndim != 1 or self.classes is None or self.golden_classes is None:
            return None, None
        return float((self.classes == labels).mean()), float((self.golden_classes == labels).mean())

    def confusion(self, labels: NDArray[np.int64] | None, classes: int) -> tuple[tuple[int, ...], ...] | None:
        """How many frames of each label (a row) the hardware told as each class (a column); None without labels (n,),
        and for more classes than can be looked at. A frame without a result is in no column."""
        if labels is None or labels.ndim != 1 or self.classes is None or classes > _LOOKED_AT:
            return None
        told = np.zeros((classes, classes), np.int64)
        there = (self.classes >= 0) & (self.classes < classes)
        np.add.at(told, (labels[there], self.classes[there]), 1)
        return tuple(tuple(row) for row in told.tolist())

    def label_metrics(self, labels: NDArray[np.int64] | None) -> tuple[LabelMetrics | None, LabelMetrics | None]:
        """How well the hardware's bits, and the golden model's, tell labels (n, outputs) of 0 and 1."""
        if labels is None or labels.ndim != 2 or self.bits is None or self.golden_bits is None:
            return None, None
        return LabelMetrics.of(self.bits, labels), LabelMetrics.of(self.golden_bits, labels)


def joined(parts: Sequence[Outcome], *, seconds: float, lanes: int) -> Outcome:
    """The outcome of frames that were simulated in parts, in order; each part counts frames from its own first."""
    start, first = 0, None
    for one in parts:
        if first is None and one.first is not None:
            first = replace(
                one,
                first=replace(one.first, frame=start + one.first.frame),
                run=range(start + one.run.start, start + one.run.stop),
            )
        start += len(one.bad)
    return Outcome(
        bad=np.concatenate([one.bad for one in parts]),
        first=None if first is None else first.first,
        run=range(0) if first is None else first.run,
        stalls=NO_STALLS if first is None else first.stalls,
        compared={name: sum(one.compared.get(name, 0) for one in parts) for name in parts[0].compared},
        classes=_all([one.classes for one in parts]),
        golden_classes=_all([one.golden_classes for one in parts]),
        bits=_all([one.bits for one in parts]),
        golden_bits=_all([one.golden_bits for one in parts]),
        interval=parts[0].interval,
        cycles=sum(one.cycles for one in parts),
        seconds=seconds,
        lanes=lanes,
    )


def _all(arrays: list[NDArray[Any] | None]) -> NDArray[Any] | None:
    there = [array for array in arrays if array is not None]
    return np.concatenate(there) if there else None

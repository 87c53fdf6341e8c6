"""How right the classes are: what `verify` kept of the hardware, or else what the golden model tells of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.api.frames import Frames
from bitwright.kept import KeptVerification
from bitwright_core.golden import chunks, classify
from bitwright_core.network import Network
from bitwright_core.progress import Progress

_LOOKED_AT = 100  # classes of a confusion matrix


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How right the classes are: `confusion[label][class]` counts frames. `who` says who told the classes."""

    who: str
    data: str
    frames: int
    share: float
    confusion: tuple[tuple[int, ...], ...] | None

    @property
    def heaviest(self) -> int:
        """The largest count of the confusion, which is drawn darkest."""
        return max((max(row) for row in self.confusion or ()), default=1) or 1


def accuracy(
    network: Network, kept: Sequence[KeptVerification], frames: Frames | None, progress: Progress | None
) -> Accuracy | None:
    """The accuracy of the largest kept verification with labels, or of `frames` by the golden model; else None."""
    judged = [one for one in kept if one.accuracy is not None and (frames is None or one.data == frames.name)]
    if judged:
        best = max(judged, key=lambda one: one.frames)
        return Accuracy(
            who="hardware",
            data=best.data,
            frames=best.frames,
            share=best.accuracy or 0.0,
            confusion=_square(best.confusion, network.outputs),
        )
    if frames is None or frames.labels is None or frames.labels.ndim != 1 or not network.is_classifier:
        return None
    told = []
    for part in chunks(network, len(frames.frames)):
        told.append(classify(network, frames.frames[part]))
        if progress is not None:
            progress("golden model", part.stop, len(frames.frames))
    classes = np.concatenate(told)
    confusion = None
    if network.outputs <= _LOOKED_AT:
        counts = np.zeros((network.outputs, network.outputs), np.int64)
        np.add.at(counts, (frames.labels, classes), 1)
        confusion = tuple(tuple(row) for row in counts.tolist())
    return Accuracy(
        who="golden model",
        data=frames.name,
        frames=len(classes),
        share=float((classes == frames.labels).mean()),
        confusion=confusion,
    )


def _square(rows: list[list[int]] | None, classes: int) -> tuple[tuple[int, ...], ...] | None:
    """A kept matrix; None for one of another size."""
    if rows is None or len(rows) != classes or any(len(row) != classes for row in rows):
        return None
    return tuple(tuple(row) for row in rows)

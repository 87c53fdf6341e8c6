"""Some classes of a data set, as a suffix of its name: `mnist:5-9`, `mnist:0,2,4`."""

import re

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_data.dataset import Dataset, HeldOut

_SUFFIX = re.compile(r"(.+):([0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)")
_MOST = 1 << 20  # classes that a set may have


def split_classes(name: str) -> tuple[str, tuple[int, ...]]:
    """The data set's own name, and the classes that follow it; none where all are meant. Raises DataError."""
    found = _SUFFIX.fullmatch(name)
    if found is None:
        return name, ()
    chosen: list[int] = []
    for part in found[2].split(","):
        first, _, last = part.partition("-")
        ends = int(first), int(last or first)
        if max(ends) >= _MOST or ends[1] < ends[0]:
            raise DataError(f"{name}: {part} is no range of classes; give the lower class first, as in {found[1]}:0-4")
        chosen += range(ends[0], ends[1] + 1)
    twice = sorted({each for each in chosen if chosen.count(each) > 1}) if len(chosen) < 1000 else []
    if twice:
        raise DataError(f"{name}: class {twice[0]} is given twice")
    return found[1], tuple(chosen)


def of_classes(whole: Dataset, chosen: tuple[int, ...], name: str) -> Dataset:
    """The frames of these classes, which are counted from 0 in the order given. Raises DataError."""
    _check(whole.train_labels, chosen, whole.classes, name)
    train, test = _places(whole.train_labels, chosen), _places(whole.test_labels, chosen)
    if not (train >= 0).any() or not (test >= 0).any():
        raise DataError(f"{name}: no {'test' if (train >= 0).any() else 'training'} frame is of these classes")
    return Dataset(
        name=name,
        train_frames=whole.train_frames[train >= 0],
        train_labels=train[train >= 0],
        test_frames=whole.test_frames[test >= 0],
        test_labels=test[test >= 0],
        labels=tuple(whole.labels[each] for each in chosen),
    )


def held_out_of_classes(whole: HeldOut, chosen: tuple[int, ...], name: str) -> HeldOut:
    """The test frames of these classes, as `of_classes` has them. Raises DataError."""
    if whole.labels is None:
        raise DataError(f"{name}: its frames have no labels to choose classes by")
    _check(whole.labels, chosen, whole.classes, name)
    places = _places(whole.labels, chosen)
    if not (places >= 0).any():
        raise DataError(f"{name}: no test frame is of these classes")
    return HeldOut(name=name, frames=whole.frames[places >= 0], labels=places[places >= 0], classes=len(chosen))


def _check(labels: NDArray[np.int64], chosen: tuple[int, ...], classes: int | None, name: str) -> None:
    if labels.ndim != 1:
        raise DataError(f"{name}: its frames have several labels each; classes cannot be chosen among them")
    if classes is not None and max(chosen) >= classes:
        raise DataError(f"{name}: there is no class {max(chosen)}; the set has classes 0 to {classes - 1}")


def _places(labels: NDArray[np.int64], chosen: tuple[int, ...]) -> NDArray[np.int64]:
    """For each frame the place of its class among those chosen; -1 for another class."""
    place = np.full(max(int(labels.max()), *chosen) + 1, -1, np.int64)
    place[list(chosen)] = np.arange(len(chosen))
    return place[labels]

"""A data set in memory: integer frames, labels and their names, checked on construction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError

TEST_EVERY = 5  # of the frames of a class that has no test frames of its own


def check_part(
    name: str, part: str, frames: NDArray[Any], labels: NDArray[np.int64] | None, classes: int | None
) -> None:
    """Raises DataError unless `frames` and their `labels` (None: there are none) can be those of a set of `classes`."""
    if not 2 <= frames.ndim <= 4 or frames.size == 0:
        raise DataError(
            f"{name}: {part} frames must have shape (n, H, W), (n, H, W, C) or (n, values), not {frames.shape}"
        )
    if frames.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{name}: {part} frames must be uint8 or uint16, not {frames.dtype}")
    if labels is None:
        return
    if labels.ndim == 3 and labels.shape[0] == len(frames):
        if labels.min() < 0 or (classes is not None and labels.max() >= classes):
            raise DataError(f"{name}: {part} maps of classes must lie in 0..{'' if classes is None else classes - 1}")
        return
    if labels.ndim == 2:
        names = labels.shape[1] if classes is None else classes
        if labels.shape != (len(frames), names) or not np.isin(labels, (0, 1)).all():
            raise DataError(
                f"{name}: {part} labels must be 0 or 1, of shape ({len(frames)}, {names}): one for each frame and each "
                f"of {names} names; they have shape {labels.shape}"
            )
        return
    if labels.shape != (len(frames),):
        raise DataError(
            f"{name}: {len(frames)} {part} frames but labels of shape {labels.shape}; give one label for each frame"
        )
    if labels.min() < 0 or (classes is not None and labels.max() >= classes):
        highest = "" if classes is None else classes - 1
        raise DataError(f"{name}: {part} labels must lie in 0..{highest}, not {int(labels.min())}..{int(labels.max())}")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """The test frames of a data set, which is all that running a network takes. Raises DataError as Dataset does."""

    name: str
    frames: NDArray[np.unsignedinteger]  # (n, H, W[, C]) or (n, values)
    labels: NDArray[np.int64] | None = None  # as train_labels of a Dataset; None where the set has none
    classes: int | None = None  # labels lie below; None where that is not known

    def __post_init__(self) -> None:
        check_part(self.name, "test", self.frames, self.labels, self.classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Frames for training and for the one look at the end. Raises DataError for parts that do not fit.

    Frames are unsigned integers, uint8 (uint16 where the user's own values need it), HWC, HW or flat. Labels are one
    class a frame, 0 and 1 for each of several labels that stand for themselves, or a map of a class for each pixel.
    """

    name: str
    train_frames: NDArray[np.unsignedinteger]  # (n, H, W[, C]) or (n, values)
    train_labels: NDArray[np.int64]  # (n,), 0 .. classes - 1; (n, labels) of 0 and 1; or maps (n, height, width)
    test_frames: NDArray[np.unsignedinteger]
    test_labels: NDArray[np.int64]
    labels: tuple[str, ...]  # the name of each class, or label

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        if len(self.labels) < 2 and not self.is_multi_label:
            raise DataError(f"{self.name}: a data set needs at least two classes, not {len(self.labels)}")
        for part, frames, labels in (
            ("training", self.train_frames, self.train_labels),
            ("test", self.test_frames, self.test_labels),
        ):
            check_part(self.name, part, frames, labels, len(self.labels))
        if self.train_labels.ndim == 3 and self.train_labels.shape[1:] != self.test_labels.shape[1:]:
            raise DataError(f"{self.name}: training maps and test maps of classes have different sizes")
        if self.train_frames.shape[1:] != self.test_frames.shape[1:]:
            raise DataError(
                f"{self.name}: training frames have shape {self.train_frames.shape[1:]} "
                f"but test frames {self.test_frames.shape[1:]}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one frame."""
        return self.train_frames.shape[1:]

    @property
    def is_multi_label(self) -> bool:
        """Whether each frame has a 0 or 1 for each label, instead of one class."""
        return self.train_labels.ndim == 2

    @property
    def is_map(self) -> bool:
        """Whether each frame has a map of classes, one for each pixel of it, or of a coarser grid."""
        return self.train_labels.ndim == 3

    @property
    def classes(self) -> int:
        return len(self.labels)

    @property
    def held_out(self) -> HeldOut:
        """The test frames alone."""
        return HeldOut(name=self.name, frames=self.test_frames, labels=self.test_labels, classes=self.classes)

    @property
    def value_bits(self) -> int:
        """Bits that the largest value of any frame needs."""
        return max(1, int(max(self.train_frames.max(), self.test_frames.max())).bit_length())


def every_fifth(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which frames are for the test where nothing else says so: of each class the first, the sixth, and so on."""
    rank = np.zeros(len(labels), np.int64)  # how many frames of the same class come before
    for each in np.unique(labels):
        rank[labels == each] = np.arange((labels == each).sum())
    return rank % TEST_EVERY == 0

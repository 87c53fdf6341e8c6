"""A data set in memory: integer frames, labels and their names, checked on construction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Frames for training and for the one look at the end. Raises DataError for parts that do not fit.

    Frames are unsigned integers, uint8 (uint16 where the user's own values need it), HWC, HW or flat.
    """

    name: str
    train_frames: NDArray[np.unsignedinteger]  # (n, H, W[, C]) or (n, values)
    train_labels: NDArray[np.int64]  # (n,), 0 .. classes - 1
    test_frames: NDArray[np.unsignedinteger]
    test_labels: NDArray[np.int64]
    labels: tuple[str, ...]  # the name of each class

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        if len(self.labels) < 2:
            raise DataError(f"{self.name}: a data set needs at least two classes, not {len(self.labels)}")
        for part, frames, labels in (
            ("training", self.train_frames, self.train_labels),
            ("test", self.test_frames, self.test_labels),
        ):
            if not 2 <= frames.ndim <= 4 or frames.size == 0:
                raise DataError(
                    f"{self.name}: {part} frames must have shape (n, H, W), (n, H, W, C) or (n, values), "
                    f"not {frames.shape}"
                )
            if frames.dtype not in (np.uint8, np.uint16):
                raise DataError(f"{self.name}: {part} frames must be uint8 or uint16, not {frames.dtype}")
            if labels.shape != (len(frames),):
                raise DataError(
                    f"{self.name}: {len(frames)} {part} frames but labels of shape {labels.shape}; "
                    "give one label for each frame"
                )
            if labels.min() < 0 or labels.max() >= len(self.labels):
                raise DataError(
                    f"{self.name}: {part} labels must lie in 0..{len(self.labels) - 1}, "
                    f"not {int(labels.min())}..{int(labels.max())}"
                )
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
    def classes(self) -> int:
        return len(self.labels)

    @property
    def value_bits(self) -> int:
        """Bits that the largest value of any frame needs."""
        return max(1, int(max(self.train_frames.max(), self.test_frames.max())).bit_length())

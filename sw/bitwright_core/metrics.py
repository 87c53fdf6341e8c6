"""How well labels that each stand for themselves are told: Hamming loss, micro-F1, frames that are all right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LabelMetrics:
    """Fractions over n frames of k labels.

    `micro_f1` is 2 TP / (2 TP + FP + FN) over all labels of all frames, 1 where no label is set nor told.
    """

    hamming_loss: float  # of all labels, the share that is wrong
    micro_f1: float
    all_right: float  # the share of frames whose labels are all right

    @classmethod
    def of(cls, told: NDArray[np.integer], true: NDArray[np.integer]) -> "LabelMetrics":
        """The metrics of bits `told` (n, k), n and k at least 1, against the true ones."""
        wrong = told != true
        both, either = int(((told == 1) & (true == 1)).sum()), int((told == 1).sum()) + int((true == 1).sum())
        return cls(
            hamming_loss=float(wrong.mean()),
            micro_f1=2 * both / either if either else 1.0,
            all_right=float((~wrong.any(axis=1)).mean()),
        )

    def __str__(self) -> str:
        return f"Hamming loss {self.hamming_loss:.4f}, micro-F1 {self.micro_f1:.4f}, all right {self.all_right:.2%}"

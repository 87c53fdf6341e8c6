"""Thresholds of a thermometer code that the training frames say."""

import itertools
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import TrainingError
from bitwright_train.trees import Tree, comparison_luts, entropy

Placement = Literal["even", "quantiles", "information", "tree"]


def placed(
    placement: Placement,
    frames: NDArray[np.integer],
    labels: NDArray[np.integer],
    *,
    classes: int,
    bits: int,
    levels: int,
    cost: float,
) -> NDArray[np.int64]:
    """The thresholds of `levels` levels for frames (n, ...) of values of `bits` bits.

    - "quantiles": (values, levels), for each value those that part its frames into equal shares, as in DWN's
      distributive thermometer (arXiv:2410.11112).
    - "information": (levels,), one after the other the one that tells most of the class, summed over all values, each
      alone; less `cost` bits for each LUT of its comparison.
    - "tree": (levels,), those that a decision tree compares values with, grown until it has so many; a new one costs
      `cost` bits a frame for each LUT. Its splits see what several values tell together; for tables of few values.

    Raises TrainingError where the frames tell too little for so many.
    """
    values = frames.reshape(len(frames), -1)
    if placement == "quantiles":
        ordered = np.sort(values, axis=0)
        places = [len(ordered) * (level + 1) // (levels + 1) for level in range(levels)]
        return ordered[places].T.astype(np.int64) + 1  # DWN's bit is 1 above the quantile
    if placement == "tree":
        return _of_tree(values, labels, classes, bits, levels, cost)
    return _of_information(values, labels, classes, bits, levels, cost)


def _of_tree(
    values: NDArray[np.integer], labels: NDArray[np.integer], classes: int, bits: int, levels: int, cost: float
) -> NDArray[np.int64]:
    every = range(1, 1 << bits)
    tree = Tree(values, labels, classes=classes, bits=bits, thresholds=every, depth=1 << bits, cost=cost)
    while len(tree.used) < levels:
        if not tree.grow():
            raise TrainingError(
                f"a decision tree gains nothing by more than {len(tree.used)} thresholds; set levels to that, or lower "
                "threshold_cost"
            )
    return np.array(sorted(tree.used), np.int64)


def _of_information(
    values: NDArray[np.integer], labels: NDArray[np.integer], classes: int, bits: int, levels: int, cost: float
) -> NDArray[np.int64]:
    size, count = 1 << bits, values.shape[1]
    below = np.zeros((count, size + 1, classes))  # frames of each class whose value is below
    for value in range(count):
        index = values[:, value].astype(np.int64) * classes + labels
        below[value, 1:] = np.bincount(index, minlength=size * classes).reshape(size, classes).cumsum(0)
    price = cost * len(values) * np.array([comparison_luts(t, bits) if t else 0 for t in range(size)])
    taken = [0, size]
    while len(taken) < levels + 2:
        gains = np.full(size, -np.inf)
        for low, high in itertools.pairwise(taken):
            inside = np.arange(low + 1, high)
            if len(inside):
                left = below[:, inside] - below[:, [low]]
                whole = below[:, [high]] - below[:, [low]]
                gains[inside] = (entropy(whole) - entropy(left) - entropy(whole - left)).sum(0) - price[inside]
        taken = sorted([*taken, int(gains.argmax())])
    return np.array(taken[1:-1], np.int64)

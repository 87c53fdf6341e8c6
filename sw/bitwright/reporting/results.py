"""The result's numbers as bars that begin at zero."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Network


@dataclass(frozen=True, kw_only=True)
class Score:
    """One output of the result: a class with its score, or a bit.

    All outputs share an axis that has 0 on it. `start`, `share` and `zero` are shares of its length: where the bar
    begins, how long it is, and where 0 lies. A negative number's bar lies to the left of 0.
    """

    name: str
    value: int
    start: float
    share: float
    zero: float
    chosen: bool


def class_name(network: Network, index: int) -> str:
    return network.labels[index] if network.labels else str(index)


def scores_of(network: Network, values: NDArray[np.integer], most: int = 64) -> tuple[Score, ...]:
    """The first `most` outputs, each with its bar on an axis from the least of all, or 0, to the largest."""
    numbers = [int(value) for value in values]
    low, high = min(0, *numbers), max(0, *numbers)
    chosen = numbers.index(max(numbers)) if network.is_classifier else -1
    span = max(1, high - low)
    return tuple(
        Score(
            name=class_name(network, k),
            value=value,
            start=(min(0, value) - low) / span,
            share=abs(value) / span,
            zero=-low / span,
            chosen=k == chosen,
        )
        for k, value in enumerate(numbers[:most])
    )

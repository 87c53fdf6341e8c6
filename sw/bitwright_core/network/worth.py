"""What scores are worth, where they are numbers by themselves."""

import math
from dataclasses import dataclass

from bitwright_core.errors import NetworkError


@dataclass(frozen=True, kw_only=True)
class Values:
    """What scores are worth as numbers: `step` times the score, at most `error` from the trained network's value.

    Score 0 is the value 0, and a score is 0 or more exactly where the value is. Nothing computes with these two.
    """

    step: float  # above 0
    error: float  # at least 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 0 and math.isfinite(self.error) and self.error >= 0):
            raise NetworkError(
                f"values need a finite step above 0 and a finite error of at least 0, not {self.step} and {self.error}"
            )

"""What may stand between a batch norm and an activation, and folds into its thresholds.

A function that never falls moves thresholds, and nothing else: PReLU (K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep
into Rectifiers", ICCV 2015), as ReActNet has it before signs, and hardtanh, as BinaryNet's code has it.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

_LEAST = 0.01  # slope below 0


class RisingPReLU(nn.PReLU):
    """PReLU, a slope for each channel, which stays at 0.01 or more, so that the function never falls."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.prelu(x, cast(Tensor, self.weight).clamp(min=_LEAST))


def nonlinearity_of(name: str, channels: int) -> nn.Module | None:
    """The function that a configuration names, for so many channels; None for "none"."""
    match name:
        case "prelu":
            return RisingPReLU(channels)
        case "hardtanh":
            return nn.Hardtanh()
    return None

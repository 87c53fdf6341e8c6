"""What may stand between a layer and its activation, and folds into the activation's thresholds.

A function that never falls moves thresholds, and nothing else: PReLU (K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep
into Rectifiers", ICCV 2015); ReActNet's RPReLU, which moves a PReLU both ways, and the shift of its RSign (Z. Liu, Z.
Shen, M. Savvides, K.-T. Cheng, "ReActNet: Towards Precise Binary Neural Network with Generalized Activation
Functions", ECCV 2020); hardtanh, as BinaryNet's code has it; XNOR-Net's scale of a channel (M. Rastegari, V. Ordonez,
J. Redmon, A. Farhadi, "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", ECCV 2016).
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright_train.layers import of_channels

_LEAST = 0.01  # slope below 0
_SLOPE = 0.25  # at first, as torch's PReLU has it


class RisingPReLU(nn.PReLU):
    """PReLU, a slope for each channel, which stays at 0.01 or more, so that the function never falls."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.prelu(x, cast(Tensor, self.weight).clamp(min=_LEAST))


class RPReLU(nn.Module):
    """A PReLU of x (n, channels, ...) with learned shifts of each channel before and behind it.

    Slopes stay at 0.01 or more, so that the function never falls.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Parameter(torch.zeros(channels))
        self.weight = nn.Parameter(torch.full((channels,), _SLOPE))
        self.behind = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.prelu(x + of_channels(self.before, x), self.weight.clamp(min=_LEAST))
        return x + of_channels(self.behind, x)


class ChannelShift(nn.Module):
    """x (n, channels, ...) and a shift of each channel: what RSign does before its sign."""

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.shift = nn.Parameter(shift)

    def forward(self, x: Tensor) -> Tensor:
        return x + of_channels(self.shift, x)


class ChannelScale(nn.Module):
    """x (n, channels, ...) times a scale of each channel, above 0."""

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * of_channels(self.scale, x)


def nonlinearity_of(name: str, channels: int) -> nn.Module | None:
    """The function that a configuration names, for so many channels; None for "none"."""
    match name:
        case "prelu":
            return RisingPReLU(channels)
        case "rprelu":
            return RPReLU(channels)
        case "hardtanh":
            return nn.Hardtanh()
    return None

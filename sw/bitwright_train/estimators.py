"""What stands for the derivative of a sign, besides BinaryNet's straight-through estimator (`layers.sign`).

polynomial: 2 - 2|x| where |x| < 1 (Z. Liu, B. Wu, W. Luo, X. Yang, W. Liu, K.-T. Cheng, "Bi-Real Net", ECCV 2018).
ede: k t (1 - tanh^2(t x)), t from 0.1 to 10 over the run and k = max(1/t, 1): wide at first, so that all learn, sharp
in the end (H. Qin, R. Gong, X. Liu, M. Shen, Z. Wei, F. Yu, J. Song, "Forward and Backward Information Retention for
Accurate Binary Neural Networks", CVPR 2020).
"""

from typing import Any

import torch
from torch import Tensor, nn

_FIRST, _LAST = 0.1, 10.0  # t of ede


def _plain_sign(x: Tensor) -> Tensor:
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


class _Polynomial(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _plain_sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (2 - 2 * x.abs()).clamp_(min=0)


class _Ede(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sharpness: Tensor) -> Tensor:
        ctx.save_for_backward(x, sharpness)
        return _plain_sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, sharpness = ctx.saved_tensors
        t = sharpness.to(x.dtype)
        height = torch.clamp(t, min=1)  # k * t
        return gradients[0] * (height * (1 - torch.tanh(t * x).square())), None


class PolynomialSign(nn.Module):
    """The sign, with Bi-Real's polynomial as its derivative."""

    def forward(self, x: Tensor) -> Tensor:
        return _Polynomial.apply(x)  # type: ignore[no-untyped-call]


class EdeSign(nn.Module):
    """The sign, with a derivative that sharpens as the run goes on; `sharpen` is told how far it is."""

    sharpness: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sharpness", torch.tensor(_FIRST), persistent=False)

    def sharpen(self, done: float) -> None:
        """Sets t for `done`, 0 to 1 of the run."""
        self.sharpness.fill_(_FIRST * (_LAST / _FIRST) ** done)

    def forward(self, x: Tensor) -> Tensor:
        return _Ede.apply(x, self.sharpness)  # type: ignore[no-untyped-call]


def estimator_of(name: str) -> nn.Module | None:
    """The sign of a configuration's `estimator`; None for the straight-through one, which activations have anyhow."""
    match name:
        case "polynomial":
            return PolynomialSign()
        case "ede":
            return EdeSign()
    return None

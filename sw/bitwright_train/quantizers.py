"""What weights and activations of a few bits are in training: whole numbers, with a straight-through estimator.

Weights are rounded to an odd number of steps around zero, so that a row can be negated; the step follows the mean size
of a layer's latent weights (ternary: F. Li, B. Zhang, B. Liu, "Ternary Weight Networks", arXiv:1605.04711, 2016).
Activations count the thresholds that a batch norm reaches: a half-wave of even steps (Z. Cai, X. He, J. Sun, N.
Vasconcelos, "Deep Learning with Low Precision by Half-wave Gaussian Quantization", CVPR 2017), the same steps around
0, or -1, 0 and +1. Batch norms have a deviation of 1 where nothing has been learned yet, so that steps are fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bitwright_core.errors import TrainingError
from bitwright_core.numbers import BINARY, TERNARY, NumberType, signed_type, unsigned_type
from bitwright_train.layers import clipped_sign, sign

_REACH = 2.0  # how far an activation's steps go, in deviations of its batch norm

WEIGHTS = (1, 2, 3, 4, "ternary")
ACTIVATIONS = (*WEIGHTS, "signed2", "signed3", "signed4")


class _Levels(torch.autograd.Function):
    """`base` and how many of `levels`, rising, are at most x; the gradient passes from a step below to a step above."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: tuple[float, ...], base: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.levels = levels
        total = torch.full_like(x, base)
        for level in levels:
            total += x >= level
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        step = ctx.levels[1] - ctx.levels[0]
        inside = (x >= ctx.levels[0] - step / 2) & (x <= ctx.levels[-1] + step / 2)
        return gradients[0] * inside / step, None, None


class _Rounded(torch.autograd.Function):
    """x / step rounded to whole numbers -top .. top; the gradient always passes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, top: int) -> Tensor:
        return torch.round(x / step).clamp_(-top, top)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0], None, None


@dataclass(frozen=True, kw_only=True)
class Activation:
    """How a batch norm's values become activations of a number type: `base` and the number of `levels` reached."""

    number: NumberType
    levels: tuple[float, ...]
    base: int
    apply: Callable[[Tensor], Tensor]  # what it is worth, -1 or +1 of bits


def activation_of(bits: int | str) -> Activation:
    """1: the sign; "ternary": -1, 0 and +1; k bits: 0 to 2^k - 1; "signedk": -2^(k - 1) to 2^(k - 1) - 1."""
    if bits not in ACTIVATIONS:
        raise TrainingError(f"activations have 1 to 4 bits, or are ternary, signed2, signed3 or signed4, not {bits!r}")
    if bits == 1:
        return Activation(number=BINARY, levels=(0.0,), base=0, apply=sign)
    levels: tuple[float, ...] = (-0.5, 0.5)
    number, base = TERNARY, TERNARY.least
    if isinstance(bits, str) and bits != "ternary":
        number = signed_type(int(bits.removeprefix("signed")))
        step, base = 2 * _REACH / (1 << number.bits), number.least
        levels = tuple(step * (value - 0.5) for value in range(base + 1, number.largest + 1))
    elif bits != "ternary":
        number, base = unsigned_type(int(bits)), 0
        step = _REACH / (1 << int(bits))
        levels = tuple(step * (level + 0.5) for level in range(number.largest))
    return Activation(
        number=number,
        levels=levels,
        base=base,
        apply=lambda x: _Levels.apply(x, levels, base),  # type: ignore[no-untyped-call]
    )


def weight_type(bits: int | str) -> NumberType:
    """The number type of a configuration's weights."""
    if bits not in WEIGHTS:
        raise TrainingError(f"weights have 1 to 4 bits, or are ternary, not {bits!r}")
    return BINARY if bits == 1 else TERNARY if bits == "ternary" else signed_type(int(bits))


def quantized(latent: Tensor, number: NumberType) -> Tensor:
    """What latent weights are worth: -1 and +1, or whole numbers from minus the largest of the type to the largest."""
    if number.xnor:
        return clipped_sign(latent)
    top = number.largest
    step = 2 * latent.detach().abs().mean() / (top + 3 / 7)  # ternary: 0 below 0.7 of the mean size
    return _Rounded.apply(latent, step.clamp_min(1e-12), top)  # type: ignore[no-untyped-call]

"""Thresholds of a thermometer code that are learned with the network.

A bit is 1 where a value reaches the threshold, a whole number. In training the gradient of a threshold is that of a
ramp around it, so that values nearby say which way it should go: the straight-through estimator of binary activations
(M. Courbariaux et al., arXiv:1602.02830, 2016) applied to the input's encoding.
"""

from typing import Any

import torch
from torch import Tensor, nn

STEPS = 16  # of the whole range: what a parameter's 1 is worth, so that it moves as fast as weights do
_RAMP = 8  # the ramp around a threshold is so many of these steps wide


class _Reached(torch.autograd.Function):
    """-1 and +1: whether values (n, v, 1) reach thresholds (levels,), in their own unit; a ramp's gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, limits: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(values, limits)
        ctx.width = width
        return (values >= limits).to(torch.float32).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        values, limits = ctx.saved_tensors
        near = (values - limits).abs() <= ctx.width / 2
        return None, -(gradients[0] * near).sum((0, 1)) * (2 / ctx.width), None


class LearnedThresholds(nn.Module):
    """Values (n, v) of `bits` bits to bits (n, v, levels) of -1 and +1; `at` is where the thresholds begin, rising."""

    def __init__(self, at: tuple[int, ...], bits: int) -> None:
        super().__init__()
        self.span = 1 << bits
        self.unit = self.span / STEPS
        self.places = nn.Parameter(torch.tensor(at, dtype=torch.float32) / self.unit)

    @property
    def rising(self) -> Tensor:
        """Where the thresholds are, in values, the least first."""
        return self.places.sort().values * self.unit

    def whole(self, rising: Tensor) -> Tensor:
        """The thresholds as they are used: whole numbers from 1 on, below 2^bits, that rise."""
        last, order = len(rising) - 1, torch.arange(len(rising), device=rising.device)
        with torch.no_grad():
            at = (rising.round().clamp(1, self.span - 1) - order).cummax(0).values + order
            return torch.minimum(at, self.span - 1 - last + order)

    @property
    def limits(self) -> tuple[int, ...]:
        """`whole` as numbers."""
        return tuple(int(limit) for limit in self.whole(self.rising).tolist())

    def forward(self, values: Tensor) -> Tensor:
        rising = self.rising
        limits = rising + (self.whole(rising) - rising).detach()  # whole, with the gradient of the places
        reached: Tensor = _Reached.apply(values[..., None].to(torch.float32), limits, _RAMP * self.unit)  # type: ignore[no-untyped-call]
        return reached

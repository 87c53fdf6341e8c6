"""Linear and convolutional layers of one bit or a few, batch norms, sign with a straight-through estimator.

M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "Binarized Neural Networks: Training Deep Neural
Networks with Weights and Activations Constrained to +1 or -1", arXiv:1602.02830, 2016 (BinaryNet).
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright_core.errors import TrainingError


class _Sign(torch.autograd.Function):
    """+1 where x >= 0 (so sign(0) = +1), else -1; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (x.abs() <= 1)


class _ClippedSign(torch.autograd.Function):
    """`_Sign` for values known to lie in -1..1, where the gradient always passes: two passes less."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def sign(x: Tensor) -> Tensor:
    """The sign that the hardware computes, with BinaryNet's straight-through estimator as its gradient."""
    return _Sign.apply(x)  # type: ignore[no-untyped-call]


def clipped_sign(x: Tensor) -> Tensor:
    """`sign` for values known to lie in -1..1."""
    return _ClippedSign.apply(x)  # type: ignore[no-untyped-call]


Quantizer = Callable[[Tensor], Tensor]  # latent weights to what they are worth


class BinaryDense(nn.Module):
    """x (n, inputs) of whole numbers times the latent weights' signs, or what `quantize` makes of them: exact sums.

    The result is the accumulators (n, outputs).

    The latent weights must stay within -1..1: training clips them.
    """

    def __init__(self, inputs: int, outputs: int, quantize: Quantizer = clipped_sign) -> None:
        super().__init__()
        self.quantize = quantize
        self.is_float = False  # in the first of two steps of training the latent weights themselves are used
        self.inputs = inputs
        self.outputs = outputs
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight if self.is_float else self.quantize(self.weight))


class BinaryConv(nn.Module):
    """x (n, channels, H, W) of whole numbers convolved with the signs of latent weights, or as `quantize` has them.

    The accumulators are exact.
    `padding` is (top, bottom, left, right), filled with `padding_value`: -1, +1 or 0. The latent weights,
    (outputs, channels of a group, ky, kx), must stay within -1..1: training clips them.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        padding_value: float = 0.0,
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        quantize: Quantizer = clipped_sign,
    ) -> None:
        super().__init__()
        self.quantize = quantize
        self.is_float = False  # in the first of two steps of training the latent weights themselves are used
        self.dilation = dilation
        self.groups = groups
        self.inputs = channels // groups * kernel[0] * kernel[1]
        self.outputs = outputs
        self.stride = stride
        self.padding = padding
        self.padding_value = padding_value
        self.weight = nn.Parameter(torch.zeros(outputs, channels // groups, *kernel))

    def forward(self, x: Tensor) -> Tensor:
        if any(self.padding):
            top, bottom, left, right = self.padding
            x = functional.pad(x, (left, right, top, bottom), value=self.padding_value)
        weight = self.weight if self.is_float else self.quantize(self.weight)
        return functional.conv2d(x, weight, stride=self.stride, dilation=self.dilation, groups=self.groups)


def of_channels(values: Tensor, x: Tensor) -> Tensor:
    """A value for each channel, shaped to go with x (n, channels, ...)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


class ExactBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of (n, features[, H, W]), or of signals (n, features, length).

    Its evaluation is four separate float32 operations, correctly rounded.

    torch's fused kernel may contract a multiplication and an addition, depending on shape and machine; then
    no table of it could be trusted. Written apart, every operation is monotonic, and so is the whole.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        return self.evaluate(x)

    def evaluate(self, x: Tensor) -> Tensor:
        """(x - mean) * (weight / sqrt(variance + eps)) + bias, whatever the mode."""
        assert self.running_mean is not None and self.running_var is not None
        scale = self.weight / torch.sqrt(self.running_var + self.eps)
        centred = x - of_channels(self.running_mean, x)
        scaled = centred * of_channels(scale, x)
        return scaled + of_channels(self.bias, x)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 3, 4):
            raise ValueError(f"batch norm of 2 to 4 axes, not {input.ndim}")


class TrainingLayer(nn.Module):
    """A binary linear layer or convolution, its batch norm, which the last layer may lack, and its pool, if any.

    The pool comes before the batch norm where `pool_first`, else behind it; either way before the sign. What works on
    each value by itself, and never falls, may stand before the batch norm (`first`) and behind it (`nonlinearity`).
    """

    def __init__(
        self,
        linear: BinaryDense | BinaryConv,
        *,
        norm: bool,
        pool: tuple[int, int] | None = None,
        pool_first: bool = False,
        first: nn.Module | None = None,
        nonlinearity: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.linear = linear
        self.norm = ExactBatchNorm(linear.outputs) if norm else None
        self.pool = pool  # (down, across), size and stride
        self.pool_first = pool_first
        self.first = first
        self.nonlinearity = nonlinearity

    def pooled(self, x: Tensor) -> Tensor:
        """The largest of each window; `x` itself without a pool."""
        return x if self.pool is None else functional.max_pool2d(x, self.pool)

    def value(self, x: Tensor) -> Tensor:
        """Batch norm and what stands before and behind it."""
        for function in (self.first, self.norm, self.nonlinearity):
            if function is not None:
                x = function(x)
        return x

    def finish(self, accumulators: Tensor) -> Tensor:
        """`value` and the pool, in their order."""
        return self.value(self.pooled(accumulators)) if self.pool_first else self.pooled(self.value(accumulators))

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.linear(x))

    def shape_behind(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What it gives for values of `shape`, HWC or flat. Raises TrainingError for what it cannot take."""
        linear = self.linear
        if isinstance(linear, BinaryDense):
            if math.prod(shape) != linear.inputs:
                raise TrainingError(f"takes {linear.inputs} values, and what comes before gives {math.prod(shape)}")
            return (linear.outputs,)
        text = " x ".join(map(str, shape))
        channels = linear.weight.shape[1] * linear.groups
        if len(shape) != 3 or shape[2] != channels:
            raise TrainingError(f"takes images of {channels} channels, and what comes before gives {text}")
        padding = (linear.padding[0] + linear.padding[1], linear.padding[2] + linear.padding[3])
        sizes = []
        for k in range(2):
            reach = (linear.weight.shape[2 + k] - 1) * linear.dilation[k] + 1
            windows = (shape[k] + padding[k] - reach) // linear.stride[k] + 1
            pool = self.pool[k] if self.pool else 1
            if shape[k] + padding[k] < reach or windows < pool:
                raise TrainingError(f"an image of {text} is too small for its kernel and pool")
            sizes.append(windows // pool)
        return (*sizes, linear.outputs)

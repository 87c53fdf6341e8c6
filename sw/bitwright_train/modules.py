"""Torch modules for a training loop of one's own; `export_module` makes a Network of a graph of them.

A model begins with an InputEncoder, which takes frames as they are stored, and goes on with BinaryLinear and
BinaryConv2d, each with a BatchNorm, at will a pool, and a Sign or FewBits behind it. Activations may branch, be added
and concatenated. The last layers, one or several, may end without an activation.
"""

from collections.abc import Iterable
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright_core.errors import TrainingError
from bitwright_core.network import Input, IntegerEncoding, ThresholdEncoding
from bitwright_train import layers
from bitwright_train.conv_config import both
from bitwright_train.estimators import estimator_of
from bitwright_train.learned_thresholds import LearnedThresholds
from bitwright_train.nonlinearities import ChannelShift
from bitwright_train.quantizers import activation_of, quantized, weight_type

BatchNorm = layers.ExactBatchNorm


class InputEncoder(nn.Module):
    """Frames of unsigned integers (n, *shape), of `bits` bits, to what a first layer takes.

    With `thresholds`: -1 and +1, one for each threshold of each value (+1 where the value reaches it). Without: the
    values less half their range. Images (H, W) or (H, W, C) become (n, channels, H, W), channel c * levels + level;
    flat frames (n, values * levels). With `learned` the thresholds are parameters, which begin at those given.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        thresholds: tuple[int, ...] | list[int] = (),
        bits: int = 8,
        learned: bool = False,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.bits = bits
        self.given = tuple(int(value) for value in thresholds)
        if learned and not self.given:
            raise TrainingError("learned thresholds begin somewhere: give thresholds, 64, 128 and 192 say")
        self.learned = LearnedThresholds(self.given, bits) if learned else None
        half = 1 << bits - 1
        encoding: ThresholdEncoding | IntegerEncoding
        if self.limits:
            encoding = ThresholdEncoding(thresholds=np.array(self.limits))
        else:
            encoding = IntegerEncoding(table=np.arange(-half, half))
        self.encoded_shape = encoding.edge(Input(shape=self.shape, bits=bits)).shape

    @property
    def limits(self) -> tuple[int, ...]:
        """The thresholds as they are now; none of integers."""
        return self.given if self.learned is None else self.learned.limits

    def forward(self, frames: Tensor) -> Tensor:
        flat = frames.reshape(len(frames), -1)
        if self.learned is not None:
            x = self.learned(flat)
        elif self.limits:
            limits = torch.tensor(self.limits, device=frames.device)
            x = (flat[..., None].to(torch.int32) >= limits).to(torch.float32) * 2 - 1
        else:
            x = flat.to(torch.float32) - (1 << self.bits - 1)
        x = x.reshape(len(frames), *self.encoded_shape)
        return x.permute(0, 3, 1, 2) if len(self.encoded_shape) == 3 else x


class SignalEncoder(InputEncoder):
    """Frames of signals (n, length) or (n, length, channels), of unsigned integers, to (n, channels, length).

    What it makes of values is as InputEncoder has it, with `thresholds` channel c * levels + level.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        thresholds: tuple[int, ...] | list[int] = (),
        bits: int = 8,
        learned: bool = False,
    ) -> None:
        super().__init__((1, *shape), thresholds=thresholds, bits=bits, learned=learned)

    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(frames)[:, :, 0]


def _drawn(weight: nn.Parameter) -> None:
    nn.init.xavier_uniform_(weight)


class _Scaled(nn.Module):
    """Sums that `scaled` multiplies by the mean size of each output's latent weights."""

    weight: nn.Parameter
    scaled: bool

    def channel_scales(self) -> Tensor:
        """What `scaled` multiplies with, (outputs,)."""
        return self.weight.abs().flatten(1).mean(1)

    def forward(self, x: Tensor) -> Tensor:
        sums: Tensor = super().forward(x)
        return sums * layers.of_channels(self.channel_scales(), sums) if self.scaled else sums


class BinaryLinear(_Scaled, layers.BinaryDense):
    """x (n, inputs) times the signs of latent weights, drawn by torch's chance (Glorot's uniform): exact sums.

    `weights` is 1, or 2 to 4 bits, or "ternary". There is no bias: a BatchNorm behind it has one. With `scaled` the
    sums of each output are multiplied by the mean size of its latent weights, as XNOR-Net has it.
    """

    def __init__(self, inputs: int, outputs: int, *, weights: int | str = 1, scaled: bool = False) -> None:
        super().__init__(inputs, outputs, partial(quantized, number=weight_type(weights)))
        self.weights = weights
        self.scaled = scaled
        _drawn(self.weight)


class BinaryConv2d(_Scaled, layers.BinaryConv):
    """x (n, channels, H, W) convolved with the signs of latent weights, padded with zero on both sides.

    Each size is one number, or (down, across). `scaled` is as BinaryLinear has it.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        weights: int | str = 1,
        scaled: bool = False,
    ) -> None:
        down, across = both(padding)
        super().__init__(
            channels,
            outputs,
            both(kernel),
            stride=both(stride),
            padding=(down, down, across, across),
            dilation=both(dilation),
            groups=groups,
            quantize=partial(quantized, number=weight_type(weights)),
        )
        self.kernel = both(kernel)
        self.weights = weights
        self.scaled = scaled
        _drawn(self.weight)


class BinaryConv1d(BinaryConv2d):
    """x (n, channels, length), a signal, convolved with the signs of latent weights, padded with zero on both sides.

    The Network has it as a convolution of kernel (1, k) over images of height 1.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        weights: int | str = 1,
        scaled: bool = False,
    ) -> None:
        super().__init__(
            channels,
            outputs,
            (1, kernel),
            stride=(1, stride),
            padding=(0, padding),
            dilation=(1, dilation),
            groups=groups,
            weights=weights,
            scaled=scaled,
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, None])[:, :, 0]


class Sign(nn.Module):
    """+1 where x is 0 or more, else -1; `estimator` is the derivative that training takes for it."""

    activations: int | str = 1

    def __init__(self, estimator: str = "straight_through") -> None:
        super().__init__()
        self.estimator = estimator_of(estimator)

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = layers.sign(x) if self.estimator is None else self.estimator(x)
        return value


class RSign(Sign):
    """`Sign` of x (n, channels, ...) and a learned shift of each channel, as ReActNet has it (ECCV 2020)."""

    def __init__(self, channels: int, estimator: str = "straight_through") -> None:
        super().__init__(estimator)
        self.shift = ChannelShift(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.shift(x))


class FewBits(nn.Module):
    """How many levels x reaches: 2 to 4 bits (0 to 2^bits - 1), "ternary" (-1, 0 and +1), "signed2" to "signed4"."""

    def __init__(self, bits: int | str) -> None:
        super().__init__()
        self.activations = bits
        self._apply_to = activation_of(bits).apply

    def forward(self, x: Tensor) -> Tensor:
        return self._apply_to(x)


class WindowSum(nn.Module):
    """The sums of windows of images or signals, which do not overlap: an average pool without its division.

    The next batch norm takes up the divisor. `size` is one number, or (down, across), or "global": the whole image.
    """

    def __init__(self, size: int | tuple[int, int] | Literal["global"]) -> None:
        super().__init__()
        self.size = size

    def window(self, axes: int) -> tuple[int, int] | None:
        """(down, across) over values of so many axes, 2 of signals and 3 of images; None: the whole of them."""
        if self.size == "global":
            return None
        down, across = both(self.size)
        return (1, across) if axes == 2 else (down, across)

    def forward(self, x: Tensor) -> Tensor:
        image = x[:, :, None] if x.ndim == 3 else x
        window = self.window(x.ndim - 1) or (image.shape[2], image.shape[3])
        sums = functional.avg_pool2d(image, window, window, divisor_override=1)
        return sums[:, :, 0] if x.ndim == 3 else sums


class ClassMap(nn.Module):
    """The first largest channel of each pixel, (n, H, W) of (n, channels, H, W): behind a last convolution.

    No gradient passes; train what stands before it, and put it behind for the export.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.argmax(1)


def clip_latent(model: nn.Module, limit: float = 1.0) -> None:
    """Puts latent weights back into -limit .. limit; call it after each step of the optimizer."""
    with torch.no_grad():
        for weight in latent_weights(model):
            weight.clamp_(-limit, limit)


def latent_weights(model: nn.Module) -> Iterable[nn.Parameter]:
    """The latent weights of a model, for an optimizer's groups."""
    for module in model.modules():
        if isinstance(module, layers.BinaryDense | layers.BinaryConv):
            yield module.weight

"""The network as torch trains it: binary linear layers, batch norms, sign with a straight-through estimator.

M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "Binarized Neural Networks: Training Deep Neural
Networks with Weights and Activations Constrained to +1 or -1", arXiv:1602.02830, 2016 (BinaryNet).
"""

import itertools
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_TRACE_CHUNK = 2048


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
    return _Sign.apply(x)


class BinaryLinear(nn.Module):
    """x (n, inputs) of +-1 times the signs of the latent weights: the accumulators (n, outputs), exact.

    The latent weights must stay within -1..1: training clips them.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.outputs = outputs
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, _ClippedSign.apply(self.weight))


class ExactBatchNorm(nn.BatchNorm1d):
    """Batch norm whose evaluation is four separate float32 operations, each correctly rounded.

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
        centred = x - self.running_mean
        scaled = centred * scale
        return scaled + self.bias


class Layer(nn.Module):
    """A binary linear layer and its batch norm, which the last layer may lack."""

    def __init__(self, inputs: int, outputs: int, norm: bool) -> None:
        super().__init__()
        self.linear = BinaryLinear(inputs, outputs)
        self.norm = ExactBatchNorm(outputs) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        accumulators = self.linear(x)
        return accumulators if self.norm is None else self.norm(accumulators)


class BinaryMlp(nn.Module):
    """Encoded bits (n, values * levels) as +-1 to logits (n, classes).

    `encode` gives those bits for integer frames; `forward` takes them, so that training encodes a batch once.
    """

    thresholds: Tensor

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        input_bits: int,
        thresholds: tuple[int, ...],
        hidden: tuple[int, ...],
        classes: int,
        final_norm: bool = True,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.input_bits = input_bits
        self.hidden = tuple(hidden)
        self.classes = classes
        self.final_norm = final_norm
        self.input_dropout = input_dropout
        self.dropout = dropout
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.int32), persistent=False)
        sizes = [int(np.prod(shape)) * len(thresholds), *hidden, classes]
        self.layers = nn.ModuleList(
            Layer(inputs, outputs, final_norm or index < len(hidden))
            for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        )

    @property
    def stages(self) -> tuple[Layer, ...]:
        """The layers, in order and with their type."""
        return tuple(cast(Layer, layer) for layer in self.layers)

    def initialise(self, generator: torch.Generator) -> None:
        """Latent weights uniform in +-sqrt(6 / (inputs + outputs)), at most 1, as BinaryNet's (Glorot's)."""
        with torch.no_grad():
            for layer in self.stages:
                weight = layer.linear.weight
                bound = min(1.0, (6.0 / sum(weight.shape)) ** 0.5)
                weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)

    def encode(self, frames: Tensor) -> Tensor:
        """Integer frames (n, ...) to +-1 (n, values * levels), lane value * levels + level."""
        flat = frames.reshape(len(frames), -1, 1)
        bits = flat >= self.thresholds.to(flat.dtype)
        return bits.reshape(len(frames), -1).to(torch.float32).mul_(2).sub_(1)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for index, layer in enumerate(self.stages):
            rate = self.input_dropout if index == 0 else self.dropout
            if self.training and rate:
                keep = torch.rand(x.shape, generator=generator).to(x.device) >= rate
                x = x * keep / (1 - rate)
            x = layer(x)
            if index < len(self.hidden):
                x = sign(x)
        return x


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelTrace:
    """What the torch model computes for n frames, in evaluation mode, as integers where they are integers."""

    encoded: NDArray[np.uint8]  # (n, encoded_size)
    accumulators: tuple[NDArray[np.int64], ...]  # each layer, (n, outputs): dot products of +-1
    bits: tuple[NDArray[np.uint8], ...]  # each hidden layer, (n, outputs)
    logits: NDArray[np.float32]  # (n, classes)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The first largest logit of each frame."""
        return self.logits.argmax(axis=1)


def as_tensor(frames: NDArray) -> Tensor:
    """Integer frames as a tensor: bytes where they are bytes, else 32-bit integers."""
    array = np.ascontiguousarray(frames if frames.dtype == np.uint8 else frames.astype(np.int32))
    return torch.from_numpy(array.copy() if not array.flags.writeable else array)


def trace_model(model: BinaryMlp, frames: NDArray) -> ModelTrace:
    """Runs `model` on integer frames (n, ...), layer by layer, and keeps every layer's integers."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    parts: list[list[NDArray]] = []
    try:
        with torch.no_grad():
            for chunk in as_tensor(frames).split(_TRACE_CHUNK):
                x = model.encode(chunk.to(device))
                arrays = [(x > 0).to(torch.uint8)]
                for index, layer in enumerate(model.stages):
                    accumulators = layer.linear(x)
                    value = accumulators if layer.norm is None else layer.norm(accumulators)
                    arrays.append(accumulators.to(torch.int64))
                    if index < len(model.hidden):
                        x = sign(value)
                        arrays.append((x > 0).to(torch.uint8))
                    else:
                        arrays.append(value)
                parts.append([array.cpu().numpy() for array in arrays])
    finally:
        model.train(was_training)
    encoded, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ModelTrace(encoded=encoded, accumulators=tuple(rest[0::2]), bits=tuple(rest[1:-1:2]), logits=rest[-1])

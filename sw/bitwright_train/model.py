"""The network as torch trains it, convolutions and then linear layers, and what it computes as integers."""

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitwright_core.errors import TrainingError
from bitwright_core.network import Input, IntegerEncoding, ThresholdEncoding
from bitwright_core.numbers import BINARY, NumberType
from bitwright_train.conv_config import ConvConfig, both
from bitwright_train.layers import BinaryConv, BinaryDense, Quantizer, TrainingLayer
from bitwright_train.quantizers import Activation, activation_of, quantized
from bitwright_train.trained import TrainedModel

_TRACE_CHUNK = 2048
_PADDING = {"minus_one": -1.0, "plus_one": 1.0, "zero": 0.0}


class BinaryNetwork(TrainedModel):
    """Encoded frames (n, values * levels), as +-1 or integers, to logits (n, classes), or (n, labels) if `multi_label`.

    `encode` gives them for frames of unsigned integers; `forward` takes them, so that training encodes a batch
    once. Inside, images are (n, channels, H, W); a first linear layer takes them flattened as HWC. `weights` are the
    number types of each layer's weights, `activations` those of each layer's but the last; without them all are bits.
    Chance is of `forward`'s generator, or without one of the device's own.
    """

    thresholds: Tensor
    table: Tensor

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        input_bits: int,
        thresholds: tuple[int, ...] = (),
        table: tuple[int, ...] = (),
        convs: tuple[ConvConfig, ...] = (),
        hidden: tuple[int, ...],
        classes: int,
        final_norm: bool = True,
        multi_label: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        weights: tuple[NumberType, ...] = (),
        activations: tuple[Activation, ...] = (),
        estimator: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.input_bits = input_bits
        self.convs = tuple(convs)
        self.hidden = tuple(hidden)
        self.classes = classes
        self.final_norm = final_norm
        self.multi_label = multi_label  # each logit is a label of its own, 1 where it is 0 or more
        self.input_dropout = input_dropout
        self.dropout = dropout
        count = len(self.convs) + len(self.hidden)
        self.weight_types = weights or (BINARY,) * (count + 1)
        self.activations = activations or (activation_of(1),) * count
        self.estimator = estimator  # the sign of activations of 1 bit with another gradient
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.int32), persistent=False)
        self.register_buffer("table", torch.tensor(table, dtype=torch.int32), persistent=False)
        self.encoding = (
            ThresholdEncoding(thresholds=np.array(thresholds)) if thresholds else IntegerEncoding(table=np.array(table))
        )
        edge = self.encoding.edge(Input(shape=self.shape, bits=input_bits))
        self.encoded_shape = edge.shape
        stages: list[TrainingLayer] = []
        size = edge.shape
        quantizers = [partial(quantized, number=number) for number in self.weight_types]
        images: list[tuple[int, ...]] = []  # what each convolution gives
        for conv, quantize in zip(self.convs, quantizers, strict=False):
            _check_shortcut(conv, images, conv.pooled(conv.image(size)))
            stage, size = _conv_stage(conv, size, quantize)
            stages.append(stage)
            images.append(size)
        inputs = int(np.prod(size))
        for index, outputs in enumerate((*self.hidden, classes)):
            linear = BinaryDense(inputs, outputs, quantizers[len(self.convs) + index])
            stages.append(TrainingLayer(linear, norm=final_norm or index < len(self.hidden)))
            inputs = outputs
        self.layers = nn.ModuleList(stages)

    @property
    def stages(self) -> tuple[TrainingLayer, ...]:
        """The layers, in order and with their type."""
        return tuple(cast(TrainingLayer, layer) for layer in self.layers)

    def initialise(self, generator: torch.Generator) -> None:
        """Latent weights uniform in +-sqrt(6 / (inputs + outputs)), at most 1, as BinaryNet's (Glorot's)."""
        with torch.no_grad():
            for layer in self.stages:
                weight = layer.linear.weight
                fans = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
                bound = min(1.0, (6.0 / fans) ** 0.5)
                weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)

    @property
    def clipped(self) -> list[Tensor]:
        """The latent weights."""
        return [layer.linear.weight for layer in self.stages]

    def finish(self) -> None:
        """Rounds weights, if the second step of training has not."""
        for stage in self.stages:
            stage.linear.is_float = False

    def encode(self, frames: Tensor) -> Tensor:
        """Integer frames (n, ...) to (n, values * levels): +-1, lane value * levels + level, or integers."""
        if len(self.table):
            return self.table[frames.reshape(len(frames), -1).long()].to(torch.float32)
        flat = frames.reshape(len(frames), -1, 1)
        bits = flat >= self.thresholds.to(flat.dtype)
        return bits.reshape(len(frames), -1).to(torch.float32).mul_(2).sub_(1)

    def arranged(self, index: int, x: Tensor) -> Tensor:
        """What stage `index` takes, of what came before it: the first convolution images, the first linear lanes."""
        if index == 0 and self.convs:
            return x.reshape(len(x), *self.encoded_shape).permute(0, 3, 1, 2)
        if index == len(self.convs) and index > 0:
            return x.permute(0, 2, 3, 1).reshape(len(x), -1)
        return x

    def joined(self, index: int, x: Tensor, given: list[Tensor]) -> Tensor:
        """What stage `index` gives: its activations `x` plus those of its shortcut, then summed by window (`average`).

        `given` is what each of the stages before it gives.
        """
        if index >= len(self.convs):
            return x
        conv = self.convs[index]
        if conv.shortcut:
            x = x + given[index - conv.shortcut]
        if conv.averages:
            window = conv.window(x.shape[2], x.shape[3])
            x = functional.avg_pool2d(x, window, window, divisor_override=1)
        return x

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        last = len(self.layers) - 1
        given: list[Tensor] = []
        for index, layer in enumerate(self.stages):
            x = self.arranged(index, x)
            rate = self.input_dropout if index == 0 else self.dropout
            if self.training and rate:
                keep = torch.rand(x.shape, generator=generator, device=x.device) >= rate
                x = x * keep / (1 - rate)
            x = layer(x)
            if index < last:
                activation = self.activations[index]
                x = self.estimator(x) if self.estimator and activation.number.xnor else activation.apply(x)
                x = self.joined(index, x, given)
                given.append(x)
        return x


def _check_shortcut(conv: ConvConfig, images: list[tuple[int, ...]], shape: tuple[int, ...]) -> None:
    """Raises TrainingError where what a shortcut adds has another shape; `images` are what the convolutions give."""
    if conv.shortcut and images[-conv.shortcut] != shape:
        before, after = (" x ".join(map(str, sizes)) for sizes in (images[-conv.shortcut], shape))
        raise TrainingError(f"a shortcut adds images of one shape, not {before} to {after}")


def _conv_stage(conv: ConvConfig, shape: tuple[int, ...], quantize: Quantizer) -> tuple[TrainingLayer, tuple[int, ...]]:
    """The stage that `conv` tells, on images of `shape` (height, width, channels), and the shape that it gives."""
    height, width, channels = conv.image(shape)
    down, across = both(conv.padding)
    linear = BinaryConv(
        channels,
        conv.outputs,
        both(conv.kernel),
        stride=both(conv.stride),
        padding=(down, down, across, across),
        padding_value=_PADDING[conv.padding_value],
        dilation=both(conv.dilation),
        groups=conv.groups_of(channels),
        quantize=quantize,
    )
    pool = both(conv.pool) if conv.pools else None
    return TrainingLayer(linear, norm=True, pool=pool, pool_first=conv.pool_first), conv.gives(
        (height, width, channels)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelTrace:
    """What the torch model computes for n frames, in evaluation mode, as integers where they are integers.

    Images are (n, H, W, channels), as the golden model has them.
    """

    encoded: NDArray[np.integer]  # (n, encoded_size): bits, or integers
    accumulators: tuple[NDArray[np.int64], ...]  # each layer, dot products, before any pool
    bits: tuple[NDArray[np.integer], ...]  # activations as stored, of each layer but the last, behind its pool
    logits: NDArray[np.float32]  # (n, classes), or (n, labels)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """1 where a logit is 0 or more, (n, labels)."""
        return (self.logits >= 0).astype(np.uint8)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The first largest logit of each frame."""
        return self.logits.argmax(axis=1)


def as_tensor(frames: NDArray[Any]) -> Tensor:
    """Integer frames as a tensor: bytes where they are bytes, else 32-bit integers."""
    array = np.ascontiguousarray(frames if frames.dtype == np.uint8 else frames.astype(np.int32))
    return torch.from_numpy(array.copy() if not array.flags.writeable else array)


def _hwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def _stored(x: Tensor, number: NumberType) -> Tensor:
    """Activations as arrays store them: 0 and 1 of bits, else the whole numbers themselves."""
    return (x > 0).to(torch.uint8) if number.xnor else x.to(torch.int16)


def trace_model(model: BinaryNetwork, frames: NDArray[Any]) -> ModelTrace:
    """Runs `model` on integer frames (n, ...), layer by layer, and keeps every layer's integers."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    parts: list[list[NDArray[Any]]] = []
    try:
        with torch.no_grad():
            for chunk in as_tensor(frames).split(_TRACE_CHUNK):
                x = model.encode(chunk.to(device))
                given: list[Tensor] = []
                arrays = [x.to(torch.int32) if len(model.table) else (x > 0).to(torch.uint8)]
                for index, layer in enumerate(model.stages):
                    accumulators = layer.linear(model.arranged(index, x))
                    value = layer.finish(accumulators)
                    arrays.append(_hwc(accumulators).to(torch.int64))
                    if index < len(model.layers) - 1:
                        bits = model.activations[index].apply(value)
                        x = model.joined(index, bits, given)
                        given.append(x)
                        number = model.activations[index].number
                        arrays.append(_stored(_hwc(x), number) if x is bits else _hwc(x).to(torch.int32))
                    else:
                        arrays.append(value)
                parts.append([array.cpu().numpy() for array in arrays])
    finally:
        model.train(was_training)
    encoded, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ModelTrace(encoded=encoded, accumulators=tuple(rest[0::2]), bits=tuple(rest[1:-1:2]), logits=rest[-1])

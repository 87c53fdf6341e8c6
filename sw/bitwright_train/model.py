"""The network as torch trains it, a graph of layers, and what it computes as integers."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright_core.network import Input, IntegerEncoding, ThresholdEncoding
from bitwright_core.numbers import BINARY, NumberType
from bitwright_train.body import Body, LayerKinds, body_of
from bitwright_train.conv_config import ConvConfig
from bitwright_train.joins import JoinStep, LayerStep, Step
from bitwright_train.layers import BinaryDense, TrainingLayer
from bitwright_train.learned_thresholds import LearnedThresholds
from bitwright_train.quantizers import Activation, activation_of
from bitwright_train.trained import TrainedModel

_TRACE_CHUNK = 2048


class BinaryNetwork(TrainedModel):
    """Encoded frames (n, values * levels), as +-1 or integers, to logits (n, classes), or (n, labels) if `multi_label`;
    with `pixels` to those of each pixel, (n, classes, H, W), by a last convolution.

    `encode` gives them for frames of unsigned integers, with `learned_thresholds` by parameters; `forward` takes them,
    so that training encodes a batch once. Inside, images are (n, channels, H, W); a first linear layer takes them
    flattened as HWC. `weights` are the number types of each layer's weights, `activations` those of each layer's but
    the last; without them all are bits. `body` is a graph of layers in the place of all these. Chance is of `forward`'s
    generator, or without one of the device's own.
    """

    thresholds: Tensor
    table: Tensor

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        input_bits: int,
        thresholds: tuple[int, ...] = (),
        learned_thresholds: bool = False,
        table: tuple[int, ...] = (),
        convs: tuple[ConvConfig, ...] = (),
        hidden: tuple[int, ...] = (),
        classes: int = 0,
        final_norm: bool = True,
        multi_label: bool = False,
        pixels: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        weights: tuple[NumberType, ...] = (),
        activations: tuple[Activation, ...] = (),
        estimator: nn.Module | None = None,
        nonlinearity: str = "none",
        body: Body | None = None,
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
        self.estimator = estimator  # the sign of activations of 1 bit with another gradient
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.int32), persistent=False)
        self.register_buffer("table", torch.tensor(table, dtype=torch.int32), persistent=False)
        self.learned = LearnedThresholds(tuple(thresholds), input_bits) if learned_thresholds else None
        edge = self.encoding.edge(Input(shape=self.shape, bits=input_bits))
        self.encoded_shape = edge.shape
        count = len(self.convs) + len(self.hidden)
        if body is None:
            kinds = LayerKinds(
                weights=weights or (BINARY,) * (count + 1),
                activations=activations or (activation_of(1),) * count,
                nonlinearity=nonlinearity,
                final_norm=final_norm,
            )
            gives = "classes" if pixels else "labels" if multi_label else "scores"
            body = body_of(edge, self.convs, (*self.hidden, classes), kinds, gives)  # type: ignore[arg-type]
        self.body = body
        self.weight_types = body.weight_types
        self.activations = tuple(activation for activation in body.activations if activation is not None)
        self.layers = nn.ModuleList(body.stages)
        self._last_step: dict[int, Step] = {value: step for step in body.steps for value in step.takes}
        for head in body.heads:  # stay
            self._last_step.pop(head.value, None)
        self._takes_image = len(edge.shape) == 3 and any(
            0 in step.takes and not self._is_dense(step) for step in body.steps
        )

    @property
    def encoding(self) -> ThresholdEncoding | IntegerEncoding:
        """What `encode` does in evaluation mode."""
        if len(self.table):
            return IntegerEncoding(table=self.table.cpu().numpy().astype(np.int64))
        limits = self.thresholds.tolist() if self.learned is None else self.learned.limits
        return ThresholdEncoding(thresholds=np.array(limits))

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
        if self.learned is not None:
            return self.learned(flat[..., 0]).reshape(len(frames), -1)
        bits = flat >= self.thresholds.to(flat.dtype)
        return bits.reshape(len(frames), -1).to(torch.float32).mul_(2).sub_(1)

    def _is_dense(self, step: Step) -> bool:
        return isinstance(step, LayerStep) and isinstance(self.body.stages[step.index].linear, BinaryDense)

    def arranged(self, x: Tensor) -> Tensor:
        """Encoded frames as the first value: images (n, channels, H, W) where anything takes them as such."""
        return x.reshape(len(x), *self.encoded_shape).permute(0, 3, 1, 2) if self._takes_image else x

    def taken(self, step: Step, values: list[Tensor | None]) -> list[Tensor]:
        """What a step takes of `values`, which drop what no later one takes; images flattened as HWC for dense ones."""
        given = [cast(Tensor, values[value]) for value in step.takes]
        for value in step.takes:
            if self._last_step.get(value) is step:
                values[value] = None
        if self._is_dense(step) and given[0].ndim == 4:
            return [given[0].permute(0, 2, 3, 1).reshape(len(given[0]), -1)]
        return given

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.results(x, generator)[0]

    def results(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """What `forward` gives of each head, before any choice of a class."""
        values: list[Tensor | None] = [self.arranged(x)]
        for step in self.body.steps:
            given = self.taken(step, values)
            if isinstance(step, JoinStep):
                values.append(step.apply(*given))
                continue
            x, rate = given[0], self.dropout if step.takes[0] else self.input_dropout
            if self.training and rate:
                keep = torch.rand(x.shape, generator=generator, device=x.device) >= rate
                x = x * keep / (1 - rate)
            x = self.stages[step.index](x)
            activation = self.body.activations[step.index]
            if activation is not None:
                x = self.estimator(x) if self.estimator and activation.number.xnor else activation.apply(x)
            values.append(x)
        return tuple(cast(Tensor, values[head.value]) for head in self.body.heads)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelTrace:
    """What the torch model computes for n frames, in evaluation mode, as integers where they are integers.

    Images are (n, H, W, channels), as the golden model has them.
    """

    encoded: NDArray[np.integer]  # (n, encoded_size): bits, or integers
    accumulators: tuple[NDArray[np.int64], ...]  # each layer, dot products, before any pool
    values: tuple[NDArray[Any], ...]  # what each step gives, as stored; float32 of sums that are a result
    results: tuple[NDArray[Any], ...]  # of each head, of `values`
    bits: tuple[NDArray[np.integer], ...]  # activations as stored, of each layer that has them, behind its pool

    @property
    def logits(self) -> NDArray[np.float32]:
        """The first result: (n, classes), or (n, labels)."""
        return self.results[0]

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
    """Whole numbers as arrays store them: 0 and 1 of bits, else the numbers themselves."""
    return (x > 0).to(torch.uint8) if number.xnor else x.to(torch.int32)


def _traced(model: BinaryNetwork, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The accumulators of each layer, and what each step gives, for encoded frames."""
    sums, gives = [], []
    values: list[Tensor | None] = [model.arranged(x)]
    for step, edge in zip(model.body.steps, model.body.edges[1:], strict=True):
        given = model.taken(step, values)
        if isinstance(step, JoinStep):
            value = step.apply(*given)
        else:
            stage, activation = model.stages[step.index], model.body.activations[step.index]
            accumulators = stage.linear(given[0])
            sums.append(_hwc(accumulators).to(torch.int64))
            value = stage.finish(accumulators)
            value = value if activation is None else activation.apply(value)
        values.append(value)
        gives.append(_hwc(value) if edge is None else _stored(_hwc(value), edge.number))
    return sums, gives


def trace_model(model: BinaryNetwork, frames: NDArray[Any]) -> ModelTrace:
    """Runs `model` on integer frames (n, ...), step by step, and keeps every integer."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    parts: list[list[NDArray[Any]]] = []
    try:
        with torch.no_grad():
            for chunk in as_tensor(frames).split(_TRACE_CHUNK):
                x = model.encode(chunk.to(device))
                encoded = x.to(torch.int32) if len(model.table) else (x > 0).to(torch.uint8)
                sums, gives = _traced(model, x)
                parts.append([array.cpu().numpy() for array in (encoded, *sums, *gives)])
    finally:
        model.train(was_training)
    whole, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
    count = len(model.body.stages)
    values = tuple(rest[count:])
    given = zip(model.body.steps, model.body.edges[1:], values, strict=True)
    return ModelTrace(
        encoded=whole,
        accumulators=tuple(rest[:count]),
        values=values,
        results=tuple(values[head.value - 1] for head in model.body.heads),
        bits=tuple(value for step, edge, value in given if isinstance(step, LayerStep) and edge is not None),
    )

"""The graph of a model: its layers with weights, what joins what they give, and what its results are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError, TrainingError
from bitwright_core.numbers import NumberType
from bitwright_train.conv_config import ConvConfig, both
from bitwright_train.joins import AddStep, AverageStep, ConcatStep, JoinStep, LayerStep, Step, UpsampleStep
from bitwright_train.layers import BinaryConv, BinaryDense, TrainingLayer
from bitwright_train.nonlinearities import nonlinearity_of
from bitwright_train.quantizers import Activation, quantized

_PADDING = {"minus_one": -1.0, "plus_one": 1.0, "zero": 0.0}


@dataclass(frozen=True, kw_only=True)
class ModelHead:
    """One of a model's results.

    "scores" of classes, the only result; "sums", scores among several results or of each pixel; "classes", the first
    largest of such sums of each pixel; "labels", 1 where a logit is 0 or more; "activations" as a layer gives them.
    """

    value: int
    gives: Literal["scores", "sums", "classes", "labels", "activations"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Body:
    """Layers and steps of a model. Value 0 is the encoded input, value k + 1 what step k gives."""

    stages: tuple[TrainingLayer, ...]
    activations: tuple[Activation | None, ...]  # of each layer; None where its sums are a result
    weight_types: tuple[NumberType, ...]  # of each layer
    steps: tuple[Step, ...]
    edges: tuple[Edge | None, ...]  # of each value; None of sums that are a result
    heads: tuple[ModelHead, ...]


class BodyBuilder:
    """Puts a body together, step by step."""

    def __init__(self, encoded: Edge) -> None:
        self.stages: list[TrainingLayer] = []
        self.activations: list[Activation | None] = []
        self.weight_types: list[NumberType] = []
        self.steps: list[Step] = []
        self.edges: list[Edge | None] = [encoded]

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of a value, HWC or flat."""
        return self._edge(value).shape

    def _edge(self, value: int) -> Edge:
        edge = self.edges[value]
        assert edge is not None
        return edge

    def layer(self, stage: TrainingLayer, takes: int, number: NumberType, activation: Activation | None) -> int:
        """Adds a layer with weights of type `number`; the value that it gives. Raises TrainingError."""
        shape = stage.shape_behind(self.shape(takes))
        self.steps.append(LayerStep(index=len(self.stages), takes=(takes,)))
        self.stages.append(stage)
        self.weight_types.append(number)
        self.activations.append(activation)
        self.edges.append(None if activation is None else Edge(shape=shape, number=activation.number))
        return len(self.steps)

    def join(self, step: JoinStep) -> int:
        """Adds a step without weights; the value that it gives. Raises TrainingError."""
        given = [Value(name=f"value{k}", giver=self._giver(k), edge=self._edge(k)) for k in step.takes]
        try:
            edge = step.operator(given).infer(given)
        except NetworkError as error:
            raise TrainingError(str(error)) from None
        self.steps.append(step)
        self.edges.append(edge)
        return len(self.steps)

    def _giver(self, value: int) -> str:
        if value == 0:
            return "the encoded input"
        step = self.steps[value - 1]
        return f"layer {step.index}" if isinstance(step, LayerStep) else step.name

    def body(self, heads: Sequence[ModelHead]) -> Body:
        """What has been put together, with these results."""
        return Body(
            stages=tuple(self.stages),
            activations=tuple(self.activations),
            weight_types=tuple(self.weight_types),
            steps=tuple(self.steps),
            edges=tuple(self.edges),
            heads=tuple(heads),
        )


@dataclass(frozen=True, kw_only=True)
class LayerKinds:
    """Of each layer of a configuration: weights, and of all but the last activations and what stands before them."""

    weights: tuple[NumberType, ...]
    activations: tuple[Activation, ...]
    nonlinearity: str  # before each activation
    final_norm: bool  # whether the last layer ends in a batch norm


def body_of(
    encoded: Edge,
    convs: tuple[ConvConfig, ...],
    dense: tuple[int, ...],
    kinds: LayerKinds,
    gives: Literal["scores", "labels", "classes"],
) -> Body:
    """The body that a configuration tells: convolutions, then dense layers. Raises TrainingError.

    Where it gives "classes" of pixels, the last layer is a convolution of one pixel, of as many outputs as there are
    classes (`dense` has their number alone).
    """
    builder = BodyBuilder(encoded)
    ends = [0]  # the encoded input, and what each convolution gives in the end
    for index, conv in enumerate(convs):
        source = ends[-conv.takes]
        number, activation = kinds.weights[index], kinds.activations[index]
        shape = conv.image(builder.shape(source))
        before = None if not conv.shortcut else builder.shape(ends[-conv.shortcut])
        _check_shortcut(before, conv.pooled(shape))
        stage = _conv_stage(conv, shape, number, kinds.nonlinearity)
        conv.gives(shape)
        value = builder.layer(stage, source, number, activation)
        ends.append(_joined(builder, conv, index, value, ends))
    if gives == "classes":
        last_conv = ConvConfig(outputs=dense[-1], kernel=1)
        image = last_conv.image(builder.shape(ends[-1]))
        stage = _conv_stage(last_conv, image, kinds.weights[-1], "none", norm=kinds.final_norm)
        value = builder.layer(stage, ends[-1], kinds.weights[-1], None)
        return builder.body([ModelHead(value=value, gives=gives)])
    value, inputs = ends[-1], int(np.prod(builder.shape(ends[-1])))
    for index, outputs in enumerate(dense, len(convs)):
        last = index == len(convs) + len(dense) - 1
        linear = BinaryDense(inputs, outputs, partial(quantized, number=kinds.weights[index]))
        stage = TrainingLayer(
            linear,
            norm=kinds.final_norm or not last,
            nonlinearity=None if last else nonlinearity_of(kinds.nonlinearity, outputs),
        )
        behind = None if last else kinds.activations[index]
        value, inputs = builder.layer(stage, value, kinds.weights[index], behind), outputs
    return builder.body([ModelHead(value=value, gives=gives)])


def _joined(builder: BodyBuilder, conv: ConvConfig, index: int, value: int, ends: list[int]) -> int:
    """Adds what stands behind the activation of convolution `index`, which gives `value`; what it gives in the end."""
    if conv.shortcut:
        value = builder.join(AddStep(name=f"add{index}", takes=(value, ends[-conv.shortcut])))
    if conv.averages:
        window = None if conv.average == "global" else both(conv.average)
        value = builder.join(AverageStep(name=f"average{index}", takes=(value,), window=window))
    if conv.upsamples:
        value = builder.join(UpsampleStep(name=f"upsample{index}", takes=(value,), factors=both(conv.upsample)))
    if conv.concat:
        value = builder.join(ConcatStep(name=f"concat{index}", takes=(value, ends[-conv.concat])))
    return value


def _check_shortcut(before: tuple[int, ...] | None, after: tuple[int, ...]) -> None:
    """Raises TrainingError where what a shortcut adds has another shape."""
    if before is not None and before != after:
        one, other = (" x ".join(map(str, sizes)) for sizes in (before, after))
        raise TrainingError(f"a shortcut adds images of one shape, not {one} to {other}")


def _conv_stage(
    conv: ConvConfig, shape: tuple[int, int, int], number: NumberType, nonlinearity: str, norm: bool = True
) -> TrainingLayer:
    """The layer that `conv` tells, on images of `shape` (height, width, channels)."""
    down, across = both(conv.padding)
    linear = BinaryConv(
        shape[2],
        conv.outputs,
        both(conv.kernel),
        stride=both(conv.stride),
        padding=(down, down, across, across),
        padding_value=_PADDING[conv.padding_value],
        dilation=both(conv.dilation),
        groups=conv.groups_of(shape[2]),
        quantize=partial(quantized, number=number),
    )
    return TrainingLayer(
        linear,
        norm=norm,
        pool=both(conv.pool) if conv.pools else None,
        pool_first=conv.pool_first,
        nonlinearity=nonlinearity_of(nonlinearity, conv.outputs),
    )

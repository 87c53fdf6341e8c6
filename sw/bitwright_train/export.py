"""A trained torch model to a Network: integers that compute exactly what the model does in evaluation mode.

A bit that falls as its accumulator grows has its weights complemented, and rises. Where a pool comes before the batch
norm that would make the pool a minimum; there the pooled bit is given out inverted, and what takes it has the
weights of that channel complemented.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright_core.class_scores import SCORE_BITS, ScoreFit
from bitwright_core.edge import Value
from bitwright_core.errors import ExportError
from bitwright_core.network import (
    ENCODED,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Input,
    MaxPool2d,
    Network,
    Operator,
    Scores,
    Sums,
    Thresholds,
)
from bitwright_core.network.graph import Takes
from bitwright_core.numbers import PADDING, NumberType, PaddingValue
from bitwright_core.ops.matrix import dot_range
from bitwright_core.ops.operator import edge_behind
from bitwright_core.progress import Progress
from bitwright_train.folding import (
    first_firing,
    fold_scores,
    fold_thresholds,
    matching,
    norm_lines,
    norm_table,
    popcount_dots,
    stage_table,
    stored_weights,
)
from bitwright_train.joins import JoinStep
from bitwright_train.layers import BinaryConv, BinaryDense, TrainingLayer
from bitwright_train.model import BinaryNetwork
from bitwright_train.quantizers import Activation, activation_of

_PADDING: Mapping[float, PaddingValue] = {float(value): name for name, value in PADDING.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedStep:
    """A step of the model as layers of the Network."""

    layers: tuple[Operator, ...]
    inverted: NDArray[np.bool_]  # (channels,): what is given out complemented
    takes: Takes = ()  # for each layer the values that it takes
    classes: ScoreFit | None = None  # of a layer that gives scores or sums, with a batch norm


@dataclass(frozen=True, kw_only=True, eq=False)
class _Parts:
    """What an operator with weights is made of, whichever it is."""

    edge: Edge  # what it takes
    weights: NDArray[np.integer]
    weight_type: NumberType
    output: Thresholds | Scores | Sums
    padding_value: PaddingValue


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a torch module with weights becomes layers: `layers(stage, name, parts)`, named `prefix` and a number."""

    prefix: str
    padding: Callable[[Any], PaddingValue | None]  # what pads, if anything does
    layers: Callable[[TrainingLayer, int, _Parts], tuple[Operator, ...]]


def _dense_layers(stage: TrainingLayer, index: int, parts: _Parts) -> tuple[Operator, ...]:
    name = f"dense{index}"
    return (
        Dense(
            name=name,
            weights=parts.weights,
            output=parts.output,
            takes=parts.edge.number,
            weight_type=parts.weight_type,
        ),
    )


def _conv_padding(conv: BinaryConv) -> PaddingValue | None:
    return _PADDING[conv.padding_value] if any(conv.padding) else None


def _conv_layers(stage: TrainingLayer, index: int, parts: _Parts) -> tuple[Operator, ...]:
    """The convolution, and its pool, if any."""
    assert isinstance(stage.linear, BinaryConv)
    conv = Conv2d(
        name=f"conv{index}",
        shape=parts.edge.shape,  # type: ignore[arg-type]
        weights=parts.weights,
        output=parts.output,
        stride=stage.linear.stride,
        padding=stage.linear.padding,
        padding_value=parts.padding_value,
        takes=parts.edge.number,
        weight_type=parts.weight_type,
        groups=stage.linear.groups,
        dilation=stage.linear.dilation,
    )
    if stage.pool is None:
        return (conv,)
    pool = MaxPool2d(
        name=f"pool{index}",
        shape=conv.edge.shape,  # type: ignore[arg-type]
        kernel=stage.pool,
        stride=stage.pool,
        takes=conv.edge.number,
    )
    return conv, pool


EXPORTS: Mapping[type[torch.nn.Module], Export] = {
    BinaryDense: Export(prefix="dense", padding=lambda linear: None, layers=_dense_layers),
    BinaryConv: Export(prefix="conv", padding=_conv_padding, layers=_conv_layers),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """A stage and where it stands."""

    stage: TrainingLayer
    index: int
    edge: Edge  # what it takes
    inverted: NDArray[np.bool_]  # of each channel that it takes, whether it comes complemented
    weight_type: NumberType
    activation: Activation  # of labels, bits
    gives: Literal["activations", "labels", "scores", "sums"]

    @property
    def export(self) -> Export:
        return EXPORTS[type(self.stage.linear)]

    @property
    def where(self) -> str:
        return f"layer {self.export.prefix}{self.index}"

    @property
    def weights(self) -> NDArray[np.integer]:
        """The model's weights, for what it takes as it comes."""
        return matching(stored_weights(self.stage.linear, self.weight_type, self.where), self.inverted)


def _fold(place: _Place, score_bits: int) -> FoldedStep:
    """The layers of a stage."""
    stage, where, weights, number = place.stage, place.where, place.weights, place.edge.number
    inputs, outputs = weights[0].size, len(weights)
    pads = place.export.padding(stage.linear)
    if pads not in (None, "zero") and place.inverted.any():
        raise ExportError(
            f"{where}: padded with {pads}, it cannot follow a pool before its batch norm, "
            f"some of whose channels come inverted; pad with zero"
        )
    if isinstance(stage.linear, BinaryConv) and stage.linear.groups > 1 and place.inverted.any():
        raise ExportError(f"{where}: its groups cannot follow a pool before its batch norm; pool behind the batch norm")
    sums_dots = not (number.xnor and place.weight_type.xnor) or pads == "zero"
    # as far down as up, so that a row's complement has the same accumulators
    largest = max(map(abs, dot_range(weights.reshape(outputs, inputs), place.weight_type, number)))
    dots = np.arange(-largest, largest + 1) if sums_dots else popcount_dots(inputs)
    base = -largest if sums_dots else 0
    gives = np.zeros(outputs, np.bool_)
    output: Thresholds | Scores
    classes = None
    if place.gives in ("scores", "sums"):
        weights, output, classes = _scored(place, dots, weights, score_bits)
        if sums_dots and classes is not None:
            # class_scores counts from 0, this accumulator from its least
            output = Scores(scale=output.scale, offset=output.offset - base * output.scale)
        if place.gives == "sums":
            output = Sums(scale=output.scale, offset=output.offset)
    else:
        weights, values, gives = _fired(place, dots, weights)
        if sums_dots:
            least, most = dot_range(weights.reshape(outputs, inputs), place.weight_type, number)
            values = np.clip(values + base, least, most + 1)
        output = Thresholds(values=values, base=place.activation.base)
    parts = _Parts(
        edge=place.edge,
        weights=weights,
        weight_type=place.weight_type,
        output=output,
        padding_value=pads or "minus_one",
    )
    return FoldedStep(layers=place.export.layers(stage, place.index, parts), inverted=gives, classes=classes)


def _scored(
    place: _Place, dots: NDArray[np.int64], weights: NDArray[np.integer], score_bits: int
) -> tuple[NDArray[np.integer], Scores, ScoreFit | None]:
    """Weights, scores of each index of `dots`, or of the accumulator itself without a batch norm, and how they fit."""
    norm, outputs = place.stage.norm, len(weights)
    if norm is None:
        # the accumulator orders as its popcount does, for all classes alike
        return weights, Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64)), None
    table = norm_table(norm, dots, place.where)
    weights, classes = fold_scores(weights, table, norm_lines(norm, dots), place.where, score_bits)
    return weights, classes.scores, classes


def _fired(
    place: _Place, dots: NDArray[np.int64], weights: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.int64], NDArray[np.bool_]]:
    """Weights, the index of the first of `dots` that reaches each level, and which bits are given out complemented."""
    nothing, stage, where = np.zeros(len(weights), np.bool_), place.stage, place.where
    table = stage_table(stage, dots, where)  # without a batch norm, a label is 1 where its dot product is 0 or more
    if stage.pool is None or not stage.pool_first:
        return *fold_thresholds(weights, table, where, place.activation.levels), nothing
    # the bit of the largest accumulator; where it falls, it is 0 as soon as one of them no longer fires
    gives, total = first_firing(table, where)
    return weights, np.where(gives, total, len(table) - total)[:, None], gives


def _joined(step: JoinStep, given: list[Value], inverted: list[NDArray[np.bool_]]) -> FoldedStep:
    """The layer of a step without weights; `inverted` is of the channels of what it takes."""
    if any(turned.any() for turned in inverted) and not step.keeps_channels:
        raise ExportError(
            f"layer {step.name}: cannot follow a pool before its batch norm, some of whose channels come inverted; "
            "pool behind the batch norm"
        )
    takes = (tuple(value.name for value in given),)
    return FoldedStep(layers=(step.operator(given),), takes=takes, inverted=np.concatenate(inverted))


def folded_steps(model: BinaryNetwork, score_bits: int, progress: Progress | None = None) -> list[FoldedStep]:
    """Each step of `model` as layers of a Network, front to back. Raises ExportError."""
    result: list[FoldedStep] = []
    body = model.body
    edge = Edge(shape=model.encoded_shape, number=model.encoding.number)
    values = [Value(name=ENCODED, giver=ENCODED, edge=edge)]
    inverted = [np.zeros(edge.shape[-1], np.bool_)]
    heads = {head.value: head.gives for head in body.heads}
    for step in body.steps:
        given = [values[value] for value in step.takes]
        turned = [inverted[value] for value in step.takes]
        if isinstance(step, JoinStep):
            folded = _joined(step, given, turned)
            edge = folded.layers[0].infer(given)
        else:
            activation, gives = body.activations[step.index], heads.get(len(values), "activations")
            place = _Place(
                stage=model.stages[step.index],
                index=step.index,
                edge=given[0].edge,
                inverted=turned[0],
                weight_type=body.weight_types[step.index],
                activation=activation or activation_of(1),
                gives="sums" if gives == "classes" else gives,
            )
            folded, edge = _fold(place, score_bits), given[0].edge
            for layer in folded.layers:
                edge = edge_behind(layer, edge)
            names = (given[0].name, *(layer.name for layer in folded.layers))
            folded = replace(folded, takes=tuple((name,) for name in names[:-1]))
        result.append(folded)
        inverted.append(folded.inverted)
        values.append(Value(name=folded.layers[-1].name, giver=folded.layers[-1].name, edge=edge))
        if progress:
            progress("export", len(result), len(body.steps))
    return [*result, *_ends(model, values, inverted)]


def _ends(model: BinaryNetwork, values: list[Value], inverted: list[NDArray[np.bool_]]) -> list[FoldedStep]:
    """The classes of heads that choose them, and what brings several heads together."""
    ends: list[FoldedStep] = []
    heads: list[Value] = []
    for head in model.body.heads:
        value = values[head.value]
        if inverted[head.value].any():
            raise ExportError(
                f"layer {value.name}: a result cannot come of a pool before its batch norm, some of whose channels "
                "come inverted; pool behind the batch norm"
            )
        if head.gives == "classes":
            layer = ChannelArgMax(name=f"classes{len(heads)}", shape=value.edge.shape, takes=value.edge.number)
            ends.append(FoldedStep(layers=(layer,), takes=((value.name,),), inverted=np.zeros(1, np.bool_)))
            value = Value(name=layer.name, giver=layer.name, edge=layer.edge)
        heads.append(value)
    if len(heads) > 1:
        joined = Concat(
            name="heads",
            sizes=tuple(value.edge.size for value in heads),
            takes=tuple(value.edge.number for value in heads),
        )
        takes = (tuple(value.name for value in heads),)
        ends.append(FoldedStep(layers=(joined,), takes=takes, inverted=np.zeros(1, np.bool_)))
    return ends


def export_model(
    model: BinaryNetwork,
    *,
    name: str,
    labels: tuple[str, ...] = (),
    score_bits: int = SCORE_BITS,
    progress: Progress | None = None,
) -> Network:
    """The Network that computes what `model` computes in evaluation mode. Raises ExportError.

    Class scores have about `score_bits` bits, so that classes may differ where two logits nearly tie; 0 keeps the order
    of all logits.
    """
    folds = folded_steps(model, score_bits, progress)
    return Network(
        name=name,
        input=Input(shape=model.shape, bits=model.input_bits),
        encoding=model.encoding,
        layers=tuple(layer for folded in folds for layer in folded.layers),
        takes=tuple(takes for folded in folds for takes in folded.takes),
        labels=labels,
    )

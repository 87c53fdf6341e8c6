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
    Add,
    Conv2d,
    Dense,
    Edge,
    Input,
    MaxPool2d,
    Network,
    Operator,
    Scores,
    SumPool2d,
    Thresholds,
)
from bitwright_core.network.graph import Takes
from bitwright_core.numbers import PADDING, NumberType, PaddingValue
from bitwright_core.ops.matrix import dot_range
from bitwright_core.ops.operator import edge_behind
from bitwright_core.progress import Progress
from bitwright_train.conv_config import ConvConfig
from bitwright_train.folding import (
    first_firing,
    fold_scores,
    fold_thresholds,
    matching,
    norm_lines,
    norm_table,
    popcount_dots,
    stored_weights,
)
from bitwright_train.layers import BinaryConv, BinaryDense, TrainingLayer
from bitwright_train.model import BinaryNetwork
from bitwright_train.quantizers import Activation, activation_of

_PADDING: Mapping[float, PaddingValue] = {float(value): name for name, value in PADDING.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedStage:
    """A stage of the model as layers of the Network."""

    layers: tuple[Operator, ...]
    inverted: NDArray[np.bool_]  # (outputs,): what is given out complemented
    takes: Takes = ()  # for each layer the values that it takes
    classes: ScoreFit | None = None  # of the last stage, with a batch norm


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sums:
    """What an operator with weights is made of, whichever it is."""

    edge: Edge  # what it takes
    weights: NDArray[np.integer]
    weight_type: NumberType
    output: Thresholds | Scores
    padding_value: PaddingValue


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a torch module with weights becomes layers: `layers(stage, name, sums)`, named `prefix` and a number."""

    prefix: str
    padding: Callable[[Any], PaddingValue | None]  # what pads, if anything does
    layers: Callable[[TrainingLayer, int, _Sums], tuple[Operator, ...]]


def _dense_layers(stage: TrainingLayer, index: int, sums: _Sums) -> tuple[Operator, ...]:
    name = f"dense{index}"
    return (
        Dense(
            name=name,
            weights=sums.weights,
            output=sums.output,
            takes=sums.edge.number,
            weight_type=sums.weight_type,
        ),
    )


def _conv_padding(conv: BinaryConv) -> PaddingValue | None:
    return _PADDING[conv.padding_value] if any(conv.padding) else None


def _conv_layers(stage: TrainingLayer, index: int, sums: _Sums) -> tuple[Operator, ...]:
    """The convolution, and its pool, if any."""
    assert isinstance(stage.linear, BinaryConv)
    conv = Conv2d(
        name=f"conv{index}",
        shape=sums.edge.shape,  # type: ignore[arg-type]
        weights=sums.weights,
        output=sums.output,
        stride=stage.linear.stride,
        padding=stage.linear.padding,
        padding_value=sums.padding_value,
        takes=sums.edge.number,
        weight_type=sums.weight_type,
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
    gives: Literal["activations", "labels", "scores"]

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


def _fold(place: _Place, score_bits: int) -> FoldedStage:
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
    if place.gives == "scores" and stage.norm is None:
        # the accumulator orders as its popcount does, for all classes alike
        output = Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
    elif place.gives == "scores" and stage.norm is not None:
        table = norm_table(stage.norm, dots, where)
        weights, classes = fold_scores(weights, table, norm_lines(stage.norm, dots), where, score_bits)
        output = classes.scores
        if sums_dots:
            # class_scores counts from 0, this accumulator from its least
            output = Scores(scale=output.scale, offset=output.offset - base * output.scale)
    else:
        weights, values, gives = _fired(place, dots, weights)
        if sums_dots:
            least, most = dot_range(weights.reshape(outputs, inputs), place.weight_type, number)
            values = np.clip(values + base, least, most + 1)
        output = Thresholds(values=values, base=place.activation.base)
    sums = _Sums(
        edge=place.edge,
        weights=weights,
        weight_type=place.weight_type,
        output=output,
        padding_value=pads or "minus_one",
    )
    return FoldedStage(layers=place.export.layers(stage, place.index, sums), inverted=gives, classes=classes)


def _fired(
    place: _Place, dots: NDArray[np.int64], weights: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.int64], NDArray[np.bool_]]:
    """Weights, the index of the first of `dots` that reaches each level, and which bits are given out complemented."""
    nothing, stage, where = np.zeros(len(weights), np.bool_), place.stage, place.where
    if stage.norm is None:  # a label is 1 where its dot product is 0 or more
        table = np.repeat(dots[:, None], len(weights), axis=1).astype(np.float32)
    else:
        table = norm_table(stage.norm, dots, where)
    if stage.pool is None or not stage.pool_first:
        return *fold_thresholds(weights, table, where, place.activation.levels), nothing
    # the bit of the largest accumulator; where it falls, it is 0 as soon as one of them no longer fires
    gives, total = first_firing(table, where)
    return weights, np.where(gives, total, len(table) - total)[:, None], gives


def _joins(conv: ConvConfig, index: int, given: list[Value]) -> tuple[tuple[Add | SumPool2d, ...], Takes]:
    """The addition of a shortcut and the average pool of a stage, and what they take; `given` ends in its bits."""
    layers: list[Add | SumPool2d] = []
    takes: list[tuple[str, ...]] = []
    value = given[-1]
    if conv.shortcut:
        past = given[index - conv.shortcut]
        added = Add(name=f"add{index}", shape=value.edge.shape, takes=(value.edge.number, past.edge.number))
        layers.append(added)
        takes.append((value.name, past.name))
        value = Value(name=added.name, giver=added.name, edge=added.edge)
    if conv.averages:
        height, width, channels = value.edge.shape
        window = conv.window(height, width)
        pool = SumPool2d(
            name=f"average{index}",
            shape=(height, width, channels),
            kernel=window,
            stride=window,
            takes=value.edge.number,
        )
        layers.append(pool)
        takes.append((value.name,))
    return tuple(layers), tuple(takes)


def folded_stages(model: BinaryNetwork, score_bits: int, progress: Progress | None = None) -> list[FoldedStage]:
    """Each stage of `model` as layers of a Network, front to back. Raises ExportError."""
    result: list[FoldedStage] = []
    edge = Edge(shape=model.encoded_shape, number=model.encoding.number)
    inverted = np.zeros(edge.shape[-1], np.bool_)
    last = len(model.layers) - 1
    source, given = ENCODED, list[Value]()  # what each convolution gives
    for index, stage in enumerate(model.stages):
        place = _Place(
            stage=stage,
            index=index,
            edge=edge,
            inverted=inverted,
            weight_type=model.weight_types[index],
            activation=model.activations[index] if index < last else activation_of(1),
            gives="activations" if index < last else "labels" if model.multi_label else "scores",
        )
        folded = _fold(place, score_bits)
        names = (source, *(layer.name for layer in folded.layers))
        takes: Takes = tuple((name,) for name in names[:-1])
        for layer in folded.layers:
            edge = edge_behind(layer, edge)
        source = folded.layers[-1].name
        if index < len(model.convs):
            given.append(Value(name=source, giver=source, edge=edge))
            joins, more = _joins(model.convs[index], index, given)
            folded = replace(folded, layers=(*folded.layers, *joins))
            takes += more
            if joins:
                source, edge = joins[-1].name, joins[-1].edge
                given[-1] = Value(name=source, giver=source, edge=edge)
        folded = replace(folded, takes=takes)
        result.append(folded)
        inverted = folded.inverted
        if progress:
            progress("export", index + 1, len(model.layers))
    return result


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
    folds = folded_stages(model, score_bits, progress)
    return Network(
        name=name,
        input=Input(shape=model.shape, bits=model.input_bits),
        encoding=model.encoding,
        layers=tuple(layer for folded in folds for layer in folded.layers),
        takes=tuple(takes for folded in folds for takes in folded.takes),
        labels=labels,
    )

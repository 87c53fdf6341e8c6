"""A trained torch model to a Network: integers that compute exactly what the model does in evaluation mode.

Each batch norm is evaluated, with the model's own torch operations, at every value that its accumulator can
take; thresholds are read off that table, so that no formula has to agree with float32 rounding.

A bit that falls as its accumulator grows has its weights complemented, and rises. Where a pool comes before the batch
norm that would make the pool a minimum; there the pooled bit is given out inverted, and what takes it has the
weights of that channel complemented.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright_core import golden
from bitwright_core.class_scores import SCORE_BITS, ScoreFit, class_scores
from bitwright_core.errors import ExportError
from bitwright_core.network import (
    Conv2d,
    Dense,
    Edge,
    Input,
    MatrixLayer,
    MaxPool2d,
    Network,
    Operator,
    Scores,
    Thresholds,
)
from bitwright_core.numbers import PADDING, NumberType, PaddingValue
from bitwright_core.ops.matrix import dot_range
from bitwright_core.ops.operator import edge_behind
from bitwright_core.progress import Progress
from bitwright_train.layers import BinaryConv, BinaryLinear, ExactBatchNorm, TrainingLayer
from bitwright_train.model import BinaryNetwork, trace_model
from bitwright_train.quantizers import Activation, activation_of

_CHUNK_VALUES = 1 << 24
_PADDING: Mapping[float, PaddingValue] = {float(value): name for name, value in PADDING.items()}


def stored_weights(linear: BinaryLinear | BinaryConv, number: NumberType, where: str) -> NDArray[np.integer]:
    """What a layer multiplies with, as stored, channels last. ExportError for NaN, infinities."""
    if not torch.isfinite(linear.weight).all():
        raise ExportError(f"{where}: weights hold NaN or infinities; the training diverged, retrain")
    with torch.no_grad():
        values = linear.quantize(linear.weight).cpu().numpy()
    stored = (values > 0).astype(np.uint8) if number.xnor else values.astype(np.int8)
    return stored.transpose(0, 2, 3, 1) if stored.ndim == 4 else stored


def norm_table(norm: ExactBatchNorm, accumulators: NDArray[np.int64], where: str) -> NDArray[np.float32]:
    """What `norm` gives at `accumulators` (n,): (n, outputs). Raises ExportError for NaN."""
    tensors = dict(norm.named_parameters()) | dict(norm.named_buffers())
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ExportError(f"{where}: batch norm {name} holds NaN or infinities; the training diverged, retrain")
    step = max(1, _CHUNK_VALUES // norm.num_features)
    parts = []
    device = norm.weight.device
    with torch.no_grad():
        for values in torch.from_numpy(accumulators).to(device).split(step):
            # expanded to full rows: the very shape, and so the very kernels, of a batch of frames
            batch = values.to(torch.float32)[:, None].expand(-1, norm.num_features).contiguous()
            parts.append(norm.evaluate(batch).cpu().numpy())
    table = np.concatenate(parts)
    bad = np.flatnonzero(np.isnan(table).any(axis=0))
    if len(bad):
        raise ExportError(
            f"{where}: the batch norm of output {int(bad[0])} gives NaN (a negative variance, or a scale "
            "beyond float32); retrain"
        )
    return table


def popcount_dots(inputs: int) -> NDArray[np.int64]:
    """The dot products of popcounts 0..inputs."""
    return 2 * np.arange(inputs + 1) - inputs


def first_firing(
    table: NDArray[np.float32], where: str, level: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """For each column of `table` (n, outputs): whether it falls below `level`, and how many of its entries reach it.

    Raises ExportError if a column crosses the level more than once.
    """
    fires = table >= np.float32(level)
    total = fires.sum(axis=0, dtype=np.int64)
    index = np.arange(len(table))[:, None]
    rising = (fires == (index >= len(table) - total)).all(axis=0)
    falling = (fires == (index < total)).all(axis=0)
    if not np.all(rising | falling):
        bad = int(np.flatnonzero(~(rising | falling))[0])
        raise ExportError(f"{where}: the activation of output {bad} is not monotonic in its accumulator")
    return ~rising, total


def fold_thresholds(
    weights: NDArray[np.integer], table: NDArray[np.float32], where: str, levels: tuple[float, ...] = (0.0,)
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Weights (outputs, ...) and, for each level, the first of the rising entries of `table` (n, outputs) to reach it.

    The second is (outputs, levels). A row that falls as its accumulator grows is complemented, which turns its
    accumulators around. Raises ExportError if a column crosses a level more than once.
    """
    found = [first_firing(table, where, level) for level in levels]
    falling = np.any([falls for falls, _ in found], axis=0)
    return complemented(weights, falling), np.stack([len(table) - total for _, total in found], axis=1)


def complemented(weights: NDArray[np.integer], which: NDArray[np.bool_]) -> NDArray[np.integer]:
    """`weights` (outputs, ...), as stored, complemented or negated where `which` is: of outputs, or of all places."""
    which = which.reshape(*which.shape, *[1] * (weights.ndim - which.ndim))
    return weights ^ which if weights.dtype == np.uint8 else np.where(which, -weights, weights)


def norm_lines(norm: ExactBatchNorm, dots: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `norm` gives without the rounding of its sums: at the first of `dots`, and how much more at each further."""
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        factor, mean, bias = (t.detach().cpu().double().numpy() for t in (scale, norm.running_mean, norm.bias))
    return (int(dots[0]) - mean) * factor + bias, factor * int(dots[1] - dots[0])


def fold_scores(
    weights: NDArray[np.integer],
    table: NDArray[np.float32],
    lines: tuple[NDArray[np.float64], NDArray[np.float64]],
    where: str,
    bits: int,
) -> tuple[NDArray[np.integer], ScoreFit]:
    """Weights and integer scores for the logits `table` (inputs + 1, classes), which are `lines` but for rounding."""
    falling = table[-1] < table[0]
    last = len(table) - 1
    base, rise = lines
    turned = np.ascontiguousarray(np.where(falling, table[::-1], table))
    base, rise = np.where(falling, base + rise * last, base), np.where(falling, -rise, rise)
    # flat in float32, and not quite so exactly
    base, rise = np.where(rise < 0, base + rise * (last / 2), base), np.maximum(rise, 0)
    found = class_scores(turned, (base, rise), len(table), where, bits=bits)
    return complemented(weights, falling), found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Folded:
    """A stage of the model as layers of the Network."""

    layers: tuple[Operator, ...]
    inverted: NDArray[np.bool_]  # (outputs,): what is given out complemented
    classes: ScoreFit | None = None  # of the last stage, with a batch norm


def _matching(weights: NDArray[np.integer], inverted: NDArray[np.bool_]) -> NDArray[np.integer]:
    """`weights` (outputs, ..., lanes) for lanes some of whose channels, the fastest axis, come inverted."""
    lanes = np.resize(inverted, weights.shape[-1])
    return complemented(weights, np.broadcast_to(lanes, weights.shape))


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
    )
    if stage.pool is None:
        return (conv,)
    kernel, stride = stage.pool
    pool = MaxPool2d(
        name=f"pool{index}",
        shape=conv.edge.shape,  # type: ignore[arg-type]
        kernel=(kernel, kernel),
        stride=(stride, stride),
        takes=conv.edge.number,
    )
    return conv, pool


EXPORTS: Mapping[type[torch.nn.Module], Export] = {
    BinaryLinear: Export(prefix="dense", padding=lambda linear: None, layers=_dense_layers),
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
        return _matching(stored_weights(self.stage.linear, self.weight_type, self.where), self.inverted)


def _fold(place: _Place, score_bits: int) -> _Folded:
    """The layers of a stage."""
    stage, where, weights, number = place.stage, place.where, place.weights, place.edge.number
    inputs, outputs = weights[0].size, len(weights)
    pads = place.export.padding(stage.linear)
    if pads not in (None, "zero") and place.inverted.any():
        raise ExportError(
            f"{where}: padded with {pads}, it cannot follow a pool before its batch norm, "
            f"some of whose channels come inverted; pad with zero"
        )
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
    return _Folded(layers=place.export.layers(stage, place.index, sums), inverted=gives, classes=classes)


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


def _folded(model: BinaryNetwork, score_bits: int, progress: Progress | None = None) -> list[_Folded]:
    result: list[_Folded] = []
    edge = Edge(shape=model.encoded_shape, number=model.encoding.number)
    inverted = np.zeros(edge.shape[-1], np.bool_)
    last = len(model.layers) - 1
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
        result.append(folded)
        for layer in folded.layers:
            edge = edge_behind(layer, edge)
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
    return Network(
        name=name,
        input=Input(shape=model.shape, bits=model.input_bits),
        encoding=model.encoding,
        layers=tuple(layer for folded in _folded(model, score_bits, progress) for layer in folded.layers),
        labels=labels,
    )


@dataclass(frozen=True, kw_only=True)
class ExportCheck:
    """What `check_export` compared, all of it equal but for `near_ties`."""

    frames: int
    accumulators: int
    bits: int
    classes: int
    near_ties: int  # frames whose class differs, of logits that nearly tie (`within` of their ScoreFit)


def _orientation(layer: MatrixLayer, stage: TrainingLayer, inverted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """+1 for each row that the export kept, -1 for each that it complemented."""
    own = _matching(stored_weights(stage.linear, layer.weight_type, f"layer {layer.name}"), inverted)
    if own.shape != layer.weights.shape:
        raise ExportError(f"layer {layer.name} has weights {layer.weights.shape}, the model {own.shape}")
    other = complemented(own, np.ones(len(own), np.bool_))
    kept, turned = ((layer.weights == rows).reshape(len(own), -1).all(axis=1) for rows in (own, other))
    if not np.all(kept | turned):
        row = int(np.flatnonzero(~(kept | turned))[0])
        raise ExportError(f"layer {layer.name}: weight row {row} is neither the model's nor its complement")
    return np.where(kept, 1, -1)


def _compare(what: str, layer: str, first_frame: int, model: NDArray[Any], network: NDArray[Any]) -> int:
    ours, theirs = network.reshape(len(network), -1), model.reshape(len(model), -1)
    if not np.array_equal(theirs, ours):
        frame, neuron = (int(i) for i in np.argwhere(theirs != ours)[0])
        raise ExportError(
            f"the exported network differs from the model: {what} of frame {first_frame + frame}, layer "
            f"{layer}, neuron {neuron} is {ours[frame, neuron]}, the model has {theirs[frame, neuron]}"
        )
    return model.size


def check_export(
    model: BinaryNetwork,
    network: Network,
    frames: NDArray[Any],
    *,
    score_bits: int = SCORE_BITS,
    progress: Progress | None = None,
) -> ExportCheck:
    """Proves on integer frames (n, ...) that torch and the golden model agree in every layer's integers.

    Compared: encoded bits, accumulators (with the sign of rows that were complemented), activation bits (behind
    a pool, where there is one), and the first largest logit with the class, which may differ only where scores of
    `score_bits` say so. Raises ExportError at the first difference, naming frame, layer and neuron.
    """
    if len(network.matrix_layers) != len(model.layers):
        raise ExportError(f"the network has {len(network.matrix_layers)} layers, the model {len(model.layers)}")
    folds = _folded(model, score_bits)
    gives = [folded.inverted for folded in folds]
    within = 0.0 if folds[-1].classes is None else folds[-1].classes.within
    takes = [np.zeros(model.encoded_shape[-1], np.bool_), *gives]
    turns = [
        _orientation(layer, stage, inverted)
        for layer, stage, inverted in zip(network.matrix_layers, model.stages, takes, strict=False)
    ]
    last_of = _last_of_each_stage(network)
    accumulators = bits = near_ties = 0
    for part in golden.chunks(network, len(frames)):
        trace = golden.trace(network, frames[part])
        ours = {layer.name: layer for layer in trace.layers}
        theirs = trace_model(model, frames[part])
        bits += _compare("encoded bit", "encoder", part.start, theirs.encoded, trace.encoded)
        for index, (layer, turn) in enumerate(zip(network.matrix_layers, turns, strict=True)):
            sums = ours[layer.name].accumulators
            assert sums is not None
            dots = turn * (sums if layer.sums_dots else 2 * sums - layer.inputs)
            accumulators += _compare("accumulator", layer.name, part.start, theirs.accumulators[index], dots)
            if index < len(theirs.bits):
                given = ours[last_of[index]].values
                if gives[index].any():
                    given = given ^ gives[index].astype(np.uint8)
                bits += _compare("bit", last_of[index], part.start, theirs.bits[index], given)
        if progress:
            progress("check export", part.stop, len(frames))
        if model.multi_label:
            bits += _compare("label", network.layers[-1].name, part.start, theirs.labels, trace.layers[-1].values)
            continue
        classes = trace.layers[-1].values.argmax(axis=1)
        row = np.arange(len(classes))
        near = theirs.logits[row, theirs.classes] - theirs.logits[row, classes] <= within
        near_ties += int((near & (classes != theirs.classes)).sum()) if within else 0
        told = np.where(near, theirs.classes, classes) if within else classes
        _compare("class", network.layers[-1].name, part.start, theirs.classes[:, None], told[:, None])
    return ExportCheck(
        frames=len(frames),
        accumulators=accumulators,
        bits=bits,
        classes=0 if model.multi_label else len(frames),
        near_ties=near_ties,
    )


def _last_of_each_stage(network: Network) -> list[str]:
    """The name of each matrix layer, or of the pool behind it."""
    names: list[str] = []
    for layer in network.layers:
        if layer.matrix is None:
            names[-1] = layer.name
        else:
            names.append(layer.name)
    return names

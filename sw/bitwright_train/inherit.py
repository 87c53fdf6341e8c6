"""A network that begins with the weights of another of other widths, depth, bits or levels: cut, or widened.

Channels keep their place: of a wider layer the first ones are taken, in a narrower one the last ones are new. The
weights between channels that both networks have are the other's, with their batch norms; all others stay as they were
initialised. Layers are matched from the first on, the last one with the last where both have as many. (T. Chen, I.
Goodfellow, J. Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016, begins wider networks with
copies of channels; here new ones begin at random, since copies would have the same sign for good.)
"""

import torch
from torch import Tensor

from bitwright_train.joins import ConcatStep, LayerStep, Step
from bitwright_train.layers import BinaryConv, BinaryDense, TrainingLayer
from bitwright_train.model import BinaryNetwork
from bitwright_train.start import middle_of

_NEW = -1  # a channel that the other network has not


def inherit(model: BinaryNetwork, source: BinaryNetwork) -> int:
    """Gives `model`, which is initialised, what it can take of `source`; how many layers took anything.

    Both are of the same configuration but for widths, depth, bits and levels of the encoding.
    """
    channels: list[Tensor] = [_lanes(model, source)]  # of each value: which channel of the source each channel is
    widths = [source.encoded_shape[-1]]  # of each value, in the source
    taken = 0
    with torch.no_grad():
        for step in model.body.steps:
            if not isinstance(step, LayerStep):
                channels.append(_joined(step, channels, widths))
                widths.append(sum(widths[value] for value in step.takes) if _concats(step) else widths[step.takes[0]])
                continue
            layer = model.stages[step.index]
            other = _match(model, source, step.index)
            if other is None:
                channels.append(torch.full((layer.linear.outputs,), _NEW))
                widths.append(0)
                continue
            columns = _columns(layer, other, channels[step.takes[0]], widths[step.takes[0]])
            if columns is not None and (columns != _NEW).any():
                _take(layer, other, columns)
                _shift(model, source, step.index)
                taken += 1
            rows = torch.arange(layer.linear.outputs)
            channels.append(torch.where(rows < other.linear.outputs, rows, _NEW))
            widths.append(other.linear.outputs)
    return taken


def _lanes(model: BinaryNetwork, source: BinaryNetwork) -> Tensor:
    """The lane of the source's encoding that each lane of the model's is nearest to: of the same value."""
    own, theirs = (max(1, len(one.thresholds)) for one in (model, source))
    lanes = torch.arange(model.encoded_shape[-1])
    return lanes // own * theirs + lanes % own * theirs // own


def _concats(step: Step) -> bool:
    return isinstance(step, ConcatStep)


def _joined(step: Step, channels: list[Tensor], widths: list[int]) -> Tensor:
    """The channels behind a step without weights."""
    if not _concats(step):
        return channels[step.takes[0]]
    parts, before = [], 0
    for value in step.takes:
        own = channels[value]
        parts.append(torch.where(own == _NEW, own, own + before))
        before += widths[value]
    return torch.cat(parts)


def _match(model: BinaryNetwork, source: BinaryNetwork, index: int) -> TrainingLayer | None:
    """The layer of the source that layer `index` takes of: the same place from the first on; of the last, the last."""
    last = index == len(model.stages) - 1
    if last:
        return source.stages[-1] if len(source.stages) == len(model.stages) else None
    return source.stages[index] if index < len(source.stages) - 1 else None


def _columns(layer: TrainingLayer, other: TrainingLayer, channels: Tensor, width: int) -> Tensor | None:
    """Which column of the other's weights each column is; None where they have nothing in common.

    Columns are the channels of a convolution's group, or a dense layer's inputs: of an image pixel by pixel, each
    with all channels.
    """
    own, theirs = layer.linear, other.linear
    if isinstance(own, BinaryDense) and isinstance(theirs, BinaryDense):
        pixels = own.inputs // len(channels)
        if not width or theirs.inputs != pixels * width:
            return None
        places = torch.arange(pixels).reshape(-1, 1) * width
        return torch.where(channels == _NEW, channels, places + channels).reshape(-1)
    if not isinstance(own, BinaryConv) or not isinstance(theirs, BinaryConv):
        return None
    if own.weight.shape[2:] != theirs.weight.shape[2:]:
        return None
    if own.groups == theirs.groups == 1:
        return channels
    return torch.arange(own.weight.shape[1]) if own.weight.shape[1] == theirs.weight.shape[1] else None


def _take(layer: TrainingLayer, other: TrainingLayer, columns: Tensor) -> None:
    """Copies weights of the rows and columns that both have, and what else each row has."""
    rows = min(layer.linear.outputs, other.linear.outputs)
    known = (columns != _NEW).nonzero().reshape(-1)
    layer.linear.weight[:rows, known] = other.linear.weight[:rows, columns[known]]
    own, theirs = layer.state_dict(), other.state_dict()
    for name, value in own.items():
        if name == "linear.weight" or name not in theirs:
            continue
        if value.ndim == 1 and len(value) == layer.linear.outputs:
            value[:rows] = theirs[name][:rows]  # a view of the layer's own


def _shift(model: BinaryNetwork, source: BinaryNetwork, index: int) -> None:
    """Moves the batch norm where activations have other levels, so that the middles of both are reached alike."""
    layer = model.stages[index]
    if layer.norm is None or index == len(model.stages) - 1:
        return
    bias: Tensor = layer.norm.bias[: source.stages[index].linear.outputs]  # of the rows taken
    bias += middle_of(model.activations[index]) - middle_of(source.activations[index])

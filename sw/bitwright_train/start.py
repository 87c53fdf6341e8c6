"""A model that begins with what another run has learned, of the same shape of layers or with a new last one."""

import torch
from torch import Tensor

from bitwright_core.errors import TrainingError
from bitwright_train.layers import TrainingLayer
from bitwright_train.model import BinaryNetwork
from bitwright_train.quantizers import Activation


def middle_of(activation: Activation) -> float:
    """The middle of the levels that a batch norm reaches: 0 of the sign."""
    return sum(activation.levels) / len(activation.levels)


def _turn(layer: TrainingLayer) -> None:
    """Negates rows whose batch norm falls, and their batch norm: the same values, and a pool may come before it."""
    norm = layer.norm
    assert norm is not None and norm.running_mean is not None
    falls = norm.weight < 0
    layer.linear.weight[falls] *= -1
    norm.weight[falls] *= -1
    norm.running_mean[falls] *= -1


def begin_with(model: BinaryNetwork, source: BinaryNetwork, where: str) -> int:
    """Gives `model` the latent weights and batch norms of `source`, layer by layer from the first; how many it took.

    It ends before the first layer of another shape, which is the last one where classes differ. Where activations have
    other levels, the batch norm before them is moved so that the middles of both are reached by the same values.
    `where` begins the message of the TrainingError for a model whose first layer is another.
    """
    taken = 0
    with torch.no_grad():
        for index, (layer, other) in enumerate(zip(model.stages, source.stages, strict=False)):
            own, theirs = layer.state_dict(), other.state_dict()
            if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in theirs.items()}:
                break
            layer.load_state_dict(theirs)
            if layer.pool_first and not other.pool_first:
                _turn(layer)
            last = index in (len(model.activations), len(source.activations))
            if layer.norm is not None and not last:
                bias: Tensor = layer.norm.bias
                bias += middle_of(model.activations[index]) - middle_of(source.activations[index])
            taken += 1
    if not taken:
        raise TrainingError(f"{where}: its first layer has another shape than this network's; choose another start")
    return taken

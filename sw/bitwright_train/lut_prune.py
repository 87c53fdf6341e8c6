"""A dense binary layer as neurons of a few inputs each: what each neuron's first tables and wires are."""

import torch
from torch import Tensor

from bitwright_train.lut_layers import addresses
from bitwright_train.lut_trees import Began


def pruned(lanes: Tensor, outputs: Tensor, fan_in: int) -> list[Began]:
    """For each dense neuron the lanes that go with its bit most, and what it mostly gives for each of their values.

    `lanes` (lanes, frames) and `outputs` (neurons, frames) are 0 and 1, of the same frames. A lane goes with a bit by
    their covariance. Where no frame has some values of the lanes, each lane votes by its covariance's sign.
    """
    frames = lanes.shape[1]
    together = outputs @ lanes.t() / frames - outputs.mean(1, keepdim=True) * lanes.mean(1)
    wires = together.abs().topk(fan_in, dim=1).indices.sort(dim=1).values
    signs = together.gather(1, wires).sign()  # (neurons, fan_in)
    size = 1 << fan_in
    values = torch.arange(size)[:, None] >> torch.arange(fan_in) & 1  # (size, fan_in)
    votes = signs @ (2.0 * values - 1).t()
    ones = torch.zeros(len(outputs), size).scatter_add_(1, addresses(lanes, wires), 2 * outputs - 1)
    tables = torch.where(ones != 0, ones, votes) >= 0
    return [
        Began(lanes=tuple(lanes_.tolist()), table=tuple(int(bit) for bit in table))
        for lanes_, table in zip(wires, tables, strict=True)
    ]

"""A network computed by torch, operator by operator: what the golden model is compared with."""

import numpy as np
import torch
from torch.nn import functional

from bitwright_core.network import (
    ENCODED,
    Add,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    GroupSum,
    Luts,
    MaxPool2d,
    Quantize,
    SumPool2d,
    Thresholds,
    Upsample2d,
    Votes,
)
from bitwright_core.numbers import PADDING


def worth(stored, number):
    return torch.from_numpy(number.values(stored, np.float64))


def reached(x, thresholds):
    """Base and number of thresholds (outputs, levels) that values with the channels at axis 1 reach; bits as -1, +1."""
    ones = (1, -1, *[1] * (x.ndim - 2))
    count = sum((x >= torch.tensor(column).reshape(ones)).double() for column in thresholds.values.T)
    bits = (thresholds.levels, thresholds.base) == (1, 0)
    return 2 * count - 1 if bits else count + thresholds.base


def finished(layer, dots):
    """Thresholds, sums or scores of dot products."""
    sums = dots if layer.sums_dots else (dots + layer.inputs) / 2
    if isinstance(layer.output, Thresholds):
        return reached(sums, layer.output)
    if isinstance(layer.output, Votes):
        return torch.tensor(layer.output.votes) * (sums >= torch.tensor(layer.output.thresholds))
    ones = (1, -1, *[1] * (sums.ndim - 2))
    scale, offset = (
        torch.tensor(array, dtype=torch.float64).reshape(ones) for array in (layer.output.scale, layer.output.offset)
    )
    return scale * sums + offset


def raster(x):
    """Flat values, or images in raster order, (n, size)."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1) if x.ndim == 4 else x


def step(layer, given):
    """What an operator gives, images with their channels first."""
    x = given[0]
    flat = raster(x)
    if isinstance(layer, Dense):
        return finished(layer, flat @ worth(layer.weights.T, layer.weight_type))
    if isinstance(layer, Conv2d):
        top, bottom, left, right = layer.padding
        x = functional.pad(x, (left, right, top, bottom), value=float(PADDING[layer.padding_value]))
        weights = worth(layer.weights, layer.weight_type).permute(0, 3, 1, 2)
        dots = functional.conv2d(x, weights, stride=layer.stride, dilation=layer.dilation, groups=layer.groups)
        return finished(layer, dots)
    if isinstance(layer, MaxPool2d):
        top, bottom, left, right = layer.padding
        x = functional.pad(x, (left, right, top, bottom), value=float(layer.takes.least))
        return functional.max_pool2d(x, layer.kernel, layer.stride)
    if isinstance(layer, SumPool2d):
        return functional.avg_pool2d(x, layer.kernel, layer.stride, divisor_override=1)
    if isinstance(layer, Upsample2d):
        return functional.interpolate(x, scale_factor=layer.factors, mode="nearest")
    if isinstance(layer, Luts):
        read = (flat[:, torch.from_numpy(layer.wires.astype(np.int64))] > 0).long()  # (n, neurons, fan-in)
        address = (read << torch.arange(layer.fan_in)).sum(dim=2)
        return 2 * torch.from_numpy(layer.tables.astype(np.float64))[torch.arange(layer.outputs), address] - 1
    if isinstance(layer, GroupSum):
        return torch.stack([(part > 0).double().sum(dim=1) for part in flat.split(layer.groups, dim=1)], dim=1)
    if isinstance(layer, ChannelArgMax):
        return x.argmax(dim=1, keepdim=True).double()
    if isinstance(layer, Add):
        return sum(scale * value for scale, value in zip(layer.scales, given, strict=True))
    if isinstance(layer, Concat):
        return torch.cat(given if layer.image else [raster(value) for value in given], dim=1)
    assert isinstance(layer, Quantize), layer
    return reached(x, layer.output)


def by_torch(network, frames):
    """The results of frames (n, ...): scores, or bits as 0 and 1, (n, outputs)."""
    encoded = network.encoding.encode(frames.reshape(len(frames), -1)).reshape(len(frames), *network.encoded_edge.shape)
    first = worth(encoded, network.encoded_edge.number)
    values = {ENCODED: first.permute(0, 3, 1, 2) if first.ndim == 4 else first}
    for node in network.nodes:
        values[node.name] = step(node.operator, [values[name] for name in node.takes])
    found = raster(values[network.last.name]).numpy().astype(np.int64)
    return (found > 0).astype(np.int64) if network.gives == "bits" else found

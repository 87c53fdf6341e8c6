"""The networks and folds whose estimates are measured against Yosys."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bitwright_core.network import (
    Conv2d,
    Dense,
    Edge,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    NumberType,
    Operator,
    Scores,
    ThresholdEncoding,
    Thresholds,
)

SFC = (784, 256, 256, 256, 10)
LFC = (784, 1024, 1024, 1024, 10)

# network, options of its plan: shallow and deep folds, widths that divide or not, weights in LUTs and in blocks
ESTIMATED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((64, 48, 40, 10), {"cycles": 16}),
    ((100, 60, 40, 10), {"pe": 7, "simd": 13}),
    ((784, 64, 64, 10), {"cycles": 256, "scores": True}),
    ((784, 64, 64, 64, 10), {"cycles": 128}),
    ((784, 128, 10), {"cycles": 392}),
    ((256, 256, 10), {"pe": [16, 1], "simd": [32, 16]}),
    ((784, 96, 48, 10), {"pe": 8, "simd": 32, "encoding": "host"}),
    ((200, 90, 33), {"pe": [10, 3], "simd": [40, 9], "scores": True}),
    ((512, 128, 128, 10), {"pe": [16, 8, 1], "simd": [64, 32, 16], "data_bits": 32}),
    (SFC, {"cycles": 784}),
    (SFC, {"pe": 16, "simd": [49, 16, 16, 16]}),
    # the model of 7-series and ECP5 was fitted to those above, not to these
    ((256, 64, 10), {"pe": [8, 1], "simd": [16, 8], "memory": "distributed"}),
    ((300, 110, 36, 12), {"pe": [10, 6, 4], "simd": [24, 10, 12]}),
    ((784, 200, 10), {"pe": [25, 2], "simd": [56, 25], "scores": True}),
]


def random_network(sizes: Sequence[int]) -> Network:
    """A random network sizes[0]-...-sizes[-1] on 8-bit inputs, the last layer giving scores."""
    rng = np.random.default_rng(list(sizes))
    layers = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        output: Thresholds | Scores
        if index == len(sizes) - 2:
            output = Scores(scale=np.full(outputs, 3), offset=rng.integers(-50, 50, outputs))
        else:
            output = Thresholds(values=rng.binomial(inputs, 0.5, (outputs, 1)))
        weights = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        layers.append(Dense(name=f"layer{index}", weights=weights, output=output))
    return Network(
        name="_".join(["mlp", *map(str, sizes)]),
        input=Input(shape=(sizes[0],), bits=8),
        encoding=ThresholdEncoding(thresholds=np.array([128])),
        layers=tuple(layers),
    )


def few_bit_layer(weight_type: NumberType, takes: NumberType, inputs: int, outputs: int) -> Dense:
    """A random dense layer of such weights on such activations, whose activations are of the same type."""
    rng = np.random.default_rng(inputs)
    stored = rng.integers(weight_type.stored[0], weight_type.stored[1] + 1, (outputs, inputs))
    middle = inputs // 2 if weight_type.xnor and takes.xnor else 0
    spread = int(inputs**0.5) * takes.magnitude
    levels = np.sort(middle + rng.integers(-spread, spread, (outputs, takes.stored[1])), axis=1)
    output = Thresholds(values=levels)
    return Dense(name="layer", weights=stored, weight_type=weight_type, takes=takes, output=output)


def random_cnn(
    name: str, *, channels: Sequence[int], pooled: Sequence[int], dense: Sequence[int], padded: Sequence[int] = ()
) -> Network:
    """A random network of 3 x 3 convolutions and dense layers on 32 x 32 pixels of three 8-bit values.

    Of the convolutions, `padded` are padded with a pixel of zeros on each side, and `pooled` are followed by a pool of
    2 x 2. The last dense layer gives scores.
    """
    rng = np.random.default_rng(0)
    encoding = IntegerEncoding(table=np.arange(256) - 128)
    layers: list[Operator] = []
    edge = Edge(shape=(32, 32, 3), number=encoding.number)
    for k, outputs in enumerate(channels):
        inputs = 9 * edge.shape[2]
        dots = k == 0 or k in padded
        spread = inputs**0.5 * (64 if k == 0 else 1 if dots else 0.5)
        values = np.round(rng.normal(0 if dots else inputs / 2, spread, (outputs, 1))).astype(np.int64)
        layers.append(
            Conv2d(
                name=f"conv{k}",
                shape=edge.shape,
                takes=edge.number,
                weights=rng.integers(0, 2, (outputs, 3, 3, edge.shape[2]), dtype=np.uint8),
                output=Thresholds(values=values),
                padding=(1, 1, 1, 1) if k in padded else (0, 0, 0, 0),
                padding_value="zero" if k in padded else "minus_one",
            )
        )
        if k in pooled:
            layers.append(MaxPool2d(name=f"pool{k}", shape=layers[-1].edge.shape, kernel=(2, 2), stride=(2, 2)))
        edge = layers[-1].edge
    width = edge.size
    for k, outputs in enumerate(dense):
        output: Thresholds | Scores = Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
        if k < len(dense) - 1:
            output = Thresholds(values=rng.binomial(width, 0.5, (outputs, 1)))
        weights = rng.integers(0, 2, (outputs, width), dtype=np.uint8)
        layers.append(Dense(name=f"dense{len(channels) + k}", weights=weights, output=output))
        width = outputs
    return Network(name=name, input=Input(shape=(32, 32, 3), bits=8), encoding=encoding, layers=tuple(layers))

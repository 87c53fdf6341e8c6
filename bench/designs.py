"""The networks and folds whose estimates are measured against Yosys."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bitwright_core.network import Dense, Encoding, Input, Network, Scores, Thresholds

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
        encoding=Encoding(thresholds=np.array([128])),
        layers=tuple(layers),
    )

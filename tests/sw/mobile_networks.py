"""Networks of the shape of MobileNet-V1."""

import numpy as np

from bitwright_core.network import (
    BINARY,
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    Network,
    Scores,
    SumPool2d,
    Thresholds,
)


def mobile_network(name, shape, *, strides, outputs, classes, most_offset, seed):
    """A stem on integers, two depthwise separable blocks, the average of the image, scores.

    `strides` are those of the stem and of the two depthwise layers, `outputs` the channels behind the second block.
    """
    rng = np.random.default_rng(seed)
    encoding = IntegerEncoding(table=np.arange(256) - 128)
    layers, edge = [], encoding.edge(Input(shape=shape))
    stem, first, second = strides
    sizes = [
        ("stem", 8, 3, 1, stem),
        ("deep0", 8, 3, 8, first),
        ("point0", 16, 1, 1, 1),
        ("deep1", 16, 3, 16, second),
    ]
    for layer, channels, kernel, groups, stride in [*sizes, ("point1", outputs, 1, 1, 1)]:
        inputs = kernel * kernel * edge.shape[2] // groups
        middle = inputs // 2 if kernel == 1 else 0
        layers.append(
            Conv2d(
                name=layer,
                shape=edge.shape,
                weights=rng.integers(0, 2, (channels, kernel, kernel, edge.shape[2] // groups)),
                output=Thresholds(values=middle + rng.integers(-3, 4, (channels, 1))),
                stride=stride,
                padding=kernel // 2,
                padding_value="zero",
                takes=edge.number,
                groups=groups,
            )
        )
        edge = layers[-1].edge
    assert edge.number == BINARY
    layers.append(SumPool2d(name="mean", shape=edge.shape, kernel=edge.shape[:2]))
    scores = Scores(scale=np.ones(classes, int), offset=rng.integers(-most_offset, most_offset, classes))
    weights = rng.integers(0, 2, (classes, edge.shape[2]))
    layers.append(Dense(name="last", weights=weights, output=scores, takes=layers[-1].edge.number))
    return Network(name=name, input=Input(shape=shape), encoding=encoding, layers=tuple(layers))

"""The corpus' networks of few bits, groups, dilation, branches and tables; as `networks`, they may not change."""

import numpy as np

from bitwright_core.network import (
    BINARY,
    ENCODED,
    Add,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    Edge,
    GroupSum,
    Input,
    Luts,
    MaxPool2d,
    Network,
    NumberType,
    Operator,
    Quantize,
    Scores,
    SumPool2d,
    Sums,
    ThresholdEncoding,
    Thresholds,
    Upsample2d,
)

Rng = np.random.Generator
TERNARY, W2, A2 = (NumberType(kind=kind, bits=2) for kind in ("ternary", "signed", "unsigned"))
_CODE = ThresholdEncoding(thresholds=np.array([5, 11]))


def _conv(
    rng: Rng,
    name: str,
    edge: Edge,
    outputs: int,
    kernel: int,
    *,
    groups: int = 1,
    dilation: int = 1,
    stride: int = 1,
    weights: NumberType = BINARY,
    gives: NumberType = BINARY,
) -> Conv2d:
    """A convolution whose image keeps its size but for the stride, zeros around it."""
    low, high = weights.stored
    least, largest = gives.stored
    shape = outputs, kernel, kernel, edge.shape[2] // groups
    levels = np.sort(rng.integers(-4, 5, (outputs, largest - least)), axis=1)
    counts = kernel == 1 and edge.number.xnor and weights.xnor  # popcounts: nothing pads
    return Conv2d(
        name=name,
        shape=edge.shape,
        weights=rng.integers(low, high + 1, shape),
        output=Thresholds(values=levels.clip(0) if counts else levels, base=least),
        stride=stride,
        padding=dilation * (kernel // 2),
        padding_value="zero",
        takes=edge.number,
        weight_type=weights,
        groups=groups,
        dilation=dilation,
    )


def _scores(rng: Rng, edge: Edge, classes: int = 4) -> Dense:
    output = Scores(scale=rng.integers(1, 5, classes), offset=rng.integers(-20, 20, classes))
    return Dense(name="last", weights=rng.integers(0, 2, (classes, edge.size)), output=output, takes=edge.number)


def depthwise(seed: int) -> Network:
    """Depthwise separable blocks of few bits, one of them dilated, and the average of the image."""
    rng, source = np.random.default_rng([4, seed]), Input(shape=(6, 5, 2), bits=4)
    layers: list[Operator] = [_conv(rng, "stem", _CODE.edge(source), 6, 3, gives=A2)]
    layers.append(_conv(rng, "deep0", layers[-1].edge, 6, 3, groups=6, dilation=2, weights=TERNARY, gives=TERNARY))
    layers.append(_conv(rng, "point0", layers[-1].edge, 8, 1, weights=W2))
    layers.append(_conv(rng, "deep1", layers[-1].edge, 8, 3, groups=4, stride=2))
    layers.append(_conv(rng, "point1", layers[-1].edge, 7, 1, gives=A2))
    layers.append(SumPool2d(name="mean", shape=layers[-1].edge.shape, kernel=(3, 3), takes=A2))
    return Network(name="deep", input=source, encoding=_CODE, layers=(*layers, _scores(rng, layers[-1].edge)))


def branches(seed: int) -> Network:
    """An integer shortcut, and a decoder whose image meets that before the pool."""
    rng, source = np.random.default_rng([5, seed]), Input(shape=(4, 6, 2), bits=4)
    stem = _conv(rng, "stem", _CODE.edge(source), 4, 3)
    weights = rng.integers(0, 2, (4, 3, 3, 4))
    dots = Conv2d(name="dots", shape=stem.edge.shape, weights=weights, padding=1, output=Sums.of_dots(36, 4))
    added = Add(name="added", shape=stem.edge.shape, takes=(dots.edge.number, BINARY), scales=(1, 3))
    signs = Thresholds(values=rng.integers(-5, 6, (4, 1)))
    sign = Quantize(name="sign", shape=stem.edge.shape, takes=added.edge.number, output=signs)
    pool = MaxPool2d(name="pool", shape=stem.edge.shape, kernel=(2, 3), stride=(2, 3))
    up = Upsample2d(name="up", shape=pool.edge.shape, factors=(2, 3))
    both = Concat(name="both", sizes=(4, 4), image=(4, 6))
    end = _conv(rng, "end", Edge(shape=(4, 6, 8), number=BINARY), 3, 3)
    layers = (stem, dots, added, sign, pool, up, both, end, _scores(rng, end.edge))
    names = (
        (ENCODED,),
        ("stem",),
        ("dots", "stem"),
        ("added",),
        ("sign",),
        ("pool",),
        ("sign", "up"),
        ("both",),
        ("end",),
    )
    return Network(name="branches", input=source, encoding=_CODE, layers=layers, takes=names)


def tables(seed: int) -> Network:
    """Two layers of lookup tables behind a dense layer, and sums of groups."""
    rng = np.random.default_rng([6, seed])
    bits = Thresholds(values=rng.integers(5, 13, (14, 1)))
    layers: list[Operator] = [Dense(name="first", weights=rng.integers(0, 2, (14, 18)), output=bits)]
    for name, inputs, outputs, fan_in in (("luts0", 14, 20, 6), ("luts1", 20, 12, 4)):
        wires, contents = rng.integers(0, inputs, (outputs, fan_in)), rng.integers(0, 2, (outputs, 1 << fan_in))
        layers.append(Luts(name=name, inputs=inputs, wires=wires, tables=contents))
    layers.append(GroupSum(name="sums", groups=(4, 5, 3)))
    return Network(name="tables", input=Input(shape=(9,), bits=4), encoding=_CODE, layers=tuple(layers))


def class_map(seed: int) -> Network:
    """Few-bit convolutions, and the class of each pixel."""
    rng, source = np.random.default_rng([7, seed]), Input(shape=(5, 4, 2), bits=4)
    stem = _conv(rng, "stem", _CODE.edge(source), 5, 3, gives=A2)
    sums = Sums(scale=rng.integers(1, 4, 6), offset=rng.integers(-5, 6, 6))
    weights = rng.integers(-1, 2, (6, 3, 3, 5))
    end = Conv2d(
        name="end",
        shape=stem.edge.shape,
        weights=weights,
        padding=1,
        padding_value="zero",
        output=sums,
        takes=A2,
        weight_type=TERNARY,
    )
    largest = ChannelArgMax(name="classes", shape=end.edge.shape, takes=end.edge.number)
    return Network(name="map", input=source, encoding=_CODE, layers=(stem, end, largest))

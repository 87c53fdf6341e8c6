"""The corpus' own networks, from seeds alone.

They may change in nothing but how they are written down: what is recorded of their designs depends on every draw.
"""

from collections.abc import Sequence

import numpy as np

from bitwright_core.network import (
    Conv2d,
    Dense,
    Edge,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    Operator,
    Scores,
    ThresholdEncoding,
    Thresholds,
    Votes,
)

Rng = np.random.Generator


def thresholds(rng: Rng, outputs: int, least: int, largest: int) -> np.ndarray:
    """(outputs, 1): most near the middle of least .. largest, some at the very ends."""
    middle, spread = (least + largest) // 2, max(1, (largest - least) // 4)
    values = np.clip(middle + rng.integers(-spread, spread + 1, (outputs, 1)), least, largest + 1)
    ends = np.array([least, largest + 1])
    return np.where(rng.random((outputs, 1)) < 0.06, rng.choice(ends, (outputs, 1)), values)


def last_output(rng: Rng, kind: str, outputs: int, least: int, largest: int) -> Thresholds | Scores | Votes:
    """What the last layer gives: "scores", "votes" or "bits"."""
    if kind == "scores":
        return Scores(scale=rng.integers(0, 9, outputs), offset=rng.integers(-40, 40, outputs))
    if kind == "votes":
        return Votes(thresholds=thresholds(rng, outputs, least, largest)[:, 0], votes=rng.integers(0, 5, outputs))
    return Thresholds(values=thresholds(rng, outputs, least, largest))


def encoding(rng: Rng, bits: int, levels: int, rows: int = 0) -> ThresholdEncoding | IntegerEncoding:
    """Thermometer code of `levels` levels, or a table of integers for 0 levels; `rows` of them where they differ."""
    if not levels:
        shape = (rows, 1 << bits) if rows else (1 << bits,)
        return IntegerEncoding(table=rng.integers(-(1 << bits) // 2, (1 << bits) // 2, shape))
    if rows:
        return ThresholdEncoding(thresholds=np.sort(rng.integers(0, (1 << bits) + 1, (rows, levels)), axis=1))
    return ThresholdEncoding(thresholds=np.sort(rng.choice(np.arange(1, 1 << bits), levels, replace=False)))


def dense(rng: Rng, name: str, edge: Edge, outputs: int, last: str | None = None) -> Dense:
    """A dense layer behind `edge`; `last` as in `last_output`."""
    binary = edge.number.xnor
    largest = edge.size << (0 if binary else edge.number.bits - 1)
    least = 0 if binary else -largest
    output = last_output(rng, last or "bits", outputs, least, largest)
    weights = rng.integers(0, 2, (outputs, edge.size), dtype=np.uint8)
    return Dense(name=name, weights=weights, output=output, takes=edge.number)


def conv(
    rng: Rng,
    name: str,
    edge: Edge,
    outputs: int,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    value: str = "minus_one",
) -> Conv2d:
    """A convolution behind `edge`."""
    binary = edge.number.xnor
    if not binary:
        value = "zero"
    inputs = kernel[0] * kernel[1] * edge.shape[2]
    largest = inputs << (0 if binary else edge.number.bits - 1)
    dots = not binary or (value == "zero" and any(padding))
    return Conv2d(
        name=name,
        shape=edge.shape,
        weights=rng.integers(0, 2, (outputs, *kernel, edge.shape[2]), dtype=np.uint8),
        output=Thresholds(values=thresholds(rng, outputs, -largest if dots else 0, largest)),
        stride=stride,
        padding=padding,
        padding_value=value,
        takes=edge.number,
    )


def mlp(
    seed: int,
    *,
    shape: tuple[int, ...] = (20,),
    bits: int = 8,
    levels: int = 1,
    rows: int = 0,
    hidden: Sequence[int] = (13, 9),
    outputs: int = 5,
    last: str = "scores",
) -> Network:
    """Dense layers alone; 0 levels give a first layer on integers."""
    rng = np.random.default_rng([1, seed])
    source, code = Input(shape=shape, bits=bits), encoding(rng, bits, levels, rows)
    edge = code.edge(source)
    layers: list[Operator] = []
    for index, size in enumerate(hidden):
        layers.append(dense(rng, f"layer{index}", edge, size))
        edge = layers[-1].edge
    layers.append(dense(rng, f"layer{len(hidden)}", edge, outputs, last))
    return Network(name="mlp", input=source, encoding=code, layers=tuple(layers))


def cnn(
    seed: int,
    *,
    shape: tuple[int, ...] = (7, 6, 2),
    bits: int = 4,
    levels: int = 1,
    rows: int = 0,
    convs: Sequence[dict] = ({"outputs": 5, "kernel": (3, 3)},),
    hidden: Sequence[int] = (6,),
    outputs: int = 3,
    last: str | None = "scores",
) -> Network:
    """Convolutions, each with a "pool" (arguments of MaxPool2d) or without; dense layers, none where `last` is None."""
    rng = np.random.default_rng([2, seed])
    source, code = Input(shape=shape, bits=bits), encoding(rng, bits, levels, rows)
    edge = code.edge(source)
    layers: list[Operator] = []
    for index, arguments in enumerate(convs):
        options = {key: value for key, value in arguments.items() if key not in ("outputs", "pool")}
        layers.append(conv(rng, f"conv{index}", edge, arguments["outputs"], **options))
        edge = layers[-1].edge
        if "pool" in arguments:
            layers.append(MaxPool2d(name=f"pool{index}", shape=edge.shape, **arguments["pool"]))
            edge = layers[-1].edge
    if last is not None:
        for index, size in enumerate(hidden):
            layers.append(dense(rng, f"dense{index}", edge, size))
            edge = layers[-1].edge
        layers.append(dense(rng, f"dense{len(hidden)}", edge, outputs, last))
    return Network(name="cnn", input=source, encoding=code, layers=tuple(layers))


def drawn_network(seed: int) -> Network:
    """Any network: dense or with convolutions, of any kind of input and of output."""
    rng = np.random.default_rng([3, seed])
    bits = int(rng.choice([1, 2, 4, 8, 8, 12]))
    levels = int(rng.integers(0, min(3, (1 << bits) - 1) + 1)) if bits <= 8 else 1
    last = str(rng.choice(["scores", "scores", "votes", "bits"]))
    hidden = [int(n) for n in rng.integers(1, 24, rng.integers(0, 3))]
    outputs = int(rng.integers(1, 12))
    if rng.random() < 0.5:
        shape = tuple(int(n) for n in rng.integers(1, 12, rng.integers(1, 3)))
        return mlp(seed, shape=shape, bits=bits, levels=levels, hidden=hidden, outputs=outputs, last=last)
    height, width, channels = (int(n) for n in rng.integers(3, 9, 3))
    convs, size = [], [height, width]
    for _ in range(int(rng.integers(1, 4))):
        kernel = tuple(int(min(rng.integers(1, 4), n)) for n in size)
        stride = tuple(int(n) for n in rng.integers(1, 3, 2))
        padding = [0] * 4
        if rng.random() < 0.6:
            padding = [int(rng.integers(0, kernel[axis // 2])) for axis in range(4)]
        size = [(n + padding[2 * k] + padding[2 * k + 1] - kernel[k]) // stride[k] + 1 for k, n in enumerate(size)]
        one = {
            "outputs": int(rng.integers(1, 12)),
            "kernel": kernel,
            "stride": stride,
            "padding": tuple(padding),
            "value": str(rng.choice(["minus_one", "plus_one", "zero"])),
        }
        if rng.random() < 0.5:
            pool = tuple(int(min(rng.integers(1, 3), n)) for n in size)
            steps = tuple(int(n) for n in rng.integers(1, 3, 2))
            one["pool"] = {"kernel": pool, "stride": steps}
            size = [(n - pool[k]) // steps[k] + 1 for k, n in enumerate(size)]
        convs.append(one)
    image = rng.random() < 0.15
    return cnn(
        seed,
        shape=(height, width, channels),
        bits=bits,
        levels=levels,
        convs=convs,
        hidden=hidden,
        outputs=outputs,
        last=None if image else last,
    )

"""Random networks of dense layers for all tests, and frames for them; `conv_networks` makes all others."""

from collections.abc import Callable

import numpy as np

from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds

Rng = np.random.Generator


def any_layer(rng: Rng, inputs: int, outputs: int, *, scores: bool = False, name: str = "layer0") -> Dense:
    """A dense layer with thresholds anywhere, the ends among them."""
    weights = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
    output: Thresholds | Scores
    if scores:
        output = Scores(scale=rng.integers(0, 9, outputs), offset=rng.integers(-40, 40, outputs))
    else:
        output = Thresholds(values=rng.integers(0, inputs + 2, (outputs, 1)))
    return Dense(name=name, weights=weights, output=output)


def middle_layer(rng: Rng, inputs: int, outputs: int, *, scores: bool = False, name: str = "layer0") -> Dense:
    """A dense layer whose popcounts fall on both sides of its thresholds."""
    output: Thresholds | Scores
    if scores:
        output = Scores(scale=rng.integers(0, 40, outputs), offset=rng.integers(-300, 300, outputs))
    else:
        middle = inputs // 2 + rng.integers(-2, 3, (outputs, 1))
        edge = rng.integers(0, inputs + 2, (outputs, 1))
        output = Thresholds(values=np.where(rng.random((outputs, 1)) < 0.8, middle.clip(0, inputs + 1), edge))
    return Dense(name=name, weights=rng.integers(0, 2, (outputs, inputs)), output=output)


def random_network(
    seed: int | Rng,
    *,
    shape: tuple[int, ...] = (3, 2),
    bits: int = 4,
    levels: int = 2,
    hidden: tuple[int, ...] = (7, 5),
    classes: int | None = 3,
    labels: tuple[str, ...] = (),
    layer: Callable[..., Dense] = any_layer,
) -> Network:
    """A random network, its layers drawn by `layer`.

    `classes` None leaves it ending in the last hidden layer's thresholds.
    """
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.choice(np.arange(1, 1 << bits), levels, replace=False))
    width = int(np.prod(shape)) * levels
    layers = []
    for index, outputs in enumerate([*hidden, *([] if classes is None else [classes])]):
        layers.append(layer(rng, width, outputs, scores=index == len(hidden), name=f"layer{index}"))
        width = outputs
    return Network(
        name="random",
        input=Input(shape=shape, bits=bits),
        encoding=ThresholdEncoding(thresholds=thresholds),
        layers=tuple(layers),
        labels=labels,
    )


def varied_network(
    seed: int | Rng, *, inputs: int, sizes: list[int], levels: int = 1, bits: int = 8, scores: bool = True
) -> Network:
    """A network of dense layers of `sizes` outputs, as hardware is tested with; the last gives scores, or bits."""
    hidden, classes = (tuple(sizes[:-1]), sizes[-1]) if scores else (tuple(sizes), None)
    return random_network(
        seed, shape=(inputs,), bits=bits, levels=levels, hidden=hidden, classes=classes, layer=middle_layer
    )


def random_frames(network: Network, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << network.input.bits, (count, *network.input.shape), dtype=np.uint16)

"""Small networks for tests, random from a seed."""

import numpy as np

from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds


def random_network(
    seed: int,
    *,
    shape: tuple[int, ...] = (3, 2),
    bits: int = 4,
    levels: int = 2,
    hidden: tuple[int, ...] = (7, 5),
    classes: int | None = 3,
    labels: tuple[str, ...] = (),
) -> Network:
    """A random network; `classes` None leaves it ending in the last hidden layer's thresholds."""
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.choice(np.arange(1, 1 << bits), levels, replace=False))
    width = int(np.prod(shape)) * levels
    layers = []
    for index, outputs in enumerate([*hidden, *([] if classes is None else [classes])]):
        weights = rng.integers(0, 2, (outputs, width), dtype=np.uint8)
        output: Thresholds | Scores
        if index < len(hidden):
            output = Thresholds(values=rng.integers(0, width + 2, (outputs, 1)))
        else:
            output = Scores(scale=rng.integers(0, 9, outputs), offset=rng.integers(-40, 40, outputs))
        layers.append(Dense(name=f"layer{index}", weights=weights, output=output))
        width = outputs
    return Network(
        name="random",
        input=Input(shape=shape, bits=bits),
        encoding=ThresholdEncoding(thresholds=thresholds),
        layers=tuple(layers),
        labels=labels,
    )


def random_frames(network: Network, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << network.input.bits, (count, *network.input.shape), dtype=np.uint16)

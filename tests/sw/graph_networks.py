"""Random networks that branch and meet again."""

import numpy as np

from bitwright_core.network import (
    BINARY,
    ENCODED,
    Concat,
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    Network,
    Scores,
    ThresholdEncoding,
    Thresholds,
)

from .conv_networks import random_conv, random_pool, random_thresholds


class GraphMaker:
    """Layers and values of a network as it grows; each method adds a layer that takes values there are."""

    def __init__(self, rng, encoded, most):
        self.rng, self.most = rng, most  # channels and neurons of a layer at the most
        self.edges = {ENCODED: encoded}
        self.layers, self.takes = [], []

    @property
    def unused(self):
        """Values that nobody takes yet, in order."""
        taken = {name for names in self.takes for name in names}
        return [name for name in self.edges if name not in taken]

    def pick(self, names):
        """One of these values, rather one that nobody takes."""
        fresh = [name for name in names if name in self.unused]
        return str(self.rng.choice(fresh if fresh and self.rng.random() < 0.6 else list(names)))

    def add(self, layer, *taken):
        self.layers.append(layer)
        self.takes.append(tuple(taken))
        given = [_value(name, self.edges[name]) for name in taken]
        self.edges[layer.name] = layer.infer(given)
        return layer.name

    def name(self, kind):
        return f"{kind}{len(self.layers)}"

    def dense(self, taken, outputs, output=None):
        edge = self.edges[taken]
        largest = edge.size * edge.number.magnitude
        dots = edge.number != BINARY
        if output is None:
            output = Thresholds(values=random_thresholds(self.rng, edge.size, outputs, dots=dots, largest=largest))
        weights = self.rng.integers(0, 2, (outputs, edge.size), dtype=np.uint8)
        return self.add(Dense(name=self.name("dense"), weights=weights, output=output, takes=edge.number), taken)

    def same_conv(self, taken):
        """A convolution that keeps height and width."""
        edge = self.edges[taken]
        half = int(self.rng.integers(0, 2))
        kernel = 2 * half + 1
        channels = int(self.rng.integers(1, self.most + 1))
        inputs = kernel * kernel * edge.shape[2]
        binary = edge.number == BINARY
        value = str(self.rng.choice(["minus_one", "plus_one", "zero"])) if binary else "zero"
        largest = inputs * edge.number.magnitude
        dots = not binary or (value == "zero" and half > 0)
        layer = Conv2d(
            name=self.name("conv"),
            shape=edge.shape,
            weights=self.rng.integers(0, 2, (channels, kernel, kernel, edge.shape[2]), dtype=np.uint8),
            output=Thresholds(values=random_thresholds(self.rng, inputs, channels, dots=dots, largest=largest)),
            padding=(half,) * 4,
            padding_value=value,
            takes=edge.number,
        )
        return self.add(layer, taken)

    def conv(self, taken):
        layer = random_conv(self.rng, self.name("conv"), self.edges[taken], int(self.rng.integers(1, self.most + 1)))
        return self.add(layer, taken)

    def pool(self, taken):
        return self.add(random_pool(self.rng, self.name("pool"), self.edges[taken]), taken)

    def concat(self, *taken):
        edges = [self.edges[name] for name in taken]
        image = edges[0].shape[:2] if len(edges[0].shape) == 3 else None
        return self.add(
            Concat(name=self.name("concat"), sizes=tuple(edge.shape[-1] for edge in edges), image=image), *taken
        )

    def alike(self, name):
        """Values that may stand beside this one, itself among them."""
        edge = self.edges[name]
        return [
            other
            for other, its in self.edges.items()
            if its.shape[:-1] == edge.shape[:-1] and its.number == edge.number
        ]


def _value(name, edge):
    from bitwright_core.ops.operator import Value

    return Value(name=name, giver=name, edge=edge)


def step(maker):
    """Adds a random layer."""
    rng = maker.rng
    images = [name for name, edge in maker.edges.items() if len(edge.shape) == 3]
    if not images or rng.random() < 0.15:
        taken = maker.pick(maker.edges)
        alike = maker.alike(taken)
        if len(maker.edges[taken].shape) == 1 and rng.random() < 0.4 and maker.edges[taken].size < 100:
            maker.concat(*(maker.pick(alike) for _ in range(int(rng.integers(2, 4)))))
        else:
            maker.dense(taken, int(rng.integers(1, maker.most + 1)))
        return
    taken = maker.pick(images)
    number = maker.edges[taken].number
    kind = rng.random()
    if kind < 0.35 and maker.edges[taken].shape[2] < 40:
        alike = maker.alike(taken)
        maker.concat(*(maker.pick(alike) for _ in range(int(rng.integers(2, 4)))))
    elif kind < 0.5 and number == BINARY:
        maker.pool(taken)
    elif kind < 0.7:
        maker.conv(taken)
    else:
        maker.same_conv(taken)


def random_graph_network(seed, *, shape=(5, 4, 2), bits=3, integers=False, steps=5, most=6, classes=3):
    """A network of random convolutions, pools, dense layers and concatenations, whose loose ends meet in a dense layer
    of scores, or of bits where `classes` is 0; of a flat input, `shape` of one axis, dense layers alone."""
    rng = np.random.default_rng(seed)
    source = Input(shape=shape, bits=bits)
    encoding = ThresholdEncoding(
        thresholds=np.sort(rng.choice(np.arange(1, 1 << bits), min(2, (1 << bits) - 1), replace=False))
    )
    if integers:
        encoding = IntegerEncoding(table=rng.integers(-(1 << bits) // 2, (1 << bits) // 2, 1 << bits))
    maker = GraphMaker(rng, encoding.fitted(source).edge(source), most)
    for _ in range(steps):
        step(maker)
    if len(shape) == 3 and not any(isinstance(layer, Conv2d) for layer in maker.layers):
        maker.same_conv(maker.pick([name for name, edge in maker.edges.items() if len(edge.shape) == 3]))
    ends = [
        name if len(maker.edges[name].shape) == 1 and maker.edges[name].number == BINARY else maker.dense(name, 4)
        for name in maker.unused
    ]
    joined = maker.concat(*ends) if len(ends) > 1 else ends[0]
    if classes:
        output = Scores(scale=rng.integers(0, 9, classes), offset=rng.integers(-40, 40, classes))
        maker.dense(joined, classes, output)
    elif rng.random() < 0.5 or not any(isinstance(layer, Conv2d | Dense) for layer in maker.layers):
        maker.dense(joined, int(rng.integers(1, most + 1)))
    return Network(
        name="random_graph",
        input=source,
        encoding=encoding,
        layers=tuple(maker.layers),
        takes=tuple(maker.takes),
    )

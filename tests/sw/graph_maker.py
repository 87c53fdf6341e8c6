"""Layer by layer: random networks as they grow, whose values are taken once, several times, or by none yet."""

from dataclasses import replace

import numpy as np

from bitwright_core.network import (
    BINARY,
    ENCODED,
    Add,
    Concat,
    Conv2d,
    Dense,
    GroupSum,
    Quantize,
    SumPool2d,
    Sums,
    Thresholds,
    Upsample2d,
)
from bitwright_core.numbers import TERNARY, NumberType

from .conv_networks import random_conv, random_pool, random_thresholds
from .few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS, random_few_dense
from .lut_networks import random_luts


class GraphMaker:
    """Layers and values of a network as it grows; each method adds a layer that takes values there are."""

    def __init__(self, rng, encoded, most, integers, mixed=False):
        self.rng, self.most = rng, most  # channels and neurons of a layer at the most
        self.integers = integers  # whether sums are among its values
        self.mixed = mixed  # whether convolutions have groups, dilations, weights and activations of a few bits
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
        rng, options = self.rng, {}
        if self.mixed:
            types = [BINARY, TERNARY, NumberType(kind="signed", bits=int(rng.integers(2, 5)))]
            numbers = [None, TERNARY, NumberType(kind="unsigned", bits=2), NumberType(kind="signed", bits=3)]
            options = {
                "weight_type": types[int(rng.integers(3))],
                "gives": numbers[int(rng.integers(4))],
                "grouped": bool(rng.random() < 0.5),
                "dilated": bool(rng.random() < 0.3),
            }
        layer = random_conv(rng, self.name("conv"), self.edges[taken], int(rng.integers(1, self.most + 1)), **options)
        return self.add(layer, taken)

    def pool(self, taken):
        return self.add(random_pool(self.rng, self.name("pool"), self.edges[taken]), taken)

    def sum_pool(self, taken):
        """Sums of windows, or of the whole image."""
        height, width, _ = self.edges[taken].shape
        kernel = (height, width)
        if self.rng.random() < 0.6:
            kernel = tuple(int(self.rng.integers(1, min(3, size) + 1)) for size in kernel)
        stride = tuple(int(self.rng.integers(1, 4)) for _ in range(2))
        edge = self.edges[taken]
        layer = SumPool2d(name=self.name("sum"), shape=edge.shape, kernel=kernel, stride=stride, takes=edge.number)
        return self.add(layer, taken)

    def concat(self, *taken):
        edges = [self.edges[name] for name in taken]
        image = edges[0].shape[:2] if len(edges[0].shape) == 3 else None
        return self.add(
            Concat(name=self.name("concat"), sizes=tuple(edge.shape[-1] for edge in edges), image=image), *taken
        )

    def sums(self, taken):
        """A convolution that keeps height and width, or a dense layer, that gives its dot products."""
        edge = self.edges[taken]
        outputs = int(self.rng.integers(1, self.most + 1))
        image = len(edge.shape) == 3
        if image:
            self.same_conv(taken)
        else:
            self.dense(taken, outputs)
        layer = self.layers.pop()
        self.takes.pop()
        self.edges.pop(layer.name)
        outputs = layer.outputs
        if image and layer.padding_value == "zero" and edge.number == BINARY:
            layer = replace(layer, output=Thresholds(values=np.zeros((outputs, 1), int)), padding_value="minus_one")
        output = Sums(scale=np.ones(outputs, int), offset=np.zeros(outputs, int))
        if layer.counts_bits:
            output = Sums.of_dots(layer.inputs, outputs)
        if self.rng.random() < 0.3:
            scale, offset = self.rng.integers(0, 4, outputs), self.rng.integers(-9, 9, outputs)
            output = Sums(scale=scale, offset=offset)
        return self.add(replace(layer, output=output), taken)

    def add_up(self, *taken):
        """The sum of values of one shape."""
        edges = [self.edges[name] for name in taken]
        scales = tuple(int(s) for s in self.rng.choice([1, 1, 1, 2, 3, -1], len(taken)))
        layer = Add(
            name=self.name("add"), shape=edges[0].shape, takes=tuple(edge.number for edge in edges), scales=scales
        )
        return self.add(layer, *taken)

    def quantize(self, taken, *, levels=1, base=0):
        """Thresholds about the middle of what a value may be."""
        edge = self.edges[taken]
        least, largest = edge.number.least, edge.number.largest
        width = max(2, (largest - least) // 4)
        middle = (least + largest) // 2
        values = np.sort(self.rng.integers(middle - width, middle + width + 1, (edge.shape[-1], levels)), axis=1)
        output = Thresholds(values=values.clip(least, largest + 1), base=base)
        return self.add(Quantize(name=self.name("quantize"), shape=edge.shape, takes=edge.number, output=output), taken)

    def bits(self, taken):
        """The value, or its quantization where it is not bits."""
        return taken if self.edges[taken].number == BINARY else self.quantize(taken)

    def same_shape(self, name):
        """Values that may be added to this one, itself among them."""
        return [other for other, edge in self.edges.items() if edge.shape == self.edges[name].shape]

    def alike(self, name):
        """Values that may stand beside this one, itself among them."""
        edge = self.edges[name]
        return [
            other
            for other, its in self.edges.items()
            if its.shape[:-1] == edge.shape[:-1] and its.number == edge.number
        ]

    def upsample(self, taken):
        """Each pixel up to twice in each direction."""
        edge = self.edges[taken]
        factors = tuple(int(self.rng.integers(1, 3)) for _ in range(2))
        layer = Upsample2d(name=self.name("up"), shape=edge.shape, factors=factors, takes=edge.number)
        return self.add(layer, taken)

    def few_dense(self, taken):
        """A dense layer whose weights and activations have types of their own."""
        outputs = int(self.rng.integers(1, self.most + 1))
        name, edge = self.name("few"), self.edges[taken]
        return self.add(random_few_dense(self.rng, name, edge, outputs, FEW_WEIGHTS, FEW_ACTIVATIONS), taken)

    def luts(self, taken, outputs=None):
        """Lookup tables on bits."""
        outputs = outputs or int(self.rng.integers(1, 2 * self.most + 1))
        fan_in = int(self.rng.integers(1, 7))
        return self.add(random_luts(self.rng, self.name("luts"), self.edges[taken].size, outputs, fan_in), taken)

    def group_sum(self, taken, classes):
        """Scores by tables on bits: as many for each class as it likes."""
        groups = tuple(int(size) for size in self.rng.integers(1, self.most + 1, classes))
        return self.add(GroupSum(name=self.name("groups"), groups=groups), self.luts(taken, sum(groups)))


def _value(name, edge):
    from bitwright_core.edge import Value

    return Value(name=name, giver=name, edge=edge)

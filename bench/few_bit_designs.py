"""Networks of few bits, of branches and of mobile shapes, whose estimates are measured against Yosys.

No constant of the cost model was fitted to any of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bitwright_core.edge import Value
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Input,
    IntegerEncoding,
    Network,
    NumberType,
    Operator,
    Quantize,
    Scores,
    SumPool2d,
    Sums,
    Thresholds,
    Upsample2d,
)
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type

W2, W3, W4 = map(signed_type, (2, 3, 4))
A2, A3, A4 = map(unsigned_type, (2, 3, 4))


@dataclass(kw_only=True)
class Growing:
    """A network as it grows: each method adds a layer behind a value, by default the last, and gives its name."""

    name: str
    shape: tuple[int, ...]
    weights: NumberType = BINARY
    gives: NumberType = BINARY
    layers: list[Operator] = field(default_factory=list)
    takes: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(len(self.name))
        self.input = Input(shape=self.shape)
        self.encoding = IntegerEncoding(table=np.arange(256) - 128)
        self.edges: dict[str, Edge] = {ENCODED: self.encoding.edge(self.input)}
        self.last = ENCODED

    def add(self, layer: Operator, *taken: str) -> str:
        given = [Value(name=name, giver=name, edge=self.edges[name]) for name in taken]
        self.edges[layer.name] = layer.infer(given)
        self.layers.append(layer)
        self.takes.append(taken)
        self.last = layer.name
        return layer.name

    def _stored(self, shape: tuple[int, ...]) -> np.ndarray:
        least, largest = self.weights.stored
        return self.rng.integers(least, largest + 1, shape)

    def _levels(self, like: Dense | Conv2d) -> Thresholds:
        """Thresholds about the middle of the accumulators of a layer."""
        least, largest = like.accumulator_range
        spread = max(1, int((largest - least) ** 0.5) * 2)
        count = self.gives.stored[1] - self.gives.stored[0]
        middle = (least + largest) // 2
        values = middle + self.rng.integers(-spread, spread + 1, (like.outputs, count))
        base = 0 if self.gives == BINARY else self.gives.stored[0]
        return Thresholds(values=np.sort(values, axis=1), base=base)

    def _finished(self, make: Callable[[Any], Any], outputs: int, sums: bool) -> Any:
        plain = Sums(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
        like = make(plain)
        return like if sums else make(self._levels(like))

    def dense(self, outputs: int, taken: str = "", *, scores: bool = False) -> str:
        taken = taken or self.last
        edge, name = self.edges[taken], f"dense{len(self.layers)}"
        weights = self._stored((outputs, edge.size))

        def make(output: Any) -> Dense:
            return Dense(name=name, weights=weights, weight_type=self.weights, takes=edge.number, output=output)

        if scores:
            offset = self.rng.integers(-50, 50, outputs)
            return self.add(make(Scores(scale=np.full(outputs, 3), offset=offset)), taken)
        return self.add(self._finished(make, outputs, False), taken)

    def conv(
        self, outputs: int, kernel: int = 3, taken: str = "", *, stride: int = 1, groups: int = 1, sums: bool = False
    ) -> str:
        """A convolution that zeros pad to its size, or to that over its stride."""
        taken = taken or self.last
        edge, name = self.edges[taken], f"conv{len(self.layers)}"
        weights = self._stored((outputs, kernel, min(kernel, edge.shape[1]), edge.shape[2] // groups))
        sides = (kernel // 2, kernel // 2, weights.shape[2] // 2, weights.shape[2] // 2)

        def make(output: Any) -> Conv2d:
            return Conv2d(
                name=name,
                shape=edge.shape,
                weights=weights,
                weight_type=self.weights,
                takes=edge.number,
                output=output,
                stride=(stride, stride if edge.shape[1] > 1 else 1),
                padding=sides,
                padding_value="zero",
                groups=groups,
            )

        return self.add(self._finished(make, outputs, sums), taken)

    def added(self, *taken: str) -> str:
        """The sum of values, as activations."""
        edges = [self.edges[name] for name in taken]
        name = f"add{len(self.layers)}"
        self.add(Add(name=name, shape=edges[0].shape, takes=tuple(edge.number for edge in edges)), *taken)
        return self.quantized()

    def quantized(self) -> str:
        edge = self.edges[self.last]
        count = self.gives.stored[1] - self.gives.stored[0]
        values = np.sort(self.rng.integers(-9, 10, (edge.shape[-1], count)), axis=1)
        values = values.clip(edge.number.least, edge.number.largest + 1)
        base = 0 if self.gives == BINARY else self.gives.stored[0]
        output = Thresholds(values=values, base=base)
        name = f"quantize{len(self.layers)}"
        return self.add(Quantize(name=name, shape=edge.shape, takes=edge.number, output=output), self.last)

    def mean(self) -> str:
        """The sum of the whole image."""
        edge = self.edges[self.last]
        pool = SumPool2d(name="mean", shape=edge.shape, kernel=edge.shape[:2], takes=edge.number)
        return self.add(pool, self.last)

    def beside(self, *taken: str) -> str:
        edges = [self.edges[name] for name in taken]
        sizes = tuple(edge.shape[-1] for edge in edges)
        return self.add(Concat(name=f"concat{len(self.layers)}", sizes=sizes, image=edges[0].shape[:2]), *taken)

    def twice(self) -> str:
        edge = self.edges[self.last]
        return self.add(Upsample2d(name="up", shape=edge.shape, factors=(2, 2), takes=edge.number), self.last)

    def network(self, classes: int = 10) -> Network:
        """The network, with a dense layer of scores at its end."""
        self.dense(classes, scores=True)
        return Network(
            name=self.name,
            input=self.input,
            encoding=self.encoding,
            layers=tuple(self.layers),
            takes=tuple(self.takes),
        )


def perceptron(name: str, inputs: int, hidden: Sequence[int], weights: NumberType, gives: NumberType) -> Network:
    growing = Growing(name=name, shape=(inputs,), weights=weights, gives=gives)
    for outputs in hidden:
        growing.dense(outputs)
    return growing.network()


def chain(name: str, channels: Sequence[int], weights: NumberType, gives: NumberType) -> Network:
    """Convolutions on 16 x 16 pixels of three values, every second with a stride of two."""
    growing = Growing(name=name, shape=(16, 16, 3), weights=weights, gives=gives)
    for place, outputs in enumerate(channels):
        growing.conv(outputs, stride=1 + place % 2)
    return growing.network()


def residual(name: str, channels: int, weights: NumberType, gives: NumberType) -> Network:
    """A stem and two blocks with integers past them, the second of half the size and twice the channels."""
    growing = Growing(name=name, shape=(12, 12, 3), weights=weights, gives=gives)
    trunk = growing.conv(channels)
    growing.conv(channels)
    trunk = growing.added(growing.conv(channels, sums=True), trunk)
    growing.conv(2 * channels, stride=2)
    inner = growing.conv(2 * channels, sums=True)
    growing.added(inner, growing.conv(2 * channels, 1, trunk, stride=2, sums=True))
    growing.mean()
    return growing.network()


def mobile(name: str, channels: int, weights: NumberType, gives: NumberType) -> Network:
    """A stem, two depthwise separable blocks, the average of the image."""
    growing = Growing(name=name, shape=(16, 16, 3), weights=weights, gives=gives)
    growing.conv(channels, stride=2)
    for stride in (1, 2):
        growing.conv(channels * stride, groups=channels * stride)
        growing.conv(channels * 2, 1, stride=stride)
    growing.mean()
    return growing.network()


def sequence(name: str, channels: int, weights: NumberType, gives: NumberType) -> Network:
    """Convolutions along 40 steps of ten values."""
    growing = Growing(name=name, shape=(40, 1, 10), weights=weights, gives=gives)
    growing.conv(channels, 5)
    growing.conv(2 * channels, 3, stride=2)
    growing.mean()
    return growing.network(12)


def hourglass(name: str, channels: int, weights: NumberType, gives: NumberType) -> Network:
    """Down and up again, beside what was there before."""
    growing = Growing(name=name, shape=(12, 12, 2), weights=weights, gives=gives)
    wide = growing.conv(channels)
    growing.conv(2 * channels, stride=2)
    growing.beside(growing.twice(), wide)
    growing.conv(channels)
    return growing.network()


# what is built, and the most cycles a frame may take
FEW_BIT_DESIGNS: tuple[tuple[Network, int], ...] = (
    (perceptron("mlp_w1a2", 196, (64, 48), BINARY, A2), 200),
    (perceptron("mlp_w1a2_deep", 784, (64, 64, 64), BINARY, A2), 784),
    (perceptron("mlp_w1a3", 100, (70, 30), BINARY, A3), 100),
    (perceptron("mlp_w2a2", 196, (60, 48), W2, A2), 200),
    (perceptron("mlp_w2a2_wide", 400, (128, 64), W2, A2), 400),
    (perceptron("mlp_w3a3", 150, (50, 40), W3, A3), 150),
    (perceptron("mlp_w4a4", 128, (48, 32), W4, A4), 256),
    (perceptron("mlp_ternary", 196, (64, 48), TERNARY, TERNARY), 196),
    (perceptron("mlp_ternary_bits", 256, (96, 48), TERNARY, BINARY), 128),
    (perceptron("mlp_w2a1", 300, (80, 40), W2, BINARY), 150),
    (perceptron("mlp_w4_signed", 90, (64, 32), W4, signed_type(3)), 90),
    (chain("cnn_w1a2", (16, 24, 32), BINARY, A2), 2304),
    (chain("cnn_w2a2", (8, 16, 24), W2, A2), 2304),
    (chain("cnn_ternary", (12, 16, 20), TERNARY, TERNARY), 1500),
    (chain("cnn_w4a4", (8, 12), W4, A4), 3000),
    (residual("residual_w1a2", 16, BINARY, A2), 1300),
    (residual("residual_w2a2", 8, W2, A2), 1300),
    (residual("residual_bits", 16, BINARY, BINARY), 1300),
    (mobile("mobile_w1a2", 16, BINARY, A2), 1024),
    (mobile("mobile_w2a2", 12, W2, A2), 1024),
    (sequence("sequence_w2a2", 24, W2, A2), 480),
    (sequence("sequence_ternary", 16, TERNARY, TERNARY), 480),
    (hourglass("hourglass_w1a2", 12, BINARY, A2), 1300),
    (hourglass("hourglass_w2a2", 8, W2, A2), 1300),
)

"""Random ONNX graphs that fork and join: residual sums, concatenations, pools, grouped and dilated convolutions."""

import numpy as np

from .graphs import FRAMES, Builder, pick


class Branching:
    """A graph as it grows: values that are quantized, each with its shape (channels, height, width)."""

    def __init__(self, seed, dialect):
        self.rng = np.random.default_rng([seed, 11, len(dialect)])
        self.qonnx = dialect != "standard"
        self.b = Builder(opset=13, top=1.0)
        self.b.shape = (int(self.rng.integers(1, 4)), int(self.rng.integers(5, 8)), int(self.rng.integers(5, 8)))
        self.shapes = {}

    def quantize(self, value, channels, rank=4):
        """Two values, three, or steps of a quarter of 0 to 3 or more; by one threshold each, or a Quant."""
        b, rng = self.b, self.rng
        b.value = value
        way = pick(rng, "sign", "quant", "quant", "ternary") if self.qonnx else pick(rng, "sign", "clip", "clip")
        if way == "sign" and self.qonnx:
            b.then("BipolarQuant", b.constant(pick(rng, 1.0, 0.5)))
        elif way == "sign":
            fires = b.node("GreaterOrEqual", b.value, b.constant(0.125))
            b.value = b.node("Where", fires, b.constant(0.5), b.constant(-0.5))
        elif way == "clip":
            b.then("Mul", b.constant(4.0))
            b.then("Round")
            b.then("Clip", b.constant(0.0), b.constant(pick(rng, 3.0, 7.0)))
            b.then("Mul", b.constant(0.25))
        else:
            bits, signed = (2.0, 1) if way == "ternary" else (pick(rng, 2.0, 3.0), int(rng.random() < 0.4))
            names = (b.constant(pick(rng, 0.25, 0.5)), b.constant(0.0), b.constant(bits))
            b.then("Quant", *names, signed=signed, narrow=signed, rounding_mode=pick(rng, "ROUND", "FLOOR"))
        return b.value

    def norm(self, value, channels, rank=4, exact=False):
        """A scale and a shift of each channel, from what it takes on some frames; powers of two where `exact`."""
        b, rng = self.b, self.rng
        b.value = value
        ones = [-1] + [1] * (rank - 2)
        mean, deviation = b.statistics()
        sign = np.where(rng.random(channels) < 0.2, -1, 1)
        factor = 2.0 ** np.round(np.log2(1 / deviation)) if exact else 1 / deviation
        b.then("Mul", b.constant((sign * factor).reshape(ones)))
        b.then("Sub", b.constant(np.round(sign * factor * mean * 8).reshape(ones) / 8))
        return b.value

    def weights(self, *shape):
        rng = self.rng
        if rng.random() < 0.5:
            return self.b.constant(np.where(rng.random(shape) < 0.5, -1, 1))
        found = rng.integers(-1, 2, shape)
        found[:, 0, 0] = 1
        return self.b.constant(found * 0.5)

    def conv(self, value, *, outputs=None, same=True):
        """The sums of a convolution, plain, grouped or dilated."""
        b, rng = self.b, self.rng
        channels, height, width = self.shapes[value]
        outputs = outputs or int(rng.integers(1, 5))
        groups = channels if rng.random() < 0.4 and outputs % channels == 0 else 1
        kernel = pick(rng, 1, 3)
        apart = pick(rng, 1, 2) if kernel == 3 else 1
        pads = [apart * (kernel // 2)] * 4 if same else [0] * 4
        names = {"group": groups, "dilations": [apart] * 2, "pads": pads, "kernel_shape": [kernel] * 2}
        found = b.node("Conv", value, self.weights(outputs, channels // groups, kernel, kernel), **names)
        self.shapes[found] = (outputs, height, width)
        return found

    def block(self, value):
        """A new value of one that is there: a convolution, a residual sum, a concatenation or a pool."""
        b, rng = self.b, self.rng
        channels, height, width = self.shapes[value]
        kind = pick(rng, "conv", "residual", "residual", "sums", "concat", "average", "largest")
        if kind == "conv":
            sums = self.conv(value)
            shape = self.shapes[sums]
            found = self.quantize(self.norm(sums, shape[0]), shape[0])
        elif kind == "residual":  # a quantized branch and its shortcut
            sums = self.conv(value, outputs=channels)
            inner = self.quantize(self.norm(sums, channels), channels)
            b.value = b.node(pick(rng, "Add", "Add", "Sub"), value, inner)
            shape, found = (channels, height, width), self.quantize(self.norm(b.value, channels), channels)
        elif kind == "sums":  # a convolution's own sums and another's
            left, right = self.conv(value, outputs=3), self.conv(value, outputs=3)
            left = self.norm(left, 3, exact=True)
            b.value = b.node("Add", left, right)
            shape, found = (3, height, width), self.quantize(self.norm(b.value, 3), 3)
        elif kind == "concat":
            others = [name for name, of in self.shapes.items() if of[1:] == (height, width) and name in self.values]
            found = b.node("Concat", value, str(rng.choice(others)), axis=1)
            others = [b.nodes[-1].input[1]]
            shape = (channels + self.shapes[others[0]][0], height, width)
            if rng.random() < 0.5:
                found = self.quantize(self.norm(found, shape[0]), shape[0])
        elif kind == "average" and min(height, width) > 2:
            b.value = b.node("AveragePool", value, kernel_shape=[2, 2], strides=[2, 1])
            shape = (channels, (height - 2) // 2 + 1, width - 1)
            found = self.quantize(self.norm(b.value, channels), channels)
        else:
            sums = self.conv(value, outputs=2)
            b.value = b.node("Clip", b.node("Round", sums), b.constant(-1.0), b.constant(1.0))
            found = b.node("MaxPool", b.value, kernel_shape=[2, 2])
            shape = (2, height - 1, width - 1)
        self.shapes[found] = shape
        self.values.append(found)

    def model(self):
        b, rng = self.b, self.rng
        b.then("Sub", b.constant(0.5))
        self.values = []
        first = self.quantize(b.value, b.shape[0])
        self.shapes[first] = b.shape
        self.values = [first]
        for _ in range(int(rng.integers(2, 5))):
            usable = [name for name in self.values if min(self.shapes[name][1:]) >= 2]
            self.block(str(rng.choice(usable[-2:])))
        last = self.values[-1]
        channels, height, width = self.shapes[last]
        b.value = last
        if rng.random() < 0.5:
            b.then("GlobalAveragePool")
            self.norm(b.value, channels, exact=True)
            self.quantize(b.value, channels)
            height = width = 1
        b.then("Flatten", axis=1)
        rows = self.rng.choice([-1, 1], (channels * height * width, 4))
        b.then("MatMul", b.constant(rows))
        return b.model(b.shape, FRAMES if self.qonnx else "N")


def random_branching(seed, dialect):
    """A random graph and the range of its input."""
    return Branching(seed, dialect).model(), (0.0, 1.0)

"""Random convolutional networks."""

import numpy as np

from bitwright_core.network import (
    BINARY,
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

from .few_networks import picked, random_few_dense, random_few_thresholds, random_weights, with_scores


def random_thresholds(rng, layer_inputs, outputs, *, dots=False, largest=None):
    """Thresholds near the middle for the most part, and now and then at the very ends."""
    if dots:
        largest = layer_inputs if largest is None else largest
        values = rng.integers(-largest // 4 - 1, largest // 4 + 2, (outputs, 1)).clip(-largest, largest + 1)
        ends = np.array([-largest, largest + 1])
    else:
        values = np.clip(rng.binomial(layer_inputs, 0.5, (outputs, 1)), 0, layer_inputs + 1)
        ends = np.array([0, layer_inputs + 1])
    return np.where(rng.random((outputs, 1)) < 0.05, rng.choice(ends, (outputs, 1)), values)


def random_levels(rng, most, layer_inputs, outputs, **options):
    """Thresholds of 1 to `most` levels."""
    count = 1 if most == 1 else int(rng.integers(1, most + 1))
    parts = [random_thresholds(rng, layer_inputs, outputs, **options) for _ in range(count)]
    return np.sort(np.concatenate(parts, axis=1), axis=1)


def random_rows(rng, source, rows, *, integers, levels=2):
    """An encoding of a row for each "channel" or each "value" of `source`, with constants among its bits."""
    count = source.size if rows == "value" else source.shape[-1] if len(source.shape) == 3 else 1
    span = 1 << source.bits
    if integers:
        table = rng.integers(-(2 * span), 2 * span, (count, span))
        return IntegerEncoding(table=table)
    thresholds = np.sort(rng.integers(0, span + 1, (count, levels)), axis=1)
    if (thresholds == thresholds[:1]).all():  # one row for all has no constants
        thresholds = np.sort(rng.choice(np.arange(1, span), min(levels, span - 1), replace=False))
    return ThresholdEncoding(thresholds=thresholds)


def random_groups(rng, channels):
    """A number of groups for so many channels: often one for each."""
    choices = [groups for groups in range(1, channels + 1) if channels % groups == 0]
    return channels if rng.random() < 0.4 else int(rng.choice(choices))


def random_conv(rng, name, edge, outputs, levels=1, *, weight_type=BINARY, gives=None, grouped=False, dilated=False):
    """A convolution of random kernel (1 to 5), stride (1 to 3), padding and what pads, that fits `edge`.

    If `grouped`, in a random number of groups, with `outputs` made a multiple of it; if `dilated`, with taps 1 to 3
    apart.
    """
    height, width, channels = edge.shape
    groups = random_groups(rng, channels) if grouped else 1
    outputs = -(-outputs // groups) * groups
    kernel = [int(rng.integers(1, 6)) for _ in range(2)]
    dilation = [int(rng.integers(1, 4)) for _ in range(2)] if dilated else [1, 1]
    padding = [int(rng.integers(0, kernel[axis])) for axis in (0, 0, 1, 1)] if rng.random() < 0.7 else [0] * 4
    if dilated and any(padding):
        padding = [int(rng.integers(0, (kernel[axis] - 1) * dilation[axis] + 1)) for axis in (0, 0, 1, 1)]
    for axis, size in enumerate((height, width)):
        room = size + padding[2 * axis] + padding[2 * axis + 1]
        if (kernel[axis] - 1) * dilation[axis] + 1 > room:
            kernel[axis], dilation[axis] = min(kernel[axis], size), 1
            padding[2 * axis : 2 * axis + 2] = [0, 0]
    binary = edge.number == BINARY
    value = rng.choice(["minus_one", "plus_one", "zero"]) if binary else "zero"
    channels //= groups
    inputs = kernel[0] * kernel[1] * channels
    dots = not binary or (value == "zero" and any(padding))
    largest = inputs * edge.number.magnitude
    weights = random_weights(rng, (outputs, *kernel, channels), weight_type)
    if gives is None and weight_type == BINARY:
        output = Thresholds(values=random_levels(rng, levels, inputs, outputs, dots=dots, largest=largest))
    else:
        output = random_few_thresholds(rng, edge.number, weights, weight_type, gives or BINARY, zeros=dots)
    return Conv2d(
        name=name,
        shape=edge.shape,
        weights=weights,
        output=output,
        stride=tuple(int(rng.integers(1, 4)) for _ in range(2)),
        padding=tuple(padding),
        padding_value=str(value),
        takes=edge.number,
        weight_type=weight_type,
        groups=groups,
        dilation=tuple(dilation),
    )


def random_pool(rng, name, edge):
    height, width, _ = edge.shape
    kernel = [int(rng.integers(1, min(3, size) + 1)) for size in (height, width)]
    padding = [int(rng.integers(0, kernel[axis])) for axis in (0, 0, 1, 1)]
    return MaxPool2d(
        name=name,
        shape=edge.shape,
        kernel=tuple(kernel),
        stride=tuple(int(rng.integers(1, 4)) for _ in range(2)),
        padding=tuple(padding) if rng.random() < 0.3 else (0, 0, 0, 0),
        takes=edge.number,
    )


def random_conv_network(
    seed,
    *,
    shape=(9, 8, 2),
    bits=4,
    integers=False,
    convs=2,
    channels=(5, 7),
    pools=True,
    dense=(6,),
    classes=3,
    votes=False,
    rows="one",
    act_levels=1,
    weight_types=(),
    act_types=(),
    grouped=False,
    dilated=False,
):
    """Convolutions of random shape, pools behind some of them, dense layers, then scores, votes or bits (classes 0).

    Activations in between have 1 to `act_levels` levels, or types out of `act_types`; weights are bits, or of types out
    of `weight_types`.
    """
    few = bool(weight_types or act_types)
    weight_types, act_types = weight_types or (BINARY,), act_types or (BINARY,)
    rng = np.random.default_rng(seed)
    encoding = ThresholdEncoding(
        thresholds=np.sort(rng.choice(np.arange(1, 1 << bits), min(2, (1 << bits) - 1), replace=False))
    )
    if integers:
        encoding = IntegerEncoding(table=rng.integers(-(1 << bits) // 2, (1 << bits) // 2, 1 << bits))
    network_input = Input(shape=shape, bits=bits)
    if rows != "one":
        encoding = random_rows(rng, network_input, rows, integers=integers)
    image = shape if len(shape) == 3 else (*shape, 1)
    edge = Edge(shape=(*image[:2], image[2] * encoding.levels), number=encoding.number)
    layers: list[Operator] = []
    for index in range(convs):
        options = {"weight_type": picked(rng, weight_types), "gives": picked(rng, act_types)} if few else {}
        options |= {"grouped": grouped, "dilated": dilated}
        layers.append(random_conv(rng, f"conv{index}", edge, int(rng.choice(channels)), act_levels, **options))
        edge = layers[-1].edge
        if pools and rng.random() < 0.6:
            layers.append(random_pool(rng, f"pool{index}", edge))
            edge = layers[-1].edge
    for index, outputs in enumerate((*dense, *([classes] if classes else []))):
        takes = edge.number
        inputs = edge.size
        if few:
            hidden = index < len(dense) - (not classes)
            layers.append(
                random_few_dense(rng, f"dense{index}", edge, outputs, weight_types, act_types if hidden else ())
            )
            if index == len(dense):
                layers[-1] = with_scores(rng, layers[-1], votes)
            edge = layers[-1].edge
            continue
        largest = inputs * takes.magnitude
        most = act_levels if index < len(dense) - (not classes) else 1
        thresholds = random_levels(rng, most, inputs, outputs, dots=takes != BINARY, largest=largest)
        output = Thresholds(values=thresholds)
        if index == len(dense) and votes:
            output = Votes(thresholds=thresholds[:, 0], votes=rng.integers(0, 5, outputs))
        elif index == len(dense):
            output = Scores(scale=rng.integers(0, 9, outputs), offset=rng.integers(-40, 40, outputs))
        weights = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        layers.append(Dense(name=f"dense{index}", weights=weights, output=output, takes=takes))
        edge = layers[-1].edge
    return Network(name="random_conv", input=network_input, encoding=encoding, layers=tuple(layers))

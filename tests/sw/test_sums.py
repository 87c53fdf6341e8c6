"""Sums, additions and thresholds by themselves: their rules, files and digests, and a residual network of them."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.edge import Value
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Add,
    Conv2d,
    Dense,
    Edge,
    Input,
    Network,
    NumberType,
    Quantize,
    Scores,
    SumPool2d,
    Sums,
    ThresholdEncoding,
    Thresholds,
    load,
)
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type
from bitwright_core.ops.lanes import LaneRule, Operand

from .graph_networks import random_graph_network
from .networks import random_frames

SIGNED4, UNSIGNED2 = NumberType(kind="signed", bits=4), NumberType(kind="unsigned", bits=2)
ADD = Add(name="add", shape=(3,), takes=(BINARY, SIGNED4, UNSIGNED2), scales=(1, -2, 3))


def given(*numbers, shape=(3,)):
    return [
        Value(name=f"v{k}", giver=f"layer v{k}", edge=Edge(shape=shape, number=number))
        for k, number in enumerate(numbers)
    ]


def test_an_addition_adds_what_its_values_are_worth():
    """A bit is -1 or +1; the result is as wide as the widest sum, -1 - 14 + 0 to 1 + 16 + 9."""
    found = ADD.compute(np.array([[0, 1, 1]]), np.array([[-8, 7, 0]]), np.array([[3, 0, 1]]))
    assert found.tolist() == [[-1 + 16 + 9, 1 - 14, 1 + 3]]
    assert ADD.infer(given(BINARY, SIGNED4, UNSIGNED2)) == Edge(shape=(3,), number=NumberType(kind="signed", bits=6))
    assert Add(name="add", shape=(3,), takes=(BINARY, BINARY)).edge.number == NumberType(kind="signed", bits=3)


def test_thresholds_by_themselves_count_levels_of_each_channel():
    levels = Thresholds(values=np.array([[-3, 0], [2, 4]]), base=-1)
    quantize = Quantize(name="q", shape=(1, 2, 2), takes=SIGNED4, output=levels)
    assert quantize.compute(np.array([[-4, 1, -3, 4]])).tolist() == [[[[-1, -1], [0, 1]]]]
    assert str(quantize.edge.number) == "ternary"
    bits = Quantize(name="q", shape=(2,), takes=SIGNED4, output=Thresholds(values=np.array([[0], [8]])))
    assert bits.compute(np.array([[0, 7]])).tolist() == [[1, 0]] and bits.edge.number == BINARY


def test_sums_of_bits_are_dot_products():
    rng = np.random.default_rng(2)
    weights = rng.integers(0, 2, (4, 9), dtype=np.uint8)
    layer = Dense(name="fc", weights=weights, output=Sums.of_dots(9, 4))
    bits = rng.integers(0, 2, (20, 9), dtype=np.uint8)
    assert np.array_equal(layer.compute(bits), (2 * bits.astype(int) - 1) @ (2 * weights.astype(int) - 1).T)
    assert layer.edge.number == NumberType(kind="signed", bits=5) and not layer.gives_scores
    assert layer.format_version == 3


def test_sums_of_windows():
    """Each bit counts as -1 or +1; a window of the whole image is its average times its size."""
    pool = SumPool2d(name="p", shape=(2, 3, 1), kernel=(2, 2))
    assert pool.compute(np.array([[1, 0, 1, 1, 1, 0]])).reshape(-1).tolist() == [2, 0]
    assert pool.edge == Edge(shape=(1, 2, 1), number=NumberType(kind="signed", bits=4))
    whole = SumPool2d(name="p", shape=(2, 3, 2), kernel=(2, 3), takes=SIGNED4)
    values = np.arange(-6, 6).reshape(1, 2, 3, 2)
    assert whole.compute(values).reshape(-1).tolist() == [values[..., 0].sum(), values[..., 1].sum()]
    assert whole.edge.number == NumberType(kind="signed", bits=7)


REFUSED = {
    "one value": (lambda: Add(name="a", shape=(3,), takes=(BINARY,)), "layer a: an addition takes 2 to 8 values"),
    "a scale of 0": (
        lambda: Add(name="a", shape=(3,), takes=(BINARY, BINARY), scales=(1, 0)),
        "layer a: scales are whole numbers other than 0, at most 32768, not (1, 0)",
    ),
    "too wide": (
        lambda: Add(name="a", shape=(3,), takes=(BINARY, NumberType(kind="signed", bits=32))),
        "layer a: sums take 33 bits, more than 32",
    ),
    "another shape": (
        lambda: ADD.infer(given(BINARY, SIGNED4, UNSIGNED2, shape=(2,))),
        "layer add adds values of shape [3], but layer v0 gives [2]",
    ),
    "another type": (
        lambda: ADD.infer(given(BINARY, BINARY, UNSIGNED2)),
        "layer add takes signed 4-bit values but layer v1 gives binary",
    ),
    "thresholds of other channels": (
        lambda: Quantize(name="q", shape=(3,), takes=SIGNED4, output=Thresholds(values=np.zeros((2, 1), int))),
        "layer q: 3 channels but 2 rows of thresholds",
    ),
    "a threshold that no value reaches": (
        lambda: Quantize(name="q", shape=(1,), takes=SIGNED4, output=Thresholds(values=np.array([[9]]))),
        "layer q: thresholds must lie in -8..8 (the largest value + 1), not 9..9",
    ),
    "sums that are wider than a value": (
        lambda: Dense(
            name="fc",
            weights=np.ones((1, 9), np.uint8),
            output=Sums(scale=np.array([1 << 30]), offset=np.array([0])),
        ),
        "layer fc: sums take 35 bits, more than the 32 of a value",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_added_or_compared_is_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(NetworkError) as caught:
        make()
    assert str(caught.value).startswith(message)


def residual(seed=1, *, channels=4, image=(5, 4), blocks=2, padding_value="minus_one"):
    """The shape of a Bi-Real net: each block adds the dot products of a convolution on bits to integers that go on."""
    rng = np.random.default_rng(seed)
    shape = (*image, channels)

    def conv(name, source):
        dots = Sums.of_dots(9 * source[2], channels)
        if padding_value == "zero":
            dots = Sums(scale=np.ones(channels, int), offset=np.zeros(channels, int))
        return Conv2d(
            name=name,
            shape=source,
            weights=rng.integers(0, 2, (channels, 3, 3, source[2]), dtype=np.uint8),
            output=dots,
            padding=(1, 1, 1, 1),
            padding_value=padding_value,
        )

    layers, takes = [conv("stem", (*image, 2))], [(ENCODED,)]
    number, before = layers[0].edge.number, "stem"
    for k in range(blocks):
        values = rng.integers(-6, 7, (channels, 1))
        layers.append(Quantize(name=f"sign{k}", shape=shape, takes=number, output=Thresholds(values=values)))
        layers.append(conv(f"conv{k}", shape))
        layers.append(Add(name=f"sum{k}", shape=shape, takes=(layers[-1].edge.number, number)))
        takes += [(before,), (f"sign{k}",), (f"conv{k}", before)]
        number, before = layers[-1].edge.number, f"sum{k}"
    signs = Thresholds(values=np.zeros((channels, 1), int))
    layers.append(Quantize(name="last", shape=shape, takes=number, output=signs))
    weights = rng.integers(0, 2, (3, int(np.prod(shape))), dtype=np.uint8)
    scores = Scores(scale=np.array([1, 2, 1]), offset=np.array([0, -3, 5]))
    layers.append(Dense(name="classes", weights=weights, output=scores))
    return Network(
        name="residual",
        input=Input(shape=(*image, 2), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=tuple(layers),
        takes=(*takes, (before,), ("last",)),
    )


def test_a_residual_network_is_what_plain_integers_say():
    network = residual()
    frames = random_frames(network, 12)

    def convolved(layer, bits):
        values = np.pad(2 * bits.astype(int) - 1, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-1)
        height, width = bits.shape[1:3]
        weights = 2 * layer.weights.astype(int) - 1
        return sum(
            np.einsum("nhwc,oc->nhwo", values[:, y : y + height, x : x + width], weights[:, y, x])
            for y in range(3)
            for x in range(3)
        )

    by_name = {layer.name: layer for layer in network.layers}
    total = convolved(by_name["stem"], frames.reshape(12, 5, 4, 2))
    for k in range(2):
        bits = total >= by_name[f"sign{k}"].output.values[:, 0]
        total = total + convolved(by_name[f"conv{k}"], bits)
    bits = (total >= 0).reshape(12, -1)
    popcounts = (bits[:, None, :] == by_name["classes"].weights).sum(axis=2)
    expected = popcounts * np.array([1, 2, 1]) + np.array([0, -3, 5])
    assert np.array_equal(golden.outputs(network, frames), expected)


@pytest.mark.parametrize("seed", range(16))
def test_random_graphs_are_kept_and_computed(seed, tmp_path):
    """What is read back computes the same; what brings values together gives what plain integers say."""
    network = random_graph_network(
        seed, shape=(9,) if seed % 3 == 0 else (4, 5, 2), integers=seed % 4 == 1, sums=seed % 2 == 0, steps=8
    )
    network.save(tmp_path / "n.safetensors")
    again = load(tmp_path / "n.safetensors")
    assert again == network and again.digest == network.digest
    assert network.format_version == 3 or network.is_chain
    frames = random_frames(network, 6)
    traced = golden.trace(network, frames)
    values = {ENCODED: traced.encoded, **{layer.name: layer.values for layer in traced.layers}}
    edges = {ENCODED: network.encoded_edge, **{node.name: node.edge for node in network.nodes}}
    for node in network.nodes:
        parts = [values[name].reshape(6, *edges[name].shape).astype(int) for name in node.takes]
        worth = [
            2 * part - 1 if edges[name].number == BINARY else part for part, name in zip(parts, node.takes, strict=True)
        ]
        if isinstance(node.operator, Add):
            found = sum(scale * part for scale, part in zip(node.operator.scales, worth, strict=True))
        elif isinstance(node.operator, Quantize):
            found = (worth[0][..., None] >= node.operator.output.values).sum(axis=-1)
        elif isinstance(node.operator, SumPool2d):
            down, across = node.operator.stride
            view = np.lib.stride_tricks.sliding_window_view(worth[0], node.operator.kernel, axis=(1, 2))
            found = view[:, ::down, ::across].sum(axis=(4, 5))
        elif node.operator.join is not None:
            found = np.concatenate(parts, axis=-1)
        else:
            continue
        assert np.array_equal(values[node.name], found)
        assert found.min() >= edges[node.name].number.stored[0] and found.max() <= edges[node.name].number.stored[1]
    assert np.array_equal(golden.outputs(again, frames), traced.layers[-1].values.reshape(6, -1))


def test_scales_and_thresholds_are_in_the_digest():
    network = residual()
    changed = []
    for name, change in (
        ("sum0", {"scales": (2, 1)}),
        ("sign0", {"output": Thresholds(values=np.zeros((4, 1), int))}),
        ("conv0", {"output": Sums(scale=np.full(4, 2), offset=np.full(4, -35))}),
    ):
        layers = tuple(replace(layer, **change) if layer.name == name else layer for layer in network.layers)
        if name == "sum0":
            assert layers[3].edge.number != network.layers[3].edge.number  # what follows takes another type
            changed.append(b"".join(layers[3].digest_parts()))
            assert changed[0] != b"".join(network.layers[3].digest_parts())
            continue
        changed.append(replace(network, layers=layers).digest)
    assert len({network.digest, *changed}) == 4


def test_rules_of_lanes_that_hardware_cannot_keep_are_refused():
    operand = Operand(number=TERNARY, scales=(1,))
    rule = {"operands": (operand,), "offsets": (0,), "levels": None, "base": 0}
    assert LaneRule(**rule, gives=signed_type(2)).levels is None
    with pytest.raises(ValueError, match="sum is given as it is, but a binary lane holds 0 for -1"):
        LaneRule(**rule, gives=BINARY)
    levels = rule | {"levels": ((0, 1), (1, 2))}
    assert LaneRule(**levels, gives=unsigned_type(2)).base == 0
    with pytest.raises(ValueError, match="levels give 0 to 2, but a binary lane holds 0 to 1"):
        LaneRule(**levels, gives=BINARY)
    with pytest.raises(ValueError, match="as many levels"):
        LaneRule(**rule | {"levels": ((0, 1), (1,))}, gives=unsigned_type(2))

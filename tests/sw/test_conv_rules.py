"""The rules of convolutions, pools, integers and votes: each message, shapes, digest."""

import dataclasses
import json

import numpy as np
import pytest

from bitwright.cli import main
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    NumberType,
    Scores,
    ThresholdEncoding,
    Thresholds,
    Votes,
)

from .networks import random_network

SIGNED = NumberType(kind="signed", bits=8)


def bits(outputs, value=1):
    return Thresholds(values=np.full((outputs, 1), value))


def conv(**changes):
    parts = {
        "name": "conv",
        "shape": (6, 5, 2),
        "weights": np.ones((3, 3, 2, 2), np.uint8),
        "output": bits(3),
    }
    return Conv2d(**{**parts, **changes})


def pool(**changes):
    return MaxPool2d(**{"name": "pool", "shape": (4, 4, 3), "kernel": (2, 2), "stride": (2, 2), **changes})


def votes(thresholds=(1, 2), ballots=(1, 2)):
    return Votes(thresholds=np.array(thresholds), votes=np.array(ballots))


def network(**changes):
    parts = {
        "name": "small",
        "input": Input(shape=(6, 5, 2), bits=8),
        "encoding": ThresholdEncoding(thresholds=np.array([128])),
        "layers": (conv(), pool(), dense(2, 12)),
    }
    return Network(**{**parts, **changes})


def dense(outputs, inputs, output=None, **changes):
    return Dense(
        name="last",
        weights=np.ones((outputs, inputs), np.uint8),
        output=votes() if output is None else output,
        **changes,
    )


MISTAKES = {
    "float weights": (lambda: conv(weights=np.ones((3, 12))), "weights: values must be integers"),
    "three axes": (
        lambda: conv(weights=np.ones((3, 2, 2), int)),
        "weights must have shape (outputs, kernel rows, kernel columns, channels), not (3, 2, 2)",
    ),
    "channels": (lambda: conv(shape=(6, 5, 3)), "layer conv: weights for 2 channels, an image of 3"),
    "groups of channels": (
        lambda: conv(groups=3, shape=(6, 5, 4)),
        "layer conv: groups must divide its 4 channels and its 3 outputs, not 3",
    ),
    "channels of a group": (
        lambda: conv(groups=3, shape=(6, 5, 3)),
        "layer conv: weights for 2 channels in each of 3 groups, an image of 3",
    ),
    "no dilation": (lambda: conv(dilation=0), "layer conv: dilation must be 2 whole numbers of at least 1"),
    "dilated out of the image": (
        lambda: conv(dilation=(3, 1)),
        "layer conv: a dilated kernel of 7 x 2 does not fit an image of 6 x 5 with its padding",
    ),
    "padding beyond a dilated kernel": (
        lambda: conv(dilation=2, padding=(0, 3)),
        "padding of 3 must be less than the dilated kernel's width 3",
    ),
    "flat shape": (lambda: conv(shape=(6, 5)), "the shape (height, width, channels) must be 3 whole numbers"),
    "huge image": (lambda: conv(shape=(1 << 13, 1 << 13, 2)), "an image may have at most 67108864 values"),
    "no stride": (lambda: conv(stride=(0, 1)), "layer conv: stride must be 2 whole numbers of at least 1"),
    "three paddings": (lambda: conv(padding=(1, 1, 1)), "padding (top, bottom, left, right) must be 4 whole numbers"),
    "negative padding": (lambda: conv(padding=(-1, 0)), "must be 4 whole numbers of at least 0"),
    "padding alone": (lambda: conv(padding=(0, 2)), "padding of 2 must be less than the kernel's width 2"),
    "small image": (
        lambda: conv(shape=(2, 5, 2)),
        "layer conv: a kernel of 3 x 2 does not fit an image of 2 x 5 with its padding",
    ),
    "what pads": (
        lambda: conv(padding=1, padding_value="two"),
        "padding_value must be one of minus_one, plus_one, zero",
    ),
    "padded integers": (
        lambda: conv(padding=1, takes=SIGNED),
        "layer conv: integers can be padded with zero alone, not minus_one",
    ),
    "scores of a convolution": (
        lambda: conv(output=Scores(scale=np.ones(3, int), offset=np.ones(3, int))),
        "layer conv: a convolution gives thresholds or sums, not scores",
    ),
    "popcount threshold": (lambda: conv(output=bits(3, -1)), "thresholds must lie in 0..13 (inputs + 1), not -1..-1"),
    "dot threshold": (
        lambda: conv(output=bits(3, 14), padding=1, padding_value="zero"),
        "thresholds must lie in -12..13 (the largest dot product + 1), not 14..14",
    ),
    "integer threshold": (
        lambda: conv(output=bits(3, 1538), takes=SIGNED),
        "thresholds must lie in -1536..1537 (the largest dot product + 1)",
    ),
    "unsigned": (
        lambda: network(layers=(conv(takes=NumberType(kind="unsigned", bits=8)),)),
        "layer conv takes unsigned 8-bit values but the encoded input gives binary",
    ),
    "pool kernel": (lambda: pool(kernel=(0, 2)), "layer pool: kernel must be 2 whole numbers of at least 1"),
    "pool of padding": (
        lambda: pool(kernel=(1 << 30, 1), padding=((1 << 30) - 1, 0)),
        "layer pool: an image may have at most 67108864 values, not [536870914, 2, 3]",
    ),
    "pool name": (lambda: pool(name="Pool"), "layer name 'Pool' must be a lower-case identifier"),
    "vote lengths": (lambda: votes((1, 2, 3)), "thresholds and votes must be two lists of one length"),
    "negative votes": (lambda: votes(ballots=(1, -1)), "votes must lie in 0..2^61 - 1, not [1, -1]"),
    "vote thresholds": (lambda: dense(2, 12, votes((1, 14))), "thresholds must lie in 0..13 (inputs + 1), not 1..14"),
    "table in a cube": (lambda: IntegerEncoding(table=np.ones((2, 2, 2), int)), "must have one integer for each value"),
    "wide table": (
        lambda: IntegerEncoding(table=np.array([0, 1 << 31])),
        "reaches 0..2147483648, more than 32 bits hold",
    ),
    "short table": (
        lambda: network(encoding=IntegerEncoding(table=np.arange(128))),
        "an encoding table for 8-bit values has 256 entries, not 128",
    ),
    "shape": (
        lambda: network(input=Input(shape=(5, 6, 2))),
        "layer conv takes images (height, width, channels) of 6 x 5 x 2 but the encoded input gives 5 x 6 x 2",
    ),
    "flat": (lambda: network(input=Input(shape=(60,))), "but the encoded input gives 60, which is flat"),
    "levels are channels": (
        lambda: network(encoding=ThresholdEncoding(thresholds=np.array([1, 2]))),
        "of 6 x 5 x 2 but the encoded input gives 6 x 5 x 4",
    ),
    "after the pool": (
        lambda: network(layers=(conv(), pool(), dense(2, 13))),
        "takes 13 inputs but layer pool gives 12",
    ),
    "integers to a layer on bits": (
        lambda: network(encoding=IntegerEncoding(table=np.arange(256) - 128)),
        "layer conv takes binary values but the encoded input gives signed 8-bit",
    ),
    "bits to a layer on integers": (
        lambda: network(layers=(conv(), pool(), dense(2, 12, takes=SIGNED))),
        "layer last takes signed 8-bit values but layer pool gives binary",
    ),
    "votes first": (
        lambda: network(layers=(conv(), pool(), dense(2, 12), dataclasses.replace(dense(2, 2), name="more"))),
        "layer last gives scores but is not the last layer",
    ),
    "labels of bits": (lambda: network(layers=(conv(), pool()), labels=("a",)), "1 labels for 12 outputs"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(NetworkError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_facts_of_a_convolutional_network():
    net = network()
    first, second, last = net.layers
    assert (first.inputs, first.outputs, first.pixels, first.kernel) == (12, 3, 16, (3, 2))
    assert (second.inputs, second.outputs, second.pixels) == (12, 3, 4)
    assert [edge.shape for edge in net.edges] == [(6, 5, 2), (6, 5, 2), (4, 4, 3), (2, 2, 3), (2,)]
    assert [layer.source.shape for layer in net.layers] == [(6, 5, 2), (4, 4, 3), (12,)]
    assert net.weight_bits == 36 + 24
    assert net.operations == 2 * (36 * 16 + 24)
    assert net.matrix_layers == (first, last) and net.takes_images
    assert repr(net).startswith("<Network small: 6x5x2-3c3x2-mp2x2-2, digest ")
    assert net.outputs == 2 and net.is_classifier
    assert network(layers=(conv(), pool())).outputs == 12
    assert not random_network(1).takes_images


def test_short_forms_of_stride_and_padding():
    short = conv(weights=np.ones((3, 3, 3, 2), int), stride=2, padding=(1, 2), padding_value="zero")
    assert (short.stride, short.padding) == ((2, 2), (1, 1, 2, 2))
    assert conv(padding=1, padding_value="plus_one").padding == (1, 1, 1, 1)
    assert conv(padding_value="zero").padding_value == "minus_one"
    assert pool(kernel=2, stride=2).kernel == (2, 2)


def test_the_digest_covers_what_is_computed():
    base = network()
    first, second, last = base.layers
    wide = ThresholdEncoding(thresholds=np.array([1]))
    different = [
        network(encoding=wide),
        network(layers=(conv(output=bits(3, 2)), second, last)),
        network(layers=(first, pool(kernel=(1, 2)), last)),
        network(layers=(first, pool(kernel=(1, 1)), last)),
        network(layers=(first, second, dense(2, 12, votes((1, 3))))),
        network(layers=(first, second, dense(2, 12, votes(ballots=(1, 3))))),
    ]
    padded = [
        network(layers=(conv(padding=(1, 1, 0, 1), padding_value=value),))
        for value in ("minus_one", "plus_one", "zero")
    ]
    integers = [
        network(encoding=IntegerEncoding(table=table), layers=(conv(takes=SIGNED),))
        for table in (np.arange(256) - 128, 127 - np.arange(256))
    ]
    grouped = [
        network(layers=(conv(shape=(6, 5, 2), weights=np.ones((4, 3, 3, 2 // groups), int), output=bits(4), **more),))
        for groups, dilation in ((1, 1), (2, 1), (1, 2), (2, 2))
        for more in ({"groups": groups, "dilation": dilation},)
    ]
    digests = {net.digest for net in (base, *different, *padded, *integers, *grouped)}
    assert len(digests) == 1 + len(different) + len(padded) + len(integers) + len(grouped)
    assert network(name="other").digest == base.digest


def test_groups_and_dilation_are_said_where_there_are_any():
    depthwise = conv(weights=np.ones((4, 3, 3, 1), int), output=bits(4), groups=2, dilation=2)
    assert (depthwise.dilation, depthwise.inputs, depthwise.channels) == ((2, 2), 9, 2)
    assert depthwise.size_text == "4c3x3g2d2x2" and depthwise.operations == 2 * 36 * depthwise.pixels
    assert (depthwise.format_version, conv().format_version) == (3, 1)
    assert depthwise.windows.shape == (2, 1)
    assert conv(weights=np.ones((3, 1, 3, 2), int), dilation=2).dilation == (1, 2)  # of one tap it says nothing


def test_info_shows_every_kind_of_layer(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    file = tmp_path / "n.safetensors"
    network().save(file)
    assert main(["info", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [layer["kind"] for layer in told["layers"]] == ["conv2d", "max_pool2d", "dense"]
    assert [layer["shape"] for layer in told["layers"]] == [[4, 4, 3], [2, 2, 3], [2]]
    assert told["encoding"] == "bits" and told["operations"] == network().operations
    assert main(["info", str(file)]) == 0
    assert "2 x 2 x 3" in capsys.readouterr().out
    network(encoding=IntegerEncoding(table=np.arange(256) - 128), layers=(conv(takes=SIGNED),)).save(file)
    assert main(["info", str(file)]) == 0
    assert "signed 8-bit integers, by a table" in capsys.readouterr().out

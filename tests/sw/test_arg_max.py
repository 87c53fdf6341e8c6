"""The class of each pixel: the rule, its file, and what it does not take."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import ChannelArgMax, Conv2d, Input, Network, Sums, ThresholdEncoding, load
from bitwright_core.numbers import signed_type, unsigned_type


def class_map(seed=0, *, shape=(4, 5, 2), classes=5, kernel=3):
    """A convolution whose sums choose a class for each pixel."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 2, (classes, kernel, kernel, shape[2]))
    sums = Sums.of_dots(kernel * kernel * shape[2], classes)
    scores = Conv2d(name="scores", shape=shape, weights=weights, padding=kernel // 2, output=sums)
    largest = ChannelArgMax(name="classes", shape=scores.edge.shape, takes=scores.edge.number)
    return Network(
        name="map",
        input=Input(shape=shape, bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(scores, largest),
    )


def test_the_first_largest_channel_of_each_pixel(tmp_path):
    network = class_map()
    assert (network.gives, network.nodes[-1].edge.shape, network.outputs) == ("integers", (4, 5, 1), 20)
    assert network.nodes[-1].edge.number == unsigned_type(3)
    frames = np.random.default_rng(1).integers(0, 2, (30, 40))
    found = golden.trace(network, frames)
    scores, classes = (layer.values.reshape(30, 20, -1) for layer in found.layers)
    expected = [[max(range(5), key=lambda k, row=row: (row[k], -k)) for row in image] for image in scores.tolist()]
    assert classes[..., 0].tolist() == expected and len(set(np.ravel(expected).tolist())) > 2
    assert any(sorted(row)[-1] == sorted(row)[-2] for image in scores.tolist() for row in image), "some are equal"
    network.save(tmp_path / "map.safetensors")
    again = load(tmp_path / "map.safetensors")
    assert again == network and isinstance(again.last, ChannelArgMax)


def test_a_flat_frame_has_one_class():
    layer = ChannelArgMax(name="m", shape=(4,), takes=signed_type(5))
    assert layer.edge.shape == (1,) and layer.edge.number == unsigned_type(2)
    assert layer.compute(np.array([[-3, 7, 7, 1], [-9, -8, -9, -8]])).tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (4, 5, 1)}, "layer m: the largest of one channel is always that one; it takes at least 2"),
        ({"shape": (4, 5)}, "a shape is .height, width, channels. or flat"),
        ({"takes": signed_type(64)}, "values of at most"),
    ],
)
def test_what_it_does_not_take(changes, message):
    with pytest.raises(NetworkError, match=message):
        ChannelArgMax(**{"name": "m", "shape": (4, 5, 3), "takes": signed_type(5), **changes})


def test_who_gives_something_else_is_named():
    network = class_map()
    scores = network.layers[0]
    with pytest.raises(NetworkError, match=r"layer m takes values of shape .4, 5, 4., but layer scores gives"):
        Network(
            name="map",
            input=network.input,
            encoding=network.encoding,
            layers=(scores, ChannelArgMax(name="m", shape=(4, 5, 4), takes=scores.edge.number)),
        )

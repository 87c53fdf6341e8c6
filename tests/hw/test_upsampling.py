"""Nearest upsampling and signals in one dimension: golden model against plain NumPy, accelerators to the cycle."""

import random

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Input,
    MaxPool2d,
    Network,
    NumberType,
    Scores,
    SumPool2d,
    ThresholdEncoding,
    Thresholds,
    Upsample2d,
    load,
)
from bitwright_core.plan import Plan
from bitwright_hw.families import XC7
from bitwright_hw.sizer import Sizer
from bitwright_hw.solve import solved
from tests.hw.test_accelerator import check
from tests.hw.test_conv_accelerators import random_plan
from tests.sw.conv_networks import random_conv
from tests.sw.few_networks import FEW_ACTIVATIONS
from tests.sw.networks import random_frames


def dense_scores(rng, edge, classes=3):
    scores = Scores(scale=rng.integers(0, 9, classes), offset=rng.integers(-9, 9, classes))
    weights = rng.integers(0, 2, (classes, edge.size))
    return Dense(name="last", weights=weights, output=scores, takes=edge.number)


def decoder(seed, *, few=False):
    """A convolution, a pool, upsampling, the image before the pool beside it, a convolution, scores."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    given = Input(shape=(dice.randint(4, 8), dice.randint(4, 8), dice.randint(1, 3)), bits=2)
    encoding = ThresholdEncoding(thresholds=np.array([1, 3]))
    gives = dice.choice(FEW_ACTIVATIONS) if few else BINARY
    first = random_conv(rng, "first", encoding.edge(given), dice.randint(1, 6), gives=gives)
    height, width, channels = first.edge.shape
    factors = tuple(dice.choice([n for n in range(1, 4) if size % n == 0]) for size in (height, width))
    pool = MaxPool2d(name="pool", shape=first.edge.shape, kernel=factors, stride=factors, takes=gives)
    up = Upsample2d(name="up", shape=pool.edge.shape, factors=factors, takes=gives)
    both = Concat(name="both", sizes=(channels, channels), image=(height, width))
    edge = Edge(shape=(height, width, 2 * channels), number=gives)
    second = random_conv(rng, "second", edge, dice.randint(1, 5))
    return Network(
        name="decoder",
        input=given,
        encoding=encoding,
        layers=(first, pool, up, both, second, dense_scores(rng, second.edge)),
        takes=((ENCODED,), ("first",), ("pool",), ("first", "up"), ("both",), ("second",)),
    )


def keyword_network(seed):
    """A signal of 24 steps and 3 channels: dilated and grouped convolutions, a pool, the average, scores."""
    rng = np.random.default_rng(seed)
    given = Input(shape=(1, 24, 3), bits=4)
    encoding = ThresholdEncoding(thresholds=np.array([8]))
    layers, edge = [], encoding.edge(given)
    for k, (outputs, groups, dilation) in enumerate([(6, 3, 1), (6, 6, 2), (8, 1, 1)]):
        inputs = 3 * edge.shape[2] // groups
        layers.append(
            Conv2d(
                name=f"conv{k}",
                shape=edge.shape,
                weights=rng.integers(0, 2, (outputs, 1, 3, edge.shape[2] // groups)),
                output=Thresholds(values=inputs // 2 + rng.integers(-1, 3, (outputs, 1))),
                padding=(0, dilation),
                groups=groups,
                dilation=(1, dilation),
            )
        )
        edge = layers[-1].edge
        if k == 0:
            layers.append(MaxPool2d(name="pool", shape=edge.shape, kernel=(1, 3), stride=(1, 2)))
            edge = layers[-1].edge
    layers.append(SumPool2d(name="mean", shape=edge.shape, kernel=edge.shape[:2]))
    layers.append(dense_scores(rng, layers[-1].edge))
    return Network(name="keyword", input=given, encoding=encoding, layers=tuple(layers))


def test_each_pixel_comes_as_often_as_it_must(tmp_path):
    up = Upsample2d(name="up", shape=(2, 2, 1), factors=(2, 3), takes=NumberType(kind="signed", bits=3))
    images = np.array([[[1, -2], [3, -4]]])[..., None]
    top, bottom = [1, 1, 1, -2, -2, -2], [3, 3, 3, -4, -4, -4]
    assert up.compute(images)[0, :, :, 0].tolist() == [top, top, bottom, bottom]
    network = decoder(1)
    network.save(tmp_path / "n.safetensors")
    again = load(tmp_path / "n.safetensors")
    assert again == network and again.digest == network.digest
    frames = random_frames(network, 2)
    given, larger = (golden.trace(network, frames).layers[k].values for k in (1, 2))
    assert np.array_equal(larger, np.kron(given, np.ones((1, *network.layers[2].factors, 1), int)))


def test_what_no_upsampling_is():
    with pytest.raises(NetworkError, match="layer up: factors must be 2 whole numbers of at least 1"):
        Upsample2d(name="up", shape=(2, 2, 1), factors=0)
    with pytest.raises(NetworkError, match="an image may have at most"):
        Upsample2d(name="up", shape=(512, 512, 64), factors=4)


@pytest.mark.parametrize(
    ("seed", "few"), [pytest.param(*each, marks=pytest.mark.slow) for each in ((0, False), (3, True))]
)
def test_decoders(seed, few, tmp_path):
    network = decoder(seed, few=few)
    check(network, random_plan(network, seed), tmp_path / "design", frames=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 124))
def test_many_decoders(seed, tmp_path):
    network = decoder(seed, few=seed % 2 == 1)
    check(network, random_plan(network, seed), tmp_path / "design", frames=8)


@pytest.mark.parametrize("seed", range(12))
def test_upsampling_is_no_slower_than_a_pixel_a_cycle_or_the_slowest_layer(seed):
    network = decoder(seed)
    solution = solved(network, random_plan(network, seed))
    graph = solution.graph
    layers = max(*(engine.fold.frame_cycles for engine in graph.engines), graph.input.beats, graph.output.beats)
    assert solution.interval_cycles <= max(layers, *(node.pixels for node in network.nodes), network.input.size)


@pytest.mark.slow
def test_signals_in_one_dimension(tmp_path):
    """Kernels (1, k), dilated and in groups, pools and the average of all steps: verified, and sized for a rate."""
    network = keyword_network(1)
    sized = Sizer(network, Plan(layers=(), target="generic"), family=XC7).smallest(60)
    assert sized.interval <= 60
    check(network, sized.plan, tmp_path / "design", frames=6)

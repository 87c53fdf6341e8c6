"""Images of 224 x 200 pixels and 1,200 classes: made, sized and verified in bounded time and memory."""

import resource
import time

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden
from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    Network,
    Scores,
    SumPool2d,
    Thresholds,
)
from bitwright_core.plan import Plan
from bitwright_hw.families import XC7
from bitwright_hw.sizer import Sizer

CLASSES, SHAPE = 1200, (224, 200, 3)


def mobile():
    """A stem with a stride, two depthwise separable blocks with strides, the average of the image, 1,200 classes."""
    rng = np.random.default_rng(7)
    encoding = IntegerEncoding(table=np.arange(256) - 128)
    layers, shape, takes = [], SHAPE, encoding.number
    sizes = [("stem", 8, 3, 1, 2), ("deep0", 8, 3, 8, 2), ("point0", 16, 1, 1, 1), ("deep1", 16, 3, 16, 2)]
    for name, outputs, kernel, groups, stride in [*sizes, ("point1", 32, 1, 1, 1)]:
        lanes = kernel * kernel * shape[2] // groups
        middle = lanes // 2 if kernel == 1 else 0
        conv = Conv2d(
            name=name,
            shape=shape,
            weights=rng.integers(0, 2, (outputs, kernel, kernel, shape[2] // groups)),
            output=Thresholds(values=middle + rng.integers(-2, 3, (outputs, 1))),
            stride=stride,
            padding=kernel // 2,
            padding_value="zero",
            takes=takes,
            groups=groups,
        )
        layers.append(conv)
        shape, takes = conv.edge.shape, conv.edge.number
    layers.append(SumPool2d(name="mean", shape=shape, kernel=shape[:2]))
    scores = Scores(scale=np.ones(CLASSES, int), offset=rng.integers(-99, 99, CLASSES))
    weights = rng.integers(0, 2, (CLASSES, shape[2]))
    layers.append(Dense(name="last", weights=weights, output=scores, takes=layers[-1].edge.number))
    return Network(name="large", input=Input(shape=SHAPE), encoding=encoding, layers=tuple(layers))


@pytest.mark.slow
def test_a_large_image_network_is_made_and_verified_in_bounds(tmp_path):
    network, started = mobile(), time.process_time()
    sized = Sizer(network, Plan(layers=(), target="xc7", scores=True), family=XC7).smallest(50_000)
    assert sized.interval <= 50_000
    design = bw.generate(network, sized.plan, tmp_path / "design")
    assert time.process_time() - started < 120, "sizing and generating took long"
    frames = np.random.default_rng(1).integers(0, 256, (6, *SHAPE))
    assert len(set(golden.classify(network, frames).tolist())) > 1
    report = bw.verify(design, data="random", frames=6, engine="verilator")
    assert report.mismatches == 0 and report.interval_cycles == report.ideal_interval_cycles == sized.interval
    assert report.compared["scores"] == 6 * CLASSES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20, "kibibytes"

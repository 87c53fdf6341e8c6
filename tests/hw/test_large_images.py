"""Images of 224 x 200 pixels and 1,200 classes: made, sized and verified in bounded time and memory."""

import resource
import time

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden
from bitwright_core.plan import Plan
from bitwright_hw.families import XC7
from bitwright_hw.sizer import Sizer
from tests.sw.mobile_networks import mobile_network

CLASSES, SHAPE = 1200, (224, 200, 3)


def mobile():
    """Images of 224 x 200 pixels, strides of 2, 1,200 classes."""
    return mobile_network("large", SHAPE, strides=(2, 2, 2), outputs=32, classes=CLASSES, most_offset=99, seed=7)


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

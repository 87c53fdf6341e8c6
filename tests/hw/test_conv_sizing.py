"""Estimates and sizing of convolutions: against Yosys' counts, and plans that keep to what was asked."""

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.errors import PlanError
from bitwright_core.network import (
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    Scores,
    Thresholds,
)
from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw.emit import emit
from bitwright_hw.estimate import estimate
from bitwright_hw.families import ECP5, XC7
from bitwright_hw.row_pool import RowPool
from bitwright_hw.sizer import Sizer
from bitwright_hw.solve import solved
from bitwright_hw.synth import synthesize_verilog
from tests.sw.conv_networks import random_conv_network
from tests.sw.mobile_networks import mobile_network

FOLDS = [
    {"conv0": (4, 3), "conv1": (4, 8), "dense0": (3, 8), "dense1": (2, 4)},
    {"conv0": (8, 9), "conv1": (8, 24), "dense0": (8, 16), "dense1": (5, 8)},
]


def network():
    """12 x 12 x 3 integers, two convolutions of eight channels with a pool between, dense layers."""
    rng = np.random.default_rng(1)
    encoding = IntegerEncoding(table=np.arange(256) - 128)

    def thresholds(outputs, middle):
        return Thresholds(values=middle + rng.integers(-4, 5, (outputs, 1)))

    layers = (
        Conv2d(
            name="conv0",
            shape=(12, 12, 3),
            weights=rng.integers(0, 2, (8, 3, 3, 3)),
            output=thresholds(8, 0),
            takes=encoding.number,
        ),
        MaxPool2d(name="pool", shape=(10, 10, 8), kernel=(2, 2), stride=(2, 2)),
        Conv2d(name="conv1", shape=(5, 5, 8), weights=rng.integers(0, 2, (8, 3, 3, 8)), output=thresholds(8, 36)),
        Dense(name="dense0", weights=rng.integers(0, 2, (24, 72)), output=thresholds(24, 36)),
        Dense(
            name="dense1",
            weights=rng.integers(0, 2, (5, 24)),
            output=Scores(scale=rng.integers(1, 9, 5), offset=rng.integers(-9, 9, 5)),
        ),
    )
    return Network(name="small", input=Input(shape=(12, 12, 3)), encoding=encoding, layers=layers)


def depthwise_network():
    return mobile_network("mobile", (12, 10, 3), strides=(1, 1, 2), outputs=16, classes=5, most_offset=9, seed=3)


def plan_of(folds):
    layers = tuple(LayerPlan(name=name, pe=pe, simd=simd) for name, (pe, simd) in folds.items())
    return Plan(layers=layers, target="xc7")


@pytest.mark.slow
@pytest.mark.parametrize("folds", FOLDS)
def test_the_estimate_agrees_with_yosys(folds, tmp_path):
    plan = plan_of(folds)
    report = bw.synth(bw.generate(network(), plan, tmp_path / "d"))
    expected = bw.estimate(network(), plan)
    assert abs(expected.total.luts / report.total.luts - 1) <= 0.15
    assert expected.total.block_rams == report.total.block_rams
    for mine, theirs in zip(expected.layers, report.layers, strict=True):
        assert abs(mine.engine.luts - theirs.engine.luts) <= 0.2 * theirs.engine.luts + 20, mine.name
        assert abs(mine.queue.luts - theirs.queue.luts) <= 0.25 * theirs.queue.luts + 30, mine.name


@pytest.mark.slow
@pytest.mark.parametrize("interval", [480, 2000])
def test_the_estimate_of_depthwise_layers_agrees_with_yosys(interval, tmp_path):
    sized = Sizer(depthwise_network(), Plan(layers=(), target="xc7"), family=XC7).smallest(interval)
    report = bw.synth(bw.generate(depthwise_network(), sized.plan, tmp_path / "d"))
    assert abs(sized.estimate.total.luts / report.total.luts - 1) <= 0.15
    assert sized.estimate.total.block_rams == report.total.block_rams


def test_depthwise_layers_are_sized_and_keep_their_pace():
    """Every rate has folds that the groups may have, and more cycles take fewer LUTs."""
    mobile = depthwise_network()
    mine = Sizer(mobile, Plan(layers=(), target="xc7"), family=XC7)
    luts = []
    for interval in (120, 480, 4000):
        sized = mine.smallest(interval)
        assert sized.interval <= interval
        assert sized.interval == solved(mobile, sized.plan).interval_cycles
        luts.append(sized.estimate.total.luts)
    assert luts == sorted(luts, reverse=True)
    assert {plan.pe for plan in mine.smallest(120).plan.layers[1:4:2]} == {8, 16}


@pytest.mark.slow
def test_parts_agree_with_yosys(tmp_path):
    graph = solved(network(), plan_of(FOLDS[0])).graph
    for name in ("queue_1", "path_1_0", "source"):
        stage = graph.by_name[name]
        component, expected = stage.component(RowPool()), stage.cost(XC7.costs)
        file = tmp_path / f"{name}.v"
        file.write_text(emit(component, name))
        counted = synthesize_verilog([file], name, family=XC7)[name]
        assert abs(expected.luts - counted.luts) <= 0.2 * counted.luts + 15, name


@pytest.mark.parametrize("family", [XC7, ECP5], ids=lambda family: family.name)
def test_slower_is_smaller_and_keeps_its_pace(family):
    small = network()
    mine = Sizer(small, Plan(layers=(), target=family.name), family=family)
    luts = []
    for interval in (200, 600, 3000, 20000):
        sized = mine.smallest(interval)
        assert sized.interval <= interval
        assert sized.interval == solved(small, sized.plan).interval_cycles
        luts.append(sized.estimate.total.luts)
    assert luts == sorted(luts, reverse=True)


def test_the_search_agrees_with_the_model():
    """What the search adds up is what the plan is estimated at, but for capacities of line buffers."""
    small = network()
    mine = Sizer(small, Plan(layers=(), target="xc7"), family=XC7)
    for interval in (400, 2000):
        searched = min(path.luts for path in mine._paths(interval, 1000))
        assert abs(searched / mine.smallest(interval).estimate.total.luts - 1) < 0.06


def test_a_rate_beyond_a_pixel_a_cycle_is_refused():
    with pytest.raises(PlanError, match=r"the input has 144 pixels, a cycle each, so at most 694,444 frames/s"):
        bw.size(network(), board="pynq-z1", clock_mhz=100, target_fps=800_000, data_bits=128)


def test_random_networks_can_be_sized():
    for seed in range(6):
        other = random_conv_network(seed)
        sized = Sizer(other, Plan(layers=(), target="xc7"), family=XC7).smallest(2000)
        assert estimate(other, sized.plan, family=XC7) == sized.estimate

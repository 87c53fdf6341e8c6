"""Convolutions with their weights in the logic: a window a cycle, all channels at once."""

import itertools

import numpy as np
import pytest

from bitwright_core.engine_rules import refusal
from bitwright_core.errors import PlanError
from bitwright_core.network import Conv2d, Input, Network, ThresholdEncoding, Thresholds
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_core.plan import LayerPlan, Plan, default_plan, hardwired
from bitwright_hw.solve import solved
from bitwright_hw.stages.hardwired import HardwiredStage
from bitwright_hw.stages.window import WindowStage
from tests.hw.test_accelerator import check
from tests.sw.conv_networks import random_conv_network


def conv_layer(*, padding=1, value="minus_one", groups=1, takes=BINARY, outputs=4):
    rng = np.random.default_rng(3)
    return Conv2d(
        name="conv",
        shape=(4, 5, 4),
        weights=rng.integers(0, 2, (outputs, 3, 3, 4 // groups)),
        output=Thresholds(values=rng.integers(3, 9, (outputs, 1))),
        padding=padding,
        padding_value=value,
        groups=groups,
        takes=takes,
    )


def case(seed=0, *, weights=BINARY, gives=BINARY, target="xc7", dense_hardwired=True, wired=1, **options):
    """Two convolutions, at least `wired` of them hardwired, and a dense layer that is or is not; zeros around bits stay
    folded."""
    sizes = {"shape": (4, 5, 2), "convs": 2, "channels": (3, 4), "pools": False, "dense": (), "classes": 3, **options}
    networks = (
        random_conv_network(drawn, weight_types=(weights,), act_types=(gives,), **sizes)
        for drawn in itertools.count(100 * seed)
    )

    def can(layer):
        return refusal("hardwired", layer, layer.outputs, layer.inputs) is None

    network = next(
        each for each in networks if sum(can(layer) for layer in each.matrix_layers if layer.windows) >= wired
    )
    layers = tuple(
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        if can(layer) and (dense_hardwired or layer.windows is not None)
        else choice
        for layer, choice in zip(network.matrix_layers, default_plan(network).layers, strict=True)
    )
    return network, Plan(layers=layers, target=target)


TYPES = [(BINARY, BINARY), (BINARY, unsigned_type(2)), (signed_type(2), unsigned_type(2)), (TERNARY, TERNARY)]


def checked(network, plan, folder, **options):
    """`check`, and that a hardwired convolution has a window unit that sends it a window a cycle."""
    design = check(network, plan, folder, **options)
    graph = solved(network, plan).graph
    for entry, told in zip(graph.layers, design.manifest.layers, strict=True):
        if entry.layer.windows is None or not isinstance(entry.engine, HardwiredStage):
            continue
        window = graph.by_name[entry.queue]
        assert isinstance(window, WindowStage)
        assert window.params.cycles == 1 and window.params.simd == entry.layer.inputs
        assert (told.engine, told.memory, told.ideal_cycles) == ("hardwired", "logic", entry.layer.pixels)
    return design


def test_a_window_a_cycle(tmp_path):
    network, plan = case(1, wired=2)
    design = checked(network, plan, tmp_path / "design", frames=3)
    assert [layer.engine for layer in design.manifest.layers] == ["hardwired"] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "gives"), TYPES, ids=str)
@pytest.mark.parametrize("target", ["generic", "xc7", "ecp5"])
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_each_type(weights, gives, target, simulator, tmp_path):
    network, plan = case(2, weights=weights, gives=gives, target=target, dense_hardwired=target != "xc7")
    checked(network, plan, tmp_path / "design", frames=6, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 22))
def test_random_networks(seed, tmp_path):
    """Integers in, pools between, several images at a time, some layers folded."""
    network, plan = case(
        seed, shape=(6, 5, 3), pools=True, integers=seed % 2 == 0, dense=(6,), target=("generic", "ecp5")[seed % 2]
    )
    checked(network, plan, tmp_path / "design", frames=6)


def test_what_is_refused():
    def why(layer, pe=None):
        return refusal("hardwired", layer, pe or layer.outputs, layer.inputs)

    assert why(conv_layer()) is None and why(conv_layer(value="plus_one")) is None
    assert why(conv_layer(padding=0, value="zero")) is None
    assert why(conv_layer(value="zero", takes=unsigned_type(2))) is None
    assert why(conv_layer(value="zero")).startswith("zeros around bits change its thresholds from pixel to pixel")
    assert why(conv_layer(groups=2)).startswith("its 2 groups take lanes of their own")
    assert why(conv_layer(), pe=2).startswith("a hardwired layer has all rows and lanes at a time, so pe 4 and simd 36")


def test_a_network_of_zeros_around_bits_is_refused_by_name():
    layer = conv_layer(value="zero")
    network = Network(
        name="zeros",
        input=Input(shape=(4, 5, 4), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(layer,),
    )
    with pytest.raises(PlanError, match="layer conv: zeros around bits"):
        hardwired(default_plan(network), network)

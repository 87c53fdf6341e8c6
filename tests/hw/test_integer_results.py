"""Whole accelerators whose result is integers: maps of scores, numbers of several levels, several outputs."""

from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.network import BINARY, ChannelArgMax, Conv2d, Input, Network, Sums, ThresholdEncoding
from bitwright_core.numbers import TERNARY
from bitwright_core.plan import LayerPlan, Plan, default_plan
from bitwright_hw.generator import generate
from bitwright_hw.solve import solved
from bitwright_sim.verification import verify
from tests.hw.benches import require_icarus
from tests.hw.test_accelerator import check
from tests.hw.test_conv_accelerators import random_plan
from tests.sw.few_networks import random_weights
from tests.sw.integer_networks import heads_network, map_network


def map_case(seed):
    """A map of scores, or of the class of each pixel."""
    network = map_network(seed)
    edge = network.nodes[-1].edge
    if seed % 4 == 3 and edge.shape[-1] > 1:
        largest = ChannelArgMax(name="largest", shape=edge.shape, takes=edge.number)
        takes = (*network.takes, (network.last.name,)) if network.takes else ()
        network = replace(network, layers=(*network.layers, largest), takes=takes)
    return network, random_plan(network, seed)


def heads_case(seed):
    network = heads_network(seed)
    return network, random_plan(network, seed)


def padded_map(weight_type):
    """A last convolution of bits that zeros pad."""
    rng = np.random.default_rng(2)
    conv = Conv2d(
        name="conv",
        shape=(4, 3, 2),
        weights=random_weights(rng, (3, 3, 3, 2), weight_type),
        weight_type=weight_type,
        output=Sums(scale=np.array([1, 2, 3]), offset=np.array([0, -4, 7])),
        padding=(1, 1, 1, 1),
        padding_value="zero",
    )
    encoding = ThresholdEncoding(thresholds=np.array([1]))
    return Network(name="padded", input=Input(shape=(4, 3, 2), bits=1), encoding=encoding, layers=(conv,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight_type", "pe", "simd"),
    [(BINARY, 2, 5), (BINARY, 3, 7), (TERNARY, 3, 7)],
)
def test_a_last_convolution_that_zeros_pad(weight_type, pe, simd, tmp_path):
    """Dot products at the borders have fewer lanes, of the other parity, too: sums start from what is missing."""
    network = padded_map(weight_type)
    plan = Plan(layers=(LayerPlan(name="conv", pe=pe, simd=simd),), target="xc7")
    check(network, plan, tmp_path / "design", frames=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_maps_of_scores(seed, tmp_path):
    network, plan = map_case(seed)
    assert network.gives in ("integers", "bits")
    check(network, plan, tmp_path / "design", frames=4)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 40))])
def test_several_outputs(seed, tmp_path):
    network, plan = heads_case(seed)
    assert network.gives == "integers" and len(network.heads) == 3
    check(network, plan, tmp_path / "design", frames=4)


@pytest.mark.slow
@pytest.mark.parametrize("case", [map_case, heads_case])
def test_the_bench_finds_broken_frames_dropped(case, tmp_path):
    """Stalls, resets, packets that are too short, too long or have a wrong TKEEP: the next result is right."""
    require_icarus()
    network, plan = case(1)
    report = bw.simulate(generate(network, plan, tmp_path / "design"), simulator="icarus")
    assert report.passed


@pytest.mark.parametrize("seed", range(12))
def test_the_interval_is_that_of_the_slowest_stage(seed):
    """The beats of a result are one of them; whole frames in front of the output stream take nothing from it."""
    network, plan = (map_case, heads_case)[seed % 2](seed)
    solution = solved(network, plan)
    graph = solution.graph
    ideal = max(graph.input.beats, graph.output.beats, *(engine.fold.frame_cycles for engine in graph.engines))
    assert solution.interval_cycles == max(ideal, solution.stream_cycles)


@pytest.mark.slow
@pytest.mark.parametrize("case", [heads_case, map_case])
def test_verify_compares_every_integer_that_leaves(case, tmp_path):
    network, _ = case(4)
    design = generate(network, default_plan(network), tmp_path / "design")
    frames = np.random.default_rng(1).integers(0, 4, (70, *network.input.shape), dtype=np.uint8)
    report = verify(design, network, frames, engine="sliced", proof=case is map_case)
    assert report.passed and report.compared["output"] == 70 * network.outputs

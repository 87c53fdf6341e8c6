"""Whole accelerators with convolutions, pools, integers and votes against the golden model, to the cycle."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.errors import PlanError
from bitwright_core.layer import conv_layer
from bitwright_core.network import Dense, Input, MaxPool2d, Network, ThresholdEncoding, Thresholds
from bitwright_core.plan import DATA_BITS, LayerPlan, Plan, ceil_div, default_plan, with_folds
from bitwright_hw.lower import lower
from bitwright_hw.solve import solved, timing
from bitwright_hw.stages.window import WindowStage
from tests.hw.test_accelerator import check
from tests.sw.conv_networks import random_conv_network
from tests.sw.drawn_networks import random_planes, random_wired
from tests.sw.few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS


def random_plan(network, seed, *, wired=False):
    """Any fold of every layer, primes and non-divisors too; `wired`: some convolutions hardwired."""
    dice = random.Random(seed)
    layers = tuple(
        LayerPlan(
            name=layer.name,
            pe=dice.randint(1, layer.outputs) if layer.groups == 1 else dice.choice(grouped_pes(layer)),
            simd=dice.randint(1, layer.inputs),
        )
        for layer in network.matrix_layers
    )
    scores = network.is_classifier and dice.random() < 0.5
    later = random.Random(f"planes {seed}")
    layers = tuple(
        replace(choice, planes=random_planes(layer, choice, later))
        for choice, layer in zip(layers, network.matrix_layers, strict=True)
    )
    if wired:
        layers = tuple(
            random_wired(layer, choice, later) for choice, layer in zip(layers, network.matrix_layers, strict=True)
        )
    return Plan(layers=layers, scores=scores, data_bits=dice.choice(DATA_BITS))


def grouped_pes(layer):
    """Every PE that a layer in groups may have."""
    rows = layer.outputs // layer.groups
    return [pe for pe in range(1, layer.outputs + 1) if rows % pe == 0 or pe % rows == 0]


def random_case(seed, *, most=8, image=9, wired=False, **more):
    """Bits or integers in, one to three convolutions, pools, scores, votes or bits out."""
    dice = random.Random(seed)
    bits = seed % 5 == 4
    network = random_conv_network(
        seed,
        shape=(dice.randint(3, image), dice.randint(3, image), dice.randint(1, most)),
        convs=dice.randint(1, 3),
        channels=tuple(range(1, most + 1)),
        integers=seed % 2 == 1,
        votes=seed % 3 == 1,
        dense=() if bits else (dice.randint(1, 9),),
        classes=0 if bits else dice.randint(1, 4),
        **more,
    )
    return network, random_plan(network, seed, wired=wired)


@pytest.mark.parametrize("seed", [0, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))])
def test_random_accelerators(seed, tmp_path):
    check(*random_case(seed), tmp_path / "design", frames=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 180))
def test_many_random_accelerators(seed, tmp_path):
    check(*random_case(seed, most=40 if seed % 4 == 0 else 12, wired=True), tmp_path / "design", frames=12)


GROUPED = {"grouped": True, "dilated": True}
FEW = {"weight_types": FEW_WEIGHTS, "act_types": FEW_ACTIVATIONS}


@pytest.mark.parametrize(
    ("seed", "more"), [(6, {}), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((7, {}), (1, FEW)))]
)
def test_random_accelerators_in_groups(seed, more, tmp_path):
    design = check(*random_case(seed, **GROUPED, **more), tmp_path / "design", frames=6)
    layers = [node.operator for node in design.network.nodes if node.operator.kind == "conv2d"]
    assert any(layer.groups > 1 for layer in layers) and any(layer.dilation != (1, 1) for layer in layers)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 240))
def test_many_random_accelerators_in_groups(seed, tmp_path):
    case = random_case(seed, most=24 if seed % 4 == 0 else 12, **GROUPED, **(FEW if seed % 2 and seed % 5 != 4 else {}))
    check(*case, tmp_path / "design", frames=8)


@pytest.mark.parametrize("target", ["xc7", pytest.param("ecp5", marks=pytest.mark.slow)])
def test_targets_compute_the_same(target, tmp_path):
    network, plan = random_case(6)
    check(network, replace(plan, target=target), tmp_path / "design", frames=6)


@pytest.mark.slow
def test_one_design_on_verilator(tmp_path):
    check(*random_case(3), tmp_path / "design", simulator="verilator", frames=8)


@pytest.mark.parametrize(("pe", "simd"), [("full", "full"), pytest.param(1, "full", marks=pytest.mark.slow)])
def test_extreme_folds_keep_the_ideal_interval(pe, simd, tmp_path):
    network = random_conv_network(7, shape=(6, 5, 3), pools=False)
    layers = tuple(
        LayerPlan(
            name=layer.name, pe=layer.outputs if pe == "full" else pe, simd=layer.inputs if simd == "full" else simd
        )
        for layer in network.matrix_layers
    )
    design = check(network, Plan(layers=layers), tmp_path / "design")
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


@pytest.mark.parametrize("seed", range(30))
def test_interval_and_line_buffers(seed):
    """The interval is the slowest stage's; a line buffer keeps two frames' windows at the most, never frames."""
    network, plan = random_case(seed)
    solution = solved(network, plan)
    graph = solution.graph
    stages = [engine.fold.frame_cycles for engine in graph.engines]
    assert solution.interval_cycles == max(*stages, graph.input.beats, graph.output.beats, solution.stream_cycles)
    for window in windows_of(graph):
        rows = 2 * window.windows.kernel[0] + window.windows.stride[0] + 2
        assert window.least_capacity <= window.capacity <= rows * window.windows.image[1] + 8


def windows_of(graph):
    """The parameters of the window units."""
    return [stage.params for stage in graph.stages if isinstance(stage, WindowStage)]


def test_line_buffers_of_large_images_hold_rows():
    network = conv_layer((200, 160, 4), 3, kernel=(3, 3))
    (window,) = windows_of(solved(network, default_plan(network)).graph)
    assert window.capacity < 6 * 160


def test_schedule_of_an_idle_chain_moves_on_with_the_least_buffers():
    """With the smallest line buffers that windows fit in, no chain stops."""
    for seed in range(20):
        network, plan = random_case(seed)
        marked, _ = timing(lower(network, plan))
        starts = marked.first_frame({link.name: link.capacity or link.least for link in marked.links})
        assert {actor.name: len(starts[actor.name]) for actor in marked.actors} == {
            actor.name: actor.firings for actor in marked.actors
        }
        assert all(later > sooner for times in starts.values() for sooner, later in itertools.pairwise(times))


def test_latency_behind_padding_for_a_pool(tmp_path):
    """A pool whose windows overlap in the padding, right in front of a dense layer that takes several words a pixel."""
    rng = np.random.default_rng(2)
    conv = conv_layer((3, 5, 4), 6, kernel=(1, 1), seed=2).layers[0]
    pool = MaxPool2d(name="pool", shape=(3, 5, 6), kernel=(3, 1), stride=(1, 1), padding=(1, 1, 0, 0))
    thresholds = Thresholds(values=rng.integers(35, 56, (4, 1)))
    dense = Dense(name="dense", weights=rng.integers(0, 2, (4, 90), np.uint8), output=thresholds)
    network = Network(
        name="padded",
        input=Input(shape=(3, 5, 4), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(conv, pool, dense),
    )
    plan = Plan(
        layers=tuple(
            LayerPlan(name=layer.name, pe=min(2, layer.outputs), simd=min(11, layer.inputs))
            for layer in network.matrix_layers
        )
    )
    assert "path_1_0" in lower(network, plan).by_name
    check(network, plan, tmp_path / "design", frames=4)


@pytest.mark.slow
def test_single_convolutions(tmp_path):
    network = conv_layer((6, 7, 5), 9, padding=(1, 0, 2, 1), padding_value="zero", stride=(2, 1), seed=4)
    plan = Plan(layers=(LayerPlan(name="conv", pe=4, simd=7),), data_bits=16)
    design = check(network, plan, tmp_path / "design")
    layer = design.manifest.layers[0]
    assert (layer.kind, layer.inputs, layer.outputs, layer.pixels) == (
        "conv2d",
        45,
        9,
        np.prod(network.edges[-1].shape[:2]),
    )
    assert layer.ideal_cycles == ceil_div(9, 4) * ceil_div(45, 7) * layer.pixels


def test_what_hardware_is_not_made_for():
    pool = MaxPool2d(name="pool", shape=(4, 4, 2), kernel=(2, 2), stride=(2, 2))
    network = Network(
        name="pools",
        input=Input(shape=(4, 4, 2), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(pool,),
    )
    with pytest.raises(PlanError, match="pools alone"):
        solved(network, Plan(layers=()))
    conv = conv_layer((4, 4, 2), 3)
    hard = Plan(layers=(LayerPlan(name="conv", pe=3, simd=9, engine="hardwired"),))
    with pytest.raises(PlanError, match="a hardwired layer has all rows and lanes at a time, so pe 3 and simd 18"):
        solved(conv, hard)
    grouped = random_conv_network(2, shape=(6, 5, 6), convs=1, channels=(12,), grouped=True)
    (layer, *_) = grouped.matrix_layers
    rows = layer.outputs // layer.groups
    assert (layer.groups, rows) == (2, 6)
    wrong = default_plan(grouped)
    wrong = replace(wrong, layers=(replace(wrong.layers[0], pe=4), *wrong.layers[1:]))
    with pytest.raises(PlanError, match=r"pe must divide the 6 outputs of a group, or be a multiple of them, not 4"):
        solved(grouped, wrong)
    assert with_folds(wrong, grouped, pe=[4]).layers[0].pe == 3  # one for all is cut to what a layer may have
    integers = random_conv_network(1, integers=True)
    with pytest.raises(PlanError, match="encoding must be hardware"):
        solved(integers, replace(default_plan(integers), encoding="host"))

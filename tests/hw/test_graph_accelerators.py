"""Whole accelerators of networks that branch, against the golden model, to the cycle and under stalls."""

import random
from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.layer import conv_layer
from bitwright_core.network import ENCODED, Concat, Dense, Input, Network, ThresholdEncoding, Thresholds
from bitwright_core.plan import default_plan
from bitwright_hw.families import XC7
from bitwright_hw.generator import generate
from bitwright_hw.lower import lower
from bitwright_hw.sizer import Sizer
from bitwright_hw.solve import solved, timing
from bitwright_hw.stages.join import JoinStage
from bitwright_hw.synth import synthesize
from bitwright_sim.verification import verify
from tests.hw.test_accelerator import check
from tests.hw.test_conv_accelerators import random_plan
from tests.sw.conv_networks import random_pool
from tests.sw.graph_networks import GraphMaker, random_graph_network
from tests.sw.test_sums import residual


def random_case(seed, *, most=6, image=6, steps=5):
    """Images or flat frames, of bits or integers; forks and joins; scores or bits."""
    dice = random.Random(seed)
    shape = (dice.randint(2, image), dice.randint(2, image), dice.randint(1, 3))
    network = random_graph_network(
        seed,
        shape=(dice.randint(3, 20),) if seed % 3 == 2 else shape,
        integers=seed % 4 == 3,
        steps=dice.randint(2, steps),
        most=most,
        classes=0 if seed % 5 == 4 else dice.randint(1, 4),
        sums=seed % 2 == 0,
    )
    return network, random_plan(network, seed)


@pytest.mark.parametrize("seed", [4])
def test_random_graphs(seed, tmp_path):
    check(*random_case(seed), tmp_path / "design", frames=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_graphs(seed, tmp_path):
    check(*random_case(seed, most=12, image=8, steps=7), tmp_path / "design", frames=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 7])
def test_graphs_on_verilator(seed, tmp_path):
    check(*random_case(seed), tmp_path / "design", simulator="verilator", frames=8)


@pytest.mark.parametrize("seed", range(40))
def test_the_interval_is_that_of_the_slowest_stage(seed):
    """Neither a join nor room on a short branch makes it longer."""
    network, plan = random_case(seed)
    solution = solved(network, plan)
    graph = solution.graph
    folds = [engine.fold.frame_cycles for engine in graph.engines]
    pixels = [height * width for height, width, _ in (node.edge.shape for node in network.nodes if node.pixels > 1)]
    if network.takes_images:
        pixels.append(network.encoded_edge.size // network.encoded_edge.shape[-1])
    ideal = max(*folds, graph.input.beats, graph.output.beats)
    assert solution.interval_cycles == max(ideal, solution.stream_cycles)
    assert solution.interval_cycles <= max(ideal, *pixels, *(node.outputs for node in network.nodes), 1)


def pooled_case(seed):
    """Integers, or bits, through pools of largest values and of sums."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    source = Input(shape=(dice.randint(1, 6), dice.randint(3, 6), dice.randint(1, 4)), bits=2)
    encoding = ThresholdEncoding(thresholds=np.array([1, 3]))
    maker = GraphMaker(rng, encoding.edge(source), 6, True)
    taken = maker.sums(ENCODED) if seed % 2 else maker.same_conv(ENCODED)
    taken = maker.add(random_pool(rng, "largest", maker.edges[taken]), taken)
    taken = maker.sum_pool(taken)
    if seed % 3 == 0:
        taken = maker.quantize(taken)
    maker.dense(taken, 3)
    network = Network(
        name="pooled", input=source, encoding=encoding, layers=tuple(maker.layers), takes=tuple(maker.takes)
    )
    return network, random_plan(network, seed)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))])
def test_pools_of_integers_and_of_sums(seed, tmp_path):
    check(*pooled_case(seed), tmp_path / "design", frames=6)


def long_and_short(stages=5):
    """A value that goes through some convolutions, and past them; where they meet, many pixels wait."""
    shape = (9, 8, 3)
    layers = [conv_layer(shape, 3, kernel=(3, 3), padding=(1, 1, 1, 1), seed=k).layers[0] for k in range(stages)]
    layers = [replace(layer, name=f"conv{k}") for k, layer in enumerate(layers)]
    concat = Concat(name="both", sizes=(3, 3), image=(9, 8))
    last = replace(conv_layer((9, 8, 6), 2, seed=9).layers[0], name="last")
    names = [layer.name for layer in layers]
    return Network(
        name="long_and_short",
        input=Input(shape=shape, bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(*layers, concat, last),
        takes=((ENCODED,), *((name,) for name in names[:-1]), (names[0], names[-1]), ("both",)),
    )


def join_of(graph):
    return next(stage for stage in graph.stages if isinstance(stage, JoinStage))


def test_the_shorter_branch_has_the_room_that_the_longer_one_takes():
    """Pixels that the convolutions of the longer branch hold wait in front of the join; with fewer it would stop."""
    network = long_and_short()
    solution = solved(network, default_plan(network))
    short, long = (each.capacity for each in join_of(solution.graph).params.inputs)
    assert 4 * 8 <= short <= 9 * 8 * 2 and long <= 2 * 8
    marked, _ = timing(lower(network, default_plan(network)))
    capacities = marked.capacities()
    (name,) = [link.name for link in marked.links if capacities[link.name] == short and link.name.endswith(" 0")]
    with pytest.raises(ValueError, match="the graph stops at"):
        marked.first_frame({**capacities, name: 8})


def test_a_join_in_front_of_dense_layers_drops_broken_frames_at_each_input():
    """Every first stage that takes whole frames is told of broken ones, whichever branch it stands on."""
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 2, (4, 6), dtype=np.uint8)
    dense = Dense(name="dense", weights=weights, output=Thresholds(values=np.full((4, 1), 3)))
    network = Network(
        name="past",
        input=Input(shape=(6,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(dense, Concat(name="both", sizes=(4, 6))),
        takes=((ENCODED,), ("dense", ENCODED)),
    )
    graph = lower(network, default_plan(network))
    assert [(stage.name, k) for stage, k in graph.droppers] == [("queue_0", 0), ("path_last_0", 1)]


@pytest.mark.parametrize("seed", [0, 2])
def test_sizing_takes_graphs(seed):
    """A plan for each interval that is asked, of fewer LUTs the longer it is."""
    network, plan = random_case(seed)
    sizer = Sizer(network, plan, family=XC7)
    slow, fast = (sizer.smallest(interval) for interval in (sizer.intervals[-1], 2 * sizer.least_interval))
    assert fast.interval <= 2 * sizer.least_interval and slow.interval <= sizer.intervals[-1]
    assert slow.estimate.total.luts <= fast.estimate.total.luts
    assert solved(network, slow.plan).interval_cycles == slow.interval


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_estimate_is_near_yosys(seed, tmp_path):
    network, plan = random_case(seed, most=24, image=8)
    plan = replace(plan, target="xc7")
    design = generate(network, plan, tmp_path / "design")
    counted = synthesize(design, family=XC7)
    assert abs(counted.estimate.total.luts - counted.total.luts) <= 0.15 * counted.total.luts
    assert counted.estimate.total.block_rams == counted.total.block_rams


@pytest.mark.slow
def test_a_whole_set_through_a_graph_by_both_engines(tmp_path):
    """`verify` takes graphs: every integer of every layer in the sliced engine, and frames of it in Verilator."""
    network = long_and_short(3)
    design = generate(network, default_plan(network), tmp_path / "design")
    frames = np.random.default_rng(3).integers(0, 2, (300, *network.input.shape), dtype=np.uint8)
    report = verify(design, network, frames, engine="sliced")
    assert report.passed and report.frames == 300 and report.cross_check is not None and not report.note
    assert report.interval_cycles == design.manifest.interval_cycles


def test_a_residual_network(tmp_path):
    """Blocks that add dot products to integers that go on, thresholds behind them: shortcuts of two blocks."""
    network = residual(channels=3, image=(3, 3))
    design = check(network, default_plan(network, cycles=60), tmp_path / "design", frames=4)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


@pytest.mark.slow
def test_a_residual_network_padded_with_zeros(tmp_path):
    """Its dot products at borders have fewer lanes, and another parity: the accumulators start from what is missing."""
    network = residual(channels=3, image=(3, 4), padding_value="zero")
    check(network, default_plan(network, cycles=60), tmp_path / "design", frames=4)

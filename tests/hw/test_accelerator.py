"""Whole accelerators over random networks, folds, encodings and bus widths, against the golden model, to the cycle."""

import random
from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.errors import DesignError, PlanError
from bitwright_core.plan import DATA_BITS, LayerPlan, Plan, default_plan, with_folds
from bitwright_core.registers import REGISTERS
from bitwright_hw.generator import generate
from bitwright_hw.solve import solved
from bitwright_sim.bench import run_bench
from tests.hw.benches import HERE, SEED, require_icarus
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import varied_network


def random_case(seed, *, most=24):
    """A network of one to four layers and a plan, any fold: primes and non-divisors too."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    bits = dice.choice([1, 5, 8, 12])
    classifier = dice.random() < 0.7
    network = varied_network(
        rng,
        inputs=dice.randint(1, 40),
        sizes=[dice.randint(1, most) for _ in range(dice.randint(1, 4))],
        levels=1 if bits == 1 else dice.randint(1, 3),
        bits=bits,
        scores=classifier,
    )
    plan = Plan(
        layers=tuple(
            LayerPlan(name=layer.name, pe=dice.randint(1, layer.outputs), simd=dice.randint(1, layer.inputs))
            for layer in network.layers
        ),
        scores=classifier and dice.random() < 0.5,
        data_bits=dice.choice([width for width in DATA_BITS if width >= 16 or bits != 12]),
        encoding=dice.choice(["hardware", "host"]),
    )
    return network, plan


def integer_case(seed, *, most=12):
    """A first dense layer on integers, of value counts that mostly fill no beat, on any stream that holds a value."""
    dice = random.Random(seed)
    bits = (8, 4, 1, 12)[seed % 4]
    width = 1 if bits == 1 else 8 if bits <= 8 else 16
    network = random_conv_network(
        seed,
        shape=(dice.randint(2, 40), 1, 1),
        bits=bits,
        integers=True,
        convs=0,
        dense=[dice.randint(1, most) for _ in range(dice.randint(1, 2))],
        classes=dice.choice([0, 3]),
    )
    layers = tuple(
        LayerPlan(name=layer.name, pe=dice.randint(1, layer.outputs), simd=dice.randint(1, layer.inputs))
        for layer in network.layers
    )
    return network, Plan(layers=layers, data_bits=dice.choice([bits for bits in DATA_BITS if bits >= width]))


def check(network, plan, folder, *, simulator="icarus", frames=12):
    if simulator == "icarus":
        require_icarus()
    design = generate(network, plan, folder)
    report = run_bench(
        design.simulation_sources,
        design.manifest.top,
        HERE / "frames_bench.py",
        simulator=simulator,
        seed=SEED,
        parameters={"design": str(folder), "frames": frames},
    )
    report.check()
    assert report.facts["frames"] == 3 * frames
    return design


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))])
def test_random_accelerators(seed, tmp_path):
    check(*random_case(seed), tmp_path / "design")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_random_accelerators(seed, tmp_path):
    check(*random_case(seed, most=60), tmp_path / "design", frames=20)


@pytest.mark.parametrize("target", ["xc7", "ecp5", "gowin"])
def test_targets_compute_the_same(target, tmp_path):
    network, plan = random_case(3)
    check(network, replace(plan, target=target), tmp_path / "design", frames=6)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_random_accelerators_on_integers(seed, tmp_path):
    check(*integer_case(seed), tmp_path / "design")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_accelerators_on_integers(seed, tmp_path):
    check(*integer_case(seed, most=40), tmp_path / "design", frames=20)


@pytest.mark.parametrize(
    ("pe", "simd"),
    [("full", "full"), *(pytest.param(*fold, marks=pytest.mark.slow) for fold in ((1, "full"), ("full", 1), (1, 1)))],
)
def test_extreme_folds_keep_the_ideal_interval(pe, simd, tmp_path):
    network = varied_network(SEED, inputs=17, sizes=[13, 11, 5])
    layers = tuple(
        LayerPlan(
            name=layer.name,
            pe=layer.outputs if pe == "full" else pe,
            simd=layer.inputs if simd == "full" else simd,
        )
        for layer in network.layers
    )
    design = check(network, Plan(layers=layers), tmp_path / "design", frames=24)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


@pytest.mark.slow  # quick ones go through Verilator in tests/sim
def test_one_design_on_verilator(tmp_path):
    check(*random_case(5), tmp_path / "design", simulator="verilator")


def test_interval_is_that_of_the_slowest_stage():
    for seed in range(200):
        network, plan = random_case(seed)
        solution = solved(network, plan)
        graph = solution.graph
        stages = [engine.fold.cycles for engine in graph.engines]
        assert solution.interval_cycles == max(*stages, graph.input.beats, graph.output.beats)
        assert all(graph.by_name[entry.queue].banks >= 2 for entry in graph.layers)


def test_manifest_tells_the_folds(tmp_path):
    network = varied_network(SEED, inputs=20, sizes=[8, 6])
    plan = with_folds(default_plan(network), network, pe=[4, 3], simd=[5, 8])
    manifest = generate(network, plan, tmp_path / "design").manifest
    assert [(layer.pe, layer.simd, layer.lanes, layer.ideal_cycles) for layer in manifest.layers] == [
        (4, 5, 20, 8),
        (3, 8, 24, 2),
    ]
    assert manifest.registers == REGISTERS
    assert manifest.network_digest == network.digest


def test_generate_keeps_other_folders(tmp_path):
    network, plan = random_case(1)
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.tex").write_text("years of work")
    with pytest.raises(DesignError, match=r"holds chapter\.tex, which no earlier design put there"):
        generate(network, plan, precious)
    assert (precious / "chapter.tex").read_text() == "years of work"


def test_generate_replaces_a_design_as_a_whole(tmp_path):
    network, plan = random_case(1)
    folder = tmp_path / "design"
    first = generate(network, plan, folder)
    (folder / "synth.json").write_text("stale")
    second = generate(network, plan, folder)
    assert second.manifest.digest == first.manifest.digest
    assert not (folder / "synth.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["design"]


def test_a_plan_for_another_network_is_refused_before_anything_is_written(tmp_path):
    network, plan = random_case(1)
    wrong = replace(plan, layers=(*plan.layers, LayerPlan(name="extra", pe=1, simd=1)))
    with pytest.raises(PlanError, match="the plan is for layers"):
        generate(network, wrong, tmp_path / "design")
    assert not (tmp_path / "design").exists()


def test_bus_widths_are_those_of_the_plan():
    network = varied_network(SEED, inputs=20, sizes=[8, 6], bits=12)
    plan = default_plan(network)
    for width in DATA_BITS[1:]:
        assert solved(network, replace(plan, data_bits=width)).graph.input.data_bits == width
    with pytest.raises(PlanError, match="data_bits 8 is too narrow for 12-bit input values"):
        solved(network, replace(plan, data_bits=8))

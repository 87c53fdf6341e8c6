"""Resets of a few cycles, at every point of a frame."""

import pytest

from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw.generator import generate
from bitwright_sim.bench import run_bench
from tests.hw.benches import HERE, SEED, require_icarus
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import varied_network


def dense_case():
    network = varied_network(SEED, inputs=5, sizes=[4, 3], bits=1)
    folds = (LayerPlan(name="layer0", pe=2, simd=3), LayerPlan(name="layer1", pe=3, simd=4))
    return network, Plan(layers=folds, data_bits=8)


def image_case():
    network = random_conv_network(1, shape=(3, 2, 1), bits=1, convs=1, channels=(2,), dense=(), classes=2, pools=False)
    return network, Plan(
        layers=tuple(LayerPlan(name=one.name, pe=one.outputs, simd=one.inputs) for one in network.matrix_layers),
        data_bits=8,
        scores=True,
    )


@pytest.mark.parametrize("case", [dense_case, pytest.param(image_case, marks=pytest.mark.slow)])
def test_after_a_short_reset_all_is_as_after_power_up(case, tmp_path):
    require_icarus()
    network, plan = case()
    design = generate(network, plan, tmp_path / "design")
    report = run_bench(
        design.simulation_sources,
        design.manifest.top,
        HERE / "reset_bench.py",
        simulator="icarus",
        seed=SEED,
        parameters={"design": str(tmp_path / "design")},
    )
    report.check()
    assert report.facts["resets"] > 10

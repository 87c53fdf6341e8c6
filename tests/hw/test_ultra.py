"""Weights in UltraRAM: accelerators that begin without weights, and compute what is loaded into them."""

import re
from dataclasses import replace

import pytest

import bitwright as bw
from bitwright_core.errors import DesignError, PlanError
from bitwright_core.loading import Load
from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw.estimate import estimate
from bitwright_hw.families import family_named
from bitwright_hw.generator import generate
from bitwright_hw.memory_places import ultra_rams
from bitwright_hw.synth import synthesize
from tests.hw.benches import require_icarus
from tests.hw.test_loads import dense, like, run
from tests.sw.networks import random_frames

FOLDS = [(3, 4), (2, 3), (3, 2)]
XC7 = family_named("xc7")


def ultra_plan(network, folds=tuple(FOLDS), ultra=2, **options):
    """The first layers in UltraRAM, all of them loadable."""
    layers = tuple(
        LayerPlan(name=layer.name, pe=pe, simd=simd, memory="ultra" if k < ultra else "auto", loadable=True)
        for k, (layer, (pe, simd)) in enumerate(zip(network.matrix_layers, folds, strict=True))
    )
    return Plan(layers=layers, data_bits=8, target="xc7", **options)


def test_two_layers_in_ultra_ram_swap_under_traffic(tmp_path):
    """Icarus begins with unknown bits in the memories, which would reach the results."""
    require_icarus()
    network = dense(1)
    design = generate(network, ultra_plan(network, scores=True), tmp_path / "design")
    text = design.verilog[0].read_text()
    memories = re.findall(r'\(\* ram_style = "ultra" \*\)\n *reg \[\d+:0\] (\w+) ?\[\d+:0\];\n(.*)', text)
    assert len(memories) == 2 and not any("initial" in behind for _, behind in memories)
    assert [layer.memory for layer in design.manifest.layers] == ["ultra", "ultra", "distributed"]
    report = run(design, [network, like(network, 2)], tmp_path, simulator="icarus", swaps=5, only="swaps_under_traffic")
    assert report.facts["swaps"] == 5


def test_what_ultra_ram_cannot_hold_is_refused():
    network = dense(1)
    plan = ultra_plan(network)
    fixed = replace(plan, layers=tuple(replace(layer, loadable=False) for layer in plan.layers))
    with pytest.raises(PlanError, match=r"layer layer0: UltraRAM holds nothing at power-up.* loadable = true"):
        fixed.check(network)
    with pytest.raises(PlanError, match=r"layer layer0: target ecp5 has no UltraRAM; choose target xc7"):
        bw.estimate(network, replace(plan, target="ecp5"))


def test_the_load_of_the_own_network_lies_in_the_design(tmp_path):
    network = dense(1)
    design = generate(network, ultra_plan(network), tmp_path / "design")
    assert design.first_load == Load.read(design.folder / "own.weights.load") and design.first_load.crc
    assert design.manifest.loads.first == "own.weights.load"
    file = design.folder / "own.weights.load"
    file.write_bytes(bw.weights(design, like(network, 2)).content)
    with pytest.raises(DesignError, match=r"own.weights.load was altered"):
        bw.Design.load(design.folder)
    with pytest.raises(DesignError, match=r"begins without weights.* bitwright simulate or verify"):
        bw.write_testbench(design, tmp_path / "testbench")
    file.unlink()
    with pytest.raises(DesignError, match=r"own.weights.load"):
        bw.Design.load(design.folder)


@pytest.mark.parametrize(
    ("width", "depth", "blocks"), [(72, 4096, 1), (73, 10, 2), (1, 4096, 1), (36, 8192, 1), (40, 8192, 2)]
)
def test_ultra_rams_of_a_memory(width, depth, blocks):
    assert ultra_rams(width, depth) == blocks


@pytest.mark.slow
def test_every_integer_of_networks_loaded_one_after_the_other(tmp_path):
    network = dense(1)
    design = generate(network, ultra_plan(network, scores=True), tmp_path / "design")
    frames = random_frames(network, 200)
    assert bw.verify(design, frames, stalls=3).mismatches == 0
    with pytest.raises(DesignError, match=r"begins without weights.* use --engine verilator"):
        bw.verify(design, frames, engine="sliced")
    reports = bw.verify_loads(design, [like(network, 2), network, like(network, 3)], frames, stalls=7)
    assert [each.mismatches for each in reports] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_all_benches(simulator, tmp_path):
    """Resets keep the weights; latency and interval are those of other designs."""
    network = dense(2)
    design = generate(network, ultra_plan(network, ultra=3), tmp_path / "design")
    report = bw.simulate(design, simulator=simulator, seed=1)
    assert report.passed, report.failures


@pytest.mark.slow
def test_yosys_infers_what_is_estimated(tmp_path):
    network = dense(3, (90, 80, 4))
    design = generate(network, ultra_plan(network, [(20, 4), (15, 10), (3, 2)]), tmp_path / "design")
    report = synthesize(design, family=XC7)
    expected = estimate(network, design.plan, family=XC7)
    assert report.total.ultra_rams == expected.total.ultra_rams == 2 + 3
    assert report.total.block_rams == expected.total.block_rams
    assert abs(report.total.luts - expected.total.luts) < 0.15 * report.total.luts


def test_weights_that_block_ram_cannot_hold_go_to_ultra_ram():
    """The layers of the most block RAM first, and no more of them than need be."""
    network = dense(3, (60, 50, 4))
    plain = bw.size(network, board="kv260", target_fps=200_000, loadable="all")
    assert plain.loadable and not plain.begins_empty
    blocks = estimate(network, plain, family=XC7).total.block_rams
    assert blocks > 1
    tight = bw.size(network, board="kv260", target_fps=200_000, loadable="all", max_brams=int(blocks) - 1)
    expected = estimate(network, tight, family=XC7).total
    assert tight.begins_empty and 0 < expected.ultra_rams <= 64 and expected.block_rams <= int(blocks) - 1
    with pytest.raises(PlanError, match="UltraRAMs"):
        bw.generate(network, replace(tight, board="ultra96-v2"), "unwritten")
    with pytest.raises(PlanError):
        bw.size(network, board="ultra96-v2", target_fps=200_000, loadable="all", max_brams=0, max_luts=1500)

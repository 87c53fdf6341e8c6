"""Weights loaded at run time: accelerators that compute one network after another, frame by frame."""

import random
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.errors import DesignError, NetworkError, PlanError
from bitwright_core.loading import Load, structure
from bitwright_core.network import Scores
from bitwright_core.plan import LayerPlan, Plan, default_plan, hardwired, with_loadable
from bitwright_core.registers import LOADABLE, REGISTERS
from bitwright_hw.generator import generate
from bitwright_hw.load_image import load_of
from bitwright_sim.bench import run_bench
from bitwright_sim.loads import verify_loads
from tests.hw.benches import HERE, SEED, require_icarus
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_frames, varied_network


def dense(seed, sizes=(7, 5, 4), scores=True):
    return varied_network(np.random.default_rng(seed), inputs=11, sizes=list(sizes), levels=1, bits=1, scores=scores)


def like(network, seed):
    """A network of the same structure with other constants."""
    other = dense(seed, [layer.outputs for layer in network.layers], network.gives_scores)
    return replace(network, layers=other.layers)


def drawn(network, seed):
    """The same network with weights drawn anew, and thresholds and scores of its rows in another order."""
    rng = np.random.default_rng(seed)
    layers = []
    for layer in network.layers:
        if layer.matrix is None:
            layers.append(layer)
            continue
        order, output = rng.permutation(layer.outputs), layer.output
        if isinstance(output, Scores):
            output = Scores(scale=output.scale[order], offset=output.offset[order])
        else:
            output = replace(output, values=output.values[order])
        layers.append(replace(layer, weights=rng.integers(0, 2, layer.weights.shape), output=output))
    return replace(network, layers=tuple(layers))


def plan_of(network, folds, memory="auto", which="all", **options):
    layers = tuple(
        LayerPlan(name=layer.name, pe=pe, simd=simd, memory=memory)
        for layer, (pe, simd) in zip(network.matrix_layers, folds, strict=True)
    )
    return with_loadable(Plan(layers=layers, data_bits=8, **options), network, which)


def run(design, networks, tmp_path, *, simulator="verilator", swaps=100, only=None):
    """The bench of loads; each network's load and file are kept in `tmp_path`."""
    files = []
    for number, network in enumerate(networks):
        network.save(tmp_path / f"{number}.safetensors")
        load_of(network, design.network, design.plan, "the design").save(tmp_path / f"{number}.load")
        files.append(tmp_path / str(number))
    report = run_bench(
        design.simulation_sources,
        design.manifest.top,
        HERE / "loads_bench.py",
        simulator=simulator,
        seed=SEED,
        test_filter=only,
        parameters={
            "design": str(design.folder),
            "networks": [f"{file}.safetensors" for file in files],
            "loads": [f"{file}.load" for file in files],
            "swaps": swaps,
        },
    )
    report.check()
    return report


CASES = {
    "folded": ([(3, 4), (2, 3), (3, 2)], "auto", True, {"scores": True}),
    "block": ([(2, 3), (5, 1), (2, 5)], "block", True, {"target": "xc7", "scores": True}),
    "distributed": ([(1, 2), (2, 3), (4, 5)], "distributed", True, {"target": "xc7"}),
    "one pass": ([(7, 3), (5, 2), (4, 5)], "auto", True, {"target": "ecp5", "scores": True}),
    "at once": ([(7, 11), (5, 7), (4, 5)], "auto", False, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_hundred_swaps_under_traffic(name, tmp_path):
    folds, memory, scores, options = CASES[name]
    network = dense(1, scores=scores)
    design = generate(network, plan_of(network, folds, memory, **options), tmp_path / "design")
    report = run(design, [network, like(network, 2), like(network, 3)], tmp_path)
    assert report.facts["swaps"] == 100 and report.facts["told"] > 100


def test_wrong_loads_and_swaps_that_wait(tmp_path):
    require_icarus()
    network = dense(4)
    design = generate(network, plan_of(network, CASES["folded"][0]), tmp_path / "design")
    report = run(design, [network, like(network, 5)], tmp_path, simulator="icarus", swaps=2)
    assert report.facts["swaps"] == 2


def test_structure_is_what_loads_do_not_change():
    network = dense(1)
    plan = plan_of(network, [(3, 4), (2, 3), (3, 2)])
    last = plan_of(network, [(3, 4), (2, 3), (3, 2)], which="last")
    other = like(network, 2)
    assert structure(network, plan) == structure(other, plan)
    assert structure(network, last) != structure(other, last)  # layers that are fixed differ
    head = replace(network, layers=(*network.layers[:-1], other.layers[-1]))
    assert structure(network, last) == structure(head, last)
    assert structure(network, plan) != structure(network, replace(plan, data_bits=16))
    load = load_of(head, network, last, "the design")
    assert load.structure == structure(network, last)
    assert len(load.data) < len(load_of(head, network, plan, "the design").data)


def test_what_cannot_be_loaded_is_refused(tmp_path):
    network = dense(1)
    folds = [(3, 4), (2, 3), (3, 2)]
    plan = plan_of(network, folds)
    fixed = replace(plan, layers=tuple(replace(layer, loadable=False) for layer in plan.layers))
    with pytest.raises(DesignError, match=r"its weights are fixed; generate .* --loadable all"):
        load_of(network, network, fixed, "DIR")
    with pytest.raises(DesignError, match=r"has another structure than DIR \(in layer layer1\)"):
        load_of(dense(1, (7, 6, 4)), network, plan, "DIR")
    with pytest.raises(DesignError, match=r"has 2 layers with weights, but DIR was generated for 3"):
        load_of(dense(1, (7, 4)), network, plan, "DIR")
    scores = replace(network.layers[-1], output=Scores(scale=np.array([1 << 17] * 4), offset=np.zeros(4, np.int64)))
    with pytest.raises(DesignError, match=r"scales up to 131072 and offsets up to 0 do not fit into DIR"):
        load_of(replace(network, layers=(*network.layers[:-1], scores)), network, plan, "DIR")
    with pytest.raises(PlanError, match=r"loaded through the registers: a plan with loadable layers needs them"):
        replace(plan, registers=False).check(network)
    with pytest.raises(PlanError, match=r"a hardwired layer has its weights in the logic, so nothing can be loaded"):
        with_loadable(hardwired(default_plan(network), network), network, "last")


def test_load_files_are_checked(tmp_path):
    network = dense(1)
    load = load_of(network, network, plan_of(network, [(3, 4), (2, 3), (3, 2)]), "the design")
    file = tmp_path / "a.load"
    load.save(file)
    assert Load.read(file) == load
    for content, why in (
        (file.read_bytes()[:-1], "damaged"),
        (file.read_bytes() + b"x", "damaged"),
        (b"{}\n", "no load file"),
        (b"", "no load file"),
        (file.read_bytes().replace(b'"format": 1', b'"format": 2'), "load format 2, not 1"),
    ):
        file.write_bytes(content)
        with pytest.raises(NetworkError, match=why):
            Load.read(file)
    with pytest.raises(NetworkError, match="cannot be read"):
        Load.read(tmp_path / "absent")


def test_a_design_without_loadable_layers_says_nothing_of_them(tmp_path):
    network = dense(1)
    plan = plan_of(network, [(3, 4), (2, 3), (3, 2)])
    fixed = replace(plan, layers=tuple(replace(layer, loadable=False) for layer in plan.layers))
    assert "loadable" not in fixed.text and Plan.load(_written(tmp_path, plan)) == plan
    design = generate(network, fixed, tmp_path / "fixed")
    assert '"load' not in (design.folder / "manifest.json").read_text()
    assert design.manifest.registers == REGISTERS and design.manifest.loads is None
    loads = generate(network, plan, tmp_path / "loads").manifest
    assert loads.registers == LOADABLE
    assert [(memory.layer, memory.part) for memory in loads.loads.memories] == [
        *((f"layer{k}", part) for k in (0, 1) for part in ("weights", "thresholds")),
        ("layer2", "weights"),
        ("layer2", "scores"),
    ]


def _written(folder, plan):
    plan.save(folder / "plan.toml")
    return folder / "plan.toml"


@pytest.mark.slow
def test_verify_loads_several_networks_in_one_run(tmp_path):
    network = dense(1)
    design = generate(network, plan_of(network, [(3, 4), (2, 3), (3, 2)], scores=True), tmp_path / "design")
    networks = [like(network, 2), network, like(network, 3)]
    frames = random_frames(network, 200)
    reports = bw.verify_loads(design, networks, frames, stalls=7)
    assert [report.mismatches for report in reports] == [0, 0, 0] and reports[0].integers == 200 * (
        7 + 5 + 4 + 4 + 4 + 1
    )
    loads = [(networks[0], load_of(networks[2], network, design.plan, "the design"))]
    with pytest.raises(DesignError, match=r"the load is of network"):
        verify_loads(design, loads, frames)
    wrong = [(networks[0], replace_digest(loads[0][1], networks[0]))]
    (report,) = verify_loads(design, wrong, frames)
    assert report.mismatches > 0 and "leave none" in report.reproducer_error


def replace_digest(load, network):
    """A load that claims to be of another network."""
    return Load(name=network.name, network_digest=network.digest, structure=load.structure, data=load.data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_convolutions_are_loaded(seed, tmp_path):
    """Padded and pooled ones, in any fold, all layers or the last; stalls on both sides; every integer."""
    dice = random.Random(seed)
    network = random_conv_network(
        seed, shape=(6, 5, 2), bits=1, convs=2, channels=(3, 4), dense=(5,), classes=3, pools=seed % 2 == 0
    )
    plan = Plan(
        layers=tuple(
            LayerPlan(name=each.name, pe=dice.randint(1, each.outputs), simd=dice.randint(1, each.inputs))
            for each in network.matrix_layers
        ),
        target=("generic", "xc7", "ecp5")[seed % 3],
        scores=True,
    )
    design = generate(network, with_loadable(plan, network, "all"), tmp_path / "design")
    networks = [drawn(network, seed + 10), network, drawn(network, seed + 20)]
    reports = bw.verify_loads(design, networks, random_frames(network, 40), stalls=seed)
    assert [report.mismatches for report in reports] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["block", "distributed", "at once"])
def test_swaps_in_icarus(name, tmp_path):
    require_icarus()
    folds, memory, scores, options = CASES[name]
    network = dense(6, scores=scores)
    design = generate(network, plan_of(network, folds, memory, **options), tmp_path / "design")
    run(design, [network, like(network, 7)], tmp_path, simulator="icarus", swaps=10)

"""Whole accelerators of networks of lookup tables, against the golden model, to the cycle; and what they cost."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from bitwright.cli import main
from bitwright_core.network import GroupSum, Input, Luts, Network, ThresholdEncoding
from bitwright_core.plan import DATA_BITS, LayerPlan, Plan
from bitwright_hw.estimate import estimate
from bitwright_hw.families import ECP5, GOWIN, ICE40, XC7
from bitwright_hw.generator import generate
from bitwright_hw.sizer import Sizer
from bitwright_hw.synth import synthesize, synthesize_verilog
from bitwright_sim.verification import verify
from tests.hw.test_accelerator import check
from tests.sw.lut_networks import random_lut_network, random_luts


def random_case(seed, *, most=20):
    dice = random.Random(seed)
    network = random_lut_network(seed, most=most, dense=seed % 2 == 1)
    layers = []
    for layer in network.matrix_layers:
        whole = dice.random() < 0.4
        pe, simd = (
            (layer.outputs, layer.inputs)
            if whole
            else (
                dice.randint(1, layer.outputs),
                dice.randint(1, layer.inputs),
            )
        )
        layers.append(LayerPlan(name=layer.name, pe=pe, simd=simd, engine="hardwired" if whole else "folded"))
    return network, Plan(
        layers=tuple(layers),
        scores=network.gives_scores and dice.random() < 0.5,
        data_bits=dice.choice(DATA_BITS),
        target=dice.choice(["generic", "xc7", "ecp5"]),
    )


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 4))])
def test_random_networks(seed, tmp_path):
    design = check(*random_case(seed), tmp_path / "design", frames=8)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_networks(seed, tmp_path):
    design = check(*random_case(seed, most=60), tmp_path / "design", frames=20)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles


def lut_network(*sizes, inputs=96, classes=10, fan_in=6):
    rng = np.random.default_rng(1)
    layers, size = [], inputs
    for k, outputs in enumerate(sizes):
        layers.append(random_luts(rng, f"luts_{k}", size, outputs, fan_in))
        size = outputs
    layers.append(GroupSum(name="sums", groups=(size // classes,) * classes))
    return Network(
        name="tables",
        input=Input(shape=(inputs,), bits=8),
        encoding=ThresholdEncoding(thresholds=np.array([128])),
        layers=tuple(layers),
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", [XC7, ECP5, ICE40, GOWIN], ids=lambda family: family.name)
@pytest.mark.parametrize("sizes", [(100,), (200, 100), (600,)])
def test_the_estimate_agrees_with_yosys(sizes, family, tmp_path):
    network = lut_network(*sizes)
    plan = Plan(layers=(), target="generic" if family is ICE40 else family.name)
    counted = synthesize(generate(network, plan, tmp_path / "design"), family=family)
    expected = estimate(network, plan, family=family)
    assert expected.total.luts == pytest.approx(counted.total.luts, rel=0.15)
    for mine, theirs in zip(expected.layers, counted.layers, strict=True):
        assert mine.total.luts == pytest.approx(theirs.total.luts, rel=0.1, abs=3), mine.name


def test_a_network_of_tables_alone_has_one_plan():
    network = lut_network(100)
    sizer = Sizer(network, Plan(layers=(), target="xc7"), family=XC7)
    sized = sizer.fastest()
    assert sized.plan.layers == () and sized.interval == 12 == sizer.least_interval
    assert sized.estimate.total == estimate(network, sized.plan, family=XC7).total
    assert [layer.name for layer in sized.estimate.layers] == ["luts_0", "sums"]
    assert sizer.smallest(100).plan == sized.plan


def test_a_network_of_tables_is_sized_for_a_board(tmp_path, capsys):
    lut_network(100).save(tmp_path / "n.safetensors")
    command = ["size", str(tmp_path / "n.safetensors"), "--board", "tang-nano-20k"]
    assert main([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(layer["name"], layer.get("pe")) for layer in facts["layers"]] == [("luts_0", None), ("sums", None)]
    assert main([*command, "--out", str(tmp_path / "plan.toml")]) == 0
    assert "BSRAM" in capsys.readouterr().out and Plan.load(tmp_path / "plan.toml").target == "gowin"


@pytest.mark.slow
def test_a_wrong_table_is_found_by_both_engines(tmp_path):
    network = lut_network(40, 20)
    design = generate(network, Plan(layers=()), tmp_path / "design")
    first = network.layers[0]
    tables = first.tables.copy()
    tables[3] ^= 1
    other = replace(network, layers=(replace(first, tables=tables), *network.layers[1:]))
    frames = np.random.default_rng(0).integers(0, 256, (200, 96))
    for engine in ("verilator", "sliced"):
        assert verify(design, network, frames, jobs=1, engine=engine).passed
        report = verify(design, other, frames, jobs=1, engine=engine)
        found = report.first_mismatch
        assert (found.frame, found.layer, found.neuron) == (0, "luts_0", 3)


@pytest.mark.slow
def test_levels_that_nothing_reads_cost_nothing(tmp_path):
    """Their comparisons and their places in the collector are left out; a threshold of 128 is a wire."""
    levels, values = 4, 12
    thresholds = np.array([37, 90, 128, 201])
    rng = np.random.default_rng(3)
    counted = {}
    for name, lanes in (("all", np.arange(values * levels)), ("one", np.arange(2, values * levels, levels))):
        wires = np.stack([rng.choice(lanes, 6, replace=False) for _ in range(20)])
        luts = Luts(name="luts", inputs=values * levels, wires=wires, tables=rng.integers(0, 2, (20, 64)))
        network = Network(
            name=name,
            input=Input(shape=(values,), bits=8),
            encoding=ThresholdEncoding(thresholds=thresholds),
            layers=(luts, GroupSum(name="sums", groups=(10, 10))),
        )
        report = synthesize(generate(network, Plan(layers=(), target="xc7", data_bits=8), tmp_path / name), family=XC7)
        counted[name] = report.other
    # the comparisons with 37 and 201 take two LUTs, that with 90 as many; their bits lie in registers, a beat each
    assert counted["all"].luts - counted["one"].luts >= 5
    assert counted["all"].ffs - counted["one"].ffs >= (levels - 1) * (values - 1)


@pytest.mark.slow
def test_what_never_changes_costs_nothing_behind_it(tmp_path):
    """A table that reads such a neuron is smaller: of two inputs of which one is constant, a wire."""
    rng = np.random.default_rng(2)
    luts = []
    for constant in (False, True):
        tables = rng.integers(0, 2, (20, 64))
        tables[:10] = 1 if constant else tables[:10]
        first = Luts(name="first", inputs=24, wires=rng.integers(0, 24, (20, 6)), tables=tables)
        wires = np.stack([np.arange(20), (np.arange(20) + 1) % 20], 1)
        second = Luts(name="second", inputs=20, wires=wires, tables=[[0, 1, 1, 0]] * 20)
        network = Network(
            name="tables",
            input=Input(shape=(24,), bits=1),
            encoding=ThresholdEncoding(thresholds=np.array([1])),
            layers=(first, second, GroupSum(name="sums", groups=(10, 10))),
        )
        design = generate(network, Plan(layers=(), target="xc7", registers=False), tmp_path / str(constant))
        top = design.manifest.top
        luts.append(synthesize_verilog(design.verilog, top, family=XC7)[top])
    # ten tables are constants, nine read constants alone
    assert luts[1].luts <= luts[0].luts - 19
    assert luts[1].ffs <= luts[0].ffs - 19

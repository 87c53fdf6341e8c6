"""Sizing: plans that keep to what was asked, that no enumeration beats, and why something does not fit."""

import itertools
import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core.errors import PlanError
from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_core.plan import Fold, LayerPlan, Plan, distinct_folds
from bitwright_hw.engine_numbers import accumulator_bits, preload_count, preload_values
from bitwright_hw.engines.folded_choices import LayerChoices
from bitwright_hw.estimate import estimate
from bitwright_hw.families import ECP5, GOWIN, ICE40, XC7
from bitwright_hw.sizer import Sizer
from bitwright_hw.sizing import Limits, size_for
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_network

NETWORK = random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(32, 24))
LARGE = random_network(1, shape=(784,), bits=8, levels=1, hidden=(256, 256))


def sizer(network=NETWORK, family=XC7, **options):
    return Sizer(network, Plan(layers=(), target=family.name, **options), family=family)


def every_plan(network, interval, family):
    """Every plan over the folds that differ in cycles, in blocks or LUTs: what the search must not lose to."""
    choices = []
    for layer in network.layers:
        pairs = itertools.product(distinct_folds(layer.outputs), distinct_folds(layer.inputs))
        choices.append(
            [
                LayerPlan(name=layer.name, pe=-(-layer.outputs // rows), simd=-(-layer.inputs // words), memory=memory)
                for rows, words in pairs
                if rows * words <= interval
                for memory in ("block", "distributed")
            ]
        )
    for layers in itertools.product(*choices):
        yield Plan(layers=layers, target=family.name)


@pytest.mark.parametrize("family", [XC7, ECP5], ids=lambda family: family.name)
@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_no_plan_of_all_is_smaller(family, limit):
    network = random_network(5, shape=(2, 4), bits=1, levels=1, hidden=(6,), classes=4)
    interval = 8
    found = sizer(network, family).smallest(interval, block_rams=limit)
    totals = [estimate(network, plan, family=family).total for plan in every_plan(network, interval, family)]
    assert len(totals) > 300
    best = min((total.luts for total in totals if total.block_rams <= limit), default=None)
    assert found is not None and best is not None
    assert found.interval <= interval and found.estimate.total.block_rams <= limit
    # the search counts a queue's banks for the interval asked for, and weights in LUTs for every lane, equal ones too
    assert found.estimate.total.luts <= 1.02 * best


@pytest.mark.parametrize("family", [XC7, ECP5], ids=lambda family: family.name)
def test_slower_is_smaller_and_keeps_its_pace(family):
    mine = sizer(family=family)
    luts = []
    for interval in (8, 16, 40, 100, 1000):
        found = mine.smallest(interval)
        assert found.interval <= interval
        assert found.estimate.total == estimate(NETWORK, found.plan, family=family).total
        luts.append(found.estimate.total.luts)
    assert luts == sorted(luts, reverse=True) and luts[0] > 1.4 * luts[-1]


def test_blocks_are_traded_for_luts():
    mine = sizer()
    free = mine.smallest(16)
    none = mine.smallest(16, block_rams=0)
    assert none.estimate.total.block_rams == 0 < free.estimate.total.block_rams
    assert none.estimate.total.luts > free.estimate.total.luts
    assert {layer.memory for layer in none.plan.layers} == {"distributed"}


def test_the_fastest_fits_and_nothing_faster_does():
    mine = sizer()
    found = mine.fastest(luts=700, block_rams=6)
    total = found.estimate.total
    assert total.luts <= 700 and total.block_rams <= 6
    faster = [interval for interval in mine.intervals if interval < found.interval]
    assert faster and mine.smallest(faster[-1], luts=700, block_rams=6) is None


def test_what_it_gives_generates(tmp_path):
    plan = bw.size(NETWORK, board="pynq-z2", target_fps=2_000_000)
    design = bw.generate(NETWORK, plan, tmp_path / "d")
    assert design.manifest.interval_cycles <= 50
    assert (plan.board, plan.target, plan.clock_mhz, plan.data_bits) == ("pynq-z2", "xc7", 100.0, 64)
    assert Plan.load(tmp_path / "d" / "plan.toml") == plan


def test_no_more_block_rams_than_asked():
    free = bw.estimate(LARGE, bw.size(LARGE, board="pynq-z2", target_fps=100_000)).total
    few = bw.estimate(LARGE, bw.size(LARGE, board="pynq-z2", target_fps=100_000, max_brams=3)).total
    assert free.block_rams > 3 >= few.block_rams and few.luts > free.luts


def test_the_board_gives_way_to_what_is_asked():
    plan = bw.size(NETWORK, board="ulx3s-85f", target_fps=1e6, clock_mhz=50, data_bits=128, scores=True)
    assert (plan.target, plan.clock_mhz, plan.data_bits, plan.scores) == ("ecp5", 50, 128, True)


REFUSED = {
    "input stream": (
        {"target_fps": 2_000_000},
        "2,000,000 frames/s at 100 MHz is an interval of 50 cycles, but a frame takes 98 beats of the input stream "
        "(784 bytes, 64 bits a beat), so at most 1,020,408 frames/s; a wider data_bits, or encoding host,",
    ),
    "output stream": (
        {"target_fps": 50_000_000, "encoding": "host", "data_bits": 1024, "scores": True},
        "is an interval of 2 cycles, but a result takes 4 beats of the output stream, so at most 25,000,000 frames/s",
    ),
    "LUTs": ({"target_fps": 900_000, "max_luts": 2000}, "needs at least "),
    "at any rate": ({"max_luts": 300}, "does not fit the 300 LUTs and 136 block RAMs allowed at any rate"),
    "budget": ({"max_luts": 53_201}, "max_luts must lie in 1..53,200, which the board has, not 53,201"),
    "budget of blocks": ({"max_brams": 141}, "max_brams must lie in 0..140, which the board has, not 141"),
    "no blocks": (
        {"max_luts": 2500, "max_brams": 0},
        "does not fit the 2,500 LUTs and 0 block RAMs allowed at any rate",
    ),
    "no rate": ({"target_fps": 0}, "the target must lie in 1..100,000,000 frames/s, one a cycle, not 0"),
    "fold, too": ({"cycles": 10}, "a board decides the folds"),
    "no board": (
        {"board": None, "target_fps": 10},
        "target_fps, max_luts and max_brams need a board; see bitwright boards",
    ),
    "no board for blocks": (
        {"board": None, "max_brams": 1},
        "max_luts and max_brams need a board; see bitwright boards",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_has_its_figures(case):
    options, message = REFUSED[case]
    with pytest.raises(PlanError) as caught:
        bw.size(LARGE, **{"board": "pynq-z1", **options})
    assert message in str(caught.value)


def test_a_refused_rate_is_told_the_highest():
    limits = Limits(luts=2000, block_rams=40)
    options = Plan(layers=(), target="xc7")
    with pytest.raises(PlanError, match=r"of the 2,000 LUTs and 40 .*; the highest rate that fits is") as caught:
        size_for(LARGE, options, family=XC7, limits=limits, target_fps=900_000)
    best = size_for(LARGE, options, family=XC7, limits=limits)
    assert f"{best.frames_per_second:,.0f} frames/s ({best.interval:,} cycles)" in str(caught.value)


def test_generate_refuses_weights_that_do_not_fit_the_board(tmp_path):
    plan = bw.size(LARGE, cycles=98, target="xc7")
    plan = replace(plan, board="icebreaker")
    with pytest.raises(PlanError, match=r"the weights need .* \(layer0 .* \+ layer1 .*\) of the 30 on icebreaker"):
        bw.generate(LARGE, plan, tmp_path / "d")
    parallel = replace(bw.size(LARGE, pe=256, simd=784, target="xc7"), board="pynq-z1")
    with pytest.raises(PlanError, match=r"the design needs about .* of the 53,200 LUTs on pynq-z1 \(layer0 .* \+ "):
        bw.generate(LARGE, parallel, tmp_path / "d")


def test_the_command_writes_a_plan_to_edit(tmp_path, capsys):
    NETWORK.save(tmp_path / "n.safetensors")
    arguments = ["size", str(tmp_path / "n.safetensors"), "--board", "pynq-z2", "--target-fps", "500000"]
    assert main([*arguments, "--out", str(tmp_path / "plan.toml"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    plan = Plan.load(tmp_path / "plan.toml")
    assert facts["frames_per_second"] >= 500_000 and facts["interval_cycles"] <= 200
    assert [(y["pe"], y["simd"], y["memory"]) for y in facts["layers"]] == [
        (y.pe, y.simd, y.memory) for y in plan.layers
    ]
    assert facts["estimate"]["luts"] == bw.estimate(NETWORK, plan).total.luts
    assert main(arguments) == 0
    assert "frames/s: a frame every" in capsys.readouterr().out
    assert main([*arguments[:-1], "1e9"]) == 2
    assert "the target must lie in" in capsys.readouterr().err


def wide_network(outputs=1024):
    """12.6 million weights in three layers."""
    rng = np.random.default_rng(1)
    layers, inputs = [], 8192
    for k, count in enumerate((outputs, 4 * outputs, 10)):
        output = Scores(scale=np.ones(10, int), offset=np.zeros(10, int))
        if k < 2:
            output = Thresholds(values=np.full((count, 1), inputs // 2))
        weights = rng.integers(0, 2, (count, inputs), dtype=np.uint8)
        layers.append(Dense(name=f"dense{k}", weights=weights, output=output))
        inputs = count
    encoding = ThresholdEncoding(thresholds=np.array([1]))
    return Network(name="wide", input=Input(shape=(8192,), bits=1), encoding=encoding, layers=tuple(layers))


@pytest.mark.parametrize("options", [{}, {"target_fps": 100}])
def test_too_many_weights_are_refused_without_a_search(options, monkeypatch):
    monkeypatch.setattr(LayerChoices, "within", lambda *_: pytest.fail("a search"))
    with pytest.raises(PlanError) as caught:
        bw.size(wide_network(), board="pynq-z2", **options)
    assert re.fullmatch(
        r"network wide does not fit the 42,560 LUTs and 136 block RAMs allowed at any rate: they hold at most 7,[\d,]+ "
        r"weights \(36,864 a block RAM, 64 a LUT\), and it has 12,623,872; choose a larger board, or fewer weights",
        str(caught.value),
    )


@pytest.mark.parametrize("family", [XC7, ECP5, ICE40, GOWIN], ids=lambda family: family.name)
def test_what_fits_keeps_to_the_bound(family):
    """The least plans by LUTs and by blocks, of every interval's: more weights than the bound would make it wrong."""
    network = random_network(4, shape=(16, 8), bits=1, levels=1, hidden=(96, 64))
    weights = sum(layer.weight_bits for layer in network.matrix_layers)
    target = "generic" if family is ICE40 else family.name
    found = Sizer(network, Plan(layers=(), target=target), family=family)
    for interval in (found.least_interval, 64, 512, found.intervals[-1]):
        for path in found._paths(interval, float("inf")):
            assert weights <= found.most_weights(luts=path.luts, block_rams=path.block_rams)


@pytest.mark.parametrize("integers", [False, True])
def test_preloads_are_counted_without_them(integers):
    for seed in range(6):
        network = random_conv_network(seed, shape=(6, 6, 3), integers=integers, classes=3)
        for layer in network.matrix_layers:
            for pe, simd in itertools.product((1, 2, layer.outputs), (1, 2, 5, layer.inputs)):
                fold = Fold(
                    inputs=layer.inputs, outputs=layer.outputs, pe=min(pe, layer.outputs), simd=min(simd, layer.inputs)
                )
                bits = accumulator_bits(layer, fold)
                assert preload_count(layer, fold, bits) == len(preload_values(layer, fold, bits))


def test_progress_from_the_first_layer_on():
    """Every table of folds tells how far it is, and then the search does."""
    told = []
    Sizer(NETWORK, Plan(layers=(), target="xc7"), family=XC7, progress=lambda *step: told.append(step)).fastest(
        luts=900, block_rams=6
    )
    whats = list(dict.fromkeys(what for what, _, _ in told))
    assert whats == ["sizing", "folds of layer0", "folds of layer1", "folds of layer2"]
    for what in whats:
        steps = [(done, total) for name, done, total in told if name == what]
        assert steps[0][0] == 0 and steps[-1][0] == steps[-1][1] and len(steps) > 3


@pytest.mark.slow
def test_eight_million_weights_are_sized_in_seconds():
    """A network of nearly BinaryNet's size, of which some rate fits: the search alone tells which."""
    rng = np.random.default_rng(1)
    layers, inputs = [], 8192
    for k, outputs in enumerate((896, 1024, 10)):
        output = Thresholds(values=np.full((outputs, 1), inputs // 2))
        if k == 2:
            output = Scores(scale=np.ones(10, int), offset=np.zeros(10, int))
        weights = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        layers.append(Dense(name=f"dense{k}", weights=weights, output=output))
        inputs = outputs
    encoding = ThresholdEncoding(thresholds=np.array([1]))
    network = Network(name="wide", input=Input(shape=(8192,), bits=1), encoding=encoding, layers=tuple(layers))
    started = time.process_time()
    plan = bw.size(network, board="aup-zu3", target_fps=200)
    assert time.process_time() - started < 60  # 5 on a quiet machine; it was minutes
    assert bw.estimate(network, plan).total.block_rams <= 212

"""`bitwright search`: what may be chosen, evolution and its resumption, inheritance, candidates, and whole searches."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import bitwright as bw
from bitwright.api.sizing import board_base
from bitwright.cli import main
from bitwright.searching.candidates import (
    Assignment,
    Budget,
    Candidate,
    JudgedCandidate,
    Surroundings,
    bars_of,
    judge,
    short_config,
    without_test_frames,
)
from bitwright.searching.evolution import Evolution
from bitwright.searching.records import Records
from bitwright.searching.result import SearchResult
from bitwright.searching.space import SearchSpace, Traits
from bitwright.searching.study import Study
from bitwright.searching.whole import SearchOptions, space_of
from bitwright_boards import load_board
from bitwright_core.errors import PlanError, TrainingError
from bitwright_data import load_dataset
from bitwright_train import ConvConfig, load_config
from bitwright_train.inherit import inherit
from bitwright_train.model_file import build_model

DIGITS = load_config("digits")
SPACE = SearchSpace(config=DIGITS, scales=(0.25, 0.5, 1.0), depths=(1, 2), activations=(1, 2), cycles=(64, 256))
CONVS = replace(
    DIGITS,
    convs=(
        ConvConfig(outputs=8, padding=1),
        ConvConfig(outputs=8, padding=1, shortcut=1),
        ConvConfig(outputs=16, stride=2),
        ConvConfig(outputs=16, depthwise=True),
    ),
    hidden=(24,),
)


def budget(max_luts=4000, target_fps=None):
    board = load_board("icebreaker")
    options, limits = board_base(board, max_luts, None, {})
    return Budget(options=options, family=board.target, limits=limits, frames_per_second=target_fps)


def found_of(assignment: Assignment) -> Candidate:
    """What a search would find, made up of the traits: wide networks are right, and large."""
    traits = assignment.traits
    luts = 40 * sum(traits.hidden) * (1 + sum(bits == 2 for bits in traits.activations)) * 64 // traits.cycles + 100
    accuracy = 1 - 1 / (10 + sum(traits.hidden) + 5 * sum(bits == 2 for bits in traits.activations))
    return Candidate(
        number=assignment.number,
        generation=assignment.generation,
        traits=traits,
        parent=assignment.parent,
        accuracy=accuracy if luts <= 4000 else 0.0,
        curve=(accuracy / 2, accuracy) if luts <= 4000 else (),
        stopped=False,
        luts=luts,
        ffs=0,
        block_rams=1.5,
        cycles=traits.cycles,
        frames_per_second=12e6 / traits.cycles,
        excess=max(0.0, luts / 4000 - 1),
    )


class KilledError(Exception):
    """Stands for a kill."""


def study(folder, generations=4, kill_after=None, seed=3, backwards=False, space=SPACE):
    """A study of made-up results, which ends in KilledError after so many."""
    judged = []

    def made_up(assignments, found):
        for assignment in reversed(assignments) if backwards else assignments:
            if len(judged) == kill_after:
                raise KilledError
            judged.append(assignment.number)
            one = found_of(assignment)
            found(JudgedCandidate(candidate=one, model=b"m%d" % one.number if one.curve else None))

    made = Study(
        evolution=Evolution(space=space, population=6, seed=seed, rate_counts=True, check=lambda config: None),
        judge=made_up,
        records=Records(folder, {"seed": seed}),
        generations=generations,
        told=lambda done: None,
    )
    return made, judged


def test_a_study_that_was_killed_ends_as_it_would_have(tmp_path):
    whole, _ = study(tmp_path / "whole")
    expected = whole.run()
    assert [one.number for one in expected] == list(range(24))
    assert len({one.traits for one in expected}) == 24
    cut, _ = study(tmp_path / "cut", kill_after=9, backwards=True)  # as a cluster may: in another order
    with pytest.raises(KilledError):
        cut.run()
    again, judged = study(tmp_path / "cut")
    assert again.run() == expected
    assert len(judged) == 24 - 9
    more, judged = study(tmp_path / "cut", generations=5)
    assert more.run()[:24] == expected and len(judged) in range(1, 7)
    other, _ = study(tmp_path / "other", seed=4)
    assert [one.traits for one in other.run()] != [one.traits for one in expected]


def test_children_begin_with_an_earlier_parent_that_was_trained(tmp_path):
    made, _ = study(tmp_path)
    found = made.run()
    assert all(one.parent is None for one in found[:6])
    parents = [one for one in found[6:] if one.parent is not None]
    assert parents
    for one in parents:
        assert found[one.parent].curve and found[one.parent].generation < one.generation


def test_half_of_the_first_generation_is_uniform(tmp_path):
    made, _ = study(tmp_path, generations=1)
    assert [one.traits.hidden for one in made.run()[:3]] == [(96, 96), (48, 48), (24, 24)]


def test_a_folder_of_another_search_is_refused(tmp_path):
    study(tmp_path, generations=1)[0].run()
    with pytest.raises(TrainingError, match=r"search.json: a search with other settings \(seed\); choose another"):
        study(tmp_path, seed=4)
    file = tmp_path / "candidates" / "00001.json"
    changed = json.loads(file.read_text())
    file.write_text(json.dumps(changed | {"traits": changed["traits"] | {"cycles": 7}}))
    with pytest.raises(TrainingError, match=r"candidate 1 there is .* and by this version it is"):
        study(tmp_path)[0].run()
    file.write_text("{")
    with pytest.raises(TrainingError, match="cannot be read"):
        study(tmp_path)[0].run()


def test_a_space_without_more_networks_ends_the_search(tmp_path):
    made, _ = study(tmp_path, space=SearchSpace(config=DIGITS, scales=(0.5, 1.0), depths=(1,), cycles=(64, 256)))
    assert len({str(one.traits) + str(one.cycles) for one in made.run()}) == 4


def test_what_a_genome_stands_for():
    genome = {name: choices[-1] for name, choices in SPACE.genes.items()} | {"dense0": 0.25, "activations0": 1}
    traits = SPACE.traits(genome)
    assert traits == Traits(
        convs=(), hidden=(24, 96), weights=(1, 1, 1), activations=(1, 2), levels=0, cycles=256, planes="parallel"
    )
    assert str(traits) == "24-96 W1A1/2"
    config = SPACE.network_config(traits)
    assert (config.hidden, config.activations, config.thresholds) == ((24, 96), (1, 2), DIGITS.thresholds)
    shallow = SPACE.traits(genome | {"depth": 1})
    assert shallow.hidden == (24,) and shallow == SPACE.traits(genome | {"depth": 1, "dense1": 0.25})
    levels = replace(SPACE, levels=(2, 3))
    assert levels.network_config(levels.traits({**genome, "levels": 3})).encoding_thresholds == (8, 16, 24)
    deeper = replace(SPACE, depths=(3,))
    assert deeper.traits({**genome, "depth": 3, "dense2": 0.5, "activations2": 2}).hidden == (24, 96, 48)


def test_convolutions_that_are_added_are_as_wide():
    space = SearchSpace(config=CONVS, scales=(0.5, 1.0, 2.0), cycles=(500,))
    assert set(space.genes) == {"conv0", "conv2", "depth", "dense0", "cycles", "planes"}
    traits = space.traits({name: choices[0] for name, choices in space.genes.items()} | {"conv2": 2.0})
    assert traits.convs == (8, 8, 32, 32) and traits.hidden == (16,)
    build_model(space.network_config(traits), (8, 8), 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scales": (-1.0,)}, "scales are factors"),
        ({"depths": (100,)}, "depths are dense layers"),
        ({"config": replace(CONVS, hidden=()), "depths": (2,)}, "no hidden dense layer"),
        ({"config": replace(DIGITS, encoding="integers", thresholds=()), "levels": (2,)}, "an encoding to bits"),
    ],
)
def test_choices_that_make_no_sense(changes, words):
    with pytest.raises(TrainingError, match=words):
        replace(SPACE, **changes)


def test_what_is_left_open_is_found():
    data = load_dataset("digits")
    options = SearchOptions(population=4, generations=1, epochs=1)
    space = space_of(DIGITS, data, budget(), options)
    assert space.activations == (1, 2) and space.planes == ("parallel", "serial")
    assert space.cycles == (64, 128, 256, 512, 1024)  # 64 values of a byte each
    assert space_of(DIGITS, data, budget(target_fps=100_000), options).cycles == (120,)
    with pytest.raises(PlanError, match=r"takes 64 cycles .* at most 187,500 frames/s, and 12 cycles are asked for"):
        space_of(DIGITS, data, budget(target_fps=1_000_000), options)


def test_it_begins_from_chance_and_at_the_rate_for_that(tmp_path):
    options = SearchOptions(population=4, generations=1, epochs=1)

    def searched(**changes):
        return space_of(replace(DIGITS, **changes), load_dataset("digits"), budget(), options).config

    found = searched(start="sfc-w1a2", learning_rate=0.001)
    assert (found.start, found.learning_rate) == ("", load_config("sfc-w1a2").learning_rate)
    assert searched(start=str(tmp_path), learning_rate=0.001).learning_rate == 0.001
    assert searched() == DIGITS


def test_what_misses_the_budget_counts_by_how_far():
    asked = budget(2000, target_fps=1000)
    assert asked.excess(luts=2000, block_rams=26, frames_per_second=1000) == 0
    assert asked.excess(luts=3000, block_rams=26, frames_per_second=1000) == pytest.approx(0.5)
    assert asked.excess(luts=2200, block_rams=52, frames_per_second=500) == pytest.approx(1.0)


def test_bars_are_medians_of_what_is_no_larger():
    peers = [(100, (0.5, 0.6)), (100, (0.7, 0.65)), (200, (0.9,)), (200, (0.8, 0.9)), (900, (1.0, 1.0))]
    assert bars_of(200, peers, 2) == (pytest.approx(0.75), None)
    assert bars_of(900, peers, 2) == (pytest.approx(0.8), pytest.approx(0.8))
    assert bars_of(100, peers, 1) == (None,)


def models(one, other, shape=(8, 8)):
    made = []
    for seed, config in enumerate((one, other)):
        model = build_model(config, shape, 10)
        model.initialise(torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for stage in model.stages:
                stage.norm.running_mean += 1 + seed
        made.append(model)
    return made


def test_weights_are_cut_and_widened():
    model, source = models(replace(DIGITS, hidden=(40, 8)), replace(DIGITS, hidden=(16, 24)))
    before = model.stages[1].linear.weight.detach().clone()
    assert inherit(model, source) == 3
    first, second, last = model.stages
    assert torch.equal(first.linear.weight[:16], source.stages[0].linear.weight)
    assert torch.equal(second.linear.weight[:, :16], source.stages[1].linear.weight[:8])
    assert torch.equal(second.linear.weight[:, 16:], before[:, 16:])  # of neurons that are new
    assert torch.equal(last.linear.weight, source.stages[2].linear.weight[:, :8])
    assert set(first.norm.running_mean[:16].tolist()) == {2.0} and set(first.norm.running_mean[16:].tolist()) == {1.0}


def test_an_equal_network_is_inherited_whole():
    for config in (DIGITS, CONVS):
        model, source = models(config, config)
        assert inherit(model, source) == len(model.stages)
        theirs = source.state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())


def test_other_depths_bits_and_levels():
    deep = replace(DIGITS, hidden=(16, 16, 16), thresholds=(), levels=2, activations=2)
    model, source = models(deep, replace(DIGITS, hidden=(16, 16), thresholds=(), levels=4))
    assert inherit(model, source) == 2  # the third layer and the last are new
    lanes = source.stages[0].linear.weight.reshape(16, 64, 4)[:, :, [0, 2]]
    assert torch.equal(model.stages[0].linear.weight.reshape(16, 64, 2), lanes)
    middle = np.mean((0.25, 0.75, 1.25))  # between 0, 1, 2 and 3 where a sign has 0
    np.testing.assert_allclose(model.stages[0].norm.bias.detach(), middle)


def test_a_convolution_before_a_dense_layer():
    wide = replace(
        CONVS, convs=(*CONVS.convs[:2], ConvConfig(outputs=24, stride=2), ConvConfig(outputs=24, depthwise=True))
    )
    model, source = models(wide, CONVS)
    inherit(model, source)
    dense, theirs = (one.stages[4].linear.weight for one in (model, source))
    assert torch.equal(dense.reshape(24, -1, 24)[:, :, :16], theirs.reshape(24, -1, 16))


def assignment(number=0, parent_model=None, hidden=(24,), **changes):
    traits = Traits(
        convs=(), hidden=hidden, weights=(1,) * (len(hidden) + 1), activations=(1,) * len(hidden), levels=0, cycles=256,
        planes="parallel",
    )  # fmt: skip
    given = {"parent": None, "peers": (), "generation": 0, "config": SPACE.network_config(traits), **changes}
    return Assignment(number=number, traits=traits, parent_model=parent_model, **given)


def test_a_candidate_is_sized_trained_and_inherited_from():
    surroundings = Surroundings(dataset=without_test_frames(load_dataset("digits")), budget=budget(), epochs=2)
    first = judge(surroundings, assignment())
    assert first.candidate.fits and len(first.candidate.curve) == 2 and first.candidate.accuracy > 0.5
    assert judge(surroundings, assignment()).candidate == first.candidate
    child = judge(surroundings, assignment(1, first.model, (32,), parent=0, generation=1)).candidate
    assert child.curve[0] > first.candidate.curve[0]
    peers = tuple((100, (1.0, 1.0)) for _ in range(4))
    stopped = judge(surroundings, assignment(2, peers=peers)).candidate
    assert stopped.stopped and len(stopped.curve) == 1
    tight = replace(surroundings, budget=budget(100))
    assert not judge(tight, assignment()).candidate.fits and judge(tight, assignment()).model is None


def test_a_study_has_no_test_frames():
    data = load_dataset("digits")
    seen = without_test_frames(data)
    assert len(seen.test_frames) == 1 and (seen.test_frames[0] == data.train_frames[0]).all()
    config = short_config(load_config("lfc"), 3)
    assert (config.distill, config.validation_fraction, config.epochs) == (0.0, 0.1, 3)
    assert config.warmup_epochs == pytest.approx(0.3)


def result(candidates):
    return SearchResult(
        network="digits",
        dataset="digits",
        board="icebreaker",
        title="1BitSquared iCEBreaker",
        clock_mhz=12.0,
        max_luts=4000,
        target_fps=None,
        candidates=tuple(candidates),
    )


def test_the_frontier_as_picture_page_and_json(tmp_path):
    made, _ = study(tmp_path / "study")
    found = result(made.run())
    luts = [one.luts for one in found.frontier]
    assert luts == sorted(luts) and max(luts) <= 4000
    assert found.chosen.accuracy == max(one.accuracy for one in found.candidates)
    found.save(tmp_path / "out")
    assert (tmp_path / "out" / "frontier.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "out" / "index.html").read_text()
    assert str(found.chosen.traits) in page and "<svg" in page and page.count('class="chosen"') == 1
    facts = json.loads((tmp_path / "out" / "results.json").read_text())
    assert sum(one["frontier"] for one in facts["candidates"]) == len(found.frontier)
    none = result([replace(one, excess=0.5) for one in found.candidates])
    with pytest.raises(TrainingError, match=r"none of 24 candidates keeps to the budget: .* the nearest, takes"):
        _ = none.chosen


def test_without_optuna_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["search", "digits", "--board", "icebreaker", "--budget", "4000luts", "--out", str(tmp_path)]) == 2
    assert "searching needs optuna" in capsys.readouterr().err


TINY = {
    "board": "icebreaker",
    "max_luts": 3000,
    "population": 4,
    "generations": 2,
    "search_epochs": 1,
    "epochs": 3,
    "cycles": [256],
    "frames": 60,
}
COMMAND = [
    *("search", "digits", "--board", "icebreaker", "--budget", "3000luts", "--population", "4", "--generations", "2"),
    *("--search-epochs", "1", "--epochs", "3", "--cycles", "256", "--frames", "60"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return bw.search("digits", out, **TINY)


@pytest.mark.slow
def test_a_whole_search(whole):
    made = whole.made
    assert made.verified_frames == 60 and made.fits and made.test_accuracy > 0.7
    assert abs(made.luts - made.counted_luts) <= 0.15 * made.counted_luts
    assert made.number == whole.chosen.number and len(whole.candidates) == 8


@pytest.mark.slow
def test_killed_and_resumed_it_ends_as_it_would_have(whole, tmp_path, capsys):
    """SIGKILL in the middle of a generation; the same command then finds the same, to the bit."""
    command = [sys.executable, "-m", "bitwright.cli", *COMMAND, "--out", str(tmp_path)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("candidates/*.json"))) < 6:
        assert running.poll() is None
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("candidates/*.json")}
    assert len(kept) < 8
    assert main([*COMMAND, "--out", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["candidates"] == json.loads(json.dumps(whole.to_dict()["candidates"]))
    assert facts["chosen"] | {"folder": ""} == whole.to_dict()["chosen"] | {"folder": ""}
    assert kept == {file: file.stat().st_mtime_ns for file in kept}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install '.[ray]'")
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_finds_the_same(whole, tmp_path):
    assert bw.search("digits", tmp_path, **TINY, ray="local").candidates == whole.candidates

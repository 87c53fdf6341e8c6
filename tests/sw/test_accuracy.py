"""`bitwright explore --accuracy`: the frontier, what is written, and one whole run."""

import dataclasses
import json

import pytest

import bitwright as bw
from bitwright.accuracy import AccuracyFrontier, AccuracyPoint, explored, variants
from bitwright.cli import main
from bitwright.peers import peers_of
from bitwright_core.errors import TrainingError
from bitwright_train import load_config


def point(accuracy, luts, seed=1):
    return AccuracyPoint(
        neurons=(luts // 2,),
        fan_in=6,
        levels=3,
        seed=seed,
        accuracy=accuracy,
        luts=luts,
        expected_luts=luts + 3,
        verified_frames=100,
        folder="x",
    )


def test_the_frontier_has_what_no_other_beats():
    points = (point(90, 500), point(95, 900), point(94, 1000), point(89, 500, seed=2), point(97, 2000))
    found = AccuracyFrontier(dataset="mnist", points=points, peers=())
    assert [(p.accuracy, p.luts) for p in found.frontier] == [(90, 500), (95, 900), (97, 2000)]


def test_points_of_others_have_their_source():
    mnist = peers_of("mnist")
    assert ("dwn2rtl", 97.70, 2246, True) in {(p.what, p.accuracy, p.luts, p.encoder) for p in mnist}
    assert [peer.luts for peer in peers_of("data/letter.npz")] == [21_603]
    assert all(peer.source for peer in mnist) and peers_of("digits") == ()


def test_each_point_is_written_as_soon_as_it_is_there(tmp_path):
    configs = [dataclasses.replace(load_config("digits-luts"), seed=seed) for seed in (1, 2)]

    def measure(config):
        if config.seed == 2:
            raise TrainingError("enough")
        return point(96, 700)

    with pytest.raises(TrainingError, match="enough"):
        explored(configs, tmp_path, measure)
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    facts = json.loads((tmp_path / "accuracy.json").read_text())
    assert [(p["luts"], p["frontier"]) for p in facts["points"]] == [(700, True)]
    assert "| 350 | 6 | 3 | 1 | 96.00 % | 700 | 703 | 100 | yes |" in (tmp_path / "accuracy.md").read_text()


def test_variants_keep_what_is_not_given():
    config = load_config("digits-luts")
    found = variants(config, [[100], [60, 40]], [3], [4, 6])
    assert [(c.luts.neurons, c.luts.fan_in, len(c.encoding_thresholds)) for c in found] == [
        ((100,), 4, 3),
        ((100,), 6, 3),
        ((60, 40), 4, 3),
        ((60, 40), 6, 3),
    ]
    assert variants(config, [], [], []) == [config]
    with pytest.raises(TrainingError, match="no layers of lookup tables"):
        variants(load_config("tfc"), [], [], [])


def test_mistakes_on_the_command_line(tmp_path, capsys):
    arguments = ["explore", "digits-luts", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "needs a --board" in capsys.readouterr().err
    assert main([*arguments, "--accuracy", "--widths", "3x4"]) == 2
    assert "--widths is a list of whole numbers" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_is_trained_counted_and_verified(tmp_path):
    found = bw.explore_accuracy("digits-luts", tmp_path, widths=[[60, 40]], epochs=4, frames=100)
    (only,) = found.points
    assert only.accuracy > 60 and only.verified_frames == 100
    assert only.luts == pytest.approx(only.expected_luts, rel=0.15)
    assert (tmp_path / "60-40-in6-levels5-seed1/design/manifest.json").is_file()

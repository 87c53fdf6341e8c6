"""`bench/search_bench.py`: its arithmetic, what it chooses of a search, and a whole measurement of tiny searches."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def verdict(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("search_verdict")


def test_scaling_is_interpolated_over_the_logarithm_of_luts(verdict):
    scaling = verdict.Scaling.of([[(990, 0.90), (1010, 0.92)], [(4000, 0.95)], [(3000, 0.90)]])
    assert scaling.points == ((1000, pytest.approx(0.91)), (4000, 0.95))  # the beaten one is none of it
    assert scaling.accuracy_at(2000) == pytest.approx(0.93)
    assert scaling.luts_at(0.93) == pytest.approx(2000)
    assert scaling.accuracy_at(1000) == pytest.approx(0.91) and scaling.accuracy_at(4000) == pytest.approx(0.95)
    assert scaling.accuracy_at(999) is None and scaling.accuracy_at(4001) is None
    assert scaling.luts_at(0.90) is None and scaling.luts_at(0.96) is None


def test_a_search_beside_the_scaling(verdict):
    scaling = verdict.Scaling.of([[(1000, 0.91)], [(4000, 0.95)]])
    found = verdict.Beside.of(1, [(1000, 0.93), (2000, 0.96), (500, 0.80)], scaling)
    assert found.gains == (pytest.approx(2.0), pytest.approx(3.0))
    assert found.savings == (pytest.approx(0.5),) and found.saving == pytest.approx(0.5)
    assert found.gain == pytest.approx(2.5) and found.networks == 3 and found.holds
    worse = verdict.Beside.of(2, [(2000, 0.931)], scaling)
    assert worse.gain == pytest.approx(0.1) and not worse.holds
    assert verdict.Beside.of(3, [(500, 0.80)], scaling).gain is None
    assert not verdict.Beside.of(3, [], scaling).holds


def test_ranks_of_estimates(verdict):
    ranking = verdict.Ranking.of([(110, 100), (190, 200), (300, 300), (500, 400)])
    assert ranking.correlation == pytest.approx(1.0) and ranking.designs == 4
    assert ranking.mean_error == pytest.approx((0.1 + 0.05 + 0 + 0.25) / 4)
    assert ranking.worst_error == pytest.approx(0.25)
    assert verdict.Ranking.of([(1, 10), (3, 20), (2, 30)]).correlation == pytest.approx(0.5)


def test_a_few_of_many_are_spread_evenly(verdict):
    assert verdict.spread([1, 2], 6) == [1, 2]
    assert verdict.spread(list(range(11)), 3) == [0, 5, 10]
    assert verdict.spread([1, 2, 3], 1) == [3]
    assert len(set(verdict.spread(list(range(100)), 30))) == 30


@pytest.mark.slow
@pytest.mark.data
def test_a_tiny_measurement_goes_on_and_tells_all_parts(tmp_path):
    command = [sys.executable, str(BENCH / "search_bench.py"), "--out", str(tmp_path), "--dataset", "mnist:0,1"]
    command += ["--jobs", "2", "--widths", "24,32", "--fps", "130000", "--seeds", "1", "--epochs", "1"]
    command += ["--search-epochs", "1", "--population", "2", "--generations", "2", "--finalists", "2", "--ranked", "3"]
    cut = subprocess.run([*command, "--minutes", "0.01"], capture_output=True, text=True, env=os.environ, check=False)
    assert cut.returncode == 1, cut.stderr
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert "points at equal LUTs" in done.stdout and "rank correlation" in done.stdout
    found = json.loads((tmp_path / "search-bench.json").read_text("utf-8"))
    assert [one["part"] for one in found["designs"]].count("scaling") == 2
    assert found["rank"]["designs"] == 3 and found["rank"]["worst_error"] < 0.15
    assert all(one["accuracy"] > 0.9 for one in found["designs"] if one["part"] != "rank")
    told = subprocess.run([*command, "--report"], capture_output=True, text=True, env=os.environ, check=False)
    assert told.returncode == 0 and "points at equal LUTs" in told.stdout

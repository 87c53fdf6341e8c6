"""`explore --synth`: each point counted by Yosys as synth counts it, on this machine's cores and on a Ray cluster."""

import json
import pickle
from importlib.util import find_spec

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright.sweep import SynthesisTask, sweep, synthesize_plan
from bitwright_core.errors import PlanError
from bitwright_core.plan import Plan

from .networks import random_network

NETWORK = random_network(4, shape=(4, 4), bits=8, levels=1, hidden=(6,), classes=3)


def plans(*folds: int) -> list[Plan]:
    return [bw.size(NETWORK, pe=1, simd=simd, target="ice40") for simd in folds]


@pytest.mark.slow
def test_a_point_is_counted_as_synth_counts_it(tmp_path):
    (plan,) = plans(4)
    counts = synthesize_plan(SynthesisTask(network=NETWORK, plan=plan, family="ice40"))
    assert counts == bw.synth(bw.generate(NETWORK, plan, tmp_path / "d"), family="ice40").total


@pytest.mark.slow
def test_results_come_in_the_order_of_the_plans():
    told = []
    chosen = plans(16, 2)
    counts = sweep(NETWORK, chosen, "ice40", progress=lambda *step: told.append(step))
    assert counts == [synthesize_plan(SynthesisTask(network=NETWORK, plan=plan, family="ice40")) for plan in chosen]
    assert counts[0] != counts[1] and told[-1] == ("synthesizing plans", 2, 2)


def test_a_network_goes_to_another_process():
    assert pickle.loads(pickle.dumps(NETWORK)) == NETWORK  # its own bytes, a moment old


def test_what_a_plan_raises_is_raised():
    wrong = bw.size(random_network(1), pe=1, simd=1)
    with pytest.raises(PlanError):
        sweep(NETWORK, [wrong], "ice40")


def test_a_cluster_is_for_synthesis(tmp_path, capsys):
    NETWORK.save(tmp_path / "n.safetensors")
    command = ["explore", str(tmp_path / "n.safetensors"), "--board", "icebreaker", "--out", str(tmp_path / "x")]
    assert main([*command, "--ray", "local"]) == 2
    assert "a cluster (ray) is for synth" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    NETWORK.save(tmp_path / "n.safetensors")
    command = ["explore", str(tmp_path / "n.safetensors"), "--board", "icebreaker", "--out", str(tmp_path / "x")]
    assert main([*command, "--synth", "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert len(points) > 1
    for point in points:
        assert abs(point["luts"] - point["counted_luts"]) <= 0.15 * point["counted_luts"]
        assert point["block_rams"] == point["counted_block_rams"]
    page = (tmp_path / "x" / "index.html").read_text()
    assert "LUTs by Yosys" in page and page.count(f"<td>{points[0]['counted_luts']:,}</td>") >= 1
    assert main([*command, "--synth"]) == 0
    assert "Yosys" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install '.[ray]'")
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_counts_the_same():
    chosen = plans(16, 2)
    assert sweep(NETWORK, chosen, "ice40", ray="local") == sweep(NETWORK, chosen, "ice40")

"""`bitwright explore`: what it writes; a page that needs nothing beside it; the chosen plan, which is the sized one."""

import dataclasses
import json
import re

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core.plan import Plan
from bitwright_hw.solve import solved

from .graph_networks import random_graph_network
from .networks import random_network

NETWORK = random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(32, 24))


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    out = tmp_path_factory.mktemp("explore")
    return bw.explore(NETWORK, out, board="pynq-z2", target_fps=1_500_000), out


def test_faster_points_take_more(explored):
    points = explored[0].points
    assert len(points) > 5
    rates = [point.frames_per_second for point in points]
    assert rates == sorted(rates, reverse=True)
    assert points[0].luts > points[-1].luts
    assert all(point.luts <= 42_560 and point.block_rams <= 136 for point in points)


def test_the_chosen_point_is_what_size_gives(explored):
    found, out = explored
    assert [point.chosen for point in found.points].count(True) == 1
    assert found.chosen.frames_per_second >= 1_500_000
    assert found.chosen.plan == bw.size(NETWORK, board="pynq-z2", target_fps=1_500_000)
    assert Plan.load(out / "plan.toml") == found.chosen.plan


@pytest.mark.slow
def test_networks_of_few_bits_that_branch(tmp_path):
    """Each point is the plan of a design: its interval is the one that the graph's slowest stage has."""
    network = random_graph_network(1003, shape=(5, 4, 2), steps=6, sums=True, mixed=True)
    numbers = {node.edge.number.bits for node in network.nodes[:-1]}
    assert not network.is_chain and max(numbers) > 1
    found = bw.explore(network, tmp_path, board="pynq-z2")
    assert len(found.points) > 3
    for point in (found.points[0], found.chosen, found.points[-1]):
        solution = solved(network, point.plan)
        assert point.frames_per_second == point.plan.clock_mhz * 1e6 / solution.interval_cycles


def test_the_page_needs_nothing_beside_it(explored):
    found, out = explored
    page = (out / "index.html").read_text("utf-8")
    assert page.count("<svg") == 1
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\((?!#)""", page)
    rows = re.findall(r"<tr( class=\"chosen\")?><td>", page)
    assert len(rows) == len(found.points) and sum(map(bool, rows)) == 1
    assert f"{found.chosen.frames_per_second:,.0f}" in page
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_page_shows_is_escaped(explored):
    page = dataclasses.replace(explored[0], title="<script>x</script>")._page("<svg></svg>")
    assert "<script>" not in page and page.count("&lt;script&gt;") == 2 and "<svg></svg>" in page


def test_the_same_points_give_the_same_page(explored, tmp_path):
    explored[0].save(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == (explored[1] / "index.html").read_bytes()


def test_the_command(tmp_path, capsys):
    NETWORK.save(tmp_path / "n.safetensors")
    arguments = ["explore", str(tmp_path / "n.safetensors"), "--board", "ulx3s-85f", "--out", str(tmp_path / "x")]
    assert main([*arguments, "--max-luts", "4000", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["points"][0]["chosen"]  # the fastest, unless a rate is asked for
    assert all(point["luts"] <= 4000 for point in facts["points"])
    assert main([*arguments, "--max-luts", "4"]) == 2
    assert "does not fit the 4 LUTs" in capsys.readouterr().err

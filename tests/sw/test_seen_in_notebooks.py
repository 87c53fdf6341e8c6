"""How notebooks show networks, plans, designs, estimates and verifications; and what info says of a design."""

import json
import xml.etree.ElementTree as ET

import pytest

from bitwright import api
from bitwright.cli import leaves, main
from bitwright_core.html import html_table
from bitwright_core.plan import LayerPlan, Plan
from bitwright_sim.compare import Mismatch
from bitwright_sim.report import VerifyReport

from .networks import random_network


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(3, shape=(4, 4), hidden=(12, 9))
    plan = Plan(layers=tuple(LayerPlan(name=layer.name, pe=3, simd=4) for layer in network.layers), target="xc7")
    return api.generate(network, plan, tmp_path_factory.mktemp("html") / "design")


def rows(shown) -> list[list[str]]:
    """The cells of a table, its caption first."""
    table = ET.fromstring(shown._repr_html_())
    caption = "".join(table.find("caption").itertext())
    return [[caption], *([cell.text or "" for cell in row] for row in table.iter("tr"))]


def verification(**changes) -> VerifyReport:
    fields = {
        "frames": 1234,
        "mismatches": 0,
        "compared": {"layer0": 5000, "class": 1234},
        "accuracy": 0.5,
        "golden_accuracy": 0.5,
        "label_metrics": None,
        "golden_label_metrics": None,
        "interval_cycles": 64,
        "ideal_interval_cycles": 64,
        "latency_cycles": 99,
        "frames_per_second": 1.0,
        "cycles": 1,
        "simulator": "Verilator 5",
        "stalls": None,
        "edited": False,
        "first_mismatch": None,
        "reproducer": None,
        "reproducer_error": "",
    }
    return VerifyReport(**{**fields, **changes})


def test_a_network_shows_its_layers(design):
    (caption,), head, *layers = rows(design.network)
    assert caption.startswith("Network random: input 4 x 4 of 4 bits") and head[:2] == ["layer", "kind"]
    assert [(row[0], row[2], row[3]) for row in layers] == [
        (node.name, f"{node.inputs}", f"{node.outputs}") for node in design.network.nodes
    ]


def test_a_plan_shows_its_folds(design):
    (caption,), head, *layers = rows(design.plan)
    assert "xc7" in caption and head[1:3] == ["PE", "SIMD"] and [row[1:3] for row in layers] == [["3", "4"]] * 3


def test_a_design_shows_its_cycles(design):
    (caption,), _, *layers = rows(design)
    assert f"{design.manifest.interval_cycles} cycles" in caption and design.manifest.top in caption
    assert [row[-1] for row in layers] == [f"{layer.ideal_cycles:,}" for layer in design.manifest.layers]


def test_an_estimate_shows_what_each_layer_takes(design):
    estimate = api.estimate(design.network, design.plan)
    *_, last = rows(estimate)
    assert last[0] == "total" and last[1] == f"{estimate.total.luts:,}"
    assert len(rows(estimate)) == 2 + len(estimate.layers) + 2


def test_a_verification_shows_what_was_compared():
    (caption,), _, first, second = rows(verification())
    assert "every integer agrees" in caption and "1,234" in caption and "50.00 %" in caption
    assert (first, second) == (["layer0", "5,000"], ["class", "1,234"])
    wrong = Mismatch(frame=1, layer="layer0", neuron=2, expected=3, got=4)
    assert "first mismatch frame 1, layer0, neuron 2" in rows(verification(mismatches=1, first_mismatch=wrong))[0][0]


def test_names_are_words_and_no_markup():
    table = html_table("<b>", [("<i>", "&")], ["<u>"], [["<script>"], [None], [True], [1234567], [1.23456]])
    cells = [cell.text for cell in ET.fromstring(table).iter("td")]
    assert cells == ["<script>", "-", "yes", "1,234,567", "1.235"] and "<script>" not in table


def test_info_tells_what_a_design_takes(design, capsys):
    assert main(["info", str(design.folder)]) == 0
    total = api.estimate(design.network, design.plan).total
    said = capsys.readouterr().out
    assert f"{total.luts:,} LUTs, {total.ffs:,} flip-flops, {total.block_rams:g} BRAM36" in said
    assert "the model, for xc7" in said and f"{100 * total.luts / 53200:.1f} % LUTs" in said
    assert main(["info", str(design.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["design"]["resources"]
    assert found["luts"] == total.luts and found["board"] == "pynq-z2" and not found["counted"]
    network = str(design.folder / "network.safetensors")
    assert main(["info", network, "--json"]) == 0 and json.loads(capsys.readouterr().out)["design"] is None


def test_info_of_a_hardwired_design_says_that_nobody_knows(tmp_path, capsys):
    network = random_network(4, shape=(4,), hidden=(5,))
    api.generate(network, api.size(network, hardwired=True), tmp_path / "d")
    assert main(["info", str(tmp_path / "d")]) == 0
    assert "not known before bitwright synth" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "command"), [*leaves()], ids=lambda value: value if isinstance(value, str) else "")
def test_long_options_that_travel_together_are_grouped(name, command):
    """No group of a command's help has more than a dozen options."""
    for group in command._action_groups:
        options = [action for action in group._group_actions if action.option_strings]
        assert len(options) <= 12, f"{name}: {len(options)} options under {group.title!r}"

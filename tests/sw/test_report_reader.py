"""What readers who had never seen a report asked of it: honest bars, sums that add up, words, pulses that show."""

import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pytest

from bitwright import api
from bitwright.kept import FORMAT, KeptVerification
from bitwright.reporting.blocks import KINDS
from bitwright.reporting.handshakes import Bus, Handshakes, Signal
from bitwright.reporting.neuron import neuron
from bitwright.reporting.proof import how_compared
from bitwright.reporting.results import scores_of
from bitwright.reporting.sums import sums_of
from bitwright.reporting.svg import TIMES
from bitwright.reporting.waves import PHONE, ROOMY, coming_out, overview
from bitwright.reporting.words import BLOCKS, words_of
from bitwright_core.golden import trace
from bitwright_core.network import Dense, Network, Scores, Votes
from bitwright_core.plan import LayerPlan, Plan, default_plan

from . import chromium
from .networks import random_frames, random_network


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(4, shape=(4, 4), hidden=(40, 9), classes=3)
    plan = Plan(
        layers=tuple(LayerPlan(name=layer.name, pe=3, simd=4) for layer in network.layers), scores=True, target="xc7"
    )
    return api.generate(network, plan, tmp_path_factory.mktemp("reader") / "design")


def kept(**changes) -> KeptVerification:
    facts = {
        "format": FORMAT,
        "design_digest": "0",
        "data": "digits",
        "frames": 10,
        "mismatches": 0,
        "integers": 300,
        "accuracy": None,
        "golden_accuracy": None,
        "confusion": None,
        "interval_cycles": None,
        "ideal_interval_cycles": 9,
        "latency_cycles": None,
        "simulator": "Verilator 5.048",
        "proof": None,
        "stalls": None,
        "first_mismatch": None,
    }
    return KeptVerification(**(facts | changes))


def bars(values):
    network = SimpleNamespace(is_classifier=True, labels=())
    return [(score.start, score.share, score.zero, score.chosen) for score in scores_of(network, np.asarray(values))]


def test_bars_begin_at_zero():
    assert bars([200, 150, 100]) == [(0, 1, 0, True), (0, 0.75, 0, False), (0, 0.5, 0, False)]
    assert bars([-5, 0, 15]) == [(0, 0.25, 0.25, False), (0.25, 0, 0.25, False), (0.25, 0.75, 0.25, True)]
    assert bars([-4, -2]) == [(0, 1, 1, False), (0.5, 0.5, 1, True)]
    assert bars([0, 0]) == [(0, 0, 0, True), (0, 0, 0, False)]


def last_layer(output) -> Network:
    rng = np.random.default_rng(9)
    first = random_network(2, shape=(4, 4), hidden=(20,), classes=4)
    last = Dense(name="last", weights=rng.integers(0, 2, (4, 20), np.uint8), output=output)
    return Network(name="n", input=first.input, encoding=first.encoding, layers=(first.layers[0], last))


@pytest.mark.parametrize(
    "output",
    [
        Scores(scale=np.array([2, 3, 1, 1]), offset=np.array([-4, 0, 7, -30])),
        Scores(scale=np.ones(4, np.int64), offset=np.zeros(4, np.int64)),
        Votes(thresholds=np.array([8, 9, 10, 11]), votes=np.array([1, 2, 3, 4])),
    ],
    ids=["scores", "popcounts", "votes"],
)
def test_popcount_threshold_and_score_add_up(output):
    network = last_layer(output)
    golden = trace(network, random_frames(network, 1, 3))
    found = sums_of(network, golden)
    counts, scores = golden.layers[-1].accumulators[0], golden.layers[-1].values[0]
    assert [row[0] for row in found.rows] == counts.tolist()
    if isinstance(output, Votes):
        assert found.columns == ("popcount", "threshold", "difference", "vote")
        for (count, threshold, difference, vote), score in zip(found.rows, scores, strict=True):
            assert count - threshold == difference and score == (vote if difference >= 0 else 0)
    elif output.offset.any():
        assert found.columns == ("popcount", "scale", "offset")
        assert [scale * count + offset for count, scale, offset in found.rows] == scores.tolist()
    else:
        assert found.columns == ("popcount",) and "scores are these popcounts" in found.told
    assert "last" in found.told and (found.shown in ("popcount", "difference"))


def test_the_neurons_sums_stand_beside_their_cycles(design):
    network = design.network
    wide = SimpleNamespace(network=random_network(3, shape=(16, 16), hidden=(6,), classes=3))
    wide.plan = default_plan(wide.network)
    for one in (design, wide):
        golden = trace(one.network, random_frames(one.network, 1, 5))
        found = neuron(one, golden)
        root = ET.fromstring(found.svg)
        assert float(root.get("viewBox").split()[2]) <= 364  # a phone's page, at the size of the words around it
        words = [text.text for text in root.iter("text")]
        for number, word in enumerate(found.words):
            assert f"cycle {number}: +{word.count} = {word.total}" in words
    assert network.is_classifier


def frame_of(cycles: int) -> Handshakes:
    """A frame whose result comes in one cycle of `cycles`."""

    def at(*places):
        high = np.zeros(cycles, bool)
        high[list(places)] = True
        return high

    last = cycles - 7
    names = ("s_axis_tvalid", "s_axis_tready", "s_axis_tlast", "m_axis_tvalid", "m_axis_tready", "m_axis_tlast")
    places = (range(20), range(cycles), (19,), (last,), range(cycles), (last,))
    return Handshakes(
        simulator="Verilator 5",
        cycles=cycles,
        streams=tuple(Signal(name=name, high=at(*where)) for name, where in zip(names, places, strict=True)),
        probes=(Signal(name="dense0", high=at(*range(20, last - 30))), Signal(name="scores", high=at(last - 4))),
        buses={
            "dense0": Bus(name="dense0", cycles=np.array([20]), words=("1",)),
            "scores": Bus(name="scores", cycles=np.array([last - 4]), words=("-159",)),
            "m_axis_tdata": Bus(name="m_axis_tdata", cycles=np.array([last]), words=("7",)),
        },
        first_in=0,
        last_out=last,
        classes=7,
        result=None,
    )


@pytest.mark.parametrize("paper", [ROOMY, PHONE], ids=["roomy", "phone"])
def test_a_single_pulse_shows_in_thousands_of_cycles(paper):
    found = frame_of(16_547)
    root = ET.fromstring(overview(found, paper))
    pulses = [path.get("d") for path in root.iter("path") if path.get("class") == "busy pulse"]
    assert len(pulses) == 2  # scores and result
    for d in pulses:
        wide, tall = (float(re.search(rf"{letter}([\d.]+)", d)[1]) for letter in "hv")
        assert wide >= 3 and tall >= 14
    words = [text.text for text in root.iter("text")]
    assert "16,540" in words  # the result's cycle, in figures
    ticks = [text for text in root.iter("text") if text.get("y") == str(4 + 22 * 4 + 12)]
    assert len(ticks) * 60 < paper.axis  # their numbers do not touch
    width = float(root.get("viewBox").split()[2])
    for d in pulses:
        x, wide = float(re.match(r"M([\d.]+)", d)[1]), float(re.search(r"h([\d.]+)", d)[1])
        assert x >= 0 and x + wide <= width


def test_waves_fit_a_phone():
    found = frame_of(4000)
    for drawing in (overview(found, PHONE), *coming_out(found, PHONE)):
        assert float(ET.fromstring(drawing).get("viewBox").split()[2]) <= 344
    pieces = [ET.fromstring(piece) for piece in coming_out(found, PHONE)]
    assert len(coming_out(found, ROOMY)) == 1 < len(pieces)
    words = [text.text for piece in pieces for text in piece.iter("text")]
    assert "-159" in words and "7" in words


def test_an_unverified_design_says_so_at_the_top(design, tmp_path):
    page = api.report(design, tmp_path, waves=False).file.read_text("utf-8")
    tiles = re.search(r'<dl class="tiles">(.*?)</dl>', page, re.S)[1]
    assert "unverified" in tiles and "<code>bitwright verify DIR --data NAME</code>" in tiles
    assert "bit for bit" not in tiles


def test_what_compared_is_told_plainly():
    whole = how_compared(kept(simulator="sliced engine (AVX2)", proof="Verilator, on 18 frames, 55,674 integers"))
    assert whole.startswith("The Verilog ran in bitwright's sliced engine (AVX2), a simulator of its own")
    assert "Verilator ran the same Verilog on 18 of the frames" in whole and "55,674 integers" in whole
    assert "nothing checked that engine" in how_compared(kept(simulator="sliced engine (AVX2)"))
    assert how_compared(kept()) == "The Verilog ran in Verilator 5.048."
    odd = how_compared(kept(simulator="sliced engine (AVX2)", proof="Verilator, on every frame"))
    assert "Verilator, on every frame" in odd


def test_every_word_of_the_drawing_is_explained(design, tmp_path):
    assert {title for title, _ in KINDS.values()} <= set(BLOCKS)
    page = api.report(design, tmp_path, waves=False).file.read_text("utf-8")
    terms = re.findall(r"<dt>([^<]*)</dt>", re.search(r'<section id="words".*?</section>', page, re.S)[0])
    for term in (
        "frame guard",
        "encoder",
        "queue",
        "engine",
        f"PE {TIMES} SIMD",
        "XNOR, popcount",
        "threshold",
        "BRAM36",
    ):
        assert term in terms, term
    assert "window" not in terms and "lookup tables" not in terms  # it has none
    assert len(terms) == len(set(terms)) and 'href="#words"' in page
    assert next(word.term for word in words_of(["fork"], "EBR")) == "fork"


@pytest.mark.slow
@chromium.needed
def test_nothing_is_cut_on_a_phone(design, tmp_path):
    page = api.report(design, tmp_path).file
    hidden = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    shown = (
        "[...document.querySelectorAll('svg.waves')].filter(s => s.getBoundingClientRect().width > 0)"
        ".map(s => s.classList.contains('phone'))"
    )
    with chromium.Chromium(tmp_path / "profile") as browser:
        for width, phone in ((400, {True}), (800, {True, False}), (1600, {False})):
            browser.size(width)
            browser.open(page.as_uri())
            browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert browser.run(hidden) == 0, width
            assert set(browser.run(shown)) == phone

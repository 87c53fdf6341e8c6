"""The report: one file that needs nothing beside it, whose drawing and figures are those of the design."""

import base64
import importlib
import json
import pkgutil
import re
import shutil
import struct
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from bitwright import api
from bitwright.cli import main
from bitwright.reporting.blocks import KINDS as NAMED
from bitwright.reporting.blocks import layout
from bitwright.reporting.counted import CountedError, read_measured
from bitwright.reporting.drawing import draw
from bitwright.reporting.neuron import neuron
from bitwright.reporting.picture import frame_picture, maps, png, strip
from bitwright.reporting.svg import TIMES
from bitwright.reporting.walk import pictures
from bitwright_core.errors import DataError
from bitwright_core.golden import trace
from bitwright_core.network import Conv2d, Dense, Input, Luts, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_core.plan import LayerPlan, Plan, default_plan
from bitwright_hw import stages
from bitwright_hw.families import family_named
from bitwright_hw.solve import solved
from bitwright_hw.stages.stage import Stage

from . import chromium
from .conv_networks import random_conv_network
from .few_networks import FEW_ACTIVATIONS
from .lut_networks import random_lut_network
from .networks import random_frames, random_network

FEW = tuple(number for number in FEW_ACTIVATIONS if number.bits > 1)
VOID = {"meta", "img", "input", "br", "link"}
LABELS = ("<b>zero</b>", "one", "two & more")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(3, shape=(4, 4), hidden=(12, 9), labels=LABELS)
    plan = Plan(
        layers=tuple(LayerPlan(name=layer.name, pe=3, simd=4) for layer in network.layers), scores=True, target="xc7"
    )
    return api.generate(network, plan, tmp_path_factory.mktemp("report") / "design")


@pytest.fixture(scope="module")
def frames(tmp_path_factory, design):
    """A data set with labels."""
    file = tmp_path_factory.mktemp("frames") / "set.npz"
    rng = np.random.default_rng(1)
    np.savez(file, x_test=random_frames(design.network, 30, 1), y_test=rng.integers(0, 3, 30))
    return file


@pytest.fixture(scope="module")
def page(design, frames, tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    api.report(design, out, data=str(frames), frame=7, waves=False)
    return (out / "report.html").read_text("utf-8")


class Reader(HTMLParser):
    """Collects tags, and complains about one that is closed without being open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def svgs(page: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_it_needs_nothing_beside_it(page):
    tags = read(page).tags
    assert len(page.encode()) < 3 << 20
    assert not {tag for tag, _ in tags} & {"link", "script", "iframe", "object"}
    for _, attributes in tags:
        for name in ("src", "href", "xlink:href", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), value
    assert not re.search(r"@import|url\((?!#)", page)


def test_a_reader_of_the_screen_has_names_for_everything(page):
    tags = read(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert ("html", {"lang": "en"}) in tags
    for tag, attributes in tags:
        if tag == "img":
            assert attributes["alt"]
        if attributes.get("class") == "scroll":  # what scrolls is reached by the keyboard, and has a name
            assert attributes["tabindex"] == "0" and attributes["role"] == "region" and attributes["aria-label"]
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids
        if tag == "svg" and attributes.get("role") == "img":
            assert len(attributes["aria-label"]) > 20
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_words_have_contrast_in_light_and_dark(page):
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    themes = re.findall(r":root \{(.*?)\}", page, re.S)[:2]
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", theme))
        for ink in ("ink", "soft", "link", "slow", "good", "bad"):
            for ground in ("page", "panel"):
                high, low = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_names_are_words_and_no_markup(page):
    assert "<b>zero</b>" not in page and "&lt;b&gt;zero&lt;/b&gt;" in page and "two &amp; more" in page


def test_every_stage_is_drawn_to_the_scale_of_its_luts(design):
    parts = layout(design, family_named("xc7"), {})
    graph = solved(design.network, design.plan).graph
    assert [block.name for block in parts.blocks] == [*(stage.name for stage in graph.order), "control"]
    total = sum(block.counts.luts for block in parts.blocks)
    assert total == api.estimate(design.network, design.plan, family="xc7").total.luts
    for size in ("wide", "middle", "narrow"):
        root = ET.fromstring(draw(parts, "d", size, "BRAM36"))
        sides = [float(rect.get("width")) for rect in root.iter("rect")]
        assert len(sides) == len(parts.blocks)
        most = max(block.counts.luts for block in parts.blocks)
        for block, side in zip(parts.blocks, sides, strict=True):
            assert side == pytest.approx(max(7, 112 * (block.counts.luts / most) ** 0.5), abs=0.02)
        words = " ".join(text.text or "" for text in root.iter("text"))
        assert f"PE 3 {TIMES} SIMD 4" in words and words.count("(slowest)") == sum(b.slowest for b in parts.blocks) > 0
        width = float(root.get("viewBox").split()[2])
        for rect in root.iter("rect"):
            assert float(rect.get("x")) >= 0 and float(rect.get("x")) + float(rect.get("width")) <= width


def test_every_kind_of_stage_has_a_name():
    for module in pkgutil.iter_modules(stages.__path__):
        importlib.import_module(f"bitwright_hw.stages.{module.name}")
    kinds, found = {Stage}, set()
    while kinds:
        kinds = {below for kind in kinds for below in kind.__subclasses__()}
        found |= {kind.__name__ for kind in kinds if kind.__module__.startswith("bitwright_hw.")}
    assert len(found) > 15 and found - {"EngineStage"} == set(NAMED)


def test_numbers_of_several_levels_are_drawn_in_grey(tmp_path):
    network = random_conv_network(5, shape=(5, 5, 1), classes=3, dense=(6,), act_types=FEW)
    frame = random_frames(network, 1, 4)
    golden = trace(network, frame)
    shown = {picture.title: picture for picture in pictures(network, frame, golden)}
    layers = list(zip(network.nodes[:-1], golden.layers[:-1], strict=True))
    assert {node.name for node, _ in layers} <= set(shown)
    several = [(node, layer.values[0]) for node, layer in layers if not node.edge.number.xnor]
    assert len(several) > 1
    for node, values in several:
        picture = shown[node.name]
        assert picture.note.startswith(f"{values.size} numbers, {values.min()} to {values.max()}")
        pixels = decode(base64.b64decode(picture.uri.partition(",")[2]))
        assert pixels.max() == 255 and pixels.min() == 0
    design = api.generate(network, api.size(network, cycles=2000, scores=True), tmp_path / "d")
    page = api.report(design, waves=False).file.read_text("utf-8")
    assert "bits of weights in" in page or "weights of one bit in" in page


def test_a_design_of_lookup_tables_says_so(tmp_path):
    network = random_lut_network(3)
    design = api.generate(network, api.size(network), tmp_path / "d")
    page = api.report(design, waves=False).file.read_text("utf-8")
    neurons = sum(layer.outputs for layer in network.layers if isinstance(layer, Luts))
    assert f"{neurons} lookup tables of" in page and "multipliers" not in page and ">lookup tables</text>" in page


def test_the_slowest_stage_is_the_interval(design):
    parts = layout(design, family_named("xc7"), {})
    assert {block.cycles for block in parts.blocks if block.slowest} == {design.manifest.interval_cycles}
    assert max(block.cycles or 0 for block in parts.blocks) == design.manifest.interval_cycles


def test_the_neuron_is_counted_as_the_golden_model_does(design):
    frame = random_frames(design.network, 1, 5)
    golden = trace(design.network, frame)
    found = neuron(design, golden)
    layer = design.network.layers[0]
    assert found.layer == layer.name and found.popcount == golden.layers[0].accumulators[0, found.index]
    assert found.bit == golden.layers[0].values[0, found.index]
    assert len("".join(word.given for word in found.words)) == layer.inputs and found.left_out == 0
    assert found.words[-1].total == found.popcount == sum(word.count for word in found.words)
    for word in found.words:
        agree = "".join("1" if a == b else "0" for a, b in zip(word.given, word.weights, strict=True))
        assert agree == word.agree and agree.count("1") == word.count


def test_a_neuron_of_a_grouped_convolution_counts_its_groups_lanes():
    rng = np.random.default_rng(7)
    conv = Conv2d(
        name="grouped",
        shape=(5, 6, 6),
        weights=rng.integers(0, 2, (9, 3, 3, 2), np.uint8),
        output=Thresholds(values=rng.integers(5, 14, (9, 1))),
        padding=(1, 1, 1, 1),
        groups=3,
    )
    last = Dense(
        name="last",
        weights=rng.integers(0, 2, (4, conv.edge.size), np.uint8),
        output=Scores(scale=np.ones(4, np.int64), offset=np.zeros(4, np.int64)),
    )
    network = Network(
        name="groups",
        input=Input(shape=(5, 6, 6), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(conv, last),
    )
    golden = trace(network, random_frames(network, 1, 5))
    found = neuron(SimpleNamespace(network=network, plan=default_plan(network)), golden)
    held = golden.layers[0]
    middle = np.asarray(held.values).reshape(5, 6, 9)[2, 3]
    assert (found.layer, found.place) == ("grouped", "at row 2, column 3") and found.inputs == 18
    assert found.bit == middle[found.index]
    assert found.popcount == np.asarray(held.accumulators).reshape(5, 6, 9)[2, 3, found.index]


def test_the_golden_model_fills_the_confusion_matrix(page, design, frames):
    told = api.load_frames(design.network, str(frames))
    classes = trace(design.network, told.frames).classes
    cells = re.findall(r'<td class="(?:hit|miss|none)"[^>]*>(\S+)</td>', page)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (told.labels, classes), 1)
    assert [0 if cell == "·" else int(cell) for cell in cells] == counts.reshape(-1).tolist()
    assert f"{100 * (told.labels == classes).mean():.2f} % of 30 frames" in page


def decode(data: bytes) -> np.ndarray:
    """Pixels of a PNG without filters."""
    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    body = zlib.decompress(b"".join(re.findall(rb"IDAT(.*)....\0\0\0\0IEND", data, re.S)))
    rows = np.frombuffer(body, np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape((height, width) if kind == 0 else (height, width, 3))


def test_pictures_hold_what_they_show(page, design, frames):
    for shape in ((3, 5), (2, 4, 3)):
        pixels = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
        assert (decode(png(pixels)) == pixels).all()
    first = re.search(r'<img src="data:image/png;base64,([^"]*)"', page)[1]
    frame = api.load_frames(design.network, str(frames)).frames[7]
    assert (decode(base64.b64decode(first)) == frame.astype(int).reshape(4, 4) * 255 // 15).all()
    assert frame_picture(np.arange(9), (9,), 4).shape == (3, 3)
    assert frame_picture(np.arange(12), (2, 2, 3), 4).shape == (2, 2, 3)
    assert strip(np.zeros(70, np.uint8), 32).shape == (3, 32)
    assert maps(np.zeros((4, 5, 6), np.uint8), 4, across=2).shape == (9, 11)


def test_what_synth_counted_stands_beside_the_estimate(design, tmp_path):
    copy = tmp_path / "d"
    shutil.copytree(design.folder, copy)
    numbers = {"luts": 1111, "ffs": 222, "bram36": 3.5, "lutram": 0, "dsps": 0}
    layers = [{"name": layer.name, **numbers, "engine": numbers, "queue": numbers} for layer in design.manifest.layers]
    facts = {"tool": "Yosys 9", **numbers, "luts": 4444, "layers": layers, "other": numbers}
    (copy / "synth-xc7.json").write_text(json.dumps(facts))
    api.report(copy, tmp_path, waves=False, data="random")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Counted by Yosys 9" in page and "4,444 of 53,200" in page and "1,111 LUTs, 3.5 BRAM36" in page
    (copy / "synth-xc7.json").write_text('{"tool": 3}')
    with pytest.raises(CountedError, match="damaged; synthesize again"):
        api.report(copy, tmp_path, waves=False, data="random")
    assert read_measured(design, family_named("ecp5")) is None


def test_nothing_measured_is_no_column(page):
    assert ">measured</th>" not in page and "To measure: <code>bitwright synth" in page
    assert 'class="confusion named"' in page  # classes with long names, whose heads stand upright on a phone


def test_wrong_frames_are_refused_before_anything_is_written(design, tmp_path, capsys):
    with pytest.raises(DataError, match="no frame 1000 in random:0, which has 1000"):
        api.report(design, tmp_path, data="random", frame=1000)
    for argv, words in (
        (["--frame", "-1", "--data", "random"], "there is no frame -1"),
        (["--data", "digit"], "did you mean digits?"),
        (["--frontier", "none"], "file frontier.json is missing"),
        (["--board", "pynqz2"], "did you mean pynq-z"),
    ):
        assert main(["report", str(design.folder), "--out", str(tmp_path), *argv]) == 2
        assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@chromium.needed
def test_it_looks_right_on_any_screen(design, frames, tmp_path):
    page = api.report(design, tmp_path, data=str(frames)).file
    with chromium.Chromium(tmp_path / "profile") as browser:
        for width in (400, 800, 1600):
            browser.size(width)
            browser.open(page.as_uri())
            assert browser.run("document.documentElement.scrollWidth") <= width
            shown = browser.run(
                "[...document.querySelectorAll('svg.blocks')].filter(s => s.getBoundingClientRect().width > 0).length"
            )
            assert shown == 1
            outside = "[...document.querySelectorAll('th, td')].filter(c => c.scrollWidth > c.clientWidth + 1).length"
            assert browser.run(outside) == 0  # no word of a table lies over its neighbour
        assert {address.partition(":")[0] for address in browser.requests()} <= {"file", "data"}
        assert [event for event in browser.events if event.get("method") == "Log.entryAdded"] == []

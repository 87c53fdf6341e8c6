"""The page of `play`: what a hand draws is classified by the simulated hardware, which may be killed meanwhile."""

import base64
import http.client
import json
import os
import signal
import time
from contextlib import closing
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from bitwright import api
from bitwright.cli import main
from bitwright.playing import worker
from bitwright.playing.drawn import SIDE, image_shape, to_frame
from bitwright.playing.hardware import HardwareGoneError
from bitwright.playing.server import Play, Server
from bitwright.playing.simulator import Simulator
from bitwright_core.errors import DataError
from bitwright_core.golden import outputs, trace
from bitwright_sim.compare import expected_values

from . import chromium
from .conv_networks import random_conv_network
from .few_networks import FEW_ACTIVATIONS
from .networks import random_frames, random_network

FEW = tuple(number for number in FEW_ACTIVATIONS if number.bits > 1)


class Stub:
    """A simulator that gives the golden model's integers: the page's part is tested without a build."""

    where = "the golden model"

    def __init__(self, design):
        self.design, self.gone = design, False

    def ask(self, values):
        if self.gone:
            raise HardwareGoneError("the simulator was killed (SIGKILL); draw again to start a new one")
        golden = trace(self.design.network, np.asarray(values)[None])
        layers = zip(self.design.network.layers[:-1], golden.layers[:-1], strict=True)
        return {
            "class": int(golden.classes[0]),
            "outputs": golden.layers[-1].values[0].tolist(),
            "layers": {layer.name: values.values[0].tolist() for layer, values in layers},
            "cycles": 50,
        }


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(3, shape=(8, 8), hidden=(12, 9))
    return api.generate(network, api.size(network, cycles=64, scores=True), tmp_path_factory.mktemp("play") / "design")


@pytest.fixture
def server(design):
    play = Play(design=design, hardware=Stub(design), frames=api.load_frames(design.network, "random", frames=5))
    with closing_server(Server(play, 0)) as found:
        yield found


class closing_server(closing):  # noqa: N801
    def __enter__(self):
        self.thing.start()
        return self.thing

    def __exit__(self, *_):
        self.thing.shutdown()
        self.thing.server_close()


def ask(server, body, *, method="POST", path="/classify", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    with closing(connection):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, {"Host": f"127.0.0.1:{server.server_port}", **headers})
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if answer.headers["Content-Type"] == "application/json" else raw.decode()


def test_the_server_answers_on_loopback_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    status, page = ask(server, None, method="GET", path="/")
    assert status == 200 and "<canvas" in page and "Draw a digit" in page and "http://" not in page


def test_a_frame_is_classified_with_scores_and_activations(server, design):
    status, told = ask(server, {"frame": 2})
    frame = server.play.frames.frames[2:3]
    assert status == 200 and told["agrees"] and told["label"] is None
    assert [score["value"] for score in told["scores"]] == outputs(design.network, frame)[0].tolist()
    assert told["class"] == str(trace(design.network, frame).classes[0])
    assert [(layer["name"], layer["size"]) for layer in told["layers"]] == [("layer0", 12), ("layer1", 9)]
    assert base64.b64decode(told["input"].partition(",")[2]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "one JSON object"),
        ([1], 400, "one JSON object"),
        (b"[" * 100_000, 400, "one JSON object"),
        ({"frame": 5}, 400, "no such frame in random:0, which has 5"),
        ({"frame": True}, 400, "no such frame"),
        ({"frame": "0"}, 400, "no such frame"),
        ({}, 400, "a drawing is a list of 4096 values"),
        ({"drawing": [0] * 4095}, 400, "a drawing is a list"),
        ({"drawing": [256] * 4096}, 400, "a drawing is a list"),
        ({"drawing": [0.5] * 4096}, 400, "a drawing is a list"),
    ],
)
def test_what_is_no_frame_is_told_in_a_sentence(server, body, status, words):
    found, told = ask(server, body)
    assert found == status and words in told["error"]


def test_a_request_that_promises_too_much_is_not_read(server):
    assert ask(server, None, **{"Content-Length": str(1 << 21)}) == (413, {"error": "no such request"})


def test_other_sites_are_refused(server):
    port = server.server_port
    assert ask(server, {"frame": 0}, Host=f"evil.example:{port}")[0] == 403
    assert ask(server, {"frame": 0}, Origin="http://evil.example")[0] == 403
    assert ask(server, {"frame": 0}, Origin=f"http://127.0.0.1:{port}")[0] == 200
    assert ask(server, None, method="GET", path="/etc/passwd")[0] == 404


def test_a_simulator_that_has_gone_is_told(server):
    server.play.hardware.gone = True
    status, told = ask(server, {"frame": 0})
    assert status == 503 and told["error"] == "the simulator was killed (SIGKILL); draw again to start a new one"
    server.play.hardware.gone = False
    assert ask(server, {"frame": 0})[0] == 200


def test_a_port_that_cannot_be_had_is_told(design, server, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("bitwright_sim.native.build.build_native", lambda *_, **__: tmp_path)
    assert main(["play", str(design.folder), "--port", str(server.server_port)]) == 2
    assert f"port {server.server_port} of this machine cannot be had" in capsys.readouterr().err
    assert main(["play", str(design.folder), "--port", "99999"]) == 2
    assert "a port is a number from 0 to 65,535, not 99999" in capsys.readouterr().err


def test_drawings_become_frames_as_the_data_sets_have_them():
    digits, mnist = random_network(1, shape=(8, 8)), random_network(1, shape=(784,), bits=8)
    assert image_shape(mnist) == (28, 28) and image_shape(random_network(1, shape=(4, 4, 3))) is None
    drawing = np.zeros((SIDE, SIDE), np.uint8)
    assert not to_frame(drawing, digits, 16).any()
    drawing[10:50, 20:30] = 255
    small = to_frame(drawing, digits, 16).reshape(8, 8)
    assert small.max() == 16 and (small[:, 3:5] == 16).all() and not small[:, :3].any() and not small[:, 5:].any()
    large = to_frame(drawing, mnist, 255).reshape(28, 28)
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    assert (len(rows), len(columns)) == (20, 5)
    assert abs(float((large.sum(axis=1) * np.arange(28)).sum() / large.sum()) - 13.5) <= 0.5
    with pytest.raises(DataError, match="takes no grey images"):
        to_frame(drawing, random_network(1, shape=(4, 4, 3)), 15)


def test_activations_of_several_levels_are_told_as_the_hardware_gives_them(monkeypatch, tmp_path):
    """From totals less the middle level, as probes show them; the page says their range, and draws them in grey."""
    network = random_conv_network(5, shape=(5, 5, 1), classes=3, dense=(6,), act_types=FEW)
    layers = [layer for layer in network.matrix_layers if layer.edge.number.bits > 1 and not layer.gives_scores]
    assert len(layers) > 1
    design = api.generate(network, api.size(network, cycles=2000, scores=True), tmp_path / "d")
    frame = random_frames(network, 1, 4)
    golden = trace(network, frame)
    _, shown = expected_values(network, frame)
    monkeypatch.setattr(worker, "got_values", lambda *_: shown)
    model = SimpleNamespace(
        run=lambda *_, quiet: SimpleNamespace(last_out=np.array([9]), first_in=np.array([2])), probes=()
    )
    told = worker.answer(design, model, frame.reshape(-1).tolist())
    assert told["cycles"] == 7 and told["outputs"] == golden.layers[-1].values[0].tolist()
    values = {layer.name: layer.values[0].reshape(-1).tolist() for layer in golden.layers}
    assert told["layers"] == {name: values[name] for name in told["layers"]}
    assert {layer.name for layer in layers} <= told["layers"].keys()
    stub = SimpleNamespace(ask=lambda _: told)
    play = Play(design=design, hardware=stub, frames=api.load_frames(network, "random", frames=1))
    said = {layer["name"]: layer["says"] for layer in play.classify({"frame": 0})["layers"]}
    for layer in layers:
        mine = values[layer.name]
        nonzero = len(mine) - mine.count(0)
        assert said[layer.name] == f"{min(mine)} to {max(mine)}, {nonzero} of {len(mine)} are not 0"


@pytest.mark.slow
def test_the_simulator_survives_being_killed(tmp_path):
    from bitwright_sim.native.build import build_native

    network = random_network(3, shape=(4, 4), hidden=(12, 9))
    design = api.generate(network, api.size(network, cycles=64, scores=True), tmp_path / "d")
    simulator = Simulator(design, build_native(design, quick=True))
    with closing(simulator):
        frame = random_frames(network, 1, 4)
        golden = trace(network, frame)
        for _ in range(2):
            told = simulator.ask(frame.reshape(-1).tolist())
            assert told["outputs"] == golden.layers[-1].values[0].tolist() and told["class"] == golden.classes[0]
            assert told["layers"]["layer0"] == golden.layers[0].values[0].tolist()
            assert told["cycles"] == design.manifest.latency_cycles
        os.kill(simulator.pid, signal.SIGKILL)
        with pytest.raises(HardwareGoneError, match=r"was killed \(SIGKILL\); draw again"):
            simulator.ask(frame.reshape(-1).tolist())
        assert simulator.ask(frame.reshape(-1).tolist())["outputs"] == told["outputs"] and simulator.starts == 2


# the corners of a 3 as a hand draws it, in shares of the pad
THREE = [
    (0.28, 0.2),
    (0.5, 0.12),
    (0.7, 0.25),
    (0.62, 0.42),
    (0.45, 0.48),
    (0.66, 0.55),
    (0.74, 0.72),
    (0.55, 0.88),
    (0.27, 0.8),
]


def stroke(browser, corners, points=6):
    """Draws a line through the corners with the mouse."""
    box = browser.run("(r => [r.left, r.top, r.width])(document.getElementById('pad').getBoundingClientRect())")
    places = [(box[0] + x * box[2], box[1] + y * box[2]) for x, y in corners]
    browser.mouse("mousePressed", *places[0])
    for (x0, y0), (x1, y1) in pairwise(places):
        for k in range(1, points + 1):
            browser.mouse("mouseMoved", x0 + (x1 - x0) * k / points, y0 + (y1 - y0) * k / points)
    browser.mouse("mouseReleased", *places[-1])


@pytest.mark.slow
@chromium.needed
def test_a_drawn_three_is_a_three(tmp_path):
    """The whole way: trained, generated, simulated, drawn on in Chromium; and the simulator killed in between."""
    api.train_network("digits", tmp_path / "run")
    network = api.load(tmp_path / "run")
    design = api.generate(network, api.size(network, cycles=64, scores=True), tmp_path / "design")
    server = api.play(design, "digits")
    with closing(server.play.hardware), closing_server(server), chromium.Chromium(tmp_path / "profile") as browser:
        browser.size(1000)
        browser.open(server.address)
        browser.run("document.getElementById('next').click()")  # starts the simulator
        browser.wait(
            "document.getElementById('class').textContent.length === 1 && !!document.querySelector('#scores tr')", 60
        )
        browser.run("document.getElementById('clear').click()")
        stroke(browser, THREE)
        seconds = browser.wait("document.getElementById('class').textContent === '3' && !busy", 20)
        assert seconds < 1
        assert "every output is the golden model's" in browser.run("document.getElementById('facts').textContent")
        assert browser.run("document.querySelectorAll('#scores tr').length") == 10
        os.kill(server.play.hardware.pid, signal.SIGKILL)
        time.sleep(0.2)
        browser.run("document.getElementById('next').click()")
        browser.wait("document.getElementById('error').textContent.includes('was killed (SIGKILL)')", 20)
        browser.run("document.getElementById('next').click()")
        browser.wait("document.getElementById('error').textContent === ''", 60)
        assert browser.run("document.getElementById('class').textContent") in "0123456789"
        browser.screenshot(tmp_path / "play.png")
        assert {address.split("/")[2] for address in browser.requests() if address.startswith("http")} == {
            f"127.0.0.1:{server.server_port}"
        }

"""`bitwright import onnx`, `bitwright export onnx`, and what follows them."""

import itertools
import json
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core import golden
from bitwright_core.extras import install
from bitwright_core.network import load

from ..networks import random_network
from .graphs import Builder, activation, dense_layer, norm, random_conv, reference


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*argv):
    try:
        return main([str(arg) for arg in argv])
    except SystemExit as stop:
        return int(stop.code or 0)


def mlp(sizes, seed=0):
    """A QONNX network of dense layers, batch norms and signs, on pixels of 0..1."""
    rng = np.random.default_rng(seed)
    b = Builder(opset=13, shape=(sizes[0],), top=1.0)
    b.then("Sub", b.constant(0.4))
    activation(b, rng, sizes[0], 2, "bipolar")
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        dense_layer(b, rng, inputs, outputs, False, True)
        norm(b, rng, outputs, 2)
        if index < len(sizes) - 2:
            activation(b, rng, outputs, 2, "bipolar")
    return b.model((sizes[0],), 50)


def test_import_and_export(capsys):
    model = mlp((20, 9, 4))
    onnx.save(model, "net.onnx")
    assert run("import", "onnx", "net.onnx", "--out", "n.safetensors", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    network = load("n.safetensors")
    assert (facts["digest"], facts["name"], facts["layers"]) == (network.digest, "net", 2)
    assert facts["input_range"] == [0, 1] and facts["layout"] == "flat" and facts["notes"] == []
    raw = np.random.default_rng(1).integers(0, 256, (50, 20)).astype(np.uint8)
    expected = reference(model, raw.astype(np.float32) / np.float32(255)).argmax(axis=1)
    np.testing.assert_array_equal(golden.classify(network, raw), expected)
    for dialect in ("standard", "qonnx"):
        out = f"{dialect}.onnx"
        assert run("export", "onnx", "n.safetensors", "--out", out, "--dialect", dialect, "--json") == 0
        assert json.loads(capsys.readouterr().out)["digest"] == network.digest
        assert bw.import_onnx(out).network == network
    assert run("import", "onnx", "net.onnx", "--out", "n.safetensors", "--name", "mine") == 0
    assert "Network mine: 20-9-4" in capsys.readouterr().out
    assert run("export", "onnx", "n.safetensors", "--out", "e.onnx") == 0
    assert "e.onnx" in capsys.readouterr().out


def test_the_options_reach_the_import():
    onnx.save(mlp((12, 5)), "net.onnx")
    options = "--input-range 0..1 --input-bits 4 --layout nhwc --encoding thermometer"
    assert run("import", "onnx", "net.onnx", "--out", "n.safetensors", *options.split()) == 0
    network = load("n.safetensors")
    assert network.input.bits == 4 and network.encoding.thresholds.tolist() == [6]
    assert run("import", "onnx", "net.onnx", "--out", "n.safetensors", "--mean", "0.5", "--std", "0.25") == 0
    assert load("n.safetensors").encoding.thresholds.tolist() == [153]


MISTAKES = {
    "import onnx none.onnx --out n": "none.onnx: no such ONNX file",
    "import onnx text --out n": "text: not an ONNX file",
    "import onnx net.onnx --out n --input-range 7": "--input-range takes two numbers, as in 0..1, not 7",
    "import onnx net.onnx --out n --mean a,b": "--mean takes numbers with commas between, not a,b",
    "import onnx net.onnx --out n --input-bits 40": "1 to 16 bits, not 40",
    "import onnx refused.onnx --out n": "node x (Erf): this operator is not supported",
    "import": "required: FORMAT",
    "export onnx none --out e.onnx": "none: no such network file",
    "export onnx n.safetensors --out e.onnx --dialect caffe": "invalid choice: 'caffe'",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_each_mistake_is_one_line_and_status_2(capsys, tmp_path, command):
    random_network(1).save("n.safetensors")
    (tmp_path / "text").write_text("hello\n")
    model = mlp((12, 5))
    onnx.save(model, "net.onnx")
    model.graph.node[0].op_type, model.graph.node[0].name = "Erf", "x"
    del model.graph.node[0].input[1]
    onnx.save(model, "refused.onnx")
    capsys.readouterr()
    assert run(*command.split()) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = [text for text in streams.err.splitlines() if text.startswith("bitwright: ")]
    assert MISTAKES[command] in line
    assert not (tmp_path / "n").exists()


def test_without_the_onnx_package(tmp_path):
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from bitwright.cli import main\n"
        "sys.exit(main(['import', 'onnx', 'x.onnx', '--out', 'n']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"bitwright: reading ONNX files needs onnx, which is not installed: {install('onnx')}\n"


def test_an_mnist_network_imports_in_seconds():
    onnx.save(mlp((784, 64, 64, 64, 10)), "net.onnx")
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bitwright.cli", "import", "onnx", "net.onnx", "--out", "n.safetensors", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    spent = time.perf_counter() - started
    assert json.loads(done.stdout)["weight_bits"] == 784 * 64 + 2 * 64 * 64 + 640
    assert spent < 20, f"{spent:.1f} s"  # 1 s on an idle machine; the goal is 5


def test_an_imported_network_generates_and_verifies():
    onnx.save(mlp((20, 9, 4), seed=2), "net.onnx")
    network = bw.import_onnx("net.onnx").network
    design = bw.generate(network, bw.size(network, cycles=16, scores=True), "design")
    report = bw.verify(design, data="random", frames=60)
    assert (report.frames, report.mismatches) == (60, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "dialect"), [(1, "standard"), (2, "qonnx"), (3, "finn")])
def test_an_imported_convolution_generates_and_verifies(seed, dialect):
    model, top = random_conv(seed, dialect)
    onnx.save(model, "net.onnx")
    network = bw.import_onnx("net.onnx", input_range=top).network
    assert any(layer.kind == "conv2d" for layer in network.layers)
    design = bw.generate(network, bw.size(network, cycles=4096), "design")
    report = bw.verify(design, data="random", frames=40)
    assert (report.frames, report.mismatches) == (40, 0)


@pytest.mark.slow
def test_an_imported_network_simulates():
    onnx.save(mlp((20, 9, 4), seed=2), "net.onnx")
    network = bw.import_onnx("net.onnx").network
    assert bw.simulate(bw.generate(network, bw.size(network, cycles=16, scores=True), "design")).passed


def test_data_tells_how_many_classes_change(capsys):
    rng = np.random.default_rng(2)
    b = Builder(opset=13, shape=(24,), top=1.0)
    b.then("Sub", b.constant(0.4))
    activation(b, rng, 24, 2, "bipolar")
    dense_layer(b, rng, 24, 400, False, True)
    norm(b, rng, 400, 2)
    onnx.save(b.model((24,), 50), "net.onnx")
    command = ("import", "onnx", "net.onnx", "--out", "n.safetensors", "--score-bits", "8", "--data", "random:1")
    assert run(*command, "--frames", "300", "--json") == 0
    told = json.loads(capsys.readouterr().out)["data"]
    found = bw.import_onnx("net.onnx", score_bits=8)
    frames = bw.load_frames(found.network, "random:1", frames=300).frames
    assert told == {"name": "random:1", "frames": 300, "other": found.other_classes(frames)}
    assert run(*command) == 0
    assert "of 1,000 frames of random:1 have another class than float scores give them" in capsys.readouterr().out
    assert run(*command[:-1], "none") == 2
    assert "none" in capsys.readouterr().err

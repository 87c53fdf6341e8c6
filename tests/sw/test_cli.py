"""The command line: what it prints, where, and with which exit status."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bitwright.cli import main
from bitwright_core.design import Design
from bitwright_core.network import load
from bitwright_core.plan import Plan

from .networks import random_network

GENERATE_KEYS = {"top", "verilog", "digest", "interval_cycles", "latency_cycles", "layers"}
LAYER_KEYS = {"name", "kind", "inputs", "outputs", "pe", "simd", "lanes", "ideal_cycles", "engine"}
VERIFY_KEYS = {
    "frames",
    "mismatches",
    "accuracy",
    "golden_accuracy",
    "interval_cycles",
    "ideal_interval_cycles",
    "latency_cycles",
    "frames_per_second",
    "simulator",
}


def run(*argv: object) -> int:
    """main(), its exit status even where argparse exits."""
    try:
        return main([str(arg) for arg in argv])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)


@pytest.fixture
def network_file(tmp_path):
    random_network(1).save(tmp_path / "n.safetensors")
    return "n.safetensors"


@pytest.fixture
def json_of(capsys):
    """Runs a command and returns its one JSON object, having checked that stdout holds no more."""

    def call(*argv, status=0):
        capsys.readouterr()
        assert run(*argv, "--json") == status
        return json.loads(capsys.readouterr().out)

    return call


def test_info(network_file, json_of, capsys):
    facts = json_of("info", network_file)
    network = load(network_file)
    assert facts["digest"] == network.digest and facts["weight_bits"] == network.weight_bits
    assert facts["operations"] == network.operations and facts["input_shape"] == [3, 2]
    assert [layer["inputs"] for layer in facts["layers"]] == [12, 7, 5]
    assert {layer["weights"] for layer in facts["layers"]} == {"binary"}
    assert run("info", network_file) == 0
    table = capsys.readouterr().out
    assert "layer0" in table and f"{network.operations:,} a frame" in table


def test_generate_hardwired(network_file, json_of, capsys):
    facts = json_of("generate", network_file, "--out", "d", "--hardwired")
    assert facts["interval_cycles"] == facts["ideal_interval_cycles"] == 1
    assert {layer["engine"] for layer in facts["layers"]} == {"hardwired"}
    again = json_of("generate", network_file, "--out", "e", "--plan", "d/plan.toml")
    assert again["digest"] == facts["digest"]
    assert run("generate", network_file, "--out", "d", "--hardwired") == 0
    assert "limited by" not in capsys.readouterr().out
    for options, reason in (("--data-bits 16", "the input stream, 3 beats of 16 bits"), ("--scores", "output stream")):
        assert run("generate", network_file, "--out", "d", "--hardwired", *options.split()) == 0
        assert reason in capsys.readouterr().out


def test_generate(network_file, json_of):
    facts = json_of("generate", network_file, "--out", "d", "--pe", "3,2,1", "--simd", "4", "--scores")
    assert facts.keys() >= GENERATE_KEYS
    assert all(layer.keys() == LAYER_KEYS for layer in facts["layers"])
    design = Design.load("d")
    assert facts["verilog"] == [str(file) for file in design.verilog]
    assert facts["digest"] == design.manifest.digest and not design.edited
    assert [(layer["pe"], layer["simd"]) for layer in facts["layers"]] == [(3, 4), (2, 4), (1, 4)]
    assert facts["interval_cycles"] == max(layer["ideal_cycles"] for layer in facts["layers"])
    assert design.plan.scores
    assert json_of("info", "d")["digest"] == load(network_file).digest


def test_every_option_reaches_the_plan(network_file, json_of):
    options = "--scores --encoding host --target ecp5 --clock-mhz 125 --data-bits 32 --cycles 9"
    json_of("generate", network_file, "--out", "d", *options.split())
    plan = Plan.load("d/plan.toml")
    assert (plan.scores, plan.encoding, plan.target, plan.clock_mhz, plan.data_bits) == (
        True,
        "host",
        "ecp5",
        125,
        32,
    )
    assert max(layer.ideal_cycles for layer in Design.load("d").manifest.layers) <= 9


def test_a_plan_comes_back_and_options_change_it(network_file, json_of):
    first = json_of("generate", network_file, "--out", "a", "--cycles", "20", "--scores")
    again = json_of("generate", network_file, "--out", "b", "--plan", "a/plan.toml")
    assert again["digest"] == first["digest"]
    json_of("generate", network_file, "--out", "c", "--plan", "a/plan.toml", "--simd", "1")
    plan = Plan.load("c/plan.toml")
    assert plan.scores and {layer.simd for layer in plan.layers} == {1}
    assert [layer.pe for layer in plan.layers] == [layer.pe for layer in Plan.load("a/plan.toml").layers]


def test_an_earlier_design_is_written_over_and_nothing_else_is(network_file, json_of, capsys):
    json_of("generate", network_file, "--out", "d", "--pe", "1")
    json_of("generate", network_file, "--out", "d", "--pe", "2")
    assert {layer.pe for layer in Design.load("d").plan.layers} == {2}
    before = Design.load("d").manifest
    Path("d/notes.txt").write_text("mine")
    assert run("generate", network_file, "--out", "d", "--pe", "1") == 2
    assert "holds notes.txt, which no earlier design put there" in capsys.readouterr().err
    assert Design.load("d").manifest == before


def test_one_layer_from_a_seed(json_of):
    argv = "generate --layer dense --inputs 20 --outputs 7 --pe 3 --simd 6 --seed 5 --out d"
    facts = json_of(*argv.split())
    assert len(facts["layers"]) == 1 and facts["layers"][0]["ideal_cycles"] == 3 * 4
    layer = load("d/network.safetensors").layers[0]
    assert (layer.inputs, layer.outputs) == (20, 7)


def test_one_layer_without_a_seed_says_so(capsys):
    assert run("generate", "--layer", "dense", "--inputs", 4, "--outputs", 2, "--out", "d") == 0
    assert "random weights from seed 0" in capsys.readouterr().err


def test_one_layer_from_files(json_of):
    weights = np.random.default_rng(0).integers(0, 2, (5, 9)) * 2 - 1
    np.save("w.npy", weights)
    np.save("t.npy", np.arange(5))
    argv = "generate --layer dense --inputs 9 --outputs 5 --weights w.npy --thresholds t.npy --out d"
    json_of(*argv.split())
    layer = load("d/network.safetensors").layers[0]
    assert np.array_equal(layer.weights, weights == 1)
    assert layer.output.values[:, 0].tolist() == [0, 1, 2, 3, 4]


LAYER = "generate --out d --layer dense --inputs 4 --outputs 2"
MISTAKES = {
    "": "the following arguments are required: COMMAND; see bitwright --help",
    "frobnicate": "invalid choice: 'frobnicate'",
    "info none": "none: no such network file",
    "info text": "text: not a readable network file",
    "info n.safetensors --frames 3": "unrecognized arguments: --frames 3",
    "generate n.safetensors": "the following arguments are required: --out",
    "generate --out d": "give a network file, or --layer dense with --inputs and --outputs",
    "generate n.safetensors --out d --seed 3": "--seed describes a layer by itself",
    "generate n.safetensors --out d --pe x": "'x' is not a number",
    "generate n.safetensors --out d --pe 0": "pe and simd must be at least 1, not 0",
    "generate n.safetensors --out d --pe 1,2": "2 values of pe for 3 layers",
    "generate n.safetensors --out d --simd 99": "simd 99 is more than any layer has (12 at the most)",
    "generate n.safetensors --out d --cycles 0": "a frame takes at least 1 cycle, not 0",
    "generate n.safetensors --out d --clock-mhz nan": "clock_mhz must lie in 1..2000",
    "generate n.safetensors --out d --data-bits 24": "data_bits must be one of 8, 16",
    "generate n.safetensors --out d --target asic": "invalid choice: 'asic'",
    "generate n.safetensors --out d --plan none.toml": "none.toml: no such plan",
    "generate n.safetensors --out d --plan text": "text: ",
    "generate n.safetensors --out d --plan p.toml --cycles 4": "give --plan or --cycles, not both",
    "generate n.safetensors --out d --hardwired --pe 2": "give no cycles, pe or simd with them",
    "generate --layer dense --inputs 600 --outputs 500 --hardwired --out d": "300,000 weights are too many to hardwire",
    "generate n.safetensors --out text": "text: a file is in the way of the design folder",
    "generate n.safetensors --out full": "full: holds stranger, which no earlier design put there",
    "generate n.safetensors --out text/d": "text: a file is in the way of the design folder",
    "generate n.safetensors --out .": ".: is the folder you are in, or one around it",
    "generate n.safetensors --out ..": "..: is the folder you are in, or one around it",
    f"{LAYER} n.safetensors": "give a network file or --layer, not both",
    "generate --out d --layer dense --inputs 4": "--layer dense needs --inputs and --outputs",
    "generate --out d --layer conv9d": "invalid choice: 'conv9d'",
    f"{LAYER} --weights w.npy": "--weights and --thresholds go together",
    f"{LAYER} --weights w.npy --thresholds t.npy --seed 1": "give --weights and --thresholds, or --seed",
    f"{LAYER} --weights none.npy --thresholds t.npy": "none.npy: no such file of weights",
    f"{LAYER} --weights text --thresholds t.npy": "text: not a .npy file of weights",
    f"{LAYER} --weights t.npy --thresholds t.npy": "weights have shape (2,)",
    f"{LAYER} --seed -1": "--seed must not be negative, not -1",
    f"{LAYER} --scores": "gives bits, so a plan for it cannot ask for scores",
    "simulate none": "none: no manifest.json there; make a design with: bitwright generate",
    "simulate full": "full: no manifest.json there",
    "simulate full --simulator modelsim": "invalid choice: 'modelsim'",
    "verify full --data digits": "full: no manifest.json there",
    "verify full --data digits --frames 0": "'0' is not a number of frames, nor all",
    "verify full": "the following arguments are required: --data",
    "train none.toml --out t": "none.toml: no such file, and not a configuration that ships",
    "train text --out t": "text: ",
    "train sfc --out t --data-dir nowhere": "nowhere",
    "train digits --out t --epochs 0": "epochs",
}


@pytest.fixture
def mistakes_files(network_file):
    Path("text").write_text("hello, this is no such file\n")
    Path("full").mkdir()
    Path("full/stranger").write_text("mine")
    np.save("w.npy", np.ones((2, 4), int))
    np.save("t.npy", np.array([1, 2]))


def mistake_lines(err: str) -> list[str]:
    """Standard error without progress, which shows where the machine is slow."""
    return [line for line in err.splitlines() if not re.search(r": \d+/\d+$", line)]


@pytest.mark.parametrize("command", MISTAKES)
def test_each_mistake_is_one_line_and_status_2(mistakes_files, capsys, command):
    assert run(*command.split()) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    line, *more = mistake_lines(streams.err)
    assert line.startswith("bitwright: ") and not more
    assert MISTAKES[command] in line
    assert not Path("d").exists()


DATA_MISTAKES = {
    "random:x": "random frames take a seed, as in random:7, not random:x",
    "no-such-set": "no data set 'no-such-set'",
    "digits": "data set digits: frames have shape (364, 8, 8), but network random takes (n, 3, 2)",
    "none.npz": "none.npz",
}


@pytest.mark.parametrize("data", DATA_MISTAKES)
def test_each_mistake_about_data(network_file, capsys, data):
    assert run("generate", network_file, "--out", "d") == 0
    capsys.readouterr()
    assert run("verify", "d", "--data", data) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    line, *more = mistake_lines(streams.err)
    assert line.startswith("bitwright: ") and not more
    assert DATA_MISTAKES[data] in line


def test_verify_finds_nothing_on_a_sound_design(network_file, json_of, capsys):
    json_of("generate", network_file, "--out", "d", "--pe", "2", "--simd", "3", "--scores")
    facts = json_of("verify", "d", "--data", "random:3", "--frames", "200")
    assert facts.keys() >= VERIFY_KEYS
    assert (facts["frames"], facts["mismatches"], facts["accuracy"]) == (200, 0, None)
    assert facts["interval_cycles"] == facts["ideal_interval_cycles"]
    assert facts["edited"] is False and facts["reproducer"] is None
    assert run("verify", "d", "--data", "random:3", "--network", network_file) == 0
    assert "Every integer of every frame of random:3" in capsys.readouterr().out


def test_verify_finds_another_networks_weights(network_file, json_of, capsys):
    """The design of a network in which one weight differs from the one it is compared with."""
    network = load(network_file)
    json_of("generate", network_file, "--out", "d")
    other = random_network(1)
    weights = other.layers[0].weights.copy()
    weights[6, 11] ^= 1
    layer = type(other.layers[0])(name="layer0", weights=weights, output=other.layers[0].output)
    changed = type(other)(name="other", input=other.input, encoding=other.encoding, layers=(layer, *other.layers[1:]))
    assert changed.digest != network.digest
    changed.save("other.safetensors")
    facts = json_of("verify", "d", "--network", "other.safetensors", "--data", "random", status=1)
    assert facts["mismatches"] > 0
    first = facts["first_mismatch"]
    assert (first["layer"], first["neuron"]) == ("layer0", 6)
    assert first["expected"] != first["got"]
    assert Path(facts["reproducer"]).is_dir()
    assert run("verify", "d", "--network", "other.safetensors", "--data", "random", "--frames", "300") == 1
    assert "MISMATCH, the first at frame" in capsys.readouterr().out


def test_verify_says_that_the_verilog_was_edited(network_file, json_of, capsys):
    facts = json_of("generate", network_file, "--out", "d")
    file = Path(facts["verilog"][0])
    file.write_text(file.read_text() + "// a comment\n")
    assert run("verify", "d", "--data", "random", "--frames", "10") == 0
    assert f"note: {file.name} was edited after the design was generated" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error(network_file):
    command = [sys.executable, "-m", "bitwright.cli", "info", network_file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_full_disk_is_told(network_file):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bitwright.cli", "info", network_file],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "bitwright: No space left on device\n"


def test_interrupt_is_quiet():
    code = (
        "import bitwright.cli as c, bitwright.cli.info as i\n"
        "def stop(args): raise KeyboardInterrupt\n"
        "i.run = stop\n"
        "import sys; sys.exit(c.main(['info', 'x']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "bitwright: stopped\n"


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch, network_file):
    from bitwright.cli import info

    def broken(args):
        raise ZeroDivisionError

    monkeypatch.setattr(info, "run", broken)
    with pytest.raises(ZeroDivisionError):
        run("info", network_file)


def test_help_and_version(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("train", "info", "generate", "simulate", "verify", "synth", "demo"))
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("bitwright 0.")
    for name in ("train", "info", "generate", "simulate", "verify", "synth", "demo"):
        assert run(name, "--help") == 0
        assert "--json" in capsys.readouterr().out

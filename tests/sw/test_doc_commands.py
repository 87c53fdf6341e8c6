"""The commands of README and docs, run as they stand, in the order of their page. Minutes, so with --slow only.

Each page begins in a folder of its own, which holds what its commands speak of (`prepared`): a trained network under
every name that pages give to one, a design, a board's file. CANNOT lists, each with its reason, what does not run
without a board, a bought tool or the files of others.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import bitwright as bw
from bitwright_bnn_pynq import load_topology
from bitwright_bnn_pynq.topology import FoldedEntry
from bitwright_core.network import load
from bitwright_data import load_dataset
from tests.sw.networks import middle_layer, random_network
from tests.test_docs import ROOT, SHOWN

# what a command holds, and why it cannot be run as it stands
CANNOT = {
    r"--host ": "a board on the network",
    r"--jtag": "a board on USB",
    r"--(port|serial) /dev/ttyUSB0": "a board on USB",
    r"--ray HOST:PORT": "a cluster",
    r"--data mnist --ray": "MNIST's files; tests/sim/test_cluster.py does so with others",
    r"build design --board ulx3s-85f|design-ulx3s-85f --simulated": "minutes of placing; tests/boards/serial does so",
}
FAIL = {r"--target-fps 1000000$": 2}  # shown for what they say
FRESH = {"README.md", "docs/four-jobs.md", "docs/first-steps.md"}  # pages that make networks and designs themselves
SERVES = re.compile(r"^bitwright play ")
OTHERS = r"^    ((?:cp|iverilog -g2005) .*)$"  # commands of other programs that stand between
PARAMETERS = {
    "mnist-lfcW1A1": "lfc",
    "cifar10-cnvW1A1": "cnv",
    "mnist-lfcW1A2": "lfc-w1a2",
    "road-signs-cnvW1A1": "cnv",
}
PAGES = sorted({page for page, _ in SHOWN})


def runnable(page: str) -> list[str]:
    """The commands of a page that can be run, in its order, with those of OTHERS."""
    text = (ROOT / page).read_text("utf-8")
    lines = [line for name, line in SHOWN if name == page and not any(re.search(part, line) for part in CANNOT)]
    return sorted([*lines, *re.findall(OTHERS, text, re.M)], key=text.find)


def test_every_reason_is_needed():
    for part in [*CANNOT, *FAIL]:
        assert any(re.search(part, line) for _, line in SHOWN), part


def test_most_commands_run():
    assert sum(len(runnable(page)) for page in PAGES) >= 0.75 * len(SHOWN)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a digits network, a design of it, and lfc.safetensors, a random network of lfc's shape."""
    folder = tmp_path_factory.mktemp("trained")
    network = bw.train_network("digits", folder / "run", epochs=2).network
    bw.export_onnx(network, folder / "model.onnx")
    bw.generate(network, bw.size(network, cycles=64, scores=True), folder / "design")
    wide = random_network(1, shape=(28, 28), bits=8, levels=1, hidden=(1024,) * 3, classes=10, layer=middle_layer)
    wide.save(folder / "lfc.safetensors")
    return folder


@pytest.fixture
def prepared(trained: Path, tmp_path: Path) -> Path:
    """A folder of its own for a page, with what its commands may speak of."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    network = tmp_path / "run" / "network.safetensors"
    for name in ("net", "network"):
        shutil.copy(network, tmp_path / f"{name}.safetensors")
    for name in ("DIR", "demo-out/design"):
        shutil.copytree(tmp_path / "design", tmp_path / name)
    shutil.copy(ROOT / "boards/bitwright_boards/data/pynq-z2.toml", tmp_path / "my-board.toml")
    for name, topology in PARAMETERS.items():
        _parameters(tmp_path / name, topology)
    rng = np.random.default_rng(1)
    tables = {"0.luts": rng.uniform(-1, 1, (40, 64)), "0.mapping": rng.integers(0, 28 * 28 * 3, (40, 6))}
    save_file(tables, tmp_path / "dwn.safetensors")
    retrained = load(network)
    first = retrained.layers[0]
    for number, name in enumerate(("run2", "run3"), 1):
        weights = first.weights.copy()
        weights[number] ^= 1
        (tmp_path / name).mkdir()
        layers = (replace(first, weights=weights), *retrained.layers[1:])
        replace(retrained, layers=layers).save(tmp_path / name / "network.safetensors")
    size = retrained.input.size
    frames, labels = rng.integers(0, 17, (300, size), dtype=np.uint8), np.arange(300) % 10
    np.savez(tmp_path / "other.npz", x_train=frames, y_train=labels, x_test=frames[:50], y_test=labels[:50])
    own_data(tmp_path)
    (tmp_path / "my.toml").write_text('name = "mine"\ndataset = "digits"\nhidden = [32]\ninput_bits = 5\nepochs = 2\n')
    return tmp_path


def own_data(folder: Path) -> None:
    """A table of 120 rows, with its configuration, and a folder of images of digits."""
    rng = np.random.default_rng(2)
    rows = [f"{','.join(f'{value:.1f}' for value in rng.normal(k % 3, 1, 4))},kind {k % 3}" for k in range(120)]
    (folder / "flowers.csv").write_text("\n".join(["a,b,c,d,label", *rows]))
    told = 'name = "flowers"\ndataset = "flowers.csv"\nhidden = [32]\n'
    (folder / "flowers.toml").write_text(told)
    digits = load_dataset("digits")
    for index in range(100):
        image = folder / "photos" / str(digits.test_labels[index]) / f"{index:03}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.test_frames[index]).save(image)


def _parameters(folder: Path, topology: str) -> None:
    """BNN-PYNQ's files of a topology, all zero: of each, the first word, as what is missing reads as zero words."""
    folder.mkdir()
    told = load_topology(topology)
    layers = [layer for layer in told.layers if isinstance(layer, FoldedEntry)]
    bits = len(layers) if told.class_rule == "highest_bit" else len(layers) - 1  # layers that have thresholds
    for index, layer in enumerate(layers):
        for lane in range(layer.pe):
            for kind in ("weights", "thres") if index < bits else ("weights",):
                (folder / f"{index}-{lane}-{kind}.bin").write_bytes(bytes(8))


def outcome(line: str, folder: Path) -> tuple[int, str]:
    """Status and text of a command in `folder`; one that serves is stopped by Ctrl-C, and did well if it said where."""
    environment = {
        "BITWRIGHT_PYNQ": str(ROOT / ".venv-pynq"),
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    line = line.removeprefix(".venv/bin/")
    if SERVES.match(line):
        return served(f"{line} --port 0", folder, environment)
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    return done.returncode, done.stdout + done.stderr


def served(line: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Status and text of a command that serves until it is stopped: 0 if it said where, within ten minutes."""
    command = ["timeout", "--signal=INT", "600", *shlex.split(line)]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        said = []
        for heard in run.stdout:
            said.append(heard)
            if "http://127.0.0.1:" in heard:
                run.send_signal(signal.SIGINT)
                break
        said.append(run.stdout.read())
    text = "".join(said)
    return (0 if "http://127.0.0.1:" in text else 1), text


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)])
def test_every_command_of_a_page_works(page, prepared):
    if page in FRESH:
        for name in ("run", "design"):
            shutil.rmtree(prepared / name)
    for line in runnable(page):
        expected = next((status for part, status in FAIL.items() if re.search(part, line)), 0)
        status, text = outcome(line, prepared)
        assert status == expected, f"{line}\n{text}"

"""A small overlay for the simulated board, pynq's Python, and a real sshd, which the tests of boards share.

BITWRIGHT_REQUIRE=boards, as in continuous integration, turns the skips for what is not installed into failures.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

import bitwright as bw
from bitwright_boards.deployment import deployment, make_vectors
from bitwright_boards.simulated.account import make_account
from bitwright_boards.simulated.bitstream import write_overlay
from bitwright_core.design import Design
from tests.boards.loopback import SSHD, Sshd
from tests.sw.networks import random_frames, random_network

FRAMES = 300
_NO_SUDO = """while case "$1" in -*) true;; *) false;; esac; do [ "$1" = -p ] && shift; shift; done; exec "$@\""""


def absent(what: str) -> NoReturn:
    if os.environ.get("BITWRIGHT_REQUIRE") == "boards":
        pytest.fail(what)
    pytest.skip(what)


def stand_in(folder: Path, name: str, script: str) -> Path:
    """A program in `folder`, to be put in front of PATH in the place of the board's."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


def run_scenarios(home: Path, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """What scenarios of board_scenarios.py told of `folder`, in one process of pynq's Python, in the environment of a
    board's login shell."""
    script = Path(__file__).with_name("board_scenarios.py")
    command = f". {home}/.bash_profile && exec python3 -B {script} {' '.join(f'{name}={folder}' for name in names)}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def pynq_python(checkout) -> Path:
    python = Path(os.environ.get("BITWRIGHT_PYNQ", checkout / ".venv-pynq")) / "bin" / "python3"
    if not python.is_file():
        absent("pynq's environment is missing; make it with: make pynq-env")
    return python


@pytest.fixture(scope="session")
def board_design(tmp_path_factory) -> Design:
    """Frames of five beats, scores, and an overlay beside it, where `program` looks."""
    network = random_network(3, shape=(6, 6), bits=8, levels=1, hidden=(24, 17), classes=5)
    return bw.generate(network, bw.size(network, cycles=60, scores=True), tmp_path_factory.mktemp("board") / "design")


@pytest.fixture(scope="session")
def overlay(board_design) -> Path:
    folder = board_design.folder
    return write_overlay(board_design, folder.with_name(f"{folder.name}-pynq-z2"))


@pytest.fixture(scope="session")
def vectors(board_design):
    return make_vectors(board_design, random_frames(board_design.network, FRAMES).astype("uint8"))


@pytest.fixture
def deployed(board_design, overlay, vectors, tmp_path) -> Path:
    """The folder as it lies on a board."""
    for name, content in deployment(board_design, overlay, vectors).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def home(pynq_python, tmp_path) -> Path:
    return make_account(tmp_path / "home", pynq_python)


@pytest.fixture
def sshd(tmp_path, home):
    if SSHD is None or shutil.which("ssh-keygen") is None:
        absent("sshd is missing; on Debian or Ubuntu: sudo apt-get install openssh-server")
    # the simulated board needs no root: where the tests have none, its sudo gives none
    path = stand_in(tmp_path / "sudo", "sudo", _NO_SUDO) if os.geteuid() else None
    server = Sshd(tmp_path / "sshd", home, path=path)
    yield server
    server.close()

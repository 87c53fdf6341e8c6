# amaranth: UnusedElaboratable=no
"""A small board, simulated to its pins, that the tests of the serial link share."""

import json

import pytest

import bitwright as bw
from bitwright.open_board import open_board
from bitwright_boards import load_board
from bitwright_boards.deployment import describe
from bitwright_hw.serial.build import write_sources
from bitwright_sim.serial import SimulatedLine
from tests.sw.networks import random_network


@pytest.fixture(scope="session")
def network():
    return random_network(21, shape=(5, 5), bits=8, levels=1, hidden=(12,), classes=4)


@pytest.fixture(scope="session")
def folder(network, tmp_path_factory):
    """A build folder of the network on a ULX3S, without a bitstream."""
    root = tmp_path_factory.mktemp("serial")
    design = bw.generate(network, bw.size(network, cycles=25, scores=True), root / "design")
    write_sources(design, open_board(load_board("ulx3s-85f")), root / "board", clock_mhz=50)
    (root / "board" / "design.json").write_text(json.dumps(describe(design)))
    return root / "board"


@pytest.fixture
def line(folder):
    with SimulatedLine(folder, timeout=0.001) as line:
        line.wait(1e-5)
        yield line

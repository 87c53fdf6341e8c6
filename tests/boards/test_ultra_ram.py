"""Boards and accelerators that begin without weights: the drivers load the design's own network first."""

import json
from dataclasses import replace

import pytest

import bitwright as bw
from bitwright.open_board import open_board
from bitwright_boards import driver, load_board
from bitwright_boards.deployment import DESIGN, describe, first_files
from bitwright_boards.serial_driver import Accelerator
from bitwright_core.errors import BoardError
from bitwright_core.golden import outputs
from bitwright_core.plan import with_ultra
from bitwright_hw.serial.build import write_sources
from bitwright_sim.serial import SimulatedLine
from tests.boards.loadable import networks
from tests.boards.serial.test_board import QUIET
from tests.boards.test_bank import Registers
from tests.sw.networks import random_frames

__all__ = ["networks"]


@pytest.fixture(scope="module")
def design(networks, tmp_path_factory):
    plan = bw.size(networks[0], cycles=60, scores=True, loadable="all", target="xc7")
    plan = with_ultra(plan, networks[0], ["layer0"])
    return bw.generate(networks[0], plan, tmp_path_factory.mktemp("ultra") / "design")


def test_the_driver_loads_before_it_runs(design, networks, tmp_path):
    (tmp_path / DESIGN).write_text(json.dumps(describe(design)))
    for name, content in first_files(design).items():
        (tmp_path / name).write_bytes(content)
    accelerator = Registers(tmp_path, 0)
    accelerator.values["LOAD"] = driver.LOAD_EMPTY
    with pytest.raises(driver.LoadFailed, match="has no weights"):
        accelerator._check_begun()
    accelerator._begin()
    own = design.manifest.loads.crc
    assert accelerator.loads == [own] and accelerator.weights_crc == own and accelerator.networks == ()
    accelerator._check_begun()
    bw.weights(design, networks[1]).save(tmp_path / "other.load")
    accelerator.choose("other")
    accelerator._begin()  # what is there stays
    assert accelerator.networks == ("other",) and accelerator.loads[1:] == [bw.weights(design, networks[1]).crc]


def test_a_board_without_ultra_ram_is_refused(design, tmp_path):
    with pytest.raises(BoardError, match=r"need 1 UltraRAMs, and ultra96-v2 has 0; .*: .*kv260"):
        bw.build(design, "ultra96-v2", tmp_path / "build", vivado=False)


@pytest.mark.slow
def test_the_serial_driver_loads_first(design, networks, tmp_path):
    """On a board of 7-series, which stands for one of UltraScale+ that a user describes."""
    folder = tmp_path / "board"
    write_sources(design, open_board(load_board("arty-a7-35t")), folder, clock_mhz=50)
    (folder / DESIGN).write_text(json.dumps(describe(design)))
    for name, content in first_files(design).items():
        (folder / name).write_bytes(content)
    frames = random_frames(networks[0], 12)
    bw.weights(design, networks[1]).save(tmp_path / "other.load")
    with SimulatedLine(folder, timeout=0.001) as line:
        line.wait(1e-5)
        with Accelerator(folder, line=line, quiet_seconds=QUIET, clock=lambda: line.seconds) as accelerator:
            assert (accelerator.run(frames).scores == outputs(networks[0], frames)).all()
            accelerator.load(tmp_path / "other.load")
            accelerator.swap()
            accelerator.reset()
            accelerator._begin()  # what is there stays
            assert (accelerator.run(frames).scores == outputs(networks[1], frames)).all()


@pytest.mark.slow
def test_a_bank_runs_on_a_simulated_kv260(design, networks, pynq_python):
    bank = [replace(networks[2], name="weights")]
    report = bw.program(design, simulated=pynq_python, board="kv260", frames=20, loads=bank)
    assert report.passed and [each.name for each in report.chosen] == ["weights", "random"]

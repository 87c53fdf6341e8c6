"""Zynq UltraScale+ boards: clocks and addresses, and the simulated board under the real pynq, over 128 bits."""

import pytest

import bitwright as bw
from bitwright_boards import load_board, load_boards
from bitwright_boards.block_design import block_design
from bitwright_boards.deployment import deployment, make_vectors
from bitwright_boards.processing import platform
from bitwright_boards.simulated.account import make_account
from bitwright_boards.simulated.bitstream import write_overlay
from bitwright_core.errors import BoardError
from tests.boards.conftest import run_scenarios
from tests.boards.test_driver import EXPECTED_FAULTS
from tests.sw.networks import random_frames, random_network

ULTRA = [board.name for board in load_boards() if board.vivado and board.family == "Zynq UltraScale+"]
CLOCKS = {"kv260": 200.0, "kr260": 200.0, "ultra96-v2": 187.5, "aup-zu3": 187.5, "zcu104": 187.5}


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    """Frames of 40 bytes: two whole beats of 128 bits and a half one; scores, so that results are no multiple of 16."""
    network = random_network(11, shape=(40,), bits=8, levels=1, hidden=(8,), classes=4)
    plan = bw.size(network, cycles=40, scores=True, data_bits=128)
    return bw.generate(network, plan, tmp_path_factory.mktemp("ultra") / "design")


@pytest.fixture(scope="module")
def vectors(design):
    return make_vectors(design, random_frames(design.network, 150).astype("uint8"))


@pytest.fixture(scope="module")
def board(design, vectors, pynq_python, tmp_path_factory):
    """Runs scenarios on a simulated KV260, in a process of pynq's Python."""
    place = platform(load_board("kv260"))
    folder = tmp_path_factory.mktemp("deployed")
    bit = write_overlay(design, tmp_path_factory.mktemp("overlay"), platform=place)
    for name, content in deployment(design, bit, vectors).items():
        (folder / name).write_bytes(content)
    home = make_account(tmp_path_factory.mktemp("home"), pynq_python, platform=place, fast=False)

    def run(*names: str) -> dict:
        return run_scenarios(home, folder, names)

    return run


@pytest.fixture(scope="module")
def told(board) -> dict:
    return board("ultra", "run", "register_map")


def test_every_board_of_the_family_has_its_clock():
    assert set(ULTRA) == set(CLOCKS)
    for name, clock in CLOCKS.items():
        board = load_board(name)
        place = platform(board)
        assert place.system.pl_clock(200, place.settings).mhz == pytest.approx(clock)
        assert place.system.pl_clock(board.clock_mhz, place.settings).mhz == pytest.approx(board.clock_mhz)
        assert (board.data_bits, place.system.memory.bits, place.bitstream_part) == (128, 128, board.part)
        with pytest.raises(BoardError, match=r"400 MHz cannot be had on Zynq UltraScale\+; choose 0\.\d+ to 333 MHz"):
            place.system.pl_clock(400, place.settings)


def test_a_preset_without_its_pll_is_told():
    system = platform(load_board("kv260")).system
    with pytest.raises(BoardError, match="lacks PSU__CRL_APB__IOPLL_CTRL__FBDIV, which its PL clock comes from"):
        system.pl_clock(100, {})


def test_frames_over_128_bits_are_bit_exact(told, vectors, design):
    told = told["run"]
    count = len(vectors.frames)
    assert told["whole"] and told["singles"] and told["flat"] and told["self_test"] == [] and told["status"] == []
    assert told["batches"] == -(-count // 64) and told["frames_in"] == count + 3 + 70
    assert told["digest"] == design.manifest.network_digest


def test_pynq_sets_clock_and_widths_by_the_handoff(told, design):
    clock = block_design(design.manifest, platform(load_board("kv260"))).clock_mhz
    ultra = told["ultra"]
    assert ultra["arch"] == "aarch64" and ultra["booted"] == 1  # 64 bits until pynq has set it
    assert ultra["widths"] == [0, 0, 0]  # control 32 bits; memory 128 bits, to read and to write
    assert ultra["clock"] == pytest.approx(clock, rel=2e-5) and ultra["clock"] <= clock
    assert ultra["addresses"] == [0xA000_0000, 0xA001_0000] and ultra["aligned"]
    assert ultra["parameters"]["C_SAXIGP2_DATA_WIDTH"] == "128"
    assert set(told["register_map"]["names"]) == set(design.manifest.registers)
    assert (told["register_map"]["dma"], told["register_map"]["channels"]) == ("DMA", [True, True])


def test_a_clock_beyond_what_was_timed_is_slowed_down(told):
    clock, exact = told["ultra"]["fast PLL"]
    assert exact and clock == pytest.approx(1499.985 / 15)  # the dividers of the .hwh give 150 MHz


def test_ports_of_other_widths_and_memory_out_of_reach_are_told(told):
    ultra = told["ultra"]
    assert "the memory port is 64 bits wide to write, the logic's 128" in ultra["narrow"] and ultra["after"]
    kind, text = ultra["far"]
    assert kind == "DmaError" and "a buffer at 0x800000000, beyond the DMA's 32 bits of address" in text


@pytest.mark.slow
def test_each_fault_has_its_error_and_the_next_batch_is_right(board):
    told = board("faults")["faults"]
    for fault, (error, text) in EXPECTED_FAULTS.items():
        found = told[fault]
        assert found["error"] == error and text in found["message"] and found["after"], (fault, found)


@pytest.mark.slow
@pytest.mark.parametrize("data_bits", [32, 64, 256])
def test_streams_beside_128_bits(data_bits, pynq_python, tmp_path):
    network = random_network(8, shape=(37,), bits=8, levels=2, hidden=(14,), classes=4)
    design = bw.generate(network, bw.size(network, cycles=74, scores=True, data_bits=data_bits), tmp_path / "design")
    report = bw.program(design, "random", frames=200, simulated=pynq_python, board="zcu104")
    assert (report.frames, report.mismatches, report.compared) == (200, (), {"classes": 200, "scores": 800})


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("board", ["kv260", "ultra96-v2", "aup-zu3"])
def test_a_thousand_mnist_frames(board, pynq_python, tmp_path, data_dir):
    """784-64-32-10 of random weights on each board that has a .bit of its own part, through 128 bits."""
    network = random_network(9, shape=(28, 28), bits=8, levels=1, hidden=(64, 32), classes=10)
    design = bw.generate(network, bw.size(network, board=board, target_fps=500_000, scores=True), tmp_path / "design")
    assert design.manifest.input.data_bits == 128
    report = bw.program(design, "mnist", frames=1000, data_dir=data_dir, simulated=pynq_python, board=board)
    assert (report.frames, report.mismatches) == (1000, ())
    assert report.accuracy == report.golden_accuracy
    assert report.clock_mhz == pytest.approx(CLOCKS[board], rel=2e-5)

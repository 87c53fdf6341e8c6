"""Board descriptions: that every one loads, is sized and says what it lacks, and what their command prints."""

import json

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_boards import board_names, load_board, load_boards
from bitwright_core.errors import BoardError
from bitwright_hw.families import family_named
from tests.sw.networks import random_network

SHIPPED = [
    *("pynq-z1", "pynq-z2", "zybo-z7-20", "arty-z7-20", "zedboard"),
    *("kv260", "kr260", "ultra96-v2", "aup-zu3", "zcu104"),
    *("arty-a7-35t", "arty-a7-100t", "basys3", "nexys-a7-100t", "alchitry-au"),
    *("ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f", "orangecrab-25f", "colorlight-i5", "colorlight-i9"),
    *("icepi-zero", "icebreaker", "upduino", "tang-nano-9k", "tang-nano-20k", "tang-primer-20k"),
]
UNBUILT = [board.name for board in load_boards() if not board.built]

# LUTs, flip-flops, block RAMs, DSPs of the parts, as their makers' data sheets have them
PARTS = {
    "xc7z020": (53_200, 106_400, 140, 220),
    "xc7a35t": (20_800, 41_600, 50, 90),
    "xc7a100t": (63_400, 126_800, 135, 240),
    "xczu3eg": (70_560, 141_120, 216, 360),
    "xczu7ev": (230_400, 460_800, 312, 1_728),
    "xck26": (117_120, 234_240, 144, 1_248),
    "LFE5U-12F": (12_000, 12_000, 32, 28),
    "LFE5U-25F": (24_288, 24_288, 56, 28),
    "LFE5U-45F": (43_848, 43_848, 108, 72),
    "LFE5U-85F": (83_640, 83_640, 208, 156),
    "iCE40UP5K": (5_280, 5_280, 30, 8),
    "GW1NR-LV9": (8_640, 6_480, 26, 20),
    "GW2AR-LV18": (20_736, 15_552, 46, 48),
    "GW2A-LV18": (20_736, 15_552, 46, 48),
}


def test_every_board_loads_and_names_its_sources():
    assert sorted(SHIPPED) == board_names()
    for board in load_boards():
        assert board.sources and board.title and board.part
        assert board.data_bits in (8, 16, 32, 64, 128)
        assert board.block_ram_name
        assert board.built != bool(board.missing)


def test_boards_of_a_part_have_what_it_has():
    for board in load_boards():
        (part,) = (part for part in PARTS if board.part.lower().startswith(part.lower()))
        has = board.resources
        assert (has.luts, has.ffs, has.block_rams, has.dsps) == PARTS[part], board.name
        assert has.lut_inputs == (6 if part.startswith("xc") else 4)
    ultra = {board.name: board.resources.ultra_rams for board in load_boards() if board.resources.ultra_rams}
    assert ultra == {"kv260": 64, "kr260": 64, "zcu104": 96}


def test_pynq_is_a_zynq_7020():
    for name in ("pynq-z1", "pynq-z2"):
        board = load_board(name)
        assert (board.part, board.target, board.data_bits, board.clock_mhz) == ("xc7z020clg400-1", "xc7", 64, 100.0)


def test_every_board_is_sized_for_within_what_it_has():
    network = random_network(31, shape=(3, 3), bits=8, levels=1, hidden=(8,), classes=3)
    for board in load_boards():
        plan = bw.size(network, board=board.name, target_fps=10_000)
        assert (plan.board, plan.clock_mhz) == (board.name, board.clock_mhz)
        total = bw.estimate(network, plan, family=family_named(board.target).name).total
        assert total.luts <= board.resources.luts * 4 // 5 and total.block_rams <= board.resources.block_rams - 4


def test_another_board_is_told_which_there_are():
    with pytest.raises(BoardError, match=r"no board is called 'zynq'; there are alchitry-au, .*pynq-z1"):
        load_board("zynq")
    with pytest.raises(BoardError, match="no board"):
        load_board("../data/pynq-z1")


def test_building_says_what_is_missing(tmp_path, capsys):
    network = random_network(31, shape=(3, 3), bits=8, levels=1, hidden=(8,), classes=3)
    bw.generate(network, bw.size(network, cycles=72), tmp_path / "d")
    for name in UNBUILT:
        assert main(["build", str(tmp_path / "d"), "--board", name]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        needs = load_board(name).missing
        assert f"nothing is built for {name}, it is only sized: that needs {needs}; boards with a build: " in line
        assert needs and not (tmp_path / f"d-{name}").exists()


def test_the_command(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["boards", "--json"]) == 0
    boards = {board["name"]: board for board in json.loads(capsys.readouterr().out)["boards"]}
    assert sorted(boards) == board_names()
    assert boards["ulx3s-85f"]["resources"]["luts"] == 83_640 and boards["ulx3s-85f"]["built"]
    assert boards["zcu104"]["resources"]["ultra_rams"] == 96 and boards["zcu104"]["built"]
    assert main(["boards"]) == 0
    text = capsys.readouterr().out
    assert all(text.count(f" {name} ") == 1 for name in board_names())
    families = [line for line in text.splitlines() if line and line[0].isalpha()]
    assert families == sorted({board.family for board in load_boards()})

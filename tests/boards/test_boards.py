"""Board descriptions: that every one loads, and what their command prints."""

import json

import pytest

from bitwright.cli import main
from bitwright_boards import board_names, load_board, load_boards
from bitwright_core.errors import BoardError


def test_every_board_loads_and_names_its_sources():
    names = board_names()
    assert {"pynq-z1", "pynq-z2", "aup-zu3", "ultra96-v2", "kv260", "ulx3s-85f", "icebreaker"} <= set(names)
    for board in load_boards():
        assert board.sources and board.title and board.part
        assert board.data_bits in (8, 16, 32, 64, 128)
        assert min(board.resources.luts, board.resources.ffs, board.resources.block_rams) > 0
        assert board.block_ram_name


def test_pynq_is_a_zynq_7020():
    for name in ("pynq-z1", "pynq-z2"):
        board = load_board(name)
        assert (board.part, board.target, board.data_bits, board.clock_mhz) == ("xc7z020clg400-1", "xc7", 64, 100.0)
        part = board.resources
        assert (part.luts, part.ffs, part.block_rams, part.dsps) == (53_200, 106_400, 140, 220)


def test_another_board_is_told_which_there_are():
    with pytest.raises(BoardError, match=r"no board is called 'zynq'; there are aup-zu3, .*pynq-z1"):
        load_board("zynq")
    with pytest.raises(BoardError, match="no board"):
        load_board("../data/pynq-z1")


def test_the_command(capsys):
    assert main(["boards", "--json"]) == 0
    boards = json.loads(capsys.readouterr().out)["boards"]
    assert {board["name"]: board["resources"]["luts"] for board in boards}["ulx3s-85f"] == 83_640
    assert main(["boards"]) == 0
    assert "pynq-z2" in capsys.readouterr().out

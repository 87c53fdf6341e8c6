"""`play` on a board: the same page, the driver behind it; a connection that breaks is told, and made anew."""

import pytest

from bitwright import api
from bitwright.cli import main
from bitwright.playing.board import PlayedBoard
from bitwright.playing.boards import PynqPlace
from bitwright.playing.hardware import HardwareGoneError
from bitwright_boards.errors import ConnectionLostError
from bitwright_boards.session import FrameResult
from bitwright_core.errors import BoardError
from bitwright_core.golden import outputs


class Line:
    """A way to a board that breaks at the second frame."""

    opened = 0

    def __init__(self):
        Line.opened += 1
        self.frames = 0

    def run(self, values):
        self.frames += 1
        if self.frames == 2:
            raise ConnectionLostError("the connection broke")
        return FrameResult(classes=1, scores=[2, 5], cycles=7)

    def close(self):
        self.frames = None


def test_a_lost_board_is_told_and_connected_anew():
    board = PlayedBoard(Line, "a board")
    told = {"class": 1, "outputs": [2, 5], "layers": {}, "cycles": 7}
    assert board.ask([0]) == told and "on a board" in board.where
    with pytest.raises(HardwareGoneError, match="the connection broke; draw again to connect anew"):
        board.ask([0])
    assert board.ask([0]) == told and Line.opened == 2
    board.close()


def test_places_that_do_not_go_together(board_design, capsys):
    with pytest.raises(BoardError, match="say where the board is"):
        PynqPlace()
    command = ["play", str(board_design.folder), "--simulated-board", "--host", "h"]
    assert main(command) == 2 and "choose one" in capsys.readouterr().err
    command = ["play", str(board_design.folder), "--serial", "simulated"]
    assert main(command) == 2 and capsys.readouterr().err.startswith("bitwright: ")


@pytest.mark.slow
@pytest.mark.parametrize("board", ["", "kv260"])
def test_frames_through_the_simulated_board(board_design, pynq_python, board):
    """The real pynq package, the driver that boards get, the job that stays: the golden model's results."""
    server = api.play(board_design, "random", on=PynqPlace(simulated=pynq_python, board=board))
    try:
        for number in (0, 3):
            told = server.play.classify({"frame": number})
            expected = outputs(board_design.network, server.play.frames.frames[number : number + 1])[0]
            assert [score["value"] for score in told["scores"]] == expected.tolist()
            assert told["agrees"] and told["class"] == str(expected.argmax()) and told["layers"] == []
            assert told["cycles"] >= board_design.manifest.interval_cycles
        assert "the simulated board" in server.play.html()
    finally:
        server.server_close()
        server.play.hardware.close()

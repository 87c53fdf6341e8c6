"""`play` on a board with a serial link, simulated to its pins: the page's frames, the golden model's results."""

from contextlib import closing

import pytest

from bitwright import api
from bitwright.playing.boards import SerialPlace
from bitwright_core.board_build import built_design
from bitwright_core.golden import outputs


@pytest.mark.slow
def test_frames_of_the_page_through_the_pins(folder, network):
    server = api.play(built_design(folder), "random", on=SerialPlace(folder=folder))
    with closing(server.play.hardware), closing(server.socket):
        for number in (0, 3):
            told = server.play.classify({"frame": number})
            expected = outputs(network, server.play.frames.frames[number : number + 1])[0]
            assert [score["value"] for score in told["scores"]] == expected.tolist()
            assert told["agrees"] and told["class"] == str(expected.argmax()) and told["layers"] == []
        assert "ulx3s-85f, simulated to its pins" in server.play.html()

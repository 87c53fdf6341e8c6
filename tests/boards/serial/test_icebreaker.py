# amaranth: UnusedElaboratable=no
"""The iCEBreaker's own top at its pins: no PLL, two LEDs that the board inverts, the oscillator's 12 cycles a bit."""

import json

import numpy as np
import pytest

import bitwright as bw
from bitwright.open_board import open_board
from bitwright_boards import load_board
from bitwright_boards.deployment import describe
from bitwright_boards.serial_driver import Accelerator
from bitwright_core.golden import outputs
from bitwright_hw.serial.build import write_sources
from bitwright_sim.serial import SimulatedLine
from tests.sw.networks import random_frames, random_network

NETWORK = random_network(23, shape=(4, 4), bits=8, levels=1, hidden=(8,), classes=3)
GREEN, RED = 1, 2  # bits of the pins, high where the LED is dark


@pytest.fixture(scope="module")
def icebreaker(tmp_path_factory):
    """A build folder of a network on an iCEBreaker, without a bitstream."""
    root = tmp_path_factory.mktemp("icebreaker")
    plan = bw.size(NETWORK, cycles=64, scores=True, data_bits=8, clock_mhz=12)
    design = bw.generate(NETWORK, plan, root / "design")
    build = write_sources(design, open_board(load_board("icebreaker")), root / "board")
    assert (build.clock_mhz, build.oscillator_mhz, build.baud) == (12, 12, 1_000_000)
    (root / "board" / "design.json").write_text(json.dumps(describe(design)))
    return root / "board"


@pytest.mark.parametrize(
    "skew", [pytest.param(-0.01, marks=pytest.mark.slow), 0.0, pytest.param(0.015, marks=pytest.mark.slow)]
)
def test_frames_are_bit_exact_at_the_pins(icebreaker, skew):
    frames = random_frames(NETWORK, 60, seed=5)
    with SimulatedLine(icebreaker, skew=skew) as line:
        line.wait(1e-5)
        assert line.leds == RED  # ready, and not busy
        with Accelerator(icebreaker, line=line, quiet_seconds=0.0005, timeout=0.2, clock=lambda: line.seconds) as board:
            result = board.run(frames)
            status = board.status()
            assert board.counts.repeated == 0 and line.framing_errors == 0
    expected = outputs(NETWORK, frames)
    np.testing.assert_array_equal(result.scores, expected)
    np.testing.assert_array_equal(result.classes, expected.argmax(axis=1))
    assert (status.frames_in, status.frames_out, status.frames_dropped, status.errors) == (60, 60, 0, ())


def test_a_break_restarts_it_and_its_leds_tell(icebreaker):
    with SimulatedLine(icebreaker, timeout=0.001) as line:
        line.wait(1.5 / 12e6)
        assert line.leds & GREEN  # dark: the reset after power-on
        line.wait(1e-4)
        assert not line.leds & GREEN
        line.write(bytes([0x7E, 3, 1, 0, 0, 9, 9, 0x7E]))  # a packet that is damaged
        line.flush()
        line.wait(1e-4)
        line.send_break(0.0001)
        line.wait(1e-4)
        with Accelerator(icebreaker, line=line, quiet_seconds=0.0005, timeout=0.2) as board:
            frames = random_frames(NETWORK, 3, seed=6)
            np.testing.assert_array_equal(board.run(frames).scores, outputs(NETWORK, frames))

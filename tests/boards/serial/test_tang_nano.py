# amaranth: UnusedElaboratable=no
"""Gowin boards: the PLL, the pins, and, slow, their own tops at the pins: on the oscillator and behind the PLL."""

import json

import numpy as np
import pytest

import bitwright as bw
from bitwright.open_board import open_board
from bitwright_boards import load_board
from bitwright_boards.deployment import describe
from bitwright_boards.serial_driver import Accelerator
from bitwright_core.errors import BoardError
from bitwright_core.golden import outputs
from bitwright_hw.families import GOWIN
from bitwright_hw.families.flow import BoardPart
from bitwright_hw.families.gowin.flow import FLOW
from bitwright_hw.families.gowin.pll import DETECTOR_MHZ, OSCILLATOR_MHZ, OUTPUT_DIVISORS, OUTPUT_MHZ, choose_pll
from bitwright_hw.nextpnr import Nextpnr
from bitwright_hw.serial.build import write_sources
from bitwright_hw.synth import synthesize_verilog
from bitwright_sim.serial import SimulatedLine
from tests.sw.networks import random_frames, random_network

NETWORK = random_network(23, shape=(4, 4), bits=8, levels=1, hidden=(8,), classes=3)
READY, BUSY, REFUSED = 1, 2, 4  # bits of the pins, high where the LED is dark


@pytest.mark.parametrize("mhz", [10, 13.5, 25, 48, 50, 54, 66, 81, 94.5, 100, 108, 125, 150, 162])
def test_the_pll_stays_within_its_limits(mhz):
    pll = choose_pll(27.0, mhz)
    assert 0.9 * mhz <= pll.mhz <= mhz * (1 + 1e-9)
    assert DETECTOR_MHZ[0] <= 27 / pll.input_div <= DETECTOR_MHZ[1]
    assert OSCILLATOR_MHZ[0] <= pll.oscillator_mhz <= OSCILLATOR_MHZ[1] and pll.output_div in OUTPUT_DIVISORS
    assert OUTPUT_MHZ[0] <= pll.mhz <= OUTPUT_MHZ[1]
    assert all(1 <= div <= 64 for div in (pll.input_div, pll.feedback_div))


def test_the_oscillator_needs_no_pll():
    assert choose_pll(27.0, 27.0) is None
    pll = choose_pll(27.0, 54.0)
    assert (pll.input_div, pll.feedback_div, pll.output_div, pll.mhz) == (1, 2, 16, 54.0)
    for mhz in (1.0, 700.0):
        with pytest.raises(BoardError, match="the PLL cannot make"):
            choose_pll(27.0, mhz)


def test_constraints_and_options():
    board = open_board(load_board("tang-nano-20k"))
    lines = board.flow.constraints(board.pins).splitlines()
    assert lines[:4] == [
        'IO_LOC "clk" 4;',
        'IO_PORT "clk" IO_TYPE=LVCMOS33;',
        'IO_LOC "rx" 70;',
        'IO_PORT "rx" IO_TYPE=LVCMOS33 PULL_MODE=UP;',
    ]
    options = board.flow.options(board.part, 54.0)
    assert options[:4] == ("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C")
    assert options[4:8] == ("--vopt", "cst=pins.cst", "--freq", "54")
    packer = board.flow.packer
    assert packer.arguments(board.part, "placed.json", "top.bit") == ("-d", "GW2A-18C", "-o", "top.bit", "placed.json")
    without = BoardPart(number="GW1N-LV1QN48C6/I5", device=())  # nextpnr knows the die of some numbers
    assert "--device" in FLOW.board.options(without, 27.0) and "family=" not in " ".join(
        FLOW.board.options(without, 27.0)
    )
    assert packer.arguments(without, "placed.json", "top.bit") == ("-o", "top.bit", "placed.json")


def test_the_pins_of_the_9k_are_those_of_amaranth_boards():
    """But for the LEDs' voltage, which is that of their bank, as litex-boards has it."""
    theirs = pytest.importorskip("amaranth_boards.tang_nano_9k").TangNano9kPlatform()
    described = load_board("tang-nano-9k")
    clk, rx, tx, *leds = open_board(described).pins.pins
    clock, uart = theirs.lookup("clk27"), theirs.lookup("uart", 0)
    lines = {line.name: line.ios[0].names for line in uart.ios}
    assert described.part == theirs.part and clock.clock.frequency == 27e6
    assert ([clk.site], [rx.site], [tx.site]) == (clock.ios[0].names, lines["rx"], lines["tx"])
    for mine, resource in ((clk, clock), (rx, uart), (tx, uart)):
        assert mine.attributes == resource.attrs
    for index, led in enumerate(leds):
        resource = theirs.lookup("led", index)
        assert ([led.site], led.inverted) == (resource.ios[0].names, resource.ios[0].invert)
        assert led.attributes == {"IO_TYPE": "LVCMOS18"}


def sources(board, mhz, root):
    """A build folder of the network for `board`, without a bitstream."""
    plan = bw.size(NETWORK, cycles=64, scores=True, data_bits=8, clock_mhz=mhz, target="gowin")
    design = bw.generate(NETWORK, plan, root / "design")
    build = write_sources(design, open_board(load_board(board)), root / "board")
    (root / "board" / "design.json").write_text(json.dumps(describe(design)))
    return build, root / "board"


def test_tops_have_a_pll_where_the_clock_asks_for_one(tmp_path):
    build, folder = sources("tang-nano-20k", 27, tmp_path / "plain")
    assert (build.clock_mhz, build.oscillator_mhz, build.baud) == (27, 27, 115_200)
    assert "rPLL" not in (folder / "top.v").read_text() and build.bitstream.endswith(".fs")
    build, folder = sources("tang-nano-9k", 54, tmp_path / "faster")
    assert (build.clock_mhz, build.oscillator_mhz, build.baud, build.device) == (54, 27, 1_000_000, "GW1N-9C")
    text = (folder / "top.v").read_text()
    assert text.count("rPLL #(") == 1 and ".FBDIV_SEL(32'd1)" in text and ".IDIV_SEL(32'd0)" in text


@pytest.mark.slow
def test_a_part_by_itself_is_placed(tmp_path):
    """Between registers and four pins, as nextpnr here chooses none by itself."""
    pytest.importorskip(GOWIN.flow.wheel.module, reason="needs the extra open")
    source, netlist = tmp_path / "part.v", tmp_path / "netlist.json"
    row = "module part(\n  input wire aclk,\n  input wire [7:0] a,\n  output reg [8:0] o\n);\n"
    source.write_text(row + "always @(posedge aclk) o <= a + 8'd27;\nendmodule\n")
    counts = synthesize_verilog([source], "part", family=GOWIN, netlist=netlist)["part"]
    assert 9 <= counts.luts <= 10 and counts.ffs == 9
    cells = [cell["type"] for cell in json.loads(netlist.read_text())["modules"]["pins"]["cells"].values()]
    assert (cells.count("IBUF"), cells.count("OBUF")) == (3, 1)
    assert Nextpnr(GOWIN).run(netlist, clock_mhz=27.0).fmax_mhz > 27


@pytest.mark.slow
@pytest.mark.parametrize(("board", "mhz"), [("tang-nano-20k", 27), ("tang-nano-9k", 54)])
@pytest.mark.parametrize("skew", [-0.01, 0.0, 0.015])
def test_frames_are_bit_exact_at_the_pins(board, mhz, skew, tmp_path):
    _, folder = sources(board, mhz, tmp_path)
    frames = random_frames(NETWORK, 60, seed=5)
    with SimulatedLine(folder, skew=skew) as line:
        line.wait(1e-5)
        assert line.leds == BUSY | REFUSED  # ready, and not busy
        with Accelerator(folder, line=line, quiet_seconds=0.002, timeout=0.5, clock=lambda: line.seconds) as link:
            result = link.run(frames)
            status = link.status()
            assert link.counts.repeated == 0 and line.framing_errors == 0
    expected = outputs(NETWORK, frames)
    np.testing.assert_array_equal(result.scores, expected)
    np.testing.assert_array_equal(result.classes, expected.argmax(axis=1))
    assert (status.frames_in, status.frames_out, status.frames_dropped, status.errors) == (60, 60, 0, ())

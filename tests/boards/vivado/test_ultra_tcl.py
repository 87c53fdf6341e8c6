# amaranth: UnusedElaboratable=no
"""The Vivado scripts of the Zynq UltraScale+ boards, run in tclsh by a recorder; every check sees a planted fault."""

import shutil

import pytest
from lxml import etree

import bitwright as bw
from bitwright_boards import load_board
from bitwright_boards.block_design import block_design
from bitwright_boards.hwh import handoff
from bitwright_boards.processing import platform
from bitwright_boards.vivado import write_project
from bitwright_boards.vivado.wrapper import wrapper
from tests.boards.test_ultra_board import CLOCKS
from tests.boards.vivado.checks import ZYNQ_ULTRA, all_faults
from tests.boards.vivado.recording import plant, record
from tests.boards.vivado.test_package import component_faults, describe, elaborate, wrapper_faults
from tests.boards.vivado.test_tcl import drift
from tests.sw.networks import random_network


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(5, shape=(4, 4), bits=8, levels=1, hidden=(8,))
    plan = bw.size(network, cycles=16, scores=True, data_bits=128, clock_mhz=200)
    return bw.generate(network, plan, tmp_path_factory.mktemp("d") / "design")


@pytest.fixture(scope="module")
def project(design, tmp_path_factory):
    """A project folder for the KV260; tests that change it copy it."""
    out = tmp_path_factory.mktemp("p") / "project"
    write_project(design, load_board("kv260"), out)
    return out


def faults(project, folder, manifest, *, board="kv260") -> list[str]:
    found = record(project / "build.tcl", folder)
    assert found.status == 0, found.said
    return all_faults(found, manifest, part=load_board(board).part, clock_mhz=CLOCKS[board], ps=ZYNQ_ULTRA)


@pytest.mark.parametrize("board", CLOCKS)
def test_the_scripts_ask_for_a_whole_design(design, tmp_path, board):
    out = tmp_path / "project"
    overlay = write_project(design, load_board(board), out)
    assert overlay.clock_mhz == pytest.approx(CLOCKS[board])
    assert faults(out, tmp_path, design.manifest, board=board) == []
    assert (out / "random.bit").is_file() and (out / "random.hwh").is_file()


def test_a_narrow_stream_has_a_wide_memory_side(tmp_path):
    network = random_network(5, shape=(4, 4), bits=8, levels=1, hidden=(8,))
    design = bw.generate(network, bw.size(network, cycles=16, data_bits=32, clock_mhz=200), tmp_path / "design")
    write_project(design, load_board("kv260"), tmp_path / "p")
    assert faults(tmp_path / "p", tmp_path, design.manifest) == []


def test_the_wrapper_of_128_bits_elaborates_and_its_description_is_true(design, tmp_path):
    assert wrapper_faults(elaborate(design, wrapper(design.manifest), tmp_path), design) == []
    assert component_faults(describe(design), design) == []


FAULTS = {
    "a clock of the other port's name": (
        "zynq_ultra_ps_e_0/pl_clk0 zynq_ultra_ps_e_0/maxihpm0_fpd_aclk",
        "zynq_ultra_ps_e_0/pl_clk0 zynq_ultra_ps_e_0/maxihpm0_lpd_aclk",
        "zynq_ultra_ps_e_0/maxihpm0_fpd_aclk is driven by nothing",
    ),
    "a memory port without clock": (
        "wire zynq_ultra_ps_e_0/pl_clk0 zynq_ultra_ps_e_0/saxihp0_fpd_aclk\n",
        "",
        "saxihp0_fpd_aclk is driven by nothing",
    ),
    "the second control port is on": (
        "PSU__USE__M_AXI_GP1                 {0}",
        "PSU__USE__M_AXI_GP1 {1}",
        "GP1 1, not 0",
    ),
    "the memory port is off": ("PSU__USE__S_AXI_GP2                 {1}", "PSU__USE__S_AXI_GP2 {0}", "GP2 0, not 1"),
    "another memory port": ("S_AXI_HP0_FPD", "S_AXI_HP1_FPD", "S_AXI_HP1_FPD does not exist"),
    "a narrow memory port": ("{128}\n    PSU__FPGA_PL0", "{64}\n    PSU__FPGA_PL0", "DATA_WIDTH 64, not 128"),
    "a DMA of 64 bits": ("c_m_axi_s2mm_data_width    {128}", "c_m_axi_s2mm_data_width {64}", "width 64, not 128"),
    "an address of the other port": ("0xA0010000 0x10000", "0xB0010000 0x10000", "is outside of"),
    "an address of Zynq-7000": ("0xA0000000 0x10000", "0x40400000 0x10000", "is outside of"),
    "overlapping addresses": ("0xA0010000 0x10000", "0xA0000000 0x10000", "overlap at 0xa0000000"),
    "the interface in the memory map's place": (
        "Data_S2MM zynq_ultra_ps_e_0/SAXIGP2/",
        "Data_S2MM zynq_ultra_ps_e_0/S_AXI_HP0_FPD/",
        "SAXIGP2/HP0_DDR_LOW has no address in axi_dma_0/Data_S2MM",
    ),
    "too much memory": (
        "Data_MM2S zynq_ultra_ps_e_0/SAXIGP2/HP0_DDR_LOW 0x00000000 0x80000000",
        "Data_MM2S zynq_ultra_ps_e_0/SAXIGP2/HP0_DDR_LOW 0x00000000 0x100000000",
        "is outside of",
    ),
    "no reset of the logic": ("PSU__USE__FABRIC__RST               {1}", "PSU__USE__FABRIC__RST {0}", "RST 0, not 1"),
    "another PLL": ("SRCSEL  {IOPLL}", "SRCSEL  {RPLL}", "SRCSEL RPLL, not IOPLL"),
    "another clock": ("FREQMHZ {200.000000}", "FREQMHZ {250.000000}", "pl_clk0 is 250.000000 MHz, not 200.0"),
    "the reset of Zynq-7000": ("pl_resetn0", "FCLK_RESET0_N", "ext_reset_in is driven by"),
    "a version that other Vivados lack": ("zynq_ultra_ps_e zynq", "zynq_ultra_ps_e:3.5 zynq", "which there is none of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(project, design, tmp_path, fault):
    old, new, sentence = FAULTS[fault]
    copy = shutil.copytree(project, tmp_path / "p")
    plant(copy / "scripts" / "block_design.tcl", old, new)
    assert any(sentence in told for told in faults(copy, tmp_path, design.manifest))


def test_a_package_for_another_family_is_seen(project, design, tmp_path):
    copy = shutil.copytree(project, tmp_path / "p")
    file = copy / "scripts" / "package_ip.tcl"
    file.write_text(file.read_text().replace("{zynquplus Production}", "{zynq Production}"))
    assert "the package is for zynq Production, not for zynquplus" in faults(copy, tmp_path, design.manifest)


def test_a_handoff_and_the_scripts_name_the_same(project, design, tmp_path):
    copy = shutil.copytree(project, tmp_path / "p")
    found = record(copy / "build.tcl", tmp_path)
    text = handoff(block_design(design.manifest, platform(load_board("kv260"))))
    assert drift(found, text, ps=ZYNQ_ULTRA) == []
    for old, new in (("A0010000", "A0020000"), ('DATA_WIDTH" VALUE="128"', 'DATA_WIDTH" VALUE="64"')):
        assert drift(found, text.replace(old, new), ps=ZYNQ_ULTRA)


@pytest.mark.parametrize(
    ("board", "file", "left"),
    [
        ("kv260", "rfsoc_sam.hwh", {"S_AXI_HP0_FPD", "saxihp0_fpd_aclk"}),  # that design uses HP2
        ("pynq-z2", "resizer.hwh", set()),
    ],
)
def test_names_are_those_of_handoffs_that_vivado_wrote(design, pynq_python, board, file, left):
    """Settings, interfaces and clocks of processing system and DMA, in the .hwh that pynqmetadata's tests carry."""
    (real,) = pynq_python.parent.parent.glob(f"lib/python*/site-packages/pynqmetadata/tests/hwhs/{file}")
    modules = {module.get("MODTYPE"): module for module in etree.parse(str(real)).iter("MODULE")}
    place = platform(load_board(board))
    overlay = block_design(design.manifest, place, clock_mhz=100)
    cells = [cell for cell in (overlay.cell(place.system.name), overlay.cell("axi_dma_0")) if cell.module in modules]
    assert cells
    for cell in cells:
        module = modules[cell.module]
        told = {part.get("NAME") for part in module.iter("PARAMETER", "BUSINTERFACE", "PORT")}
        preset = set(place.settings) if cell.name == place.system.name else set()
        ours = {*preset, *cell.parameters, *cell.derived, *cell.clocks, *(bus.name for bus in cell.interfaces)}
        assert ours - told == left & ours
    if board == "kv260":
        assert {place.system.clock, place.system.reset} <= told


def test_the_handoff_is_as_vivados_where_pynq_reads_it(design):
    """Names and forms as in a .hwh of Vivado 2020.2 for zynq_ultra_ps_e that pynqmetadata's tests carry."""
    root = etree.fromstring(handoff(block_design(design.manifest, platform(load_board("kv260")))).encode())
    assert root.find("SYSTEMINFO").get("ARCH") == "zynquplus"
    (module,) = (module for module in root.iter("MODULE") if module.get("MODTYPE") == "zynq_ultra_ps_e")
    assert module.get("VLNV").rpartition(":")[0] == "xilinx.com:ip:zynq_ultra_ps_e"
    told = {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")}
    for k in range(4):
        control = f"PSU__CRL_APB__PL{k}_REF_CTRL__"
        assert {f"{control}DIVISOR0", f"{control}DIVISOR1", f"{control}SRCSEL", f"PSU__FPGA_PL{k}_ENABLE"} <= set(told)
    assert told["PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"] == "199.998000"
    assert (told["C_MAXIGP0_DATA_WIDTH"], told["C_SAXIGP2_DATA_WIDTH"]) == ("32", "128")
    (memory, _) = (memory for memory in root.iter("MEMRANGE") if memory.get("MEMTYPE") == "MEMORY")
    assert (memory.get("ADDRESSBLOCK"), memory.get("SLAVEBUSINTERFACE")) == ("HP0_DDR_LOW", "S_AXI_HP0_FPD")
    assert (memory.get("BASEVALUE"), memory.get("HIGHVALUE")) == ("0x00000000", "0x7FFFFFFF")

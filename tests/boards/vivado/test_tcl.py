# amaranth: UnusedElaboratable=no
"""The Vivado scripts, run in tclsh by a recorder, and what they ask for; every check shown to see a planted fault."""

import shutil
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from jinja2 import UndefinedError

import bitwright as bw
from bitwright_boards import load_board
from bitwright_boards.block_design import block_design
from bitwright_boards.hwh import handoff
from bitwright_boards.processing import ZYNQ_7020
from bitwright_boards.vivado import tcl, write_project
from bitwright_core.errors import BoardError
from tests.boards.vivado.checks import ZYNQ7, Processor, all_faults
from tests.boards.vivado.recording import Recording, plant, record
from tests.sw.networks import random_network

PART = "xc7z020clg400-1"


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(5, shape=(4, 4), bits=8, levels=1, hidden=(8,))
    return bw.generate(network, bw.size(network, cycles=16, scores=True), tmp_path_factory.mktemp("d") / "design")


@pytest.fixture(scope="module")
def project(design, tmp_path_factory):
    """A project folder; tests that change it copy it."""
    out = tmp_path_factory.mktemp("p") / "project"
    write_project(design, load_board("pynq-z2"), out)
    return out


def faults(project: Path, folder: Path, manifest, **answers) -> list[str]:
    found = record(project / "build.tcl", folder, **answers)
    assert found.status == 0, found.said
    return all_faults(found, manifest, part=PART, clock_mhz=100.0)


@pytest.mark.parametrize("board", ["pynq-z1", "pynq-z2"])
def test_the_scripts_ask_for_a_whole_design(design, tmp_path, board):
    out = tmp_path / "project"
    write_project(design, load_board(board), out)
    assert faults(out, tmp_path, design.manifest) == []
    assert (out / "random.bit").is_file() and (out / "random.hwh").is_file()


def test_what_the_packager_finds_itself_is_not_added_twice(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "p")
    names = "aclk aresetn s_axis m_axis s_axi_control"
    found = record(copy / "build.tcl", tmp_path, interfaces=names, maps="s_axi_control", parameters="FREQ_HZ POLARITY")
    assert found.status == 0 and not found.inferred
    assert found.commands.count("ipx::remove_bus_parameter") == 5
    assert found.commands.count("ipx::add_bus_parameter") == 2  # what the clock is associated with
    assert found.commands.count("ipx::remove_memory_map") == 1


def test_steps_come_in_order(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "p")
    commands = record(copy / "build.tcl", tmp_path).commands
    wanted = [
        "ipx::package_project",
        "ipx::save_core",
        "update_ip_catalog",
        "create_bd_design",
        "validate_bd_design",
        "save_bd_design",
        "generate_target",
        "make_wrapper",
        "launch_runs",
        "wait_on_run",
        "open_run",
    ]
    assert [name for name in dict.fromkeys(commands) if name in wanted] == wanted


FAULTS = {
    "missing clock": (
        "block_design",
        "wire processing_system7_0/FCLK_CLK0 axi_dma_0/m_axi_s2mm_aclk\n",
        "",
        "axi_dma_0/m_axi_s2mm_aclk is driven by nothing",
    ),
    "missing clock of a port": (
        "block_design",
        "wire processing_system7_0/FCLK_CLK0 processing_system7_0/S_AXI_HP0_ACLK\n",
        "",
        "S_AXI_HP0_ACLK is driven by nothing",
    ),
    "missing reset": (
        "block_design",
        "wire proc_sys_reset_0/peripheral_aresetn accelerator_0/aresetn\n",
        "",
        "accelerator_0/aresetn is driven by nothing",
    ),
    "raw reset": (
        "block_design",
        "proc_sys_reset_0/peripheral_aresetn axi_dma_0",
        "processing_system7_0/FCLK_RESET0_N axi_dma_0",
        "axi_dma_0/axi_resetn is driven by",
    ),
    "overlapping address": ("block_design", "0x43C00000 0x10000", "0x40400000 0x10000", "overlap at 0x40400000"),
    "unaligned address": ("block_design", "0x43C00000 0x10000", "0x43C08000 0x10000", "is not aligned"),
    "address of no port": ("block_design", "0x43C00000 0x10000", "0x83C00000 0x10000", "is outside of"),
    "missing address": ("block_design", "place axi_dma_0/Data_S2MM", "# place axi_dma_0/Data_S2MM", "has no address"),
    "wrong DMA width": (
        "block_design",
        "c_m_axi_s2mm_data_width    {64}",
        "c_m_axi_s2mm_data_width    {32}",
        "c_m_axi_s2mm_data_width 32, not 64",
    ),
    "wrong length width": (
        "block_design",
        "c_sg_length_width          {26}",
        "c_sg_length_width          {14}",
        "c_sg_length_width 14, not 26",
    ),
    "scatter-gather": ("block_design", "c_include_sg               {0}", "c_include_sg               {1}", "sg 1"),
    "narrow port": (
        "block_design",
        "PCW_S_AXI_HP0_DATA_WIDTH     {64}",
        "PCW_S_AXI_HP0_DATA_WIDTH     {32}",
        "WIDTH 32, not 64",
    ),
    "lost TLAST": ("package_ip", " m_axis_tlast}", "}", "m_axis lacks m_axis_tlast"),
    "lost TLAST of the input": ("package_ip", " s_axis_tlast}", "}", "s_axis lacks s_axis_tlast"),
    "stream to nowhere": (
        "block_design",
        "bus accelerator_0/m_axis axi_dma_0/S_AXIS_S2MM\n",
        "",
        "m_axis has 0 connections",
    ),
    "streams the wrong way": (
        "block_design",
        "bus accelerator_0/m_axis axi_dma_0/S_AXIS_S2MM",
        "bus axi_dma_0/S_AXIS_S2MM accelerator_0/m_axis",
        "cannot drive",
    ),
    "a bus too few": ("block_design", "NUM_MI {2}", "NUM_MI {1}", "control_smartconnect/M01_AXI does not exist"),
    "a loose bus": ("block_design", "NUM_MI {2}", "NUM_MI {3}", "control_smartconnect/M02_AXI has 0 connections"),
    "a lost register": ("package_ip", "ipx::add_register ERRORS", "ipx::add_register ERROR", "ERRORS is missing"),
    "a moved register": ("package_ip", "address_offset {0x0C}", "address_offset {0x10}", "register STATUS is at 0x10"),
    "clock without stream": (
        "package_ip",
        "ipx::associate_bus_interfaces -busif m_axis -clock aclk $core\n",
        "",
        "clock is associated with",
    ),
    "active high reset": ("package_ip", "{ACTIVE_LOW}", "{ACTIVE_HIGH}", "the reset is not active low"),
    "wrong part": ("package_ip", PART, "xc7z010clg400-1", "parts are"),
    "no outside": ("block_design", "apply_bd_automation", "# apply_bd_automation", "not brought outside"),
    "another IP": ("block_design", "axi_dma:7.1", "axi_cdma:4.1", "which there is none of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(project, design, tmp_path, fault):
    script, old, new, sentence = FAULTS[fault]
    copy = shutil.copytree(project, tmp_path / "p")
    plant(copy / "scripts" / f"{script}.tcl", old, new)
    assert any(sentence in told for told in faults(copy, tmp_path, design.manifest))


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"STATS.WNS": "-0.113"}, "timing is not met: worst setup slack -0.113 ns at 100 MHz"),
        ({"STATS.WHS": "-0.002"}, "timing is not met: worst hold slack -0.002 ns"),
        ({"STATS.WNS": ""}, "timing is not met"),
        ({"PROGRESS": "63%", "STATUS": "route_design ERROR"}, "implementation ended at 63%: route_design ERROR"),
    ],
)
def test_no_overlay_without_timing_or_result(project, tmp_path, answers, sentence):
    copy = shutil.copytree(project, tmp_path / "p")
    (copy / "random.bit").write_text("of an earlier build")
    found = record(copy / "build.tcl", tmp_path, **answers)
    assert found.status != 0 and sentence in found.said
    assert not (copy / "random.bit").exists() and not (copy / "random.hwh").exists()


@pytest.mark.parametrize("line", ["create_bd_sell -type ip x\n", "launch_runs impl_1 -to_stop x\n"])
def test_the_recorder_refuses_what_vivado_would(project, tmp_path, line):
    copy = shutil.copytree(project, tmp_path / "p")
    file = copy / "build.tcl"
    file.write_text(line + file.read_text())
    found = record(file, tmp_path)
    assert found.status != 0
    assert "invalid command name" in found.said or "unknown option" in found.said


def test_the_clock_is_one_that_the_dividers_give(design, tmp_path):
    overlay = write_project(design, load_board("pynq-z2"), tmp_path / "p", clock_mhz=130)
    assert overlay.clock_mhz == 125
    assert "PCW_FPGA0_PERIPHERAL_FREQMHZ {125.000000}" in (tmp_path / "p/scripts/block_design.tcl").read_text()
    found = record(tmp_path / "p/build.tcl", tmp_path)
    assert all_faults(found, design.manifest, part=PART, clock_mhz=125.0) == []


def test_a_wide_input_stream_widens_the_dma_alone(tmp_path):
    network = random_network(5, shape=(16,), bits=8, levels=1, hidden=(8,))
    design = bw.generate(network, bw.size(network, cycles=16, data_bits=128), tmp_path / "design")
    write_project(design, load_board("pynq-z1"), tmp_path / "p")
    assert faults(tmp_path / "p", tmp_path, design.manifest) == []


def test_a_handoff_and_the_scripts_name_the_same(project, design, tmp_path):
    """The .hwh of the simulated board and Vivado's Tcl: cells, settings, addresses, registers."""
    copy = shutil.copytree(project, tmp_path / "p")
    found = record(copy / "build.tcl", tmp_path)
    text = handoff(block_design(design.manifest, ZYNQ_7020))
    assert drift(found, text) == []
    assert drift(found, text.replace('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="14"'))
    assert drift(found, text.replace("43C00000", "43C10000"))
    assert drift(found, text.replace('NAME="STATUS"', 'NAME="STATE"'))


def drift(found: Recording, text: str, ps: Processor = ZYNQ7) -> list[str]:
    """Where a .hwh says something else than the Tcl."""
    root = Xml.fromstring(text)
    modules = {module.get("INSTANCE", ""): module for module in root.iter("MODULE")}
    faults = [] if set(modules) == set(found.cells) else ["cells differ"]
    for name, module in modules.items():
        asked = found.cells.get(name, "")  # without a version where Vivados differ in it
        if not asked or not module.get("VLNV", "").startswith(asked):
            faults.append(f"{name} differs")
        parameters = {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")}
        faults += [
            f"{name} has {key} {value}, the handoff {parameters[key]}"
            for key, value in found.settings.get(name, {}).items()
            if key in parameters and parameters[key] != value
        ]
    ranges = {
        (
            f"{memory.get('INSTANCE')}/{memory.get('SLAVEBUSINTERFACE')}",
            int(memory.get("BASEVALUE", ""), 0),
            int(memory.get("HIGHVALUE", ""), 0),
        )
        for memory in modules[ps.cell].iter("MEMRANGE")
    }
    placed = {
        (segment.rpartition("/")[0], offset, offset + size - 1)
        for space, segment, offset, size in found.addresses
        if space == f"{ps.cell}/Data"
    }
    faults += [f"addresses differ: {ranges ^ placed}"] if ranges != placed else []
    named = {
        register.get("NAME")
        for block in modules["accelerator_0"].iter("ADDRESSBLOCK")
        for register in block.iter("REGISTER")
    }
    packaged = {name for kind, name, _ in found.added if kind == "register"}
    return faults + ([f"registers differ: {named ^ packaged}"] if named != packaged else [])


def test_boards_without_a_project_are_refused(design, tmp_path):
    with pytest.raises(
        BoardError, match="no Vivado project for zybo-z7-20; it has them for aup-zu3, kr260, kv260, pynq-z1, pynq-z2, "
    ):
        write_project(design, load_board("zybo-z7-20"), tmp_path / "p")
    (tmp_path / "q").mkdir()
    (tmp_path / "q/notes.txt").write_text("mine")
    with pytest.raises(BoardError, match=r"notes\.txt, which no build put there"):
        write_project(design, load_board("pynq-z2"), tmp_path / "q")


@pytest.mark.parametrize("part", ["xc7z020; exec true", "[exec true]", "$root", "{x}", "two words", ""])
def test_templates_refuse_what_is_neither_a_word_nor_quoted(design, part):
    with pytest.raises(ValueError, match="is no bare Tcl word"):
        tcl.build(block_design(design.manifest, ZYNQ_7020), part)
    with pytest.raises(ValueError, match="is no bare Tcl word"):
        tcl.package_ip(design.manifest, part, families=("zynq",), folder="build/ip")


@pytest.mark.parametrize("setting", ["a}", "[exec true]", "$root", "a\nb", 'a"b', "a\\b"])
def test_templates_refuse_what_cannot_be_quoted(design, setting):
    with pytest.raises(ValueError, match="cannot be quoted"):
        tcl.block_design(block_design(design.manifest, ZYNQ_7020), {"PCW_NAME": setting})


def test_a_template_that_misses_a_value_is_refused():
    with pytest.raises(UndefinedError, match="'part' is undefined"):
        tcl._templates().get_template("build.tcl").render(name="a", drawing="b", mhz="100")

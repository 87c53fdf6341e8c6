"""The block design as data: clocks that exist, addresses that do not overlap, every connection's ends; its .hwh."""

from dataclasses import replace
from xml.etree import ElementTree

import msgspec
import pytest

from bitwright_boards.block_design import block_design
from bitwright_boards.hwh import handoff
from bitwright_boards.processing import ZYNQ_7020
from bitwright_boards.processing.system import MAX_DIVIDER
from bitwright_boards.simulated import bitstream
from bitwright_core.errors import BoardError


@pytest.mark.parametrize(
    ("wanted", "dividers"),
    [(100, (5, 2)), (111.2, (3, 3)), (125, (4, 2)), (142.9, (7, 1)), (200, (5, 1)), (150, (7, 1))],
)
def test_the_fastest_clock_that_is_not_above(wanted, dividers):
    clock = ZYNQ_7020.system.pl_clock(wanted, {})
    assert clock.dividers == dividers
    assert clock.mhz == 1000 / (dividers[0] * dividers[1])
    assert clock.mhz <= wanted * (1 + 1e-6) and max(dividers) <= MAX_DIVIDER


@pytest.mark.parametrize("wanted", [0.2, 251, 1000])
def test_clocks_that_cannot_be_had(wanted):
    with pytest.raises(BoardError, match=r"cannot be had on Zynq-7000; choose 0\.26 to 250 MHz"):
        ZYNQ_7020.system.pl_clock(wanted, {})


def test_everything_named_is_there(board_design):
    design = block_design(board_design.manifest, ZYNQ_7020)
    ends = {f"{cell.name}/{bus.name}": bus for cell in design.cells for bus in cell.interfaces}
    for connection in design.connections:
        source, sink = ends.pop(connection.source), ends.pop(connection.sink)
        assert source.initiator and not sink.initiator and source.kind == sink.kind
    assert not ends  # nothing is left open
    for region in design.regions:
        assert any(bus.name == region.interface for bus in design.cell(region.cell).interfaces)


def test_no_two_blocks_share_an_address(board_design):
    regions = [r for r in block_design(board_design.manifest, ZYNQ_7020).regions if not r.memory]
    assert len(regions) == 2
    first, second = sorted(regions, key=lambda r: r.base)
    assert first.high < second.base
    assert all(r.base % r.size == 0 for r in regions)


def test_the_dma_is_as_wide_as_the_stream(board_design):
    manifest = board_design.manifest
    for bits, mapped in ((8, 64), (64, 64), (256, 256)):
        wide = msgspec.structs.replace(manifest, input=replace(manifest.input, data_bits=bits))
        dma = block_design(wide, ZYNQ_7020).cell("axi_dma_0").parameters
        assert (dma["c_m_axis_mm2s_tdata_width"], dma["c_m_axi_mm2s_data_width"]) == (str(bits), str(mapped))
        assert (dma["c_include_sg"], dma["c_sg_length_width"]) == ("0", "26")


def test_the_handoff_tells_registers_and_addresses(board_design):
    text = handoff(block_design(board_design.manifest, ZYNQ_7020))
    assert text == handoff(block_design(board_design.manifest, ZYNQ_7020))
    root = ElementTree.fromstring(text.split("\n", 1)[1])
    registers = {
        register.get("NAME"): int(register.find("PROPERTY[@NAME='ADDRESS_OFFSET']").get("VALUE"), 16)
        for register in root.iter("REGISTER")
    }
    assert registers == board_design.manifest.registers
    ranges = {
        r.get("INSTANCE"): int(r.get("BASEVALUE"), 16) for r in root.iter("MEMRANGE") if r.get("MEMTYPE") == "REGISTER"
    }
    assert ranges == {"axi_dma_0": 0x4040_0000, "accelerator_0": 0x43C0_0000}


def test_the_simulated_boards_memory_is_the_same_on_both_sides(checkout):
    source = (checkout / "boards/bitwright_boards/simulated/pynq_device.py").read_text().replace("_", "")
    assert f"BASE, SIZE, PAGE = 0x{bitstream.MEMORY_BASE:x}, 0x{bitstream.MEMORY_SIZE:x}, 4096" in source

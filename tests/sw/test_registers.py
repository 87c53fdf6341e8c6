"""Registers and ports are declared once; what must repeat them (the driver that stands alone, the docs) agrees."""

import re

from bitwright_boards import driver
from bitwright_core.ports import accelerator_ports, lite_ports
from bitwright_core.registers import COUNTERS, DECLARED, ERRORS, IDENTITY, REGISTERS, VERSION, network_constants


def test_offsets_are_words_in_order():
    assert [register.offset for register in DECLARED] == list(range(0, 4 * len(DECLARED), 4))
    assert list(REGISTERS) == [register.name for register in DECLARED]
    for register in DECLARED:
        masks = [field.mask for field in register.fields]
        assert sum(masks) == sum({*masks}) < 1 << 32  # no bit twice


def test_the_table_of_the_docs(checkout):
    text = (checkout / "docs/hardware.md").read_text("utf-8")
    rows = re.findall(r"^\| (0x\w\w)(?: to 0x\w\w)? \| (\w+?)(?: to \w+)? \| (ro|rw|w1c) \| (.*) \|$", text, re.M)
    told = {name: (int(offset, 16), access) for offset, name, access, _ in rows}
    expected = {register.name: (register.offset, register.access) for register in DECLARED}
    assert told == {name: facts for name, facts in expected.items() if name not in {f"DIGEST_{k}" for k in range(1, 8)}}
    words = {name: text for _, name, _, text in rows}
    assert f"0x{IDENTITY:08x}" in words["IDENTITY"] and f"0x{VERSION:08x}" in words["VERSION"]
    for register in DECLARED:
        for field in register.fields:
            short = field.name.removesuffix("_frame")
            assert re.search(rf"\b{field.bit} {short}\b", words[register.name]), (register.name, field.name)


def test_the_driver_that_stands_alone():
    control = next(register for register in DECLARED if register.name == "CONTROL")
    assert driver.IDENTITY == IDENTITY
    assert tuple(field.mask for field in control.fields) == (driver.SOFT_RESET, driver.BATCH)
    assert tuple(register.name for register in COUNTERS[:3]) == driver.FRAME_COUNTERS
    for field in ERRORS.fields:
        assert driver.ERROR_BITS[field.bit].startswith(field.name.removesuffix("_frame"))
    assert len(driver.ERROR_BITS) == len(ERRORS.fields)


def test_ports():
    ports = accelerator_ports(16)
    assert len(ports) == 5 + 5 + len(lite_ports())
    assert ports["s_axis_tdata"].bits == 16 and ports["s_axis_tkeep"].bits == 2 and ports["m_axis_tdata"].bits == 64
    assert ports["s_axis_tready"].driven and not ports["m_axis_tready"].driven and ports["m_axis_tvalid"].driven
    assert {name for name, port in ports.items() if port.driven and name.startswith("s_axi_control")} == {
        f"s_axi_control_{name}"
        for name in ["awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid"]
    }


def test_the_digest_in_words():
    constants = network_constants("0123456789abcdef" * 4)
    assert constants["DIGEST_0"] == 0x01234567 and constants["DIGEST_7"] == 0x89ABCDEF

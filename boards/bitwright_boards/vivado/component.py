"""The packaged accelerator as an IP-XACT component (IEEE 1685-2009): interfaces, registers, ports, files.

Vivado packages the same IP by scripts/package_ip.tcl; this description serves other tools, and readers.
"""

from xml.etree import ElementTree as Xml

from bitwright_boards.block_design import (
    ACCELERATOR_SIZE,
    ADDRESS_BLOCK,
    CONTROL_INTERFACE,
    IP_LIBRARY,
    IP_VENDOR,
    IP_VERSION,
    BlockDesign,
)
from bitwright_boards.vivado.interfaces import BusInterface, Port, interfaces
from bitwright_boards.vivado.wrapper import wrapper_name
from bitwright_core.design import Manifest
from bitwright_core.registers import DATA_BITS, Register

NAMESPACE = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
_PREFIX = f"{{{NAMESPACE}}}"


def component(manifest: Manifest, design: BlockDesign) -> str:
    """component.xml. File names are relative to the project's folder."""
    Xml.register_namespace("spirit", NAMESPACE)
    root = Xml.Element(_PREFIX + "component")
    _texts(root, vendor=IP_VENDOR, library=IP_LIBRARY, name=manifest.top, version=IP_VERSION)
    buses = interfaces(manifest)
    holder = _add(root, "busInterfaces")
    for bus in buses:
        _bus(holder, bus)
    memory_map = _add(_add(root, "memoryMaps"), "memoryMap")
    _texts(memory_map, name=CONTROL_INTERFACE)
    block = _add(memory_map, "addressBlock")
    _texts(block, name=ADDRESS_BLOCK, baseAddress="0", range=str(ACCELERATOR_SIZE), width=str(DATA_BITS))
    _texts(block, usage="register")
    for register in design.registers:
        _register(block, register)
    model = _add(root, "model")
    view = _add(_add(model, "views"), "view")
    _texts(view, name="verilog", envIdentifier="verilog::", language="verilog")
    _texts(view, modelName=wrapper_name(manifest))
    _texts(_add(view, "fileSetRef"), localName="sources")
    ports = _add(model, "ports")
    for bus in buses:
        for port in bus.ports:
            _port(ports, port)
    file_set = _add(_add(root, "fileSets"), "fileSet")
    _texts(file_set, name="sources")
    for name in [*(f"design/{name}" for name in manifest.verilog), f"rtl/{wrapper_name(manifest)}.v"]:
        _texts(_add(file_set, "file"), name=name, fileType="verilogSource")
    _texts(root, description=f"Accelerator of the binary neural network {manifest.name}, by bitwright")
    Xml.indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + Xml.tostring(root, encoding="unicode") + "\n"


def _add(parent: Xml.Element, tag: str) -> Xml.Element:
    return Xml.SubElement(parent, _PREFIX + tag)


def _texts(parent: Xml.Element, **texts: str) -> None:
    for tag, text in texts.items():
        _add(parent, tag).text = text


def _bus(holder: Xml.Element, bus: BusInterface) -> None:
    element = _add(holder, "busInterface")
    _texts(element, name=bus.name)
    for tag, vlnv in (("busType", bus.vlnv), ("abstractionType", bus.abstraction)):
        vendor, library, name, version = vlnv.split(":")
        reference = {"vendor": vendor, "library": library, "name": name, "version": version}
        _add(element, tag).attrib.update({_PREFIX + key: value for key, value in reference.items()})
    mode = _add(element, "master" if bus.master else "slave")
    if bus.name == CONTROL_INTERFACE:
        _add(mode, "memoryMapRef").set(_PREFIX + "memoryMapRef", CONTROL_INTERFACE)
    maps = _add(element, "portMaps")
    for port in bus.ports:
        port_map = _add(maps, "portMap")
        _texts(_add(port_map, "logicalPort"), name=port.logical)
        _texts(_add(port_map, "physicalPort"), name=port.name)
    parameters = _add(element, "parameters")
    for name, value in bus.parameters:
        _texts(_add(parameters, "parameter"), name=name, value=value)


def _register(block: Xml.Element, register: Register) -> None:
    element = _add(block, "register")
    _texts(element, name=register.name, description=register.description, addressOffset=f"0x{register.offset:02X}")
    _texts(element, size=str(DATA_BITS), access=register.bus_access)
    for field in register.fields:
        part = _add(element, "field")
        _texts(part, name=field.name, description=field.description, bitOffset=str(field.bit))
        _texts(part, bitWidth=str(field.width), access=register.bus_access)


def _port(ports: Xml.Element, port: Port) -> None:
    element = _add(ports, "port")
    _texts(element, name=port.name)
    wire = _add(element, "wire")
    _texts(wire, direction="out" if port.output else "in")
    if port.bits > 1:
        vector = _add(wire, "vector")
        _texts(vector, left=str(port.bits - 1), right="0")

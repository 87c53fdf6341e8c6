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
    registers,
)
from bitwright_boards.vivado.interfaces import BusInterface, Port, interfaces
from bitwright_boards.vivado.wrapper import wrapper_name
from bitwright_core.design import Manifest
from bitwright_core.registers import DATA_BITS, Register

NAMESPACE = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"  # the namespace of Vivado's extensions
_PREFIX = f"{{{NAMESPACE}}}"
_VIVADO_VIEWS = (
    ("xilinx_anylanguagesynthesis", ":vivado.xilinx.com:synthesis"),
    ("xilinx_anylanguagebehavioralsimulation", ":vivado.xilinx.com:simulation"),
)


def component(manifest: Manifest, *, families: tuple[str, ...] = ()) -> str:
    """component.xml. File names are relative to the project's folder.

    With `families`, by Vivado's names, it has what Vivado's catalog reads beside: views for synthesis and simulation,
    the families, where it stands in the catalog. Models of vendor cells are a set of files that no view has.
    """
    Xml.register_namespace("spirit", NAMESPACE)
    Xml.register_namespace("xilinx", XILINX)
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
    for register in registers(manifest):
        _register(block, register)
    model = _add(root, "model")
    views = _add(model, "views")
    for name, environment in (("verilog", "verilog::"), *(_VIVADO_VIEWS if families else ())):
        view = _add(views, "view")
        _texts(view, name=name, envIdentifier=environment, language="verilog")
        _texts(view, modelName=wrapper_name(manifest))
        _texts(_add(view, "fileSetRef"), localName="sources")
    ports = _add(model, "ports")
    for bus in buses:
        for port in bus.ports:
            _port(ports, port)
    file_sets = _add(root, "fileSets")
    _files(file_sets, "sources", [*(f"design/{name}" for name in manifest.verilog), f"rtl/{wrapper_name(manifest)}.v"])
    if families and manifest.simulation_models:
        _files(file_sets, "simulation_models", [f"design/{name}" for name in manifest.simulation_models])
    _texts(root, description=f"Accelerator of the binary neural network {manifest.name}, by bitwright")
    if families:
        _catalog(root, manifest, families)
    Xml.indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + Xml.tostring(root, encoding="unicode") + "\n"


def _files(file_sets: Xml.Element, name: str, files: list[str]) -> None:
    file_set = _add(file_sets, "fileSet")
    _texts(file_set, name=name)
    for file in files:
        _texts(_add(file_set, "file"), name=file, fileType="verilogSource")


def _catalog(root: Xml.Element, manifest: Manifest, families: tuple[str, ...]) -> None:
    """What Vivado's catalog reads of an IP, in Vivado's own extension of the standard."""
    core = Xml.SubElement(_add(root, "vendorExtensions"), f"{{{XILINX}}}coreExtensions")
    supported = Xml.SubElement(core, f"{{{XILINX}}}supportedFamilies")
    for family in families:
        element = Xml.SubElement(supported, f"{{{XILINX}}}family", {f"{{{XILINX}}}lifeCycle": "Production"})
        element.text = family
    Xml.SubElement(Xml.SubElement(core, f"{{{XILINX}}}taxonomies"), f"{{{XILINX}}}taxonomy").text = "/UserIP"
    Xml.SubElement(core, f"{{{XILINX}}}displayName").text = f"bitwright {manifest.name}"


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

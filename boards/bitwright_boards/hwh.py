"""A hardware handoff (.hwh) written from the block design, to the extent that pynq reads it.

Vivado writes the .hwh of a real overlay; this one is for the simulated board, which pynq's own parser loads.
It says what pynq 3.1's parser (pynqmetadata's hwh_frontend) looks at: instances, parameters, bus interfaces,
address maps, registers. Signals between blocks are left out: pynq uses them for interrupts, GPIO and hierarchies,
of which an overlay has none.
"""

from xml.etree import ElementTree as Xml

from bitwright_boards.block_design import ADDRESS_BLOCK, CONTROL_INTERFACE, BlockDesign
from bitwright_boards.blocks import BlockCell
from bitwright_core.registers import Register

_KINDS = {"aximm": "xilinx.com:interface:aximm:1.0", "axis": "xilinx.com:interface:axis:1.0"}


def handoff(design: BlockDesign) -> str:
    """The .hwh of `design` as text."""
    root = Xml.Element("EDKSYSTEM", EDWVERSION="1.2")
    Xml.SubElement(root, "SYSTEMINFO", NAME=design.name, ARCH=design.system.family)
    Xml.SubElement(root, "EXTERNALPORTS")
    Xml.SubElement(root, "EXTERNALINTERFACES")
    modules = Xml.SubElement(root, "MODULES")
    for cell in design.cells:
        _module(modules, design, cell)
    Xml.indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + Xml.tostring(root, encoding="unicode") + "\n"


def _module(modules: Xml.Element, design: BlockDesign, cell: BlockCell) -> None:
    module = Xml.SubElement(
        modules, "MODULE", FULLNAME=f"/{cell.name}", INSTANCE=cell.name, MODTYPE=cell.module, VLNV=cell.vlnv, IS_PL="1"
    )
    blocks = [r for r in design.regions if r.cell == cell.name and not r.memory]
    if blocks:
        addresses = Xml.SubElement(module, "ADDRESSBLOCKS")
        for region in blocks:
            block = Xml.SubElement(
                addresses,
                "ADDRESSBLOCK",
                INTERFACE=region.interface,
                NAME=region.block,
                RANGE=str(region.size),
                USAGE="register",
            )
            mapped = region.interface == CONTROL_INTERFACE and region.block == ADDRESS_BLOCK
            registers = Xml.SubElement(block, "REGISTERS")
            for register in design.registers if mapped else ():
                _register(registers, register)
    parameters = Xml.SubElement(module, "PARAMETERS")
    for name, value in {**cell.parameters, **cell.derived}.items():
        Xml.SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
    Xml.SubElement(module, "PORTS")
    interfaces = Xml.SubElement(module, "BUSINTERFACES")
    for interface in cell.interfaces:
        kind = "INITIATOR" if interface.initiator else "TARGET"
        bus = Xml.SubElement(
            interfaces, "BUSINTERFACE", NAME=interface.name, TYPE=kind, VLNV=_KINDS[interface.kind], DATAWIDTH="0"
        )
        Xml.SubElement(bus, "PORTMAPS")
    memory = Xml.SubElement(module, "MEMORYMAP")
    for region in design.regions:
        master, _, bus_name = region.master.partition("/")
        if master != cell.name:
            continue
        Xml.SubElement(
            memory,
            "MEMRANGE",
            ADDRESSBLOCK=region.block,
            BASEVALUE=f"0x{region.base:08X}",
            HIGHVALUE=f"0x{region.high:08X}",
            INSTANCE=region.cell,
            MASTERBUSINTERFACE=bus_name,
            MEMTYPE="MEMORY" if region.memory else "REGISTER",
            SLAVEBUSINTERFACE=region.interface,
        )


def _register(registers: Xml.Element, register: Register) -> None:
    entry = Xml.SubElement(registers, "REGISTER", NAME=register.name)
    _properties(
        entry,
        DESCRIPTION=register.description,
        ADDRESS_OFFSET=f"0x{register.offset:02X}",
        SIZE="32",
        ACCESS=register.bus_access,
        IS_ENABLED="true",
    )
    if register.fields:
        fields = Xml.SubElement(entry, "FIELDS")
        for part in register.fields:
            field = Xml.SubElement(fields, "FIELD", NAME=part.name)
            _properties(
                field,
                DESCRIPTION=part.description,
                BIT_OFFSET=str(part.bit),
                BIT_WIDTH=str(part.width),
                ACCESS=register.bus_access,
            )


def _properties(entry: Xml.Element, **values: str) -> None:
    for name, value in values.items():
        Xml.SubElement(entry, "PROPERTY", NAME=name, VALUE=value)

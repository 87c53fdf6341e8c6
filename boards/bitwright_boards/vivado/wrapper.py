"""A flat Verilog module around the accelerator, whose attributes tell Vivado which ports make up which interface.

It stays a file of its own, apart from the emitted Verilog: a tool that reads both may merge attributes of connected
wires.
"""

from bitwright_boards.vivado.interfaces import BusInterface, interfaces
from bitwright_core.design import Manifest


def wrapper_name(manifest: Manifest) -> str:
    return f"{manifest.top}_ip"


def wrapper(manifest: Manifest) -> str:
    """The Verilog of the wrapper."""
    buses = interfaces(manifest)
    ports = ",\n\n".join(",\n".join(_ports(bus)) for bus in buses)
    names = [port.name for bus in buses for port in bus.ports]
    connections = ",\n".join(f"        .{name}({name})" for name in names)
    return (
        f"// The accelerator of network {manifest.name} with the attributes that Vivado's IP integrator reads (UG994,\n"
        f'// "Referencing RTL Modules"). Written by bitwright build.\n'
        f"module {wrapper_name(manifest)} (\n{ports}\n);\n\n"
        f"    {manifest.top} accelerator (\n{connections}\n    );\n\nendmodule\n"
    )


def _ports(bus: BusInterface) -> list[str]:
    lines = []
    for index, port in enumerate(bus.ports):
        attributes = [f'X_INTERFACE_INFO = "{bus.vlnv} {bus.name} {port.logical}"']
        if index == 0:
            settings = ", ".join(f"{name} {value}" for name, value in bus.parameters)
            if bus.group == "interface":
                settings = f"XIL_INTERFACENAME {bus.name}, {settings}"
            attributes.append(f'X_INTERFACE_PARAMETER = "{settings}"')
        direction = "output wire" if port.output else "input  wire"
        joined = ",\n       ".join(attributes)
        lines.append(f"    (* {joined} *)\n    {direction} {port.range:<7} {port.name}")
    return lines

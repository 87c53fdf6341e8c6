"""Nets of few readers, so that nextpnr leads none of those that logic reads over Gowin's long wires.

Before it routes, nextpnr leads nets of 8 to 50 readers, more than ten of them far from their source, over long
("segmented") wires (`himbaechel/uarch/gowin/globals.cc` of nextpnr 0.11), and for each reader looks through up to a
million wires: a design with hundreds of such nets, as one of lookup tables that share pixels, did not get to the
router itself while one waited. A net of at most ten readers is never one of them. This is a step between Yosys and
nextpnr, on the netlist that goes from one to the other. It costs a LUT for some nine readers of such a net, and
these readers a LUT's delay.
"""

import re

from bitwright_hw.netlist import Netlist

MOST_FAR = 10  # readers of a net that goes over ordinary wires wherever they are
MOST = 50  # with more readers a net does, too
# inputs of logic that any wire reaches; memories' addresses stay, which are few and begin the longest paths
_MOVED = re.compile(r"LUT\d I\d|MUX2_LUT\d S0|DFFN?\w* (D|CE|SET|RESET|PRESET|CLEAR)|ALU I[013]")
_CLOCK = re.compile(r"CLK[AB]?")
_Reader = tuple[Netlist, str, int]  # a cell, its port, the port's bit


def split_nets(netlist: Netlist, top: str) -> int:
    """Gives each net of 11 to 50 readers in module `top` of a Yosys JSON netlist, which it changes, buffers of up to
    ten readers each, so that it has at most ten itself; returns how many buffers.

    Clocks stay as they are, and so do memories, and readers that only a wire of their own reaches, such as carries.
    """
    module = netlist["modules"][top]
    copy = _highest(module) + 1
    first = copy
    for net, readers in _readers(module).items():
        if not MOST_FAR < len(readers) <= MOST or any(_CLOCK.fullmatch(port) for _, port, _ in readers):
            continue
        moved = [reader for reader in readers if _MOVED.fullmatch(f"{reader[0]['type']} {reader[1]}")]
        left = len(readers)
        while left > MOST_FAR and len(moved) > 1:
            taken = moved[:MOST_FAR]
            del moved[:MOST_FAR]
            for cell, port, index in taken:
                cell["connections"][port][index] = copy
            module["cells"][f"fan_out_{copy}"] = _buffer(net, copy)
            left += 1 - len(taken)
            copy += 1
    return copy - first


def _readers(module: Netlist) -> dict[int, list[_Reader]]:
    """The inputs of cells that read each net."""
    readers: dict[int, list[_Reader]] = {}
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for index, bit in enumerate(bits):
                    if isinstance(bit, int):
                        readers.setdefault(bit, []).append((cell, port, index))
    return readers


def _highest(module: Netlist) -> int:
    """The highest number of a net in `module`."""
    ports = [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    ports += [item["bits"] for kind in ("ports", "netnames") for item in module[kind].values()]
    return max((bit for bits in ports for bit in bits if isinstance(bit, int)), default=1)


def _buffer(net: int, copy: int) -> Netlist:
    """A LUT that drives net `copy` with what net `net` has."""
    return {
        "hide_name": 1,
        "type": "LUT1",
        "parameters": {"INIT": "10"},
        "attributes": {},
        "port_directions": {"F": "output", "I0": "input"},
        "connections": {"F": [copy], "I0": [net]},
    }

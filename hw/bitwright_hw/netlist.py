"""Yosys' JSON netlists, flat, as steps between Yosys and nextpnr change them."""

from collections import Counter
from typing import Any

Netlist = dict[str, Any]


def count_readers(module: Netlist) -> Counter[int]:
    """How many inputs of cells, and outputs of `module`, read each net."""
    readers: Counter[int] = Counter()
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                readers.update(bit for bit in bits if isinstance(bit, int))
    for port in module["ports"].values():
        if port["direction"] == "output":
            readers.update(bit for bit in port["bits"] if isinstance(bit, int))
    return readers

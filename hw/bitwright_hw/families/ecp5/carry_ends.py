"""ECP5 carry chains without a cell in front of the first carry and behind the last where nothing needs them.

nextpnr brings whatever drives a chain's first carry in through a cell of its own, even a constant, and takes its last
carry out through another, even to nobody: two CCU2C for a chain, which is all the more where chains are short. This is
a step between Yosys and nextpnr, on the netlist that goes from one to the other.
"""

from bitwright_hw.netlist import Netlist, count_readers

_CHAIN = "CCU2C"


def trim_carries(netlist: Netlist, top: str) -> int:
    """Disconnects carries that do not matter in module `top` of a Yosys JSON netlist, which it changes; returns how
    many.

    A last carry does not matter if nothing reads it. A first one that is constant does not if the first half of
    its cell passes none on and nobody reads its sum bit.
    """
    module = netlist["modules"][top]
    readers = count_readers(module)
    trimmed = 0
    for cell in module["cells"].values():
        if cell["type"] != _CHAIN:
            continue
        wires = cell["connections"]
        unread = not any(readers[bit] for bit in wires["COUT"] if isinstance(bit, int))
        if unread and wires["COUT"] != ["x"]:
            wires["COUT"] = ["x"]
            trimmed += 1
        sum_read = any(readers[bit] for bit in wires.get("S0", ()))
        if wires["CIN"] in (["0"], ["1"]) and not sum_read and not _passes_on(cell):
            wires["CIN"] = ["x"]
            trimmed += 1
    return trimmed


def _passes_on(cell: Netlist) -> bool:
    """Whether the cell's first half can pass on its carry: whether its LUT4 can be 1."""
    table = int(cell["parameters"]["INIT0"], 2)
    inputs = [cell["connections"].get(f"{name}0", ["x"])[0] for name in "ABCD"]
    fixed = [(k, int(wire)) for k, wire in enumerate(inputs) if wire in ("0", "1")]
    return any(table >> i & 1 for i in range(16) if all(i >> k & 1 == value for k, value in fixed))

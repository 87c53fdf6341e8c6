"""ECP5 block RAMs take the registers behind them as their own output registers.

Yosys leaves a read register in the fabric, 5.8 ns of clock-to-output and a wire behind the block RAM; the block's
output register (REGMODE OUTREG, Lattice FPGA-TN-02204, "ECP5 Memory Usage Guide") answers after 1.0 ns and takes no
flip-flop of the fabric. This is a step between Yosys and nextpnr, on the netlist that goes from one to the other.
"""

from bitwright_hw.netlist import Netlist, count_readers

_BLOCK, _REGISTER = "DP16KD", "TRELLIS_FF"
_WIDTH = 18


def absorb_registers(netlist: Netlist, top: str) -> int:
    """Moves registers into the block RAMs of module `top` of a Yosys JSON netlist, which it changes; returns how many.

    A port's outputs move together, or not at all: each that anything reads must go to one plain register (no enable, no
    reset, starting from 0) on the port's clock, and nowhere else.
    """
    module = netlist["modules"][top]
    cells = module["cells"]
    readers = count_readers(module)
    register_of = {cell["connections"]["DI"][0]: name for name, cell in cells.items() if cell["type"] == _REGISTER}

    removed: Netlist = {}
    for cell in cells.values():
        if cell["type"] != _BLOCK:
            continue
        # 36 bits wide, a block writes by port A and reads by port B's clock, through the outputs of both
        wide = int(cell["parameters"]["DATA_WIDTH_B"], 2) == 2 * _WIDTH
        for clock, sides in (("B", "AB"),) if wide else (("A", "A"), ("B", "B")):
            outputs = [cell["connections"].get(f"DO{side}{k}") for side in sides for k in range(_WIDTH)]
            used = [bits for bits in outputs if bits and readers[bits[0]]]
            names = [register_of.get(bits[0], "") for bits in used]
            if not used or not all(
                readers[bits[0]] == 1 and name and _is_plain(cells[name], cell, clock)
                for bits, name in zip(used, names, strict=True)
            ):
                continue
            removed.update((name, cells[name]) for name in names)
            for bits, name in zip(used, names, strict=True):
                bits[0] = removed[name]["connections"]["Q"][0]
            for side in sides:
                cell["parameters"][f"REGMODE_{side}"] = "OUTREG"
                cell["connections"][f"OCE{side}"] = ["1"]
                cell["port_directions"][f"OCE{side}"] = "input"
    for name in removed:
        del cells[name]
    return len(removed)


def _is_plain(register: Netlist, block: Netlist, clock: str) -> bool:
    """Whether `register` does what the output register of the block's port on `clock` would."""
    wires, settings = register["connections"], register["parameters"]
    never_reset = wires.get("LSR", ["0"])[0] in {"0", "x"}
    always_enabled = settings.get("CEMUX", "CE") == "1" or wires.get("CE", ["1"])[0] == "1"
    return (
        settings.get("REGSET", "RESET") == "RESET"
        and settings.get("CLKMUX", "CLK") == "CLK"
        and block["parameters"].get(f"CLK{clock}MUX", f"CLK{clock}") == f"CLK{clock}"
        and wires["CLK"] == block["connections"][f"CLK{clock}"]
        and always_enabled
        and never_reset
    )

"""Truth tables of the families' LUT cells."""

from bitwright_sim.sliced.netlist import VENDOR, Cell


def lut_tables(cell: Cell) -> tuple[tuple[int, ...], dict[str, int]]:
    """The input bits of a LUT cell, lowest first, and the table of each output (bit `row` for the inputs' number)."""
    names = VENDOR[cell.kind][0]
    inputs = tuple(cell.connections.get(name, (0,))[0] for name in names)
    table = cell.integer("INIT") & ((1 << (1 << len(names))) - 1)
    if cell.kind == "LUT6_2":
        low = table & 0xFFFFFFFF
        return inputs, {"O6": table, "O5": low | low << 32}
    return inputs, {VENDOR[cell.kind][1][0]: table}

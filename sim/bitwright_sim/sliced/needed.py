"""Which bits of data matter: those on which an observed value depends."""

from collections.abc import Container, Iterable, Mapping

from bitwright_sim.sliced.netlist import Cell
from bitwright_sim.sliced.taint import REGISTERS, extended, is_table


def needed_bits(
    observed: Iterable[int], tainted: Container[int], driver: Mapping[int, tuple[Cell, str, int]]
) -> set[int]:
    """The bits of data, those in `tainted`, on which `observed` bits depend; `driver` says what drives each."""
    needed: set[int] = set()
    todo = list(observed)
    while todo:
        bit = todo.pop()
        if bit in needed or bit not in tainted:
            continue
        needed.add(bit)
        if bit in driver:
            todo += _sources(*driver[bit], tainted)
    return needed


def _sources(cell: Cell, port: str, index: int, tainted: Container[int]) -> list[int]:
    """The input bits on which an output bit may depend."""
    bits, kind = cell.connections, cell.kind
    if kind in REGISTERS:
        return [bits["D"][index], *bits.get("EN", ()), *bits.get("SRST", ())]
    if looked_up(cell, tainted):
        return list(bits["RD_ADDR"])
    if kind == "$mem_v2":
        width = cell.integer("WIDTH")
        return list(bits["WR_DATA"][index % width :: width])
    if kind in ("$mux", "$pmux"):
        return [bits["A"][index], *bits["B"][index :: len(bits["Y"])], *bits["S"]]
    if kind in ("$and", "$or", "$xor", "$xnor", "$not", "$pos"):
        operands = [port for port in ("A", "B") if port in bits]
        width = len(bits["Y"])
        return [extended(bits[p], width, bool(cell.integer(f"{p}_SIGNED")))[index] for p in operands]
    return [bit for name, value in bits.items() if name not in cell.outputs for bit in value]


def looked_up(cell: Cell, tainted: Container[int]) -> bool:
    """Whether a memory is a table that data choose from."""
    return is_table(cell) and any(bit in tainted for bit in cell.connections["RD_ADDR"])

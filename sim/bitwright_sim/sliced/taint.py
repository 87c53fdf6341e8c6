"""Which bits carry data and which control: taint from the data pins through every cell, bit by bit."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from bitwright_sim.sliced.netlist import VENDOR, Cell, Flat, UnsupportedError

REGISTERS = frozenset({"$dff", "$dffe", "$sdff", "$sdffe", "$sdffce"})
BITWISE = frozenset({"$and", "$or", "$xor", "$xnor", "$not", "$pos"})
RISING = frozenset({"$add", "$sub", "$neg", "$mul"})  # a bit depends on the operands' bits up to its own place
WHOLE = frozenset(
    {
        "$eq",
        "$ne",
        "$eqx",
        "$nex",
        "$lt",
        "$le",
        "$gt",
        "$ge",
        "$reduce_and",
        "$reduce_or",
        "$reduce_xor",
        "$reduce_xnor",
        "$reduce_bool",
        "$logic_not",
        "$logic_and",
        "$logic_or",
        "$shl",
        "$shr",
        "$sshl",
        "$sshr",
        "$shift",
        "$shiftx",
    }
)
_TABLE_BITS = 12
PortTaint = Callable[[str, frozenset[tuple[str, int]]], frozenset[tuple[str, int]]]


def tainted_bits(flat: Flat, start: Iterable[int], of_instance: PortTaint) -> set[int]:
    """All bits that the values of bits `start` reach. `of_instance` tells which output bits of a kept module do, for
    the input bits (port, index) that are reached.

    Raises UnsupportedError where data would choose an address or write a memory.
    """
    readers: dict[int, list[Cell]] = defaultdict(list)
    for cell in flat.cells:
        for port, bits in cell.connections.items():
            if port not in cell.outputs:
                for bit in set(bits):
                    if bit > 1:
                        readers[bit].append(cell)
    tainted = {bit for bit in start if bit > 1}
    todo = deque(tainted)
    queued: set[int] = set()
    waiting: deque[Cell] = deque()
    while todo or waiting:
        while todo:
            for cell in readers[todo.popleft()]:
                if id(cell) not in queued:
                    queued.add(id(cell))
                    waiting.append(cell)
        if not waiting:
            break
        cell = waiting.popleft()
        queued.discard(id(cell))
        for bit in reached(cell, tainted, of_instance):
            if bit > 1 and bit not in tainted:
                tainted.add(bit)
                todo.append(bit)
    return tainted


def extended(bits: tuple[int, ...], width: int, signed: bool) -> tuple[int, ...]:
    """The bits of an operand, as many as `width`."""
    fill = bits[-1] if signed and bits else 0
    return bits[:width] + (fill,) * (width - len(bits))


def reached(cell: Cell, tainted: set[int], of_instance: PortTaint) -> Iterable[int]:
    """The output bits of `cell` that depend on a tainted input bit."""
    kind, bits = cell.kind, cell.connections
    if kind in REGISTERS:
        if bits["CLK"][0] in tainted:
            raise UnsupportedError(f"data reaches the clock of {cell.name}")
        if any(bits[port][0] in tainted for port in ("EN", "SRST") if port in bits):
            return bits["Q"]
        return [q for d, q in zip(bits["D"], bits["Q"], strict=True) if d in tainted]
    if kind == "$mem_v2":
        return _memory(cell, tainted)
    if kind in BITWISE:
        y = bits["Y"]
        found = set()
        for port in ("A", "B"):
            if port in bits:
                operand = extended(bits[port], len(y), bool(cell.integer(f"{port}_SIGNED")))
                found |= {out for a, out in zip(operand, y, strict=True) if a in tainted}
        return found
    if kind in RISING or kind == "CARRY4":
        return _rising(cell, tainted)
    if kind in ("$mux", "$pmux"):
        y = bits["Y"]
        if any(s in tainted for s in bits["S"]):
            return y
        return [
            out
            for i, out in enumerate(y)
            if bits["A"][i] in tainted or any(b in tainted for b in bits["B"][i :: len(y)])
        ]
    if kind in WHOLE or kind in VENDOR:
        hit = any(bit in tainted for port, value in bits.items() if port not in cell.outputs for bit in value)
        return [bit for port in cell.outputs for bit in bits.get(port, ())] if hit else []
    if kind.startswith("$"):
        raise UnsupportedError(f"it has a cell {kind} ({cell.name}), which the sliced engine does not know")
    inputs = frozenset(
        (port, i)
        for port, value in bits.items()
        if port not in cell.outputs
        for i, bit in enumerate(value)
        if bit in tainted
    )
    return [bits[port][i] for port, i in of_instance(kind, inputs) if i < len(bits.get(port, ()))]


def _rising(cell: Cell, tainted: set[int]) -> list[int]:
    bits = cell.connections
    if cell.kind == "CARRY4":
        hit = any(bit in tainted for port in ("CI", "CYINIT") for bit in bits.get(port, ()))
        found = []
        for i in range(4):
            hit |= bits["S"][i] in tainted
            found += [bits["O"][i]] if hit and "O" in bits else []
            hit |= bits["DI"][i] in tainted
            found += [bits["CO"][i]] if hit and "CO" in bits else []
        return found
    y = bits["Y"]
    operands = [
        extended(bits[port], len(y), bool(cell.integer(f"{port}_SIGNED"))) for port in ("A", "B") if port in bits
    ]
    first = min((i for operand in operands for i, bit in enumerate(operand) if bit in tainted), default=len(y))
    return list(y[first:])


def is_table(cell: Cell) -> bool:
    """Whether a memory is a small one that is only read: a function of its address, also where that is data."""
    return cell.kind == "$mem_v2" and not cell.integer("WR_PORTS") and cell.integer("ABITS") <= _TABLE_BITS


def _memory(cell: Cell, tainted: set[int]) -> list[int]:
    bits, width = cell.connections, cell.integer("WIDTH")
    if is_table(cell) and any(bit in tainted for bit in bits["RD_ADDR"]):
        abits = cell.integer("ABITS")
        found: list[int] = []
        for k in range(cell.integer("RD_PORTS")):
            if any(bit in tainted for bit in bits["RD_ADDR"][k * abits : (k + 1) * abits]):
                found += bits["RD_DATA"][k * width : (k + 1) * width]
        return found
    for port, value in bits.items():
        if port not in ("WR_DATA", "RD_DATA") and any(bit in tainted for bit in value):
            raise UnsupportedError(f"data reaches {port} of memory {cell.name}")
    columns = {i % width for i, bit in enumerate(bits["WR_DATA"]) if bit in tainted}
    return [bit for i, bit in enumerate(bits["RD_DATA"]) if i % width in columns]

"""The order in which control cells are evaluated: each behind those that it reads."""

from collections.abc import Callable, Iterable

from bitwright_sim.sliced.netlist import Cell, UnsupportedError
from bitwright_sim.sliced.taint import BITWISE, extended


def in_order(nodes: list[Cell], inputs: Callable[[Cell], Iterable[int]]) -> list[Cell]:
    """The nodes, each behind those that it reads; words of bitwise cells are split where they seem a loop."""
    while True:
        made = {bit: node for node in nodes for bit in node.connections["Y" if "Y" in node.connections else "O"]}
        for node in nodes:
            for port in node.outputs:
                made.update(dict.fromkeys(node.connections.get(port, ()), node))
        order, loop = _topological(nodes, made, inputs)
        if not loop:
            return order
        split = [node for node in loop if node.kind in (*BITWISE, "$mux", "$pmux") and len(node.connections["Y"]) > 1]
        if not split:
            raise UnsupportedError(f"its control has a loop of gates through {loop[0].name}")
        doomed = set(map(id, split))
        nodes = [node for node in nodes if id(node) not in doomed] + [bit for node in split for bit in _by_bits(node)]


def _by_bits(node: Cell) -> list[Cell]:
    """A bitwise cell or multiplexer as one cell for each bit."""
    bits, cells = node.connections, []
    y = bits["Y"]
    for i, out in enumerate(y):
        if node.kind in BITWISE:
            connections: dict[str, tuple[int, ...]] = {
                port: (extended(bits[port], len(y), bool(node.integer(f"{port}_SIGNED")))[i],)
                for port in ("A", "B")
                if port in bits
            }
        else:
            connections = {"A": (bits["A"][i],), "B": bits["B"][i :: len(y)], "S": bits["S"]}
        cells.append(Cell(node.kind, node.part, f"{node.name}[{i}]", {}, {**connections, "Y": (out,)}, ("Y",)))
    return cells


def _topological(
    nodes: list[Cell], made: dict[int, Cell], inputs: Callable[[Cell], Iterable[int]]
) -> tuple[list[Cell], list[Cell]]:
    """The nodes in order, and those of a loop if there is one."""
    state: dict[int, int] = {}
    order: list[Cell] = []
    for root in nodes:
        if id(root) in state:
            continue
        state[id(root)] = 1
        stack = [(root, iter({id(m): m for b in inputs(root) if (m := made.get(b)) is not None}.values()))]
        while stack:
            node, rest = stack[-1]
            for before in rest:
                seen = state.get(id(before))
                if seen == 1:
                    where = next(i for i, (other, _) in enumerate(stack) if other is before)
                    return order, [other for other, _ in stack[where:]]
                if seen is None:
                    state[id(before)] = 1
                    sources = {id(m): m for b in inputs(before) if (m := made.get(b)) is not None}
                    stack.append((before, iter(sources.values())))
                    break
            else:
                state[id(node)] = 2
                order.append(node)
                stack.pop()
    return order, []

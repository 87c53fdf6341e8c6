"""The order in which parts give values to each other through T."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from bitwright_sim.sliced.netlist import UnsupportedError
from bitwright_sim.sliced.part import Part


def export_levels(parts: Sequence[Part], is_state: Callable[[int], bool]) -> list[tuple[int, list[int]]]:
    """Exports as (part, bits), each behind those that it needs."""
    level: dict[int, int] = {}
    exported = {bit: k for k, part in enumerate(parts) for bit in part.exports}

    def level_of(bit: int, above: frozenset[int]) -> int:
        if bit not in level:
            if bit in above:
                raise UnsupportedError("its data has a loop of gates")
            part = parts[exported[bit]]
            gates = part.data.gates
            highest, seen, stack = 0, set(), [part.data.value(bit) >> 1]
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                what = gates.nodes[node]
                if not gates.is_leaf(node):
                    stack += [what[1] >> 1, what[2] >> 1]
                elif what[0] == "I" and part.imports[what[1]] in exported:
                    other = part.imports[what[1]]
                    if not is_state(other) or other in parts[exported[other]].exports:
                        highest = max(highest, level_of(other, above | {bit}) + 1)
            level[bit] = highest
        return level[bit]

    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for bit, k in exported.items():
        found[level_of(bit, frozenset()), k].append(bit)
    return [(k, bits) for (_, k), bits in sorted(found.items())]

"""In which order a part's registers move, so that each is read before it is written, and what is computed when.

An *action* evaluates some literals and then writes a resource (registers, a memory, an instance's state). Every
action that reads a resource comes before the one that writes it; where that goes round in a circle, the actions of
the circle first put all they evaluated aside and write at its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bitwright_sim.sliced.gates import Gates


@dataclass(slots=True, eq=False)
class Action:
    """`literals` are evaluated; then, depending on `reset` and `enable` (C++ conditions, empty for none), the lines
    of `write` for operands of the literals, or those of `start`, are executed."""

    literals: list[int]
    resource: int  # number of what it writes, -1 for nothing
    write: Callable[[Sequence[str]], list[str]]
    reset: str = ""
    enable: str = ""
    enable_first: bool = False  # the reset counts only where the enable is on
    start: tuple[str, ...] = ()
    own: frozenset[int] = frozenset()  # leaves (nodes) that it overwrites itself
    aside: bool = False  # literals are put into memory first, written at the end of a circle

    @property
    def condition(self) -> tuple[str, str, bool]:
        return self.reset, self.enable, self.enable_first


def reads(gates: Gates, resource_of_leaf: Callable[[int], int]) -> list[int]:
    """For each node: the resources in its cone, as bits of a number."""
    result = [0] * len(gates.nodes)
    for node in range(1, len(gates.nodes)):
        if gates.is_leaf(node):
            resource = resource_of_leaf(node)
            result[node] = 1 << resource if resource >= 0 else 0
        else:
            _, a, b = gates.nodes[node]
            result[node] = result[a >> 1] | result[b >> 1]
    return result


def ordered(actions: list[Action], cones: list[int]) -> list[list[Action]]:
    """The actions in groups, in order; a group of more than one is a circle."""
    writer = {action.resource: k for k, action in enumerate(actions) if action.resource >= 0}
    after: list[list[int]] = []  # for each action those that must come before: the readers of what it writes
    readers: dict[int, list[int]] = {}
    for k, action in enumerate(actions):
        seen = 0
        for literal in action.literals:
            seen |= cones[literal >> 1]
        while seen:
            low = seen & -seen
            readers.setdefault(low.bit_length() - 1, []).append(k)
            seen ^= low
    for k, action in enumerate(actions):
        after.append([r for r in readers.get(action.resource, []) if r != k])
    del writer
    return [[actions[k] for k in group] for group in components(after)]


def components(before: Sequence[Sequence[int]]) -> list[list[int]]:
    """The strongly connected components (Tarjan 1972) of a graph in which before[k] come before k, in order."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    open_nodes: list[int] = []
    is_open: set[int] = set()
    result: list[list[int]] = []
    for root in range(len(before)):
        if root in index:
            continue
        stack = [(root, iter(before[root]))]
        index[root] = low[root] = len(index)
        open_nodes.append(root)
        is_open.add(root)
        while stack:
            node, rest = stack[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    open_nodes.append(other)
                    is_open.add(other)
                    stack.append((other, iter(before[other])))
                    break
                if other in is_open:
                    low[node] = min(low[node], index[other])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
                if low[node] == index[node]:
                    group = []
                    while True:
                        other = open_nodes.pop()
                        is_open.discard(other)
                        group.append(other)
                        if other == node:
                            break
                    result.append(sorted(group))
    return result

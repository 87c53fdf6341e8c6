"""How lanes are counted in carry chains: in a tree of additions, each with one more lane as its carry-in, so that
2 ** k - 1 lanes fill k bits. Adding two k-bit numbers and a lane takes k + 1 positions of a chain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

Spare = Callable[[int], int]


@dataclass(frozen=True, kw_only=True)
class Split:
    """How `lanes` lanes are counted: those of `left` plus those of `right` plus, if `carry`, one more. `luts` are the
    positions of chains that this takes, and LUTs beside them."""

    lanes: int
    left: int
    right: int
    carry: bool
    luts: int
    depth: int

    @property
    def functions(self) -> int:
        """Lanes among what its addition adds, each a function of two inputs: they meet in the lowest position."""
        return (self.left == 1) + (self.right == 1) + self.carry if self.depth else 0


@dataclass(frozen=True, kw_only=True)
class CountedLanes:
    """Lanes from `lane` on, counted as `how` says."""

    lane: int
    how: Split


def split(lanes: int, spare: Spare) -> Split:
    """The split of the fewest LUTs, then of the least depth."""
    for fewer in range(0, lanes, 200):  # no deep recursion for thousands of lanes
        _split(fewer, spare)
    return _split(lanes, spare)


@cache
def _split(lanes: int, spare: Spare) -> Split:
    if lanes < 2:
        return Split(lanes=lanes, left=lanes, right=0, carry=False, luts=0, depth=0)
    full = {(1 << k) - 1 for k in range(1, lanes.bit_length())}
    best: Split | None = None
    for carry in (True, False):
        rest = lanes - carry
        for part in full | {rest - k for k in full} | {rest // 2}:
            left, right = max(part, rest - part), min(part, rest - part)
            if right < 1:
                continue
            one, other = _split(left, spare), _split(right, spare)
            luts = one.luts + other.luts + left.bit_length() + 1 + spare((left == 1) + (right == 1) + carry)
            depth = max(one.depth, other.depth) + 1
            if best is None or (luts, depth) < (best.luts, best.depth):
                best = Split(lanes=lanes, left=left, right=right, carry=carry, luts=luts, depth=depth)
    assert best is not None  # two lanes split into one and one
    return best


def levels_of(how: Split, spare: Spare) -> list[list[CountedLanes]]:
    """The additions that `how` leads to, by level, each level's from the first lane on."""
    levels: list[list[CountedLanes]] = [[] for _ in range(how.depth)]
    pending = [CountedLanes(lane=0, how=how)]
    while pending:
        node = pending.pop()
        if node.how.depth:
            levels[node.how.depth - 1].append(node)
            pending.append(CountedLanes(lane=node.lane, how=split(node.how.left, spare)))
            pending.append(CountedLanes(lane=node.lane + node.how.left, how=split(node.how.right, spare)))
    return [sorted(level, key=lambda node: node.lane) for level in levels]

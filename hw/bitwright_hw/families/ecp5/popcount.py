"""XNOR, popcount and accumulation in ECP5 carry chains.

Numbers of agreeing lanes are added in a tree, each addition with one more lane as its carry-in, so that
2 ** k - 1 lanes fill k bits. Adding two k-bit numbers and a lane takes k + 1 halves of a CCU2C, counting three
lanes 2, and 2 ** k - 1 lanes 1.3 to 1.5 a lane. A half can take two lanes if they are XORs, which is why weights come
complemented.

The floor: N lanes take about N full adders, half of them at weight 1. A carry chain climbs one weight a half,
so each of those N / 2 needs its own entry, a further half. A full adder of LUT4s takes 2 as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from amaranth.hdl import Cat, Module, Signal, Value

from bitwright_hw.arithmetic.tree import longest_run, registered_levels
from bitwright_hw.families.ecp5.chains import ChainLength, ChainOperand, Chains
from bitwright_hw.families.family import GatedLanes, Rows
from bitwright_hw.products import Gate


@dataclass(frozen=True, kw_only=True)
class Split:
    """How `lanes` lanes are counted: those of `left` plus those of `right` plus, if `carry`, one more."""

    lanes: int
    left: int
    right: int
    carry: bool
    halves: int
    depth: int


def split(lanes: int) -> Split:
    """The split of the fewest halves, then of the least depth."""
    for fewer in range(_split.cache_info().currsize, lanes):  # no deep recursion for thousands of lanes
        _split(fewer)
    return _split(lanes)


@cache
def _split(lanes: int) -> Split:
    if lanes < 2:
        return Split(lanes=lanes, left=lanes, right=0, carry=False, halves=0, depth=0)
    full = {(1 << k) - 1 for k in range(1, lanes.bit_length())}
    best: Split | None = None
    for carry in (True, False):
        rest = lanes - carry
        for part in full | {rest - k for k in full} | {rest // 2}:
            left, right = max(part, rest - part), min(part, rest - part)
            if right < 1:
                continue
            one, other = _split(left), _split(right)
            halves = one.halves + other.halves + left.bit_length() + 1
            depth = max(one.depth, other.depth) + 1
            if best is None or (halves, depth) < (best.halves, best.depth):
                best = Split(lanes=lanes, left=left, right=right, carry=carry, halves=halves, depth=depth)
    assert best is not None  # two lanes split into one and one
    return best


@dataclass(frozen=True, kw_only=True)
class CountedLanes:
    """Lanes from `lane` on, counted as `how` says."""

    lane: int
    how: Split


class _Lanes:
    """x and w, and both delayed; a lane is 1 where `gate` of both is. NANDs take a LUT each, as a half that they enter
    as its second operand must be 0 where its inputs are."""

    def __init__(self, m: Module, x: Value, w: Value, gate: Gate = "xnor"):
        self.m = m
        self.gate = gate
        self.delayed = {(i, 0): (x[i], w[i]) for i in range(len(x))}

    def __call__(self, lane: int, stage: int) -> ChainOperand:
        if (lane, stage) not in self.delayed:
            self(lane, stage - 1)
            registers = [Signal(name=f"{name}_{lane}_r{stage}", reset_less=True) for name in "xw"]
            for register, value in zip(registers, self.delayed[lane, stage - 1], strict=True):
                self.m.d.sync += register.eq(value)
            self.delayed[lane, stage] = registers[0], registers[1]
        x, w = self.delayed[lane, stage]
        if self.gate == "nand":
            return ChainOperand.bit(~(x & w))
        return ChainOperand.both(x, w) if self.gate == "and" else ChainOperand.lane(x, w)


def _additions(how: Split) -> list[list[CountedLanes]]:
    """The additions that `how` leads to, by level, each level's from the first lane on."""
    levels: list[list[CountedLanes]] = [[] for _ in range(how.depth)]
    pending = [CountedLanes(lane=0, how=how)]
    while pending:
        node = pending.pop()
        if node.how.depth:
            levels[node.how.depth - 1].append(node)
            pending.append(CountedLanes(lane=node.lane, how=split(node.how.left)))
            pending.append(CountedLanes(lane=node.lane + node.how.left, how=split(node.how.right)))
    return [sorted(level, key=lambda node: node.lane) for level in levels]


def _count(m: Module, chains: Chains, lanes: _Lanes, how: Split, stages: int) -> list[ChainOperand]:
    """The number of agreeing lanes among the first `how.lanes`, behind `stages` registers.

    Additions of one stage share carry chains, whatever their level: an addition follows those that it needs.
    """
    # the bits of each counted node; a single lane stays a lane
    counted: dict[tuple[int, int], list[Value]] = {}
    stage = 0

    def number(lane: int, size: int) -> list[ChainOperand]:
        if size == 1:
            return [lanes(lane, stage)]
        return [ChainOperand.bit(bit) for bit in counted[lane, size]]

    after = registered_levels(how.depth, stages)
    for level, registers in zip(_additions(how), after, strict=True):
        made: dict[tuple[int, int], list[Value]] = {}
        for node in level:
            left, right = node.how.left, node.how.right
            carry = lanes(node.lane + left + right, stage) if node.how.carry else ChainOperand.zero()
            one, other = number(node.lane, left), number(node.lane + left, right)
            made[node.lane, node.how.lanes] = [*chains.add(one, other, carry, node.how.lanes.bit_length())]
        counted |= made
        if registers:
            chains.close()
        for _ in range(registers):
            stage += 1
            counted = {key: _register(m, bits, key) for key, bits in counted.items()}
    if how.lanes == 1:
        stage = stages
    return number(0, how.lanes) if how.lanes else []


def _register(m: Module, bits: Sequence[Value], key: tuple[int, int]) -> list[Value]:
    register = Signal(len(bits), name=f"count_{key[0]}_{key[1]}", reset_less=True)
    m.d.sync += register.eq(Cat(*bits))
    return [register[k] for k in range(len(bits))]


def accumulated(m: Module, x: Value, w: Value, accumulator: Value, preload: Value, stages: int) -> Value:
    """(accumulator OR preload) + the number of agreeing lanes; one of the two is 0."""
    lanes = _Lanes(m, x, w)
    started = [
        ChainOperand.either(accumulator[k], preload[k]) if k < len(accumulator) else ChainOperand.bit(preload[k])
        for k in range(len(preload))
    ]
    chains = Chains(m)
    counted = _count(m, chains, lanes, split(len(x) - 1), stages)
    sums = chains.add(started, counted, lanes(len(x) - 1, stages), len(preload))
    chains.close()
    return Cat(*sums)


def counted(m: Module, x: Value, w: Value, width: int, stages: int) -> Value:
    """The number of agreeing lanes."""
    lanes = _Lanes(m, x, w)
    chains = Chains(m)
    number = _count(m, chains, lanes, split(len(x)), stages)
    chains.close()
    if len(x) == 1:
        a, b = number[0].inputs
        return a ^ b
    return Cat(*(bit for operand in number for bit in operand.inputs))


def weighted(m: Module, lanes: Sequence[GatedLanes], accumulator: Value, preload: Value, stages: int) -> Value:
    """Rows.weighted: popcounts in chains of their own, added from the lowest weight up, last to the accumulator."""
    chains = Chains(m)
    low, total = 0, [ChainOperand.zero()]
    for k, one in enumerate(sorted(lanes, key=lambda one: one.shift)):
        count = _count(m, chains, _Lanes(m, one.x, one.w, one.gate), split(len(one.x)), stages)
        chains.close()
        if k == 0:
            low, total = one.shift, count
            continue
        apart = one.shift - low
        below = [*total[:apart], *[ChainOperand.zero()] * (apart - len(total))]
        more = chains.add(total[apart:], count, ChainOperand.zero(), max(len(total) - apart, len(count)) + 1)
        total = [*below, *map(ChainOperand.bit, more)]
    started = [
        ChainOperand.either(accumulator[k], preload[k]) if k < len(accumulator) else ChainOperand.bit(preload[k])
        for k in range(len(preload))
    ]
    number = [*[ChainOperand.zero()] * low, *total][: len(preload)]
    sums = chains.add(started, number, ChainOperand.zero(), len(preload))
    chains.close()
    return Cat(*sums)


@cache
def weighted_luts(simd: int, products: tuple[tuple[int, Gate], ...], bits: int, stages: int, single: bool) -> int:
    """LUT4s of such a row; `products` are (shift, gate)."""
    how = split(simd)
    length = ChainLength()
    low, wide = 0, 0
    for k, (shift, _) in enumerate(sorted(products)):
        _counted_length(length, how, stages)
        if k == 0:
            low, wide = shift, simd.bit_length()
            continue
        apart = shift - low
        width = max(wide - apart, simd.bit_length())
        length.add(width, True)
        wide = apart + width + 1
    length.add(bits, False)
    length.close()
    nands = simd * sum(gate == "nand" for _, gate in products)
    return length.total + nands + (0 if stages else bits)


def _counted_length(length: ChainLength, how: Split, stages: int) -> None:
    """The chains of a popcount, each closed behind it."""
    for level, registers in zip(_additions(how), registered_levels(how.depth, stages), strict=True):
        for node in level:
            width = node.how.left.bit_length()
            length.add(width, node.how.lanes.bit_length() > width)
        if registers:
            length.close()
    length.close()


def row_depth(simd: int) -> int:
    """Levels of additions before the accumulator's."""
    return split(simd - 1).depth


@cache
def row_luts(simd: int, bits: int, stages: int, single: bool) -> int:
    """LUT4s of a row, a CCU2C being two, beside the gate that joins `last` and reset for all rows of an engine."""
    how = split(simd - 1)
    length = ChainLength()
    for level, registers in zip(_additions(how), registered_levels(how.depth, stages), strict=True):
        for node in level:
            width = node.how.left.bit_length()
            length.add(width, node.how.lanes.bit_length() > width)
        if registers:
            length.close()
    length.add(bits, False)
    length.close()
    return length.total + (0 if stages else bits)


def row_levels(simd: int, stages: int) -> float:
    """Levels of additions between registers, at most."""
    return longest_run(row_depth(simd), stages)


ROWS = Rows(
    inverted_weights=True,
    accumulated=accumulated,
    counted=counted,
    levels=row_levels,
    weighted=weighted,
    luts=row_luts,
    weighted_luts=weighted_luts,
)

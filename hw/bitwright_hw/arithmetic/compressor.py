"""A compressor as data: counters that turn lanes and bits into fewer, heavier bits. Any target, no hardware yet.

A counter takes bits of one weight and gives their number in binary, so that the weighted sum of all bits stays
what it was; `Compressor.check` holds every tree to that. What is left, a few bits of each weight, goes into
one final adder. The terms are those of Preusser, "Generic and Universal Parallel Matrix Summation with a
Flexible Compression Goal for Xilinx FPGAs" (FPL 2017), and of Kumm and Zipf, "Efficient High Speed Compression Trees on
Xilinx FPGAs" (MBMV 2014).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Cost(NamedTuple):
    """LUTs of a counter, and its delay (a LUT with its routing is 1)."""

    cells: int
    delay: float


@dataclass(frozen=True, kw_only=True)
class Counter:
    """Counts its agreeing `lanes` and its set `bits`, all of weight 2 ** `weight`.

    `outputs` are the number's bits, the lightest first.
    """

    weight: int
    lanes: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    outputs: tuple[int, ...]
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Compressor:
    """Counters in an order in which each finds its inputs, and the `columns` of bits that they leave.

    Bits are named by number; bit b has weight 2 ** weights[b]. columns[k] holds those of weight 2 ** k. Lane i has
    weight 2 ** lane_weights[i], or 1 if there are none.
    """

    simd: int
    lane_weights: tuple[int, ...] = ()
    weights: tuple[int, ...]
    counters: tuple[Counter, ...]
    columns: tuple[tuple[int, ...], ...]

    @property
    def cells(self) -> int:
        """LUTs of all counters."""
        return sum(counter.cost.cells for counter in self.counters)

    def check(self) -> None:
        """Raises ValueError unless the columns' weighted sum is that of the agreeing lanes, whatever they are.

        Every lane and every bit is used exactly once, after it was made; every counter's inputs have its
        weight, its outputs the weights of a binary number that holds the count.
        """
        lanes: list[int] = []
        waiting: set[int] = set()
        made = 0
        for counter in self.counters:
            lanes.extend(counter.lanes)
            if any(bit not in waiting or self.weights[bit] != counter.weight for bit in counter.bits):
                raise ValueError(f"{counter} takes a bit that is not there, or not of its weight")
            waiting.difference_update(counter.bits)
            count = len(counter.lanes) + len(set(counter.bits))
            if any((self.lane_weights[lane] if self.lane_weights else 0) != counter.weight for lane in counter.lanes):
                raise ValueError(f"{counter} takes a lane that is not of its weight")
            if count.bit_length() != len(counter.outputs):
                raise ValueError(f"{counter} has {len(counter.outputs)} outputs for {count} inputs")
            if [self.weights[bit] - counter.weight for bit in counter.outputs] != [*range(len(counter.outputs))]:
                raise ValueError(f"{counter} has outputs of the wrong weight")
            if counter.outputs != tuple(range(made, made + len(counter.outputs))):
                raise ValueError(f"{counter} gives bits that another gave")
            made += len(counter.outputs)
            waiting.update(counter.outputs)
        left = [bit for column in self.columns for bit in column]
        if sorted(left) != sorted(waiting) or sorted(lanes) != list(range(self.simd)):
            raise ValueError("a lane or bit is lost or used twice")
        if any(self.weights[bit] != k for k, column in enumerate(self.columns) for bit in column):
            raise ValueError("a column holds a bit of another weight")


class Builder:
    """Makes a Compressor, counter by counter, the earliest bits of a column first."""

    def __init__(self, simd: int, lane_weights: tuple[int, ...] = ()):
        self.simd = simd
        self.lane_weights = lane_weights
        self.weights: list[int] = []
        self.arrival: list[float] = []
        self.counters: list[Counter] = []
        self.columns: list[list[int]] = [[]]

    def count(self, weight: int, lanes: Sequence[int], bits: Sequence[int], cost: Cost) -> list[int]:
        """Adds a counter of `lanes` and `bits` of weight 2 ** weight; returns its outputs, in no column yet."""
        outputs = tuple(range(len(self.weights), len(self.weights) + (len(lanes) + len(bits)).bit_length()))
        arrival = max((self.arrival[bit] for bit in bits), default=0.0) + cost.delay
        self.weights += range(weight, weight + len(outputs))
        self.arrival += [arrival] * len(outputs)
        self.counters.append(Counter(weight=weight, lanes=tuple(lanes), bits=tuple(bits), outputs=outputs, cost=cost))
        return list(outputs)

    def put(self, bits: Sequence[int]) -> None:
        """Bits for the columns of their weights."""
        for bit in bits:
            while len(self.columns) <= self.weights[bit]:
                self.columns.append([])
            self.columns[self.weights[bit]].append(bit)

    def reduce(self, weight: int, counters: Sequence[tuple[int, Cost]]) -> None:
        """Counters of so many inputs each, one after the other, of the earliest bits of a column."""
        if not counters:
            return
        column = [(self.arrival[bit], bit) for bit in self.columns[weight]]
        heapify(column)
        for inputs, cost in counters:
            bits = [heappop(column)[1] for _ in range(inputs)]
            last, *carries = self.count(weight, (), bits, cost)
            heappush(column, (self.arrival[last], last))
            self.put(carries)
        # what is left by arrival, the last counter's sum behind it
        self.columns[weight] = [*(bit for _, bit in sorted(column) if bit != last), last]

    def done(self) -> Compressor:
        return Compressor(
            simd=self.simd,
            lane_weights=self.lane_weights,
            weights=tuple(self.weights),
            counters=tuple(self.counters),
            columns=tuple(tuple(column) for column in self.columns),
        )


@dataclass(frozen=True, kw_only=True)
class Placement:
    """In which pipeline stage each bit appears: 0 before the first register, `stages` behind the last."""

    bits: tuple[int, ...]
    period: float


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """A compressor's counters by kind: those whose inputs have the same delays are one, so that there are few to place.

    `inputs` has for each kind the kinds of the bits that it takes (all earlier in the list), its delay, and whether it
    takes lanes. `of` is the kind of each bit of the compressor, `left` are the kinds of the bits left in the columns.
    """

    inputs: tuple[tuple[frozenset[int], float, bool], ...]
    of: tuple[int, ...]
    left: frozenset[int]


def kinds(tree: Compressor) -> Kinds:
    """The kinds of a tree's counters: some dozens, even of thousands of counters."""
    numbers: dict[tuple[frozenset[int], float, bool], int] = {}
    of: list[int] = []
    for counter in tree.counters:
        key = frozenset([of[bit] for bit in counter.bits]), counter.cost.delay, bool(counter.lanes)
        of += [numbers.setdefault(key, len(numbers))] * len(counter.outputs)
    left = frozenset(of[bit] for column in tree.columns for bit in column)
    return Kinds(inputs=tuple(numbers), of=tuple(of), left=left)


def place_registers(tree: Compressor, stages: int, final: float) -> Placement:
    """Spreads `stages` registers over the counters and a final adder of delay `final`, which stands behind the last.

    The longest path between registers is the shortest that whole counters allow.
    """
    found = kinds(tree)
    period = shortest_period(found, stages, final)
    placed, _ = _place(found, period, final)
    return Placement(bits=tuple(min(placed[kind], stages) for kind in found.of), period=period)


def shortest_period(found: Kinds, stages: int, final: float) -> float:
    """The longest path between `stages` registers, as `place_registers` places them."""
    limits = sorted({round(0.1 * step, 1) for step in range(1, 2 + int(10 * (depth(found) + final)))})
    low, high = 0, len(limits) - 1
    while low < high:
        middle = (low + high) // 2
        if _place(found, limits[middle], final)[1] <= stages:
            high = middle
        else:
            low = middle + 1
    return limits[low]


def depth(found: Kinds) -> float:
    """The longest path through the counters."""
    arrival: list[float] = []
    for inputs, delay, _ in found.inputs:
        arrival.append(max((arrival[kind] for kind in inputs), default=0.0) + delay)
    return max(arrival, default=0.0)


def _place(found: Kinds, period: float, final: float) -> tuple[list[int], int]:
    """The stage of each kind and of the final adder, if no path between registers may exceed `period`."""

    def place(inputs: frozenset[int], delay: float) -> tuple[int, float]:
        stage = max((stages[kind] for kind in inputs), default=0)
        start = max((arrival[kind] for kind in inputs if stages[kind] == stage), default=0.0)
        if start + delay > period + 1e-9:
            return (stage + 1, delay) if start or not inputs else (stage, delay)
        return stage, start + delay

    stages: list[int] = []
    arrival: list[float] = []
    for inputs, delay, lanes in found.inputs:
        stage, when = place(inputs, delay)
        if lanes and stage:  # lanes come once, in stage 0
            return stages, 1 << 30
        stages.append(stage)
        arrival.append(when)
        if when > period + 1e-9:
            return stages, 1 << 30
    stage, when = place(found.left, final)
    return stages, stage if when <= period + 1e-9 else 1 << 30

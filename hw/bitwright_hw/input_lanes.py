"""The search for the thresholds that are better compared behind a frame, within its tables, than with each beat."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bitwright_core.ops.luts import MAX_FAN_IN
from bitwright_hw.encoder_counts import LaneCosts, late_comparator
from bitwright_hw.families.costs import Costs
from bitwright_hw.luts import INVERTER, Neuron

TOO_SLOW = 1_000_000  # LUTs that no comparison is worth
LEAST_SAVED = 10  # LUTs, below which Yosys may make more of what is moved: the model is no more exact
Unit = tuple[int, int]  # a value's place in a beat, and a level: one comparison for all beats
Wires = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A lane of an encoded frame: whether a value reaches `threshold`.

    `bits` are the value's bits that decide it, numbered through the frame, lowest first; none of a threshold that is
    always reached, or never.
    """

    unit: Unit
    threshold: int
    bits: tuple[int, ...]

    @cached_property
    def is_bit(self) -> bool:
        """Whether it is a bit of the value, or constant, so that nothing has to be compared."""
        return len(self.bits) < 2

    def reached(self, value: int) -> bool:
        """Whether `value`, what `bits` say as a number, reaches the threshold."""
        if not self.bits:
            return self.threshold == 0
        return value >= self.threshold >> (self.threshold & -self.threshold).bit_length() - 1


def input_lane(value: int, level: int, threshold: int, *, slots: int, value_bits: int) -> Lane:
    """The lane of value `value` of a frame: a beat brings `slots` values, of which `value_bits` bits count."""
    lowest = (threshold & -threshold).bit_length() - 1 if 0 < threshold < 1 << value_bits else value_bits
    bits = tuple(value * value_bits + k for k in range(lowest, value_bits))
    return Lane(unit=(value % slots, level), threshold=threshold, bits=bits)


class Placing:
    """Which units are compared `late`, behind the frame, and what lanes and tables then take.

    `tables` are the distinct ones: the lanes that each depends on, and what it says. A table takes the late comparisons
    of all its lanes in where that makes it no larger; otherwise they are made in front of it, once for all such tables,
    of at most `deepest` bits: more are too slow, and priced out of reach.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        tables: Sequence[Neuron],
        late: Iterable[Unit],
        priced: LaneCosts,
        costs: Costs,
        deepest: int = TOO_SLOW,
    ):
        self.deepest = deepest
        self.lanes = lanes
        self.tables = [wires for wires, _ in tables]
        self._inverters = {
            number for number, (wires, table) in enumerate(tables) if len(wires) == 1 and table == INVERTER
        }
        self.priced = priced
        self.costs = costs
        compared = {lane for wires in self.tables for lane in wires if not lanes[lane].is_bit}
        self.units = sorted({lanes[lane].unit for lane in compared})
        self.late = set(late) & set(self.units)
        self._readers: dict[Unit, list[int]] = {unit: [] for unit in self.units}
        for number, wires in enumerate(self.tables):
            for unit in {lanes[lane].unit for lane in wires if lane in compared}:
                self._readers[unit].append(number)
        self._needed: Counter[int] = Counter()  # late comparisons that are made, by the tables that need each
        self._luts = 0  # of those and the tables
        for number in range(len(tables)):
            self._count(number, 1)

    def compares_late(self, lane: int) -> bool:
        return not self.lanes[lane].is_bit and self.lanes[lane].unit in self.late

    def parts(self, wires: Wires) -> set[int]:
        """What a table reads that takes its late comparisons in: bits of values, and lanes as -1 - lane."""
        found: set[int] = set()
        for number in wires:
            lane = self.lanes[number]
            if lane.is_bit or lane.unit in self.late:
                found.update(lane.bits)
            else:
                found.add(-1 - number)
        return found

    def takes_in(self, wires: Wires) -> bool:
        """Whether a table takes its late comparisons in."""
        return self._fits(len(self.parts(wires)), wires)

    def _fits(self, parts: int, wires: Wires) -> bool:
        return parts <= MAX_FAN_IN and self.costs.table(parts) <= self.costs.table(max(2, len(wires)))

    @property
    def luts(self) -> int:
        """LUTs of all comparisons and tables."""
        return self._luts + self.priced.of(unit for unit in self.units if unit not in self.late)

    def move(self, unit: Unit) -> None:
        """Makes an early unit late, or a late one early."""
        for number in self._readers[unit]:
            self._count(number, -1)
        self.late ^= {unit}
        for number in self._readers[unit]:
            self._count(number, 1)

    def improve(self, *, even: bool) -> None:
        """Moves each unit that saves LUTs elsewhere; with `even`, one that costs none there, too."""
        for unit in self.units:
            before = self.luts
            self.move(unit)
            if self.luts > before or (self.luts == before and not even):
                self.move(unit)

    def _count(self, number: int, sign: int) -> None:
        """Adds a table and what it needs, or takes them away."""
        wires = self.tables[number]
        parts = len(self.parts(wires))
        if self._fits(parts, wires):
            self._luts += sign * (int(number in self._inverters) if parts == 1 else round(self.costs.table(parts)))
            return
        deep = self.costs.table_inputs > self.costs.lut_inputs  # comparisons are taken in, whatever that takes
        inputs = min(parts, self.costs.table_inputs) if deep else len(wires)
        self._luts += sign * round(self.costs.table(inputs))
        for lane in filter(self.compares_late, wires):
            before = self._needed[lane] > 0
            self._needed[lane] += sign
            after = self._needed[lane] > 0
            bits = len(self.lanes[lane].bits)
            luts = late_comparator(bits, self.costs) if bits <= self.deepest else TOO_SLOW
            self._luts += (after - before) * luts


def cheapest(
    lanes: Sequence[Lane], tables: Sequence[Neuron], priced: LaneCosts, costs: Costs, deepest: int, today: int
) -> Placing | None:
    """The placing of the fewest LUTs; None unless it saves LEAST_SAVED beside comparing all with each beat, which takes
    `today`, masks of the guard among them.

    From all units early, and from all late, each unit is moved that saves something: not all placings are tried.
    """
    early = Placing(lanes, tables, (), priced, costs, deepest)
    early.improve(even=False)
    late = Placing(lanes, tables, early.units, priced, costs, deepest)
    late.improve(even=True)
    best = min(early, late, key=lambda placing: placing.luts)
    read = sum(
        round(costs.table(len(wires))) if len(wires) > 1 else len(wires) == 1 and table == INVERTER
        for wires, table in tables
    )
    return best if best.luts + LEAST_SAVED <= today + read else None

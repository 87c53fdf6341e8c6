"""Where the values of the input are compared with thresholds: with each beat, or behind the frame, within the first
tables.

A comparison with each beat is made once for all values that pass there, and the bit that it gives is kept. A table can
also read the bits of the value itself: value >= T is a function of those from the lowest 1 of T up, so that a table
whose inputs depend on six bits at the most takes its comparisons in, at no cost. `input_bits` weighs one against the
other by the estimate (docs/decisions/0025-late-comparators.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bitwright_core.comparators import first_tables
from bitwright_core.framing import InputFormat
from bitwright_core.network import Network
from bitwright_core.ops.operator import Lookup
from bitwright_core.plan import Plan
from bitwright_hw.cells import Counts
from bitwright_hw.encoder import values_in
from bitwright_hw.encoder_counts import LaneCosts, plain_bits
from bitwright_hw.families import XC7, Family, family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.input_lanes import Lane, Placing, Unit, Wires, cheapest, input_lane
from bitwright_hw.luts import Neuron, neurons, reduced
from bitwright_hw.table_costs import table_luts


@dataclass(frozen=True, kw_only=True)
class LateComparison:
    """A comparison behind the frame: the kept bits `wires`, lowest first, as a number >= `threshold`."""

    wires: tuple[int, ...]
    threshold: int


@dataclass(frozen=True, kw_only=True, eq=False)
class InputBits:
    """What is kept of each beat, and what the first tables read of the beats of a frame.

    Of value k of a beat the results of its comparisons with `levels[k]` are kept, then its bits `raw[k]`. Bit i of a
    frame is bit i % width of beat i // width. `neurons` read these bits and, numbered behind them, what `compared`
    gives.
    """

    levels: tuple[tuple[int, ...], ...]
    raw: tuple[tuple[int, ...], ...]
    beats: int
    compared: tuple[LateComparison, ...]
    neurons: tuple[Neuron, ...]

    @property
    def width(self) -> int:
        """Bits of a beat that are kept."""
        return sum(map(len, self.levels)) + sum(map(len, self.raw))

    @property
    def bits(self) -> int:
        """Bits of a frame that are kept."""
        return self.width * self.beats

    @property
    def early(self) -> tuple[Unit, ...]:
        """The comparisons that are made with each beat."""
        return tuple((slot, level) for slot, levels in enumerate(self.levels) for level in levels)

    def tables_cost(self, costs: Costs) -> Counts:
        """The comparisons behind the frame, and a table for each distinct neuron."""
        late = {self.bits + k: (each.wires, each.threshold) for k, each in enumerate(self.compared)}
        return Counts(luts=table_luts(self.neurons, costs, late), ffs=len(set(self.neurons)) + 1)


def input_bits(network: Network, plan: Plan, format: InputFormat) -> InputBits | None:
    """What is kept of the beats of `network` under `plan`.

    None where every value is compared as it comes in: because the network has no first tables, because the plan says
    so, or because nothing else takes fewer LUTs by the estimate for the plan's family (by 7-series' for generic).
    """
    layer = first_tables(network)
    if layer is None or format.encoded or plan.comparators == "beats":
        return None
    family = family_named(plan.target)
    costs = family.costs or XC7.costs
    assert costs is not None
    deepest = None if plan.comparators == "tables" else deepest_comparison(plan.clock_mhz, family, costs)
    return _found(network, layer, format, costs, deepest)


def deepest_comparison(clock_mhz: float, family: Family, costs: Costs) -> int:
    """Bits of the largest comparison for which the clock has room in front of a table."""
    levels = int((1000 / clock_mhz - family.delays.register) / family.delays.level) - 1
    return max(0, levels) * (costs.lut_inputs - 1) + 1


@lru_cache(maxsize=16)
def _found(network: Network, layer: Lookup, format: InputFormat, costs: Costs, deepest: int | None) -> InputBits | None:
    """What is kept for the fewest LUTs; without `deepest`, where every comparison stands behind the frame."""
    rows, levels, slots = network.encoding.rows, network.encoding.levels, values_in(format)
    thresholds = np.tile(rows, (format.values // len(rows), 1)).tolist()
    lanes = [
        input_lane(value, level, threshold, slots=slots, value_bits=network.input.bits)
        for value, of_value in enumerate(thresholds)
        for level, threshold in enumerate(of_value)
    ]
    made = neurons(layer)
    distinct = sorted(set(made))
    tables = [wires for wires, _ in distinct]
    priced = LaneCosts(network, format, costs, network.input.bits, masked=False)
    placing: Placing | None = Placing(lanes, distinct, {lane.unit for lane in lanes}, priced, costs)
    if deepest is not None:
        whole = LaneCosts(network, format, costs, format.value_bits, masked=True)
        units = {lanes[lane].unit for wires in tables for lane in wires}
        masks = costs.masks(plain_bits(network, format) or 0) if format.beats > 1 else 0  # left out behind the frame
        today = whole.of(units) + masks
        placing = cheapest(lanes, distinct, priced, costs, deepest, today)
    if placing is None:
        return None
    kept = _Kept(placing, tables, slots, levels, network.input.bits)
    return kept.input_bits(made, format.beats) if kept.width else None


class _Kept:
    """Numbers the bits that are kept, and writes tables over them."""

    def __init__(self, placing: Placing, tables: Sequence[Wires], slots: int, levels: int, value_bits: int):
        self.placing = placing
        self.slots = slots
        self.value_bits = value_bits
        self.frame_levels = levels
        late = {lane for wires in tables for lane in wires if placing.compares_late(lane)}
        parts = {part for wires in tables for part in placing.parts(wires)}
        bits = {part for part in parts if part >= 0} | {bit for lane in late for bit in placing.lanes[lane].bits}
        units = {placing.lanes[-1 - part].unit for part in parts if part < 0}
        self.levels = tuple(tuple(sorted(level for slot, level in units if slot == k)) for k in range(slots))
        raw: list[set[int]] = [set() for _ in range(slots)]
        for bit in bits:
            raw[bit // value_bits % slots].add(bit % value_bits)
        self.raw = tuple(tuple(sorted(each)) for each in raw)
        sizes = [len(a) + len(b) for a, b in zip(self.levels, self.raw, strict=True)]
        self.starts = [sum(sizes[:k]) for k in range(slots)]
        self.width = sum(sizes)
        self.compared: dict[int, int] = {}  # number of a comparison behind the frame, by its lane

    def place(self, part: int) -> int:
        """Where a part that a table reads lies in the frame."""
        lane = self.placing.lanes[-1 - part] if part < 0 else None
        value = (-1 - part) // self.frame_levels if lane else part // self.value_bits
        beat, slot = divmod(value, self.slots)
        place = beat * self.width + self.starts[slot]
        if lane:
            return place + self.levels[slot].index(lane.unit[1])
        return place + len(self.levels[slot]) + self.raw[slot].index(part % self.value_bits)

    def input_bits(self, made: Sequence[Neuron], beats: int) -> InputBits:
        behind = self.width * beats
        found = [self._neuron(*neuron, behind) for neuron in made]
        compared = []
        for lane in self.compared:
            bits = self.placing.lanes[lane].bits
            threshold = self.placing.lanes[lane].threshold
            lowest = (threshold & -threshold).bit_length() - 1
            compared.append(LateComparison(wires=tuple(map(self.place, bits)), threshold=threshold >> lowest))
        return InputBits(levels=self.levels, raw=self.raw, beats=beats, compared=tuple(compared), neurons=tuple(found))

    def _neuron(self, wires: Wires, table: int, behind: int) -> Neuron:
        """A neuron that read lanes, over the bits that are kept and the comparisons behind them."""
        placing, taken_in = self.placing, self.placing.takes_in(wires)
        places: list[int] = []  # of the bits of the new address, in the frame or behind it
        sources: list[tuple[Lane, list[int]]] = []  # of each bit of the old address: what decides it, by `places`
        for wire in wires:
            lane = placing.lanes[wire]
            if lane.is_bit or (taken_in and placing.compares_late(wire)):
                found = [self.place(bit) for bit in lane.bits]
            elif placing.compares_late(wire):
                lane, found = _A_BIT, [behind + self.compared.setdefault(wire, len(self.compared))]
            else:
                lane, found = _A_BIT, [self.place(-1 - wire)]
            places += [place for place in found if place not in places]
            sources.append((lane, [places.index(place) for place in found]))
        values = []
        for address in range(1 << len(places)):
            old = 0
            for k, (lane, bits) in enumerate(sources):
                old |= lane.reached(sum((address >> bit & 1) << n for n, bit in enumerate(bits))) << k
            values.append(table >> old & 1)
        return reduced(places, np.array(values, np.uint8))


_A_BIT = Lane(unit=(0, 0), threshold=1, bits=(0,))

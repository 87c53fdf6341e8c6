"""How many LUTs Yosys makes of tables, and of the comparisons that stand in front of them: counted, not fitted.

A table of no more inputs than a LUT is one LUT, equal ones are one, and a table of one input is a wire or an inverter.
A comparison in front of tables is a LUT unless every table that reads it has room for the bits that it compares.
Where a table is 0 whenever one input, the last, has some value, Yosys resets the register behind it by that input; on
7-series, which does so for many registers at a time only, it takes that back and is left with a table that the reset
that is there has joined, and that no longer fits a LUT if it filled it.

Where wide multiplexers join LUT4s (ECP5), a table of five or six inputs is one level still, and so Yosys, which maps
for depth, takes comparisons in as a LUT6 would, though the LUTs are twice or four times as many. Where none do (iCE40),
a larger table is split: some of its inputs reach the rest as one bit, if the table as a chart, with a column for each
of their values, has two different columns (Ashenhurst, "The Decomposition of Switching Functions", 1959). Tables that
take comparisons in are of this kind, and what several have in common is made once. A table that has no such split takes
what tables of so many inputs take on average.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bitwright_core.plan import ceil_div
from bitwright_hw.families.costs import Costs
from bitwright_hw.luts import INVERTER, Neuron, reduced

Wires = tuple[int, ...]
Compared = Mapping[int, tuple[Wires, int]]  # of a wire: the wires that it compares, lowest first, and the threshold
Split = tuple[tuple[Wires, int], ...]  # LUTs: inputs and table; numbers beyond the inputs are those of LUTs before
NONE: Compared = {}


def table_luts(rows: Iterable[Neuron], costs: Costs, compared: Compared = NONE) -> int:
    """LUTs of the distinct tables of `rows`, each with a register behind it, and of what they read of `compared`."""
    distinct = {row for row in rows if row[0]}
    late = needed(distinct, compared, costs.table_inputs)
    made: set[object] = set()  # LUTs, each once: what it reads, and its table
    luts = 0.0  # beside these
    for wires, threshold in (compared[wire] for wire in late):
        if len(wires) <= costs.lut_inputs:
            made.add((wires, sum((value >= threshold) << value for value in range(1 << len(wires)))))
        else:
            luts += ceil_div(len(wires) - 1, costs.lut_inputs - 1)
    for neuron in distinct:
        if any(wire in compared for wire in neuron[0]):
            luts += round(costs.table(inputs_of(neuron[0], compared, late)))
            continue
        resets, before = beside_reset(*neuron)
        if costs.table_resets:
            made |= {resets} - {()}
        else:
            before = neuron
            luts += bool(resets) and len(neuron[0]) == costs.table_inputs
        parts, more = _parts(*before, costs)
        made.update(parts)
        luts += more
    return len(made) + round(luts)


def _parts(wires: Wires, table: int, costs: Costs) -> tuple[list[object], float]:
    """LUTs of a table that others may have, too, and how many more there are."""
    if len(wires) == 1:
        return [(wires, table)] if table == INVERTER else [], 0
    parts = split(table, len(wires), costs.table_inputs)
    if parts is None or len(parts) == 1 or len(parts) > costs.table(len(wires)):
        return [(wires, table)], costs.table(len(wires)) - 1
    names: list[object] = list(wires)
    for inputs, part in parts:
        names.append((tuple(names[k] for k in inputs), part))
    return names[len(wires) :], 0


def inputs_of(wires: Wires, compared: Compared, made: Collection[int]) -> int:
    """What a LUT reads that takes in the comparisons that are not `made`, and those whose bits it reads anyway."""
    bits = {bit for wire in wires if wire not in made for bit in (compared[wire][0] if wire in compared else (wire,))}
    return len(bits) + sum(wire in made and not bits.issuperset(compared[wire][0]) for wire in wires)


def needed(rows: Collection[Neuron], compared: Compared, inputs: int) -> set[int]:
    """Which of `compared` are made, because a table that reads them has no room for all that they compare.

    Of a table's comparisons as many are made as leave it `inputs` inputs; first those that most such tables read.
    """
    made: set[int] = set()
    if not compared:
        return made

    left = [wires for wires, _ in rows if inputs_of(wires, compared, made) > inputs]
    while left:
        readers = Counter(wire for wires in left for wire in wires if wire in compared and wire not in made)
        if not readers:
            break
        made.add(max(readers, key=lambda wire: (readers[wire], -wire)))
        left = [wires for wires in left if inputs_of(wires, compared, made) > inputs]
    return made


def beside_reset(wires: Wires, table: int) -> tuple[tuple[tuple[int, int], ...], Neuron]:
    """What Yosys puts to the reset of a table's register, and the table that it leaves in front of it.

    Where the table is 0 whenever its last input has some value, Yosys resets the register by that value: a LUT joins it
    to the reset that is there, once for all such registers, and the table has an input less. So with the next input.
    """
    resets = []
    while len(wires) > 1:
        half = 1 << len(wires) - 1
        low, high = table & (1 << half) - 1, table >> half
        if low and high:
            break
        resets.append((wires[-1], int(high == 0)))
        wires, table = wires[:-1], low or high
    return tuple(resets), reduced(list(wires), _bits(table, len(wires))) if resets else (wires, table)


@lru_cache(maxsize=1 << 16)
def split(table: int, size: int, inputs: int) -> Split | None:
    """The fewest LUTs of `inputs` inputs that a table of `size` inputs splits into, one bit between them; None if it
    does not split."""
    if size <= inputs:
        return ((tuple(range(size)), table),)
    best: Split | None = None
    bits = _bits(table, size)
    for bound, chart in _charts(size, inputs):
        columns = bits[chart]
        other = (columns != columns[0]).any(axis=1)
        if not (columns[other] == columns[other.argmax()]).all():
            continue
        free = [k for k in range(size) if k not in bound]
        first = sum(int(bit) << value for value, bit in enumerate(other))
        rest = np.concatenate([columns[0], columns[other.argmax()]])
        wires, smaller = reduced([*free, size], rest)
        behind = split(smaller, len(wires), inputs)
        if behind is None or (best is not None and len(behind) + 1 >= len(best)):
            continue
        places = [*wires, *range(size + 1, size + 1 + len(behind))]
        best = ((bound, first), *((tuple(places[k] for k in read), part) for read, part in behind))
    return best


@lru_cache(maxsize=8)
def _charts(size: int, inputs: int) -> list[tuple[Wires, NDArray[np.int64]]]:
    """Inputs that can be bound in a LUT, fewest first, and of each a table's addresses, (their values, the others')."""
    found = []
    for count in range(2, inputs + 1):
        for bound in combinations(range(size), count):
            free = [k for k in range(size) if k not in bound]
            rows, columns = _addresses(bound), _addresses(free)
            found.append((bound, rows[:, None] | columns))
    return found


def _addresses(places: Collection[int]) -> NDArray[np.int64]:
    values = np.arange(1 << len(places))
    found = np.zeros_like(values)
    for k, place in enumerate(places):
        found |= (values >> k & 1) << place
    return found


def _bits(table: int, size: int) -> NDArray[np.uint8]:
    return np.array([table >> address & 1 for address in range(1 << size)], np.uint8)

"""Which counters a popcount has on 7-series: the fewest LUTs.

Three counters, each taking what a LUT6_2 (two functions of five inputs) or its carry chain can:
- a leaf, one LUT: two lanes and one bit, a full adder that needs no XNOR before it. A chain of leaves takes two
  lanes a LUT and leaves one bit of weight 1.
- a full adder, one LUT: three bits.
- seven bits, two LUTs and two positions of a carry chain: half of the (6,0,7;5) counter of Preusser, and of
  Kumm and Zipf.
Any bit of a chain beyond the first two numbers then joins the final adder, which is ternary.

The floor: a LUT that takes two lanes has one input left and removes one bit. Others remove at most two bits
(no known counter of one slice does better), and take one lane at most. N lanes and their sum therefore take about N/2
LUTs for the lanes and N/4 for the rest, next to the accumulator's one for each position.
"""

from collections.abc import Sequence
from functools import cache

from bitwright_hw.arithmetic.compressor import Builder, Compressor, Cost

LEAF = Cost(1, 1.0)
FULL = Cost(1, 1.0)
SEVEN = Cost(2, 1.6)


def build(simd: int, groups: int, capacity: Sequence[int], shifts: Sequence[int] = (0,)) -> Compressor:
    """Compresses `simd` lanes, in `groups` chains of leaves, until column k has at most capacity[k] bits
    (the last capacity holds for all columns above). With `shifts` so many lanes of each weight 2 ** shift."""
    builder = Builder(simd * len(shifts), tuple(shift for shift in shifts for _ in range(simd)) if any(shifts) else ())
    leaves = -(-simd // 2)
    for first, shift in zip(range(0, simd * len(shifts), simd), shifts, strict=True):
        lane = first
        for group in range(groups):
            chained: list[int] = []
            for _ in range(leaves * group // groups, leaves * (group + 1) // groups):
                lanes = list(range(lane, min(lane + 2, first + simd)))
                lane += len(lanes)
                outputs = builder.count(shift, lanes, chained, LEAF)
                chained = outputs[:1]
                builder.put(outputs[1:])
            builder.put(chained)

    weight = 0
    while weight < len(builder.columns):
        bits = len(builder.columns[weight])
        above = len(builder.columns[weight + 1]) if weight + 1 < len(builder.columns) else 0
        beyond = len(builder.columns[weight + 2]) if weight + 2 < len(builder.columns) else 0
        sevens, sixes, fulls = choose(weight, bits, above, beyond, tuple(capacity))[1]
        builder.reduce(weight, [(7, SEVEN)] * sevens + [(6, SEVEN)] * sixes + [(3, FULL)] * fulls)
        weight += 1
    return builder.done()


def size(simd: int, groups: int, capacity: Sequence[int], shifts: Sequence[int] = (0,)) -> tuple[int, tuple[int, ...]]:
    """LUTs of the counters that `build` would make, and how many bits it would leave in each column."""
    leaves = -(-simd // 2)
    alone = simd % 2 and leaves - leaves * (groups - 1) // groups == 1  # the last leaf: one lane, and no carry of it
    columns = [0] * (max(shifts) + 2)
    for shift in shifts:
        columns[shift] += groups
        columns[shift + 1] += leaves - 1 if alone else leaves
    cells, weight = leaves * len(shifts), 0
    while weight < len(columns):
        bits, above, beyond = (*columns[weight:], 0, 0)[:3]
        sevens, sixes, fulls = choose(weight, bits, above, beyond, tuple(capacity))[1]
        columns += [0] * (weight + 3 - len(columns))
        columns[weight] -= 6 * sevens + 5 * sixes + 2 * fulls
        columns[weight + 1] += sevens + sixes + fulls
        columns[weight + 2] += sevens + sixes
        while not columns[-1]:
            columns.pop()
        cells += 2 * (sevens + sixes) + fulls
        weight += 1
    return cells, tuple(columns)


@cache
def choose(
    weight: int, bits: int, above: int, beyond: int, capacity: tuple[int, ...]
) -> tuple[int, tuple[int, int, int]]:
    """The least LUTs for a column of `bits` bits, the next with `above` and so on up, and how many counters of
    seven, six and three bits this column takes for it."""
    keep = capacity[min(weight, len(capacity) - 1)]
    if not bits and not above and not beyond:
        return 0, (0, 0, 0)
    best: tuple[int, tuple[int, int, int]] | None = None
    for sixes in range(2):
        for fulls in range(4):
            rest = bits - 5 * sixes - 2 * fulls
            for sevens in range(max(0, -(-(rest - keep) // 6)), max(0, -(-(rest - keep) // 6)) + 2):
                left = rest - 6 * sevens
                if not (0 if bits == 0 else 1) <= left <= keep:
                    continue
                carries = sevens + sixes
                after = choose(weight + 1, above + carries + fulls, beyond + carries, 0, capacity)[0]
                cost = 2 * carries + fulls + after
                if best is None or cost < best[0]:
                    best = cost, (sevens, sixes, fulls)
    assert best is not None  # full adders and sevens alone reach any capacity of at least 2
    return best

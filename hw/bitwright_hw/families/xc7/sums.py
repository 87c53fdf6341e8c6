"""Hardwired layers on 7-series: shared sums, and what each has left in a ternary adder.

A shared full adder costs one LUT, and counters of a sum's own take two bits a LUT, so it pays from three sums on. They
leave at most three bits of each weight, which a ternary adder takes, beside the row's constant.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from amaranth.hdl import C, Cat, Module, Signal, Value

from bitwright_hw.arithmetic.adders import counted_bits
from bitwright_hw.arithmetic.compressor import Builder, Counter
from bitwright_hw.arithmetic.shared_sums import SharedSums, share
from bitwright_hw.families.family import HardwiredSums
from bitwright_hw.families.xc7.counters import FULL, SEVEN, choose
from bitwright_hw.families.xc7.popcount import FINAL_DELAY, Position, make_counter, ternary_adder, ternary_luts

# bits of each weight that a final adder takes: beside another number, and by itself, the last sum
ROW_CAPACITY = (3, 2)
LAST_CAPACITY = (5, 3)
NEVER = 2  # sums that share an adder, where there is one sum


def reduce(builder: Builder, columns: list[list[int]], last: bool) -> tuple[tuple[int, ...], ...]:
    """Counters of one sum's own, until each column fits the ternary adder."""
    capacity = LAST_CAPACITY if last else ROW_CAPACITY
    builder.columns = columns
    weight = 0
    while weight < len(builder.columns):
        bits, above, beyond = (
            len(builder.columns[k]) if k < len(builder.columns) else 0 for k in range(weight, weight + 3)
        )
        sevens, sixes, fulls = choose(weight, bits, above, beyond, capacity)[1]
        builder.reduce(weight, [(7, SEVEN)] * sevens + [(6, SEVEN)] * sixes + [(3, FULL)] * fulls)
        weight += 1
    return tuple(tuple(column) for column in builder.columns)


def row_totals(
    m: Module, sums: SharedSums, inputs: Value, constants: Sequence[int], bits: int, seen_bits: int, stages: int
) -> list[Signal]:
    """HardwiredSums.totals: the sums hold the constants but for their lowest bit, whose carry is that of ~s."""
    adders = _TernaryAdders(m, sums, inputs, stages)
    negated = ~adders.last(seen_bits)
    totals = [Signal(bits, name=f"total_{k}", reset_less=True) for k in range(len(constants))]
    beside = Signal(len(negated), reset_less=True)
    m.d.sync += beside.eq(negated)
    for k, (constant, total) in enumerate(zip(constants, totals, strict=True)):
        odd = constant & 1
        high = adders.plus(k, beside[1:], bits - 1, carry=beside[0] if odd else None)
        m.d.sync += total.eq(Cat(beside[0] ^ odd, high))
    return totals


class _TernaryAdders:
    """The sums of `sums` over `inputs`, each in a ternary adder behind counters that they share.

    Latency: the last sum (`last`) comes `stages` cycles after the inputs, each other (`plus`) one cycle later,
    registers that follow not counted. Throughput: inputs a cycle.
    """

    def __init__(self, m: Module, sums: SharedSums, inputs: Value, stages: int):
        self.m = m
        self.sums = sums
        self.stages = stages
        uses = [(bit, stages) for row in sums.columns for column in row for bit in column]
        uses += [(bit, stages + 1) for row in sums.columns[:-1] for column in row for bit in column]
        self.at = counted_bits(m, sums, inputs, stages=stages, final=FINAL_DELAY, uses=uses, reset=True, make=_counter)

    def last(self, width: int) -> Value:
        """The last sum."""
        columns = self.sums.columns[-1]
        return self._added([[self.at(bit, self.stages) for bit in column] for column in columns], width)

    def plus(self, index: int, other: Value, width: int, *, carry: Value | None = None) -> Value:
        """The lowest `width` bits of sum `index`, plus `other` and `carry`, which both come one cycle later than
        `last`."""
        columns = self.sums.columns[index]
        both: list[list[Value]] = [[] for _ in range(max(width, len(columns), len(other), 1))]
        for k, column in enumerate(columns):
            both[k] += [self.at(bit, self.stages + 1) for bit in column]
        for k in range(len(other)):
            both[k].append(other[k])
        if carry is not None:
            both[0].append(carry)
        return self._added(both, width)

    def _added(self, columns: Sequence[Sequence[Value]], width: int) -> Value:
        return Cat(*ternary_adder(self.m, *_operands(columns, width)))


def _operands(columns: Sequence[Sequence[Value]], width: int) -> tuple[list[Position], Value | None, Value | None]:
    """What a ternary adder adds in each position, and its extra bit and carry."""
    low = list(columns[0]) if columns else []
    carry, extra = (low.pop() if len(low) > 3 else None for _ in range(2))
    several = [tuple(low), *[tuple(column) for column in columns[1:]]]
    return [Position(bits=several[k] if k < len(several) else ()) for k in range(width)], extra, carry


@cache
def _of_all(inputs: int) -> SharedSums:
    """A sum that shares nothing, at about half a LUT for each of its inputs."""
    return share(np.ones((1, inputs), np.uint8), [0], least=NEVER, reduce=reduce)


def ones(m: Module, inputs: Value, width: int, stages: int) -> Value:
    """The number of set inputs."""
    return _TernaryAdders(m, _of_all(len(inputs)), inputs, stages).last(width)


def ones_luts(inputs: int, stages: int) -> int:
    """LUTs of that number's counters and its adder, wherever its registers are."""
    sums = _of_all(inputs)
    columns = [[C(0, 1)] * len(column) for column in sums.columns[-1]]
    positions, extra, _ = _operands(columns, inputs.bit_length())
    return sums.cells + ternary_luts(positions, int(extra is not None))


def _counter(m: Module, counter: Counter, bits: Sequence[Value]) -> Sequence[Value]:
    return make_counter(m, counter, [], bits)


def _held(constant: int) -> int:
    return constant >> 1


SUMS = HardwiredSums(least_share=3, reduce=reduce, held=_held, totals=row_totals, ones=ones, ones_luts=ones_luts)

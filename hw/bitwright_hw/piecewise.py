"""Constants that depend on counters, as few comparisons as their runs of equal values take."""

from collections.abc import Sequence
from itertools import groupby

from amaranth.hdl import C, Mux, Value


def piecewise(index: Value, values: Sequence[int], width: int) -> Value:
    """`values[index]`, in `width` bits; an index beyond the last one has the last one's value."""
    runs = [(value, len(list(run))) for value, run in groupby(values)]
    result: Value = C(runs[-1][0], width)
    end = len(values)
    for value, length in reversed(runs):
        if end < len(values):
            result = Mux(index < end, C(value, width), result)
        end -= length
    return result


def piecewise_grid(row: Value, column: Value, values: Sequence[Sequence[int]], width: int) -> Value:
    """`values[row][column]`, in `width` bits."""
    runs = [(list(line), len(list(run))) for line, run in groupby(values, key=tuple)]
    result: Value = piecewise(column, runs[-1][0], width)
    end = len(values)
    for line, length in reversed(runs):
        if end < len(values):
            result = Mux(row < end, piecewise(column, line, width), result)
        end -= length
    return result

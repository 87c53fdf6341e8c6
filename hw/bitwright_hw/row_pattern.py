"""Which row of an encoding each value of a beat takes, beat by beat: a short pattern that repeats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd

from amaranth.hdl import Module, Signal, Value

from bitwright_core.plan import ceil_div
from bitwright_hw.frame_buffer import count_up

Cells = tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class RowPattern:
    """Words of `width` values of frames of `values`: value i takes row i % rows.

    `cells` (phases, width) are the rows that the values of a word take, None where a value lies beyond the frame and
    must become 0: word b has those of phase b % phases. A row for which `blank` holds makes 0 of a value of 0, which is
    what lies beyond a frame, and may stand there.
    """

    rows: int
    values: int
    width: int
    cells: Cells

    @property
    def words(self) -> int:
        """Words of a frame."""
        return ceil_div(self.values, self.width)

    @property
    def phases(self) -> int:
        return len(self.cells)

    def phase(self, m: Module, advance: Value) -> Value:
        """The phase of the word at hand; `advance` is high in the cycle in which it leaves. Reset: a frame's first."""
        phase = Signal(range(max(2, self.phases)), name="phase")
        if self.phases == 1:
            return phase
        following: Value = count_up(phase, self.phases)
        with m.If(advance):
            m.d.sync += phase.eq(following)
        if self.words % self.phases:  # a frame ends within the pattern
            word = Signal(range(self.words), name="word_in_frame")
            with m.If(advance):
                m.d.sync += word.eq(count_up(word, self.words))
                with m.If(word == self.words - 1):
                    m.d.sync += phase.eq(0)
        return phase


def row_pattern(rows: int, values: int, width: int, blank: Callable[[int], bool]) -> RowPattern:
    """The shortest pattern; see RowPattern."""
    words = ceil_div(values, width)
    natural = min(rows // gcd(rows, width), words)
    cells = _merged(rows, values, width, natural, blank)
    if cells is None:
        cells = _merged(rows, values, width, words, blank)
        assert cells is not None  # with a phase for each word nothing meets
    return RowPattern(rows=rows, values=values, width=width, cells=cells)


def _merged(rows: int, values: int, width: int, phases: int, blank: Callable[[int], bool]) -> Cells | None:
    """The pattern of `phases`; None if a value beyond the frame would not become 0."""
    cells: list[list[int | None]] = []
    for phase in range(phases):
        cells.append([(phase * width + k) % rows if phase * width + k < values else None for k in range(width)])
    last = ceil_div(values, width) - 1
    for k in range(values - last * width, width):  # beyond the frame
        row = cells[last % phases][k]
        if row is not None and not blank(row):
            return None
    return tuple(tuple(cell) for cell in cells)


def threshold_pattern(rows: Sequence[Sequence[int]], values: int, width: int) -> RowPattern:
    """Which thresholds the values of a beat take. A threshold of 0 makes 1 of what lies beyond a frame."""
    return row_pattern(len(rows), values, width, lambda row: min(rows[row]) > 0)


def table_pattern(rows: Sequence[Sequence[int]], values: int, width: int) -> RowPattern:
    """Which tables the values of a word take."""
    return row_pattern(len(rows), values, width, lambda row: rows[row][0] == 0)


def lane_thresholds(pattern: RowPattern, rows: Sequence[Sequence[int]], value_bits: int) -> list[list[int]]:
    """(lanes, phases): what each bit of a beat is compared with; 2^value_bits, never reached, beyond the frame."""
    levels = len(rows[0])
    never = (1 << value_bits,) * levels
    beats = [[never if row is None else rows[row] for row in cells] for cells in pattern.cells]
    lanes = [(value, level) for value in range(pattern.width) for level in range(levels)]
    return [[beat[value][level] for beat in beats] for value, level in lanes]

"""What a window reads in a cycle, before it becomes words: the slot of a memory's word, padding, bundles of groups."""

from dataclasses import dataclass

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value

from bitwright_core.plan import ceil_div
from bitwright_hw.piecewise import piecewise
from bitwright_hw.window_params import WindowParams


@dataclass(frozen=True, kw_only=True)
class WindowRead:
    """What is being read: `start` of the pass at window `row`, `column`; a word with `issue`, from `line`, `group`."""

    start: Value
    issue: Value
    row: Value
    column: Value
    line: Signal
    group: Signal


def slot_of(m: Module, p: WindowParams, copy: int, word: Value, issue: Value, slot: Value) -> Value:
    """The slot of a memory's word that was asked for with its address."""
    if p.slots == 1:
        return word
    asked = Signal(range(p.slots), name=f"slot_{copy}")
    with m.If(issue):
        m.d.sync += asked.eq(slot)
    return word.word_select(asked, p.slot_lanes * p.lane_bits)


def bundled(p: WindowParams, lanes: Value) -> Value:
    """Lanes by group as bundles of a lane of each."""
    if p.groups_at_once == 1:
        return lanes
    places = [j * p.group_lanes + c for c in range(p.group_lanes) for j in range(p.groups_at_once)]
    return Cat(lanes[k * p.lane_bits : (k + 1) * p.lane_bits] for k in places)


def padded(m: Module, p: WindowParams, copy: int, lanes: Value, reading: WindowRead) -> Value:
    """The lanes of a memory's word, those outside the image and outside the kernel replaced."""
    (down, across), (tall, wide) = p.windows.kernel, p.tile
    copy_row, copy_column = divmod(copy, wide)
    lines, groups = ceil_div(down, tall), across // wide
    kernel_rows = [k * tall + copy_row for k in range(lines)]
    taps_across = [k * wide + copy_column for k in range(groups)]
    inside: list[Value] = []
    if any(p.windows.padding):
        flags = []
        for name, index, outside, taps, count in (
            ("row", reading.row, p.windows.row_outside, kernel_rows, reading.line),
            ("column", reading.column, p.windows.column_outside, taps_across, reading.group),
        ):
            size = down if name == "row" else across
            held = Signal(len(taps), name=f"{name}s_inside_{copy}")
            for k, tap in enumerate(taps):
                values = [int(before <= tap < size - after) for before, after in outside]
                with m.If(reading.start):
                    m.d.sync += held[k].eq(piecewise(index, values, 1))
            flags.append(held[0] if len(taps) == 1 else Array(held)[count])
        now = Signal(name=f"inside_{copy}")
        with m.If(reading.issue):
            m.d.sync += now.eq(flags[0] & flags[1])
        inside.append(now)
    padding = C(sum(p.padding_lane << k * p.lane_bits for k in range(p.slot_lanes)), len(lanes))
    result: Value = Mux(inside[0], lanes, padding) if inside else lanes
    if kernel_rows[-1] >= down:  # the last line of a tall tile hangs over the kernel
        beyond = Signal(name=f"beyond_{copy}")
        with m.If(reading.issue):
            m.d.sync += beyond.eq(reading.line == lines - 1)
        result = Mux(beyond, 0, result)
    return result

"""Tables of integers as logic: what stands in a table at an index, in the same cycle."""

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Array, C, Cat, Module, Signal, Value, signed

from bitwright_hw.rom import LOGIC_ROM, Rom, rom_attributes

MOST_STEPS = 6  # of a table that is value plus a constant for each of so many ranges
FEW = 8  # phases up to which each has gates of its own, and one is chosen


def table_steps(table: Sequence[int]) -> int:
    """How often a table less the value itself changes from one value to the next."""
    offsets = [entry - index for index, entry in enumerate(table)]
    return sum(a != b for a, b in pairwise(offsets))


def looked_up(m: Module, value: Value, table: Sequence[int], bits: int) -> Value:
    """`table[value]` in `bits` bits, in the same cycle.

    A table that differs from the value itself by a constant in each of a few ranges takes an addition and the ranges'
    comparisons, any other a memory's worth of LUTs.
    """
    offsets = [entry - index for index, entry in enumerate(table)]
    starts = [k for k in range(1, len(table)) if offsets[k] != offsets[k - 1]]
    result = Signal(bits)
    if table_steps(table) <= MOST_STEPS:
        offset = Signal(signed(max(bits, len(value)) + 2))
        m.d.comb += offset.eq(offsets[0])
        for start in starts:
            with m.If(value >= start):
                m.d.comb += offset.eq(offsets[start])
        m.d.comb += result.eq(value + offset)
        return result
    rom = Rom.of(bits, [entry & (1 << bits) - 1 for entry in table], attrs=LOGIC_ROM)
    m.submodules += rom
    reader = rom.read_port(domain="comb")
    m.d.comb += [reader.addr.eq(value), result.eq(reader.data)]
    return result


def lane_table(rows: Sequence[tuple[int, ...]], row: int | None) -> tuple[int, ...]:
    """The table of a cell; zeros beyond the frame."""
    return (0,) * len(rows[0]) if row is None else rows[row]


def padded(table: Sequence[int], index_bits: int) -> list[int]:
    return [*table, *[0] * ((1 << index_bits) - len(table))]


def one_shape(tables: Sequence[tuple[int, ...]]) -> bool:
    """Whether tables differ by constants alone."""
    first = tables[0]
    return all(len({a - b for a, b in zip(table, first, strict=True)}) == 1 for table in set(tables))


def looked_up_in(m: Module, value: Value, phase: Value, tables: Sequence[tuple[int, ...]], bits: int) -> Value:
    """`tables[phase][value]` in `bits` bits, in the same cycle."""
    if len(set(tables)) == 1:
        return looked_up(m, value, tables[0], bits)
    if one_shape(tables):
        offsets = [table[0] - tables[0][0] for table in tables]
        wide = max(offset.bit_length() for offset in offsets) + 1
        base = looked_up(m, value, tables[0], bits)
        if len(tables) <= FEW:
            offset = chosen(phase, [C(offset, signed(wide)) for offset in offsets])
        else:
            words = [offset & (1 << wide) - 1 for offset in offsets]
            offset = rom(m, "offsets", phase, words, wide).as_signed()
        result = Signal(bits)
        m.d.comb += result.eq(base + offset)
        return result
    if len(tables) <= FEW:
        found = {table: looked_up(m, value, table, bits) for table in dict.fromkeys(tables)}
        return chosen(phase, [found[table] for table in tables])
    words = [entry & (1 << bits) - 1 for table in tables for entry in padded(table, len(value))]
    return rom(m, "tables", Cat(value, phase), words, bits)


def chosen(phase: Value, values: Sequence[Value]) -> Value:
    """`values[phase]`."""
    return values[0] if all(value is values[0] for value in values) else Array(values)[phase]


def rom(m: Module, name: str, address: Value, words: Sequence[int], width: int) -> Value:
    """`words[address]`, in the same cycle."""
    storage = Rom.of(width, words, attrs=rom_attributes("distributed", len(words)))
    m.submodules += storage
    reader = storage.read_port(domain="comb")
    m.d.comb += reader.addr.eq(address)
    data = Signal(width, name=name)
    m.d.comb += data.eq(reader.data)
    return data

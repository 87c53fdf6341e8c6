"""What encoders and the tables of pixel sources take: models of LUTs and block RAM, fitted to Yosys' counts."""

from collections.abc import Sequence

from bitwright.framing import InputFormat
from bitwright.network import Conv2d, Encoding, MaxPool2d, Network
from bitwright.plan import ceil_div
from bitwright_hw.cells import Counts
from bitwright_hw.families.family import FamilyName
from bitwright_hw.lookup import FEW, MOST_STEPS, lane_table, one_shape, table_steps
from bitwright_hw.params import values_in
from bitwright_hw.pixel_source import SourceParams
from bitwright_hw.rom import rom_place
from bitwright_hw.row_pattern import RowPattern, lane_thresholds, table_pattern, threshold_pattern


def encoder_counts(network: Network, stream: InputFormat, family: FamilyName) -> Counts:
    """The encoder between the stream and the first queue or source."""
    rows = network.encoding.rows.tolist()
    bits = stream.value_bits
    beat = values_in(stream)
    if isinstance(network.encoding, Encoding):
        if stream.encoded:
            return Counts()
        if len(rows) == 1:
            each = sum(_comparator(bits, t, len(rows[0]) == 1, family) for t in rows[0])
            return Counts(luts=each * beat)
        pattern = threshold_pattern(rows, stream.values, beat)
        return _threshold_rows(pattern, lane_thresholds(pattern, rows, bits), bits, len(rows[0]), family)
    if len(rows) == 1 or isinstance(network.layers[0], Conv2d | MaxPool2d):
        return Counts()
    pattern = table_pattern(rows, stream.values, beat)
    return _phases(pattern, family) + _tables(
        pattern, list(map(tuple, rows)), network.encoding.number.bits, family, registered=True
    )


def source_table_counts(source: SourceParams, family: FamilyName) -> Counts:
    """The tables in a pixel source."""
    if len(source.tables) == 1:
        return Counts(luts=source.width * _looked_up(source.tables[0], source.out_bits))
    pattern = table_pattern(source.tables, source.pixels * source.channels, source.width)
    return _phases(pattern, family) + _tables(pattern, source.tables, source.out_bits, family, registered=False)


def _either(family: FamilyName, xc7: float, ecp5: float) -> int:
    return round(xc7 if family == "xc7" else ecp5)


def _comparator(value_bits: int, threshold: int, alone: bool, family: FamilyName) -> int:
    """LUTs of an encoder's comparison: by the bits from the threshold's lowest 1 on; several share some."""
    if threshold in (0, 1 << value_bits):
        return 0
    bits = value_bits - ((threshold & -threshold).bit_length() - 1)
    if bits == 1:
        return 0
    return max(1, ceil_div(bits - 1, 5 if family == "xc7" else 3) - (not alone))


def _phases(pattern: RowPattern, family: FamilyName) -> Counts:
    """The counters of a pattern."""
    if pattern.phases == 1:
        return Counts()
    bits = (pattern.phases - 1).bit_length()
    if pattern.words % pattern.phases:
        bits += (pattern.words - 1).bit_length()
    return Counts(luts=_either(family, 1.2 * bits, 3 * bits), ffs=bits)


def _rom(width: int, depth: int, family: FamilyName) -> int:
    """LUTs of a ROM in LUTs, read in the same cycle."""
    if family == "xc7":
        return round(width * max(1, depth / 64) * 1.05)
    return round(width * max(1, depth / 16) * 1.2)


def _threshold_rows(
    pattern: RowPattern, lanes: list[list[int]], value_bits: int, levels: int, family: FamilyName
) -> Counts:
    total = _phases(pattern, family)
    differing = [lane for lane in lanes if len(set(lane)) > 1]
    same = [lane for lane in lanes if len(set(lane)) == 1]
    total += Counts(luts=sum(_comparator(value_bits, lane[0], levels == 1, family) for lane in same))
    if pattern.phases <= FEW:
        for lane in differing:
            each = sum(_comparator(value_bits, t, True, family) for t in set(lane))
            total += Counts(luts=each + (pattern.phases + 1) // 3)
        return total
    wide = value_bits + 1
    compared = _either(family, value_bits / 2 + 1, value_bits + 3)
    return total + Counts(luts=_rom(wide * len(differing), pattern.phases, family) + compared * len(differing))


def _looked_up(table: Sequence[int], out_bits: int) -> int:
    bits = (len(table) - 1).bit_length()
    return 2 * bits if table_steps(table) <= MOST_STEPS else out_bits * max(1, len(table) >> 6)


def _tables(
    pattern: RowPattern, rows: Sequence[tuple[int, ...]], out_bits: int, family: FamilyName, *, registered: bool
) -> Counts:
    """Tables of a word's values; in memories where they are `registered` and no constants apart."""
    total = Counts()
    for k in range(pattern.width):
        tables = [lane_table(rows, cells[k]) for cells in pattern.cells]
        entries = len(tables) * len(rows[0])
        if len(set(tables)) == 1:
            total += Counts(luts=_looked_up(tables[0], out_bits))
        elif one_shape(tables):
            wide = max((table[0] - tables[0][0]).bit_length() for table in tables) + 1
            total += Counts(luts=_looked_up(tables[0], out_bits) + out_bits)
            total += Counts(luts=wide if pattern.phases <= FEW else _rom(wide, pattern.phases, family))
        elif registered and rom_place("auto", entries) == "block":
            from bitwright_hw.estimate import block_rams

            total += Counts(block_rams=block_rams(out_bits, entries, family))
        elif registered or pattern.phases > FEW:
            total += Counts(luts=_rom(out_bits, entries, family))
        else:
            total += Counts(luts=sum(_looked_up(table, out_bits) for table in set(tables)))
            total += Counts(luts=out_bits * pattern.phases // 3)
    return total

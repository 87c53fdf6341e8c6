"""What encoders and the tables of pixel sources take: models of LUTs and block RAM, fitted to Yosys' counts."""

from collections.abc import Iterable, Sequence

from bitwright_core.comparators import first_tables
from bitwright_core.framing import InputFormat
from bitwright_core.network import Network, ThresholdEncoding
from bitwright_core.ops.operator import Lookup
from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts
from bitwright_hw.comparison_luts import comparisons_luts
from bitwright_hw.encoder import values_in
from bitwright_hw.families.costs import Costs
from bitwright_hw.lookup import FEW, MOST_STEPS, lane_table, one_shape, table_steps
from bitwright_hw.luts import neurons
from bitwright_hw.pixel_source import SourceParams
from bitwright_hw.rom import rom_place
from bitwright_hw.row_pattern import RowPattern, lane_thresholds, table_pattern, threshold_pattern


def encoder_counts(network: Network, stream: InputFormat, costs: Costs) -> Counts:
    """The encoder between the stream and the first queue or source."""
    rows = network.encoding.rows.tolist()
    bits = stream.value_bits
    beat = values_in(stream)
    if isinstance(network.encoding, ThresholdEncoding):
        if stream.encoded:
            return Counts()
        tables = first_tables(network)
        if tables is not None:  # what they do not read is left out by synthesis
            priced = LaneCosts(network, stream, costs, bits, masked=True)
            return Counts(luts=priced.of(read_units(network, tables, beat)))
        if len(rows) == 1:
            each = sum(_comparator(bits, t, len(rows[0]) == 1, costs) for t in rows[0])
            return Counts(luts=each * beat)
        pattern = threshold_pattern(rows, stream.values, beat)
        return _threshold_rows(pattern, lane_thresholds(pattern, rows, bits), bits, len(rows[0]), costs)
    if len(rows) == 1 or network.takes_images:
        return Counts()
    pattern = table_pattern(rows, stream.values, beat)
    return _phases(pattern, costs) + _tables(
        pattern, list(map(tuple, rows)), network.encoding.number.bits, costs, registered=True
    )


def source_table_counts(source: SourceParams, costs: Costs) -> Counts:
    """The tables in a pixel source."""
    if len(source.tables) == 1:
        return Counts(luts=source.width * _looked_up(source.tables[0], source.out_bits))
    pattern = table_pattern(source.tables, source.pixels * source.channels, source.width)
    return _phases(pattern, costs) + _tables(pattern, source.tables, source.out_bits, costs, registered=False)


def read_units(network: Network, tables: Lookup, beat: int) -> set[tuple[int, int]]:
    """The comparisons, (value of a beat of `beat`, level), that some table of the first layer depends on."""
    levels = network.encoding.levels
    lanes = {lane for wires, _ in neurons(tables) for lane in wires}
    return {(lane // levels % beat, lane % levels) for lane in lanes}


def plain_bits(network: Network, stream: InputFormat) -> int | None:
    """Bits of values in a beat that the first tables read as they are, encoder or not; None where there are none."""
    tables = first_tables(network)
    if tables is None or stream.encoded:
        return None
    rows, half = network.encoding.rows.tolist(), 1 << stream.value_bits - 1
    units = read_units(network, tables, values_in(stream))
    return sum(any(row[level] == half for row in rows) for _, level in units)


class LaneCosts:
    """LUTs of comparing values of a beat with thresholds: unit (k, l) is value k of a beat and level l.

    `bits` bits of a value are looked at. With `masked` the guard makes them 0 in frames that ended early, as those of
    several beats can, which takes an input of each comparison.
    """

    def __init__(self, network: Network, stream: InputFormat, costs: Costs, bits: int, *, masked: bool):
        rows, beat = network.encoding.rows.tolist(), values_in(stream)
        levels = len(rows[0])
        self._bits, self._inputs, self._masked = bits, costs.lut_inputs, masked and stream.beats > 1
        self._phases = 0  # the counter that says which row is next, for units whose threshold changes
        self._changing: set[tuple[int, int]] = set()
        self._row = rows[0] if len(rows) == 1 else None
        self._luts: dict[tuple[int, int], int] = {}  # of each unit, where rows differ
        if self._row is not None:
            return
        pattern = threshold_pattern(rows, stream.values, beat)
        self._phases = _phases(pattern, costs).luts
        for number, lane in enumerate(lane_thresholds(pattern, rows, bits)):
            unit = divmod(number, levels)
            if len(set(lane)) == 1:
                self._luts[unit] = _comparator(bits, lane[0], levels == 1, costs)
                continue
            self._changing.add(unit)
            if pattern.phases <= FEW:
                each_of = sum(_comparator(bits, threshold, True, costs) for threshold in set(lane))
                self._luts[unit] = each_of + (pattern.phases + 1) // 3
            else:
                compared = round(costs.encoder.compared.at(bits))
                self._luts[unit] = _rom(bits + 1, pattern.phases, costs) + compared

    def of(self, units: Iterable[tuple[int, int]]) -> int:
        """What these take together."""
        units = set(units)
        if self._row is not None:
            read: dict[int, list[int]] = {}
            for value, level in units:
                read.setdefault(value, []).append(self._row[level])
            compared = (
                comparisons_luts(thresholds, self._bits, self._inputs, masked=self._masked)
                for thresholds in read.values()
            )
            return sum(compared)
        return sum(self._luts[unit] for unit in units) + (self._phases if units & self._changing else 0)


def late_comparator(bits: int, costs: Costs) -> int:
    """LUTs of a comparison of so many bits that stands alone."""
    return 0 if bits < 2 else max(1, ceil_div(bits - 1, costs.lut_inputs - 1))


def _comparator(value_bits: int, threshold: int, alone: bool, costs: Costs) -> int:
    """LUTs of an encoder's comparison: by the bits from the threshold's lowest 1 on; several share some."""
    if threshold in (0, 1 << value_bits):
        return 0
    bits = value_bits - ((threshold & -threshold).bit_length() - 1)
    if bits == 1:
        return 0
    return max(1, ceil_div(bits - 1, costs.lut_inputs - 1) - (not alone))


def _phases(pattern: RowPattern, costs: Costs) -> Counts:
    """The counters of a pattern."""
    if pattern.phases == 1:
        return Counts()
    bits = (pattern.phases - 1).bit_length()
    if pattern.words % pattern.phases:
        bits += (pattern.words - 1).bit_length()
    return Counts(luts=round(costs.encoder.phase * bits), ffs=bits)


def _rom(width: int, depth: int, costs: Costs) -> int:
    """LUTs of a ROM in LUTs, read in the same cycle."""
    return round(width * max(1, depth / costs.lut_bits) * costs.encoder.rom)


def _threshold_rows(pattern: RowPattern, lanes: list[list[int]], value_bits: int, levels: int, costs: Costs) -> Counts:
    total = _phases(pattern, costs)
    differing = [lane for lane in lanes if len(set(lane)) > 1]
    same = [lane for lane in lanes if len(set(lane)) == 1]
    total += Counts(luts=sum(_comparator(value_bits, lane[0], levels == 1, costs) for lane in same))
    if pattern.phases <= FEW:
        for lane in differing:
            each = sum(_comparator(value_bits, t, True, costs) for t in set(lane))
            total += Counts(luts=each + (pattern.phases + 1) // 3)
        return total
    wide = value_bits + 1
    compared = round(costs.encoder.compared.at(value_bits))
    return total + Counts(luts=_rom(wide * len(differing), pattern.phases, costs) + compared * len(differing))


def _looked_up(table: Sequence[int], out_bits: int) -> int:
    bits = (len(table) - 1).bit_length()
    return 2 * bits if table_steps(table) <= MOST_STEPS else out_bits * max(1, len(table) >> 6)


def _tables(
    pattern: RowPattern, rows: Sequence[tuple[int, ...]], out_bits: int, costs: Costs, *, registered: bool
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
            total += Counts(luts=wide if pattern.phases <= FEW else _rom(wide, pattern.phases, costs))
        elif registered and rom_place("auto", entries) == "block":
            total += Counts(block_rams=costs.block_rams(out_bits, entries))
        elif registered or pattern.phases > FEW:
            total += Counts(luts=_rom(out_bits, entries, costs))
        else:
            total += Counts(luts=sum(_looked_up(table, out_bits) for table in set(tables)))
            total += Counts(luts=out_bits * pattern.phases // 3)
    return total

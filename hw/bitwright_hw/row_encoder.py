"""Encoders whose thresholds or tables differ from channel to channel, or from value to value of a frame."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.encoder import Encoder, at_least
from bitwright_hw.lookup import FEW, chosen, lane_table, looked_up_in, one_shape, padded, rom
from bitwright_hw.rom import Rom, rom_attributes
from bitwright_hw.row_pattern import lane_thresholds, table_pattern, threshold_pattern


class RowEncoder(wiring.Component):
    """Encoder with rows of thresholds: value i of a frame of `values` takes row i % len(rows).

    A threshold may be 0 (always 1) or 2^value_bits (always 0), too. What lies beyond the frame in its last beat becomes
    0. Beats are counted, so a frame must come whole; the count returns to a frame's start on reset only.

    Latency: 1 cycle. Throughput: a beat a cycle. Cost of a bit, where its thresholds differ from beat to beat: up to
    FEW of Encoder's comparisons and the choice of one, or a ROM of thresholds in LUTs and a carry chain.
    """

    LATENCY = Encoder.LATENCY

    def __init__(self, *, beat_bits: int, value_bits: int, rows: Sequence[Sequence[int]], values: int):
        if beat_bits % value_bits:
            raise ValueError(f"value_bits must divide beat_bits, not {value_bits} and {beat_bits}")
        if not rows or min(map(min, rows)) < 0 or max(map(max, rows)) > 1 << value_bits:
            raise ValueError(f"rows of thresholds must lie in 0..{1 << value_bits}")
        self.beat_bits = beat_bits
        self.value_bits = value_bits
        self.rows = tuple(tuple(row) for row in rows)
        self.values = values
        self.pattern = threshold_pattern(self.rows, values, beat_bits // value_bits)
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits, always_ready=True)),
                "o": Out(stream.Signature(self.out_width, always_ready=True)),
            }
        )

    @property
    def levels(self) -> int:
        return len(self.rows[0])

    @property
    def out_width(self) -> int:
        return self.beat_bits // self.value_bits * self.levels

    def elaborate(self, platform: object) -> Module:
        m = Module()
        phase = self.pattern.phase(m, self.i.valid)
        lanes = lane_thresholds(self.pattern, self.rows, self.value_bits)
        fields = [self.i.payload[k * self.value_bits :][: self.value_bits] for k in range(self.pattern.width)]
        values = [value for value in fields for _ in range(self.levels)]
        encoded = compared_by_phase(m, phase, values, lanes, self.value_bits)
        payload = Signal(self.out_width)
        m.d.comb += payload.eq(Cat(encoded))
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(payload)]
        return m


class RowTableEncoder(wiring.Component):
    """TableEncoder with a table for each channel or value: value i of a frame of `values` takes row i % len(rows).

    What lies beyond the frame in its last beat becomes 0. Beats are counted, so a frame must come whole; the count
    returns to a frame's start on reset only.

    Latency: 1 cycle. Throughput: a beat a cycle. Tables that differ by a constant from beat to beat, or are the same,
    cost LUTs as TableEncoder's do; others of a lane lie in a memory behind each other, in block RAM as a rule.
    """

    LATENCY = Encoder.LATENCY

    def __init__(self, *, beat_bits: int, value_bits: int, rows: Sequence[Sequence[int]], values: int, out_bits: int):
        if beat_bits % value_bits:
            raise ValueError(f"value_bits must divide beat_bits, not {value_bits} and {beat_bits}")
        if not rows or not rows[0] or len(rows[0]) > 1 << value_bits:
            raise ValueError(f"tables for {value_bits}-bit values have 1..{1 << value_bits} entries")
        self.beat_bits = beat_bits
        self.value_bits = value_bits
        self.rows = tuple(tuple(row) for row in rows)
        self.values = values
        self.out_bits = out_bits
        self.pattern = table_pattern(self.rows, values, beat_bits // value_bits)
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits, always_ready=True)),
                "o": Out(stream.Signature(beat_bits // value_bits * out_bits, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        phase = self.pattern.phase(m, self.i.valid)
        index_bits = max(1, (len(self.rows[0]) - 1).bit_length())
        m.d.sync += self.o.valid.eq(self.i.valid)
        for k in range(self.pattern.width):
            value = self.i.payload[k * self.value_bits :][:index_bits]
            tables = [lane_table(self.rows, cells[k]) for cells in self.pattern.cells]
            result = self.o.payload[k * self.out_bits :][: self.out_bits]
            if one_shape(tables):
                m.d.sync += result.eq(looked_up_in(m, value, phase, tables, self.out_bits))
                continue
            words = [entry & (1 << self.out_bits) - 1 for table in tables for entry in padded(table, index_bits)]
            storage = Rom.of(self.out_bits, words, attrs=rom_attributes("auto", len(words)))
            m.submodules[f"tables_{k}"] = storage
            reader = storage.read_port()
            m.d.comb += [reader.addr.eq(Cat(value, phase)), result.eq(reader.data)]
        return m


def compared_by_phase(
    m: Module, phase: Value, values: Sequence[Value], lanes: Sequence[Sequence[int]], value_bits: int
) -> list[Value]:
    """Comparisons of `values`, each with the threshold that its lane has in this phase.

    Of many phases a ROM gives the thresholds; those that are the same in each need none.
    """
    phases = len(lanes[0])
    if phases <= FEW:
        return [chosen(phase, [reaches(value, t) for t in lane]) for value, lane in zip(values, lanes, strict=True)]
    differing = [k for k, lane in enumerate(lanes) if len(set(lane)) > 1]
    wide = value_bits + 1
    words = [sum(lanes[k][p] << n * wide for n, k in enumerate(differing)) for p in range(phases)]
    held = rom(m, "thresholds", phase, words, wide * len(differing))
    result = [reaches(value, lane[0]) for value, lane in zip(values, lanes, strict=True)]
    for n, k in enumerate(differing):
        result[k] = values[k] >= held[n * wide : (n + 1) * wide]
    return result


def reaches(value: Value, threshold: int) -> Value:
    """value >= threshold, which may be 0 or beyond the value."""
    if threshold == 0:
        return Const(1, 1)
    return Const(0, 1) if threshold >> len(value) else at_least(value, threshold)

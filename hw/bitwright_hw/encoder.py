"""Unsigned integers to bits, a beat at a time."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.framing import InputFormat
from bitwright_core.network import Network
from bitwright_hw.lookup import looked_up


class Encoder(wiring.Component):
    """Compares the values of a beat with the thresholds of a threshold or thermometer code.

    `i` holds beat_bits / value_bits values, value 0 lowest; `o` holds, for each value, one bit a level
    (value >= thresholds[level], levels fastest). A value of zero gives zeros, so padding stays padding.

    Latency: 1 cycle. Throughput: a beat a cycle. Cost of a bit: none where the threshold is half the range (the top
    bit itself), else one to three LUTs for values of eight bits, fewer the more zeros the threshold ends in.
    """

    LATENCY = 1

    def __init__(self, *, beat_bits: int, value_bits: int, thresholds: Sequence[int]):
        if beat_bits % value_bits:
            raise ValueError(f"value_bits must divide beat_bits, not {value_bits} and {beat_bits}")
        if not thresholds or min(thresholds) < 1 or max(thresholds) >> value_bits:
            raise ValueError(f"thresholds must lie in 1..{(1 << value_bits) - 1}, not {list(thresholds)}")
        self.beat_bits = beat_bits
        self.value_bits = value_bits
        self.thresholds = tuple(thresholds)
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits, always_ready=True)),
                "o": Out(stream.Signature(self.out_width, always_ready=True)),
            }
        )

    @property
    def out_width(self) -> int:
        return self.beat_bits // self.value_bits * len(self.thresholds)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = []
        for low in range(0, self.beat_bits, self.value_bits):
            value = self.i.payload[low : low + self.value_bits]
            bits += [at_least(value, threshold) for threshold in self.thresholds]
        encoded = Signal(self.out_width)
        m.d.comb += encoded.eq(Cat(bits))
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(encoded)]
        return m


def at_least(value: Value, threshold: int) -> Value:
    """value >= threshold (1 or more) as gates: synthesis takes a comparison with a constant for a carry chain, which is
    longer, and which a carry has to enter and to leave."""
    lowest = (threshold & -threshold).bit_length() - 1
    reached: Value = value[lowest]
    for k in range(lowest + 1, len(value)):
        reached = value[k] & reached if threshold >> k & 1 else value[k] | reached
    return reached


class TableEncoder(wiring.Component):
    """Replaces each value of a beat by a signed integer, that of its index in `table`.

    `i` holds beat_bits / value_bits values, value 0 lowest, `o` as many integers of `out_bits` bits.
    Latency: 1 cycle. Throughput: a beat a cycle.
    """

    LATENCY = Encoder.LATENCY

    def __init__(self, *, beat_bits: int, value_bits: int, table: Sequence[int], out_bits: int):
        if beat_bits % value_bits:
            raise ValueError(f"value_bits must divide beat_bits, not {value_bits} and {beat_bits}")
        if not table or len(table) > 1 << value_bits:
            raise ValueError(f"a table for {value_bits}-bit values has 1..{1 << value_bits} entries, not {len(table)}")
        self.beat_bits = beat_bits
        self.value_bits = value_bits
        self.table = tuple(table)
        self.out_bits = out_bits
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits, always_ready=True)),
                "o": Out(stream.Signature(beat_bits // value_bits * out_bits, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index_bits = max(1, (len(self.table) - 1).bit_length())
        values = [self.i.payload[low : low + index_bits] for low in range(0, self.beat_bits, self.value_bits)]
        integers = [looked_up(m, value, self.table, self.out_bits) for value in values]
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(Cat(*integers))]
        return m


def values_in(format: InputFormat) -> int:
    """Values of a beat that the accelerator reads: all, or a frame's where one beat holds a frame and padding."""
    return min(format.values, format.data_bits // format.value_bits)


def lanes_in(network: Network, format: InputFormat) -> int:
    """Bits of an encoded beat."""
    if format.encoded:
        return values_in(format)
    return values_in(format) * network.encoding.levels * network.encoding.number.bits

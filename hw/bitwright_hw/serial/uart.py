"""An asynchronous serial line: 8 data bits, no parity, one stop bit, least significant bit first, idle high."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitwright_core.errors import BoardError

MOST_ERROR = 0.02  # of a bit's length; 9.5 bits lie between the edge that starts a byte and its last sample
LEAST_DIVISOR = 4


def divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles a bit. Raises BoardError if no whole number is near enough."""
    cycles = round(clock_hz / baud)
    if cycles < LEAST_DIVISOR:
        raise BoardError(f"{baud:,} baud need a clock of {LEAST_DIVISOR * baud / 1e6:g} MHz or more")
    error = abs(clock_hz / cycles / baud - 1)
    if error > MOST_ERROR:
        raise BoardError(
            f"a clock of {clock_hz / 1e6:g} MHz misses {baud:,} baud by {100 * error:.1f} %; choose another clock"
        )
    return cycles


class UartReceiver(wiring.Component):
    """Bytes from `rx`, each sampled in the middle of its bits; `divisor` cycles a bit.

    `valid` is high for one cycle with each byte in `data`. A byte without stop bit gives none, but `error` for a cycle,
    and nothing more is taken until the line is high.

    Latency: 9.5 bits and 3 cycles from the edge of the start bit. Reset: waits for an idle line.
    """

    def __init__(self, *, divisor: int):
        if divisor < LEAST_DIVISOR:
            raise ValueError(f"divisor must be at least {LEAST_DIVISOR}, not {divisor}")
        self.divisor = divisor
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        timer = Signal(range(self.divisor))
        bits = Signal(range(10))
        m.d.sync += [self.valid.eq(0), self.error.eq(0)]

        with m.FSM(init="HIGH"):
            with m.State("HIGH"), m.If(line):
                m.next = "IDLE"
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self.divisor // 2 - 1), bits.eq(0)]
                with m.If(~line):
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += [timer.eq(self.divisor - 1), bits.eq(bits + 1)]
                    with m.If(bits == 0), m.If(line):  # a spike, no start bit
                        m.next = "IDLE"
                    with m.Elif(bits == 9):
                        m.d.sync += [self.valid.eq(line), self.error.eq(~line)]
                        m.next = "HIGH"
                    with m.Else():
                        m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class UartTransmitter(wiring.Component):
    """Bytes of `i` to `tx`, `divisor` cycles a bit, one stop bit.

    Throughput: a byte every 10 bits. Reset: idle line, and the byte that was being sent is cut off.
    """

    def __init__(self, *, divisor: int):
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(self.divisor))
        left = Signal(range(11))
        rest = Signal(9, init=0x1FF)  # what follows the bit on the line
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0), m.If(self.i.valid):
            m.d.sync += [
                self.tx.eq(0),
                rest.eq(Cat(self.i.payload, 1)),
                timer.eq(self.divisor - 1),
                left.eq(10),
            ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), timer.eq(self.divisor - 1)]
            with m.If(left != 1):
                m.d.sync += [self.tx.eq(rest[0]), rest.eq(Cat(rest[1:], 1))]
        return m


class BreakDetector(wiring.Component):
    """`found` is high while `rx` has been low for `cycles` cycles and more, which no byte can do.

    Belongs into a clock domain that the break does not reset.
    """

    def __init__(self, *, cycles: int):
        self.cycles = cycles
        super().__init__({"rx": In(1), "found": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        low = Signal(range(self.cycles + 1))
        m.d.sync += self.found.eq(low == self.cycles)
        with m.If(line):
            m.d.sync += low.eq(0)
        with m.Elif(low != self.cycles):
            m.d.sync += low.eq(low + 1)
        return m

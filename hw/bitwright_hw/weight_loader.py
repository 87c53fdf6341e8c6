"""The loader: bits from the registers into the bank that rests, their CRC, and the swap between two frames."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.loading import WORD, LoadMemory
from bitwright_core.registers import LOAD_STATES
from bitwright_hw.banked_memory import LoadBus
from bitwright_hw.cells import Counts, counter_bits

POLYNOMIAL = 0xEDB88320  # of CRC-32, the coefficient of x^31 lowest


class LoadCommands(wiring.Signature):
    """What the registers tell the loader and hear from it.

    `start`, `end`, `swap` and `cancel` are high for a cycle each, `end` with the CRC in `value`. `data` comes with 32
    bits in `value`, which stay up to a cycle in which `taken` is high, too. `status` has LOAD_STATES, and EMPTY_STATE
    where the memories are `empty` at power-up.
    """

    def __init__(self, *, empty: bool = False) -> None:
        super().__init__(
            {
                "start": Out(1),
                "data": Out(1),
                "taken": In(1),
                "end": Out(1),
                "swap": Out(1),
                "cancel": Out(1),
                "value": Out(WORD),
                "status": In(len(LOAD_STATES) + empty),
                "weights_crc": In(32),
            }
        )


class WeightLoader(wiring.Component):
    """Writes the bits of a load to the bank that rests of all memories, one after the other, and changes the banks
    between two frames.

    A load is begun by `start`, brought by `data`, and ended by `end` with its CRC-32, which must be that of the bits
    that came. Then `swap` makes it wait for `idle`: it holds `hold` high, which keeps new frames out, and changes
    `bank` when no frame is inside. What was loaded is no use until then, so a load that is cut off or wrong changes
    nothing. `weights_crc` is the CRC of the bank that computes, first `initial_crc`; with None there are no weights at
    power-up, the CRC is 0, and `hold` stays high until a load was swapped in. A command that cannot be followed sets
    `failed`, and does nothing else.

    Bits shift into one register for all memories, so that a load takes few gates, whatever the widths.

    A reset ends a load, and takes a swap back that has not happened; the bank stays, and so does its CRC.

    Latency: 32 cycles from `data` to `taken`; 1 cycle from `swap`, with `idle` high, to `bus.refill`, and 2 to the new
    bank. Throughput: a bit a cycle.
    """

    def __init__(self, *, memories: Sequence[LoadMemory], initial_crc: int | None):
        self.memories = tuple(memories)
        self.initial_crc = initial_crc
        super().__init__(
            {
                "commands": In(LoadCommands(empty=initial_crc is None)),
                "bus": Out(LoadBus(self.memories)),
                "idle": In(1),
                "hold": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        commands, bus = self.commands, self.bus
        loading = Signal()
        complete = Signal()
        wrong = Signal()
        ready = Signal()
        swapping = Signal()
        failed = Signal()
        bank = Signal(reset_less=True)
        weights_crc = Signal(32, init=self.initial_crc or 0, reset_less=True)
        empty = Signal(init=1, reset_less=True) if self.initial_crc is None else None
        states = [loading, ready, swapping, failed, bank, *([] if empty is None else [empty])]
        begins = Signal()
        m.d.comb += [
            commands.status.eq(Cat(states)),
            commands.weights_crc.eq(weights_crc),
            bus.bank.eq(bank),
            self.hold.eq(swapping if empty is None else swapping | empty),
            begins.eq(commands.start & ~swapping),
        ]
        shift, bit, surplus = self._bits(m, loading, complete)
        crc = Signal(32)
        with m.If(shift):
            m.d.axi += crc.eq(crc[1:] ^ Mux(crc[0] ^ bit, POLYNOMIAL, 0))
        self._store(m, shift & ~complete, bit, complete, begins)
        with m.If(surplus):
            m.d.axi += [wrong.eq(1), failed.eq(1)]
        with m.If(commands.start):
            m.d.axi += failed.eq(swapping)
        with m.If(begins):
            m.d.axi += [loading.eq(1), ready.eq(0), wrong.eq(0), crc.eq(0xFFFFFFFF)]
        with m.If(commands.end):
            fits = Signal()
            m.d.comb += fits.eq(loading & complete & ~wrong & (commands.value == ~crc))
            m.d.axi += [loading.eq(0), ready.eq(ready | fits), failed.eq(~fits)]
        with m.If(commands.swap):
            m.d.axi += [swapping.eq(swapping | ready), failed.eq(~ready & ~swapping)]
        with m.If(commands.cancel):
            m.d.axi += swapping.eq(0)
        with m.Elif(swapping & self.idle):
            m.d.comb += bus.refill.eq(1)
            m.d.axi += [bank.eq(~bank), weights_crc.eq(~crc), ready.eq(0), swapping.eq(0)]
            if empty is not None:
                m.d.axi += empty.eq(0)
        return m

    def _bits(self, m: Module, loading: Signal, complete: Signal) -> tuple[Signal, Value, Signal]:
        """Whether a bit of the load comes, which, and whether there is a word that no load has."""
        commands = self.commands
        count = Signal(range(WORD))
        shift = Signal()
        surplus = Signal()
        m.d.comb += [
            surplus.eq(commands.data & (count == 0) & (complete | ~loading)),
            shift.eq(commands.data & ~surplus),
            commands.taken.eq(surplus | (count == WORD - 1)),
        ]
        with m.If(shift):
            m.d.axi += count.eq(count + 1)
        return shift, commands.value.bit_select(count, 1), surplus

    def _store(self, m: Module, taken: Value, bit: Value, complete: Signal, begins: Signal) -> None:
        """Shifts a bit that is `taken` into the word, and lets a whole one be written; `complete` behind the last."""
        bus = self.bus
        number = Signal(range(len(self.memories)))
        address = Signal(bus.address.shape())
        place = Signal(range(max(2, len(bus.word))))
        last_bit = Signal()
        last_word = Signal()
        with m.Switch(number):
            for k, memory in enumerate(self.memories):
                with m.Case(k):
                    m.d.comb += [last_bit.eq(place == memory.width - 1), last_word.eq(address == memory.depth - 1)]
        m.d.axi += bus.write.eq(0)
        with m.If(taken):
            m.d.axi += [bus.word.eq(Cat(bus.word, bit)[1:]), place.eq(place + 1)]
            with m.If(last_bit):
                m.d.axi += [place.eq(0), address.eq(address + 1), bus.address.eq(address)]
                m.d.axi += [write.eq(number == k) for k, write in enumerate(bus.write)]
                with m.If(last_word):
                    m.d.axi += [address.eq(0), number.eq(number + 1), complete.eq(number == len(self.memories) - 1)]
        with m.If(begins):
            m.d.axi += [number.eq(0), address.eq(0), place.eq(0), complete.eq(0)]


def loader_counts(memories: Sequence[LoadMemory]) -> Counts:
    """What the loader and its registers take, on 7-series."""
    widest = max(memory.width for memory in memories)
    deepest = max(memory.depth for memory in memories)
    counters = counter_bits(widest) + 2 * counter_bits(deepest) + 2 * counter_bits(len(memories))
    return Counts(luts=LUTS + 3 * counters, ffs=80 + widest + counters + len(memories))


LUTS = 150  # but for counters and the constants that they are compared with

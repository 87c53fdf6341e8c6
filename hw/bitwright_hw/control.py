"""The AXI4-Lite registers: who the accelerator is, what it has done, what went wrong."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.ports import lite_ports
from bitwright_core.registers import (
    ADDRESS_BITS,
    CONTROL,
    COUNTERS,
    DATA_BITS,
    ERRORS,
    LOAD,
    LOAD_COMMANDS,
    LOADABLE,
    REGISTERS,
)
from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.weight_loader import LoadCommands

RESET_CYCLES = 4  # how long a soft reset lasts


class AxiLiteSignature(wiring.Signature):
    """AXI4-Lite as a subordinate sees it (Arm IHI 0022), 32 bits wide, flat names."""

    def __init__(self) -> None:
        super().__init__({port.name: (Out if port.driven else In)(port.bits) for port in lite_ports()})


class Control(wiring.Component):
    """The registers of docs/hardware.md behind AXI4-Lite; every access ends with OKAY.

    `constants` gives the read-only registers' values. `count` inputs are high in each cycle that counts;
    `errors` sets the bits of ERRORS, which stay until 1 is written to them. A write of 1 to CONTROL bit 0 holds
    `soft_reset` high for RESET_CYCLES cycles and clears counters and errors; bit 1 is `batch`, which a soft
    reset keeps. Unknown addresses read as zero and ignore writes.

    Latency: a read answers 1 cycle after its address, a write 1 cycle after the later of address and data.
    """

    registers = REGISTERS

    def __init__(self, *, constants: Mapping[str, int]):
        unknown = set(constants) - set(self.registers)
        if unknown:
            raise ValueError(f"no such register: {min(unknown)}")
        self.constants = dict(constants)
        super().__init__(
            {
                "bus": Out(AxiLiteSignature()),
                "count": In(len(COUNTERS)),
                "errors": In(len(ERRORS.fields)),
                "busy": In(1),
                "soft_reset": Out(1),
                "batch": Out(1),
                **self._more_ports(),
            }
        )

    def _more_ports(self) -> dict[str, wiring.Member]:
        """Ports of a control with more registers."""
        return {}

    def _accepts(self, m: Module, address: Signal, value: Signal, may: Value) -> Value:
        """Whether a write of `value` to `address` happens, where it may."""
        return may

    def _more_writes(self, m: Module, address: Signal, value: Signal) -> None:
        """What a write to another register does, in the cycle in which it happens."""

    def _more_reads(self) -> dict[str, Value]:
        """What other registers read as."""
        return {}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        errors = Signal(len(ERRORS.fields))
        counters = [Signal(DATA_BITS, name=register.name.lower()) for register in COUNTERS]
        reset_left = Signal(range(RESET_CYCLES + 1))
        m.d.comb += self.soft_reset.eq(reset_left != 0)
        for counter, high in zip(counters, self.count, strict=True):
            with m.If(high):
                m.d.axi += counter.eq(counter + 1)
        m.d.axi += errors.eq(errors | self.errors)

        # Writes: address and data are kept until both are there and the last answer has gone.
        address = Signal(ADDRESS_BITS)
        have_address = Signal()
        value = Signal(32)
        strobe = Signal(4)
        have_value = Signal()
        m.d.comb += [bus.awready.eq(~have_address), bus.wready.eq(~have_value), bus.bresp.eq(0)]
        with m.If(bus.awvalid & bus.awready):
            m.d.axi += [address.eq(bus.awaddr), have_address.eq(1)]
        with m.If(bus.wvalid & bus.wready):
            m.d.axi += [value.eq(bus.wdata), strobe.eq(bus.wstrb), have_value.eq(1)]
        with m.If(bus.bready):
            m.d.axi += bus.bvalid.eq(0)
        write = Signal()
        may = have_address & have_value & (~bus.bvalid | bus.bready)
        m.d.comb += write.eq(self._accepts(m, address, value, may))
        with m.If(write):
            m.d.axi += [have_address.eq(0), have_value.eq(0), bus.bvalid.eq(1)]
        with m.If(write & strobe[0]), m.Switch(address[2:]):
            with m.Case(REGISTERS["CONTROL"] // 4):
                m.d.axi += self.batch.eq(value[CONTROL.field("batch").bit])
                with m.If(value[CONTROL.field("soft_reset").bit]):
                    m.d.axi += reset_left.eq(RESET_CYCLES)
            with m.Case(REGISTERS["ERRORS"] // 4):
                m.d.axi += errors.eq((errors & ~value[: len(ERRORS.fields)]) | self.errors)
            self._more_writes(m, address, value)
        with m.If(self.soft_reset):
            m.d.axi += [reset_left.eq(reset_left - 1), errors.eq(0), *(c.eq(0) for c in counters)]

        # Reads
        read = Signal(32)
        status = {
            "CONTROL": Cat(self.soft_reset, self.batch),
            "STATUS": self.busy,
            "ERRORS": errors,
            **{register.name: counter for register, counter in zip(COUNTERS, counters, strict=True)},
            **self._more_reads(),
        }
        with m.Switch(bus.araddr[2:]):
            for name, offset in self.registers.items():
                with m.Case(offset // 4):
                    m.d.comb += read.eq(status[name] if name in status else self.constants.get(name, 0))
        m.d.comb += [bus.arready.eq(~bus.rvalid | bus.rready), bus.rresp.eq(0)]
        with m.If(bus.arready):
            m.d.axi += [bus.rvalid.eq(bus.arvalid), bus.rdata.eq(Mux(bus.arvalid, read, bus.rdata))]
        return m


class LoadControl(Control):
    """The registers of a design with loadable layers: those of Control, and those of loads, which are the loader's.

    A write of LOAD_DATA takes 32 cycles, in which the loader takes its bits. `empty` says that there are no weights at
    power-up.
    """

    registers = LOADABLE

    def __init__(self, *, constants: Mapping[str, int], empty: bool = False):
        self.empty = empty
        super().__init__(constants=constants)

    def _more_ports(self) -> dict[str, wiring.Member]:
        return {"load": Out(LoadCommands(empty=self.empty))}

    def _accepts(self, m: Module, address: Signal, value: Signal, may: Value) -> Value:
        load = self.load
        data = Signal()
        m.d.comb += [load.value.eq(value), data.eq(address[2:] == LOADABLE["LOAD_DATA"] // 4), load.data.eq(may & data)]
        return may & (~data | load.taken)

    def _more_writes(self, m: Module, address: Signal, value: Signal) -> None:
        load = self.load
        with m.Case(LOADABLE["LOAD"] // 4):
            m.d.comb += [getattr(load, name).eq(value[LOAD.field(name).bit]) for name in LOAD_COMMANDS]
        with m.Case(LOADABLE["WEIGHTS_CRC"] // 4):
            m.d.comb += load.end.eq(1)

    def _more_reads(self) -> dict[str, Value]:
        load = self.load
        return {"LOAD": load.status << LOAD.field("loading").bit, "WEIGHTS_CRC": load.weights_crc}


def control_counts(costs: Costs) -> Counts:
    """What Control takes."""
    return Counts(luts=costs.control, ffs=181)

"""The accelerator's ports as the bus interfaces that Vivado's IP integrator knows.

Wrapper, packaging script and IP-XACT description are all written from `interfaces`.
"""

from dataclasses import dataclass

from bitwright_core.design import Manifest
from bitwright_core.framing import RESULT_BITS
from bitwright_core.ports import CLOCK, CONTROL, INPUT, OUTPUT, RESET, BusPort, lite_ports, stream_ports
from bitwright_core.registers import ADDRESS_BITS, DATA_BITS


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the wrapper. `logical` is the signal's name within its bus interface."""

    name: str
    output: bool
    bits: int
    logical: str

    @property
    def range(self) -> str:
        """The port's Verilog range, empty for one bit."""
        return "" if self.bits == 1 else f"[{self.bits - 1}:0]"


@dataclass(frozen=True, kw_only=True)
class BusInterface:
    """Ports that belong together. `bus` is the type's name, as in xilinx.com:interface:axis:1.0."""

    name: str
    group: str  # interface or signal
    bus: str  # axis, aximm, clock or reset
    master: bool
    ports: tuple[Port, ...]
    parameters: tuple[tuple[str, str], ...]

    @property
    def vlnv(self) -> str:
        """The bus type as vendor, library, name and version, joined by colons."""
        return f"xilinx.com:{self.group}:{self.bus}:1.0"

    @property
    def abstraction(self) -> str:
        """The bus type with its signals (IP-XACT's abstraction), written as `vlnv` is."""
        return f"xilinx.com:{self.group}:{self.bus}_rtl:1.0"


def interfaces(manifest: Manifest) -> tuple[BusInterface, ...]:
    """Clock, reset, both streams and the control bus, in the order of the wrapper's ports."""
    buses = (INPUT, OUTPUT, CONTROL)
    clock = BusInterface(
        name=CLOCK,
        group="signal",
        bus="clock",
        master=False,
        ports=(Port(name=CLOCK, output=False, bits=1, logical="CLK"),),
        parameters=(("ASSOCIATED_BUSIF", ":".join(buses)), ("ASSOCIATED_RESET", RESET)),
    )
    reset = BusInterface(
        name=RESET,
        group="signal",
        bus="reset",
        master=False,
        ports=(Port(name=RESET, output=False, bits=1, logical="RST"),),
        parameters=(("POLARITY", "ACTIVE_LOW"),),
    )
    return (
        clock,
        reset,
        _stream(INPUT, manifest.input.data_bits, master=False),
        _stream(OUTPUT, RESULT_BITS, master=True),
        _lite(),
    )


def _stream(name: str, bits: int, *, master: bool) -> BusInterface:
    parameters = (
        ("TDATA_NUM_BYTES", str(bits // 8)),
        ("TDEST_WIDTH", "0"),
        ("TID_WIDTH", "0"),
        ("TUSER_WIDTH", "0"),
        ("HAS_TREADY", "1"),
        ("HAS_TSTRB", "0"),
        ("HAS_TKEEP", "1"),
        ("HAS_TLAST", "1"),
    )
    return BusInterface(
        name=name,
        group="interface",
        bus="axis",
        master=master,
        ports=_ports(name, stream_ports(bits, driven=master)),
        parameters=parameters,
    )


def _lite() -> BusInterface:
    parameters = (("PROTOCOL", "AXI4LITE"), ("DATA_WIDTH", str(DATA_BITS)), ("ADDR_WIDTH", str(ADDRESS_BITS)))
    return BusInterface(
        name=CONTROL,
        group="interface",
        bus="aximm",
        master=False,
        ports=_ports(CONTROL, lite_ports()),
        parameters=parameters,
    )


def _ports(prefix: str, ports: tuple[BusPort, ...]) -> tuple[Port, ...]:
    return tuple(
        Port(name=f"{prefix}_{port.name}", output=port.driven, bits=port.bits, logical=port.name.upper())
        for port in ports
    )

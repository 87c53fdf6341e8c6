"""The accelerator's ports as the bus interfaces that Vivado's IP integrator knows.

Wrapper, packaging script and IP-XACT description are all written from `interfaces`.
"""

from dataclasses import dataclass

from bitwright_boards.pynq_design import CONTROL_INTERFACE
from bitwright_core.design import Manifest
from bitwright_core.framing import RESULT_BITS

ADDRESS_BITS = 8
CLOCK, RESET = "aclk", "aresetn"


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the wrapper. `logical` is the signal's name within its bus interface."""

    name: str
    output: bool
    bits: int
    logical: str

    @property
    def range(self) -> str:
        """Its Verilog range, empty for one bit."""
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
        """The bus type."""
        return f"xilinx.com:{self.group}:{self.bus}:1.0"

    @property
    def abstraction(self) -> str:
        """The bus type at the level of signals."""
        return f"xilinx.com:{self.group}:{self.bus}_rtl:1.0"


def interfaces(manifest: Manifest) -> tuple[BusInterface, ...]:
    """Clock, reset, both streams and the control bus, in the order of the wrapper's ports."""
    buses = ("s_axis", "m_axis", CONTROL_INTERFACE)
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
        _stream("s_axis", manifest.input.data_bits, master=False),
        _stream("m_axis", RESULT_BITS, master=True),
        _lite(),
    )


def _stream(name: str, bits: int, *, master: bool) -> BusInterface:
    signals = (("TDATA", bits, True), ("TKEEP", bits // 8, True), ("TVALID", 1, True), ("TREADY", 1, False))
    ports = [
        Port(name=f"{name}_{signal.lower()}", output=forward == master, bits=width, logical=signal)
        for signal, width, forward in (*signals, ("TLAST", 1, True))
    ]
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
        name=name, group="interface", bus="axis", master=master, ports=tuple(ports), parameters=parameters
    )


def _lite() -> BusInterface:
    name = CONTROL_INTERFACE
    signals = (
        ("AWADDR", ADDRESS_BITS, False),
        ("AWPROT", 3, False),
        ("AWVALID", 1, False),
        ("AWREADY", 1, True),
        ("WDATA", 32, False),
        ("WSTRB", 4, False),
        ("WVALID", 1, False),
        ("WREADY", 1, True),
        ("BRESP", 2, True),
        ("BVALID", 1, True),
        ("BREADY", 1, False),
        ("ARADDR", ADDRESS_BITS, False),
        ("ARPROT", 3, False),
        ("ARVALID", 1, False),
        ("ARREADY", 1, True),
        ("RDATA", 32, True),
        ("RRESP", 2, True),
        ("RVALID", 1, True),
        ("RREADY", 1, False),
    )
    ports = [
        Port(name=f"{name}_{signal.lower()}", output=output, bits=bits, logical=signal)
        for signal, bits, output in signals
    ]
    parameters = (("PROTOCOL", "AXI4LITE"), ("DATA_WIDTH", "32"), ("ADDR_WIDTH", str(ADDRESS_BITS)))
    return BusInterface(
        name=name, group="interface", bus="aximm", master=False, ports=tuple(ports), parameters=parameters
    )

"""The ports of an accelerator, declared once: AXI4-Stream in and out (Arm IHI 0051), AXI4-Lite (Arm IHI 0022)."""

from dataclasses import dataclass

from bitwright_core.framing import RESULT_BITS
from bitwright_core.registers import ADDRESS_BITS, DATA_BITS

CLOCK, RESET = "aclk", "aresetn"
INPUT, OUTPUT, CONTROL = "s_axis", "m_axis", "s_axi_control"  # the interfaces, by the prefix of their ports


@dataclass(frozen=True, kw_only=True)
class BusPort:
    """A signal of an interface, by its name without the prefix, and whether the accelerator drives it."""

    name: str
    bits: int
    driven: bool


def stream_ports(bits: int, *, driven: bool) -> tuple[BusPort, ...]:
    """A stream of `bits` data bits, which the accelerator sends (`driven`) or takes."""
    signals = (("tdata", bits), ("tkeep", bits // 8), ("tvalid", 1), ("tready", 1), ("tlast", 1))
    return tuple(BusPort(name=name, bits=wide, driven=driven != (name == "tready")) for name, wide in signals)


def lite_ports() -> tuple[BusPort, ...]:
    """AXI4-Lite as the accelerator, a subordinate, has it."""
    strobes = DATA_BITS // 8
    channels = (
        (("awaddr", ADDRESS_BITS, False), ("awprot", 3, False), ("awvalid", 1, False), ("awready", 1, True)),
        (("wdata", DATA_BITS, False), ("wstrb", strobes, False), ("wvalid", 1, False), ("wready", 1, True)),
        (("bresp", 2, True), ("bvalid", 1, True), ("bready", 1, False)),
        (("araddr", ADDRESS_BITS, False), ("arprot", 3, False), ("arvalid", 1, False), ("arready", 1, True)),
        (("rdata", DATA_BITS, True), ("rresp", 2, True), ("rvalid", 1, True), ("rready", 1, False)),
    )
    return tuple(BusPort(name=name, bits=bits, driven=driven) for channel in channels for name, bits, driven in channel)


def accelerator_ports(data_bits: int, *, registers: bool = True) -> dict[str, BusPort]:
    """Every port but clock and reset by its full name, for an input stream of `data_bits` bits.

    A design without `registers` has no control bus.
    """
    interfaces = {INPUT: stream_ports(data_bits, driven=False), OUTPUT: stream_ports(RESULT_BITS, driven=True)}
    if registers:
        interfaces[CONTROL] = lite_ports()
    return {f"{prefix}_{port.name}": port for prefix, ports in interfaces.items() for port in ports}

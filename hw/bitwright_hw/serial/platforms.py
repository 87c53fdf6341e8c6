"""Open boards: their parts and pins, by amaranth-boards, and what suits a serial link on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bitwright.errors import ToolError

OpenFamily = Literal["ecp5", "ice40"]


@dataclass(frozen=True, kw_only=True)
class OpenBoard:
    """A board of amaranth-boards. `buffer_bytes` is what its link holds of packets that have arrived.

    `device` and `package` are nextpnr's options. LEDs are `leds`, resources (name, number) of the platform.
    """

    name: str
    module: str
    platform: str
    family: OpenFamily
    device: tuple[str, ...]
    clock: str
    baud: int
    buffer_bytes: int
    leds: tuple[tuple[str, int], ...]


OPEN_BOARDS: Mapping[str, OpenBoard] = {
    board.name: board
    for board in (
        OpenBoard(
            name="ulx3s-85f",
            module="amaranth_boards.ulx3s",
            platform="ULX3S_85F_Platform",
            family="ecp5",
            device=("--85k", "--package", "CABGA381", "--speed", "6"),
            clock="clk25",
            baud=3_000_000,  # the most of its FT231X
            buffer_bytes=8192,
            leds=(("led", 0), ("led", 1), ("led", 2)),
        ),
        OpenBoard(
            name="icebreaker",
            module="amaranth_boards.icebreaker",
            platform="ICEBreakerPlatform",
            family="ice40",
            device=("--up5k", "--package", "sg48"),
            clock="clk12",
            baud=1_000_000,
            buffer_bytes=512,
            leds=(("led_g", 0), ("led_r", 0)),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A port of the top (with index, for `led`), its site, whether the board inverts it, and its attributes."""

    port: str
    site: str
    inverted: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Pins:
    """The pins of a board's top, and its oscillator."""

    clock_mhz: float
    pins: tuple[Pin, ...]

    def lpf(self) -> str:
        """nextpnr-ecp5's constraints."""
        lines = [f'FREQUENCY PORT "clk" {self.clock_mhz:g} MHZ;']
        for pin in self.pins:
            lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.site}";')
            attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
            if attributes:
                lines.append(f'IOBUF PORT "{pin.port}" {attributes};')
        return "\n".join(lines) + "\n"

    def pcf(self) -> str:
        """nextpnr-ice40's constraints."""
        lines = [f"set_frequency clk {self.clock_mhz:g}"]
        for pin in self.pins:
            pullup = "-pullup yes " if pin.attributes.get("PULLUP") == "1" else ""
            lines.append(f"set_io {pullup}{pin.port} {pin.site}")
        return "\n".join(lines) + "\n"


def board_pins(board: OpenBoard) -> Pins:
    """Raises ToolError if amaranth-boards is missing."""
    from importlib import import_module

    try:
        platform = getattr(import_module(board.module), board.platform)()
    except ModuleNotFoundError:
        raise ToolError("the pins of open boards need amaranth-boards: pip install 'bitwright[open]'") from None
    clock = platform.lookup(board.clock)
    uart = platform.lookup("uart", 0)
    lines = {subsignal.name: subsignal for subsignal in uart.ios}
    found = [
        _pin("clk", clock.ios[0], clock.attrs),
        _pin("rx", lines["rx"].ios[0], uart.attrs),
        _pin("tx", lines["tx"].ios[0], uart.attrs),
    ]
    for index, (name, number) in enumerate(board.leds):
        led = platform.lookup(name, number)
        found.append(_pin(f"led[{index}]", led.ios[0], led.attrs))
    return Pins(clock_mhz=clock.clock.frequency / 1e6, pins=tuple(found))


def _pin(port: str, pins: Any, attributes: Mapping[str, Any]) -> Pin:
    (site,) = pins.names
    texts = {name: str(value) for name, value in attributes.items()}
    return Pin(port=port, site=site, inverted=pins.invert, attributes=texts)

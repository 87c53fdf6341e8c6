"""Open boards: their parts and pins, by amaranth-boards, and what suits a serial link on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_hw.families import ECP5, ICE40, Family
from bitwright_hw.families.flow import BoardFlow, Pin, Pins, Wheel


@dataclass(frozen=True, kw_only=True)
class OpenBoard:
    """A board of amaranth-boards. `buffer_bytes` is what its link holds of packets that have arrived.

    `device` and `package` are nextpnr's options. LEDs are `leds`, resources (name, number) of the platform.
    """

    name: str
    module: str
    platform: str
    family: Family
    device: tuple[str, ...]
    clock: str
    baud: int
    buffer_bytes: int
    leds: tuple[tuple[str, int], ...]

    @property
    def flow(self) -> BoardFlow:
        """What makes its bitstream."""
        if self.family.flow is None or self.family.flow.board is None:
            raise ToolError(f"nothing makes bitstreams for {self.family.name} here")
        return self.family.flow.board

    @property
    def wheel(self) -> Wheel:
        """What brings the tools of its flow."""
        if self.family.flow is None:
            raise ToolError(f"nothing places designs for {self.family.name} here")
        return self.family.flow.wheel


OPEN_BOARDS: Mapping[str, OpenBoard] = {
    board.name: board
    for board in (
        OpenBoard(
            name="ulx3s-85f",
            module="amaranth_boards.ulx3s",
            platform="ULX3S_85F_Platform",
            family=ECP5,
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
            family=ICE40,
            device=("--up5k", "--package", "sg48"),
            clock="clk12",
            baud=1_000_000,
            buffer_bytes=512,
            leds=(("led_g", 0), ("led_r", 0)),
        ),
    )
}


def board_pins(board: OpenBoard) -> Pins:
    """Raises ToolError if amaranth-boards is missing."""
    from importlib import import_module

    try:
        platform = getattr(import_module(board.module), board.platform)()
    except ModuleNotFoundError:
        raise ToolError(f"the pins of open boards need amaranth-boards: {install('open')}") from None
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

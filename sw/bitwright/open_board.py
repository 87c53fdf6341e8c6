"""A board's description as the generator of serial links takes it."""

from bitwright_boards import Board
from bitwright_boards.board import BoardPin, Serial
from bitwright_core.errors import BoardError
from bitwright_hw.families import family_named
from bitwright_hw.families.flow import BoardPart, Pin, Pins
from bitwright_hw.serial.open_board import OpenBoard


def open_board(board: Board) -> OpenBoard:
    """`board` with its pins by the names of the top's ports. Raises BoardError for a board without a serial link."""
    if board.serial is None:
        raise BoardError(f"{board.name} has no serial link (its description has no [serial])")
    return OpenBoard(
        name=board.name,
        family=family_named(board.target),
        part=BoardPart(number=board.part, device=board.serial.device),
        pins=_pins(board.serial),
        baud=board.serial.baud,
        buffer_bytes=board.serial.buffer_bytes,
    )


def _pins(serial: Serial) -> Pins:
    ports = {"clk": serial.clock, "rx": serial.rx, "tx": serial.tx}
    ports |= {f"led[{index}]": led for index, led in enumerate(serial.leds)}
    return Pins(clock_mhz=serial.oscillator_mhz, pins=tuple(_pin(port, pin) for port, pin in ports.items()))


def _pin(port: str, pin: BoardPin) -> Pin:
    return Pin(port=port, site=pin.site, inverted=pin.inverted, attributes=pin.attributes)

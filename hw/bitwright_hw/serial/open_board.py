"""What the hardware needs to know of a board with a serial link and an open toolchain."""

from dataclasses import dataclass

from bitwright_core.errors import ToolError
from bitwright_hw.families import Family
from bitwright_hw.families.flow import BoardFlow, Pins, Wheel


@dataclass(frozen=True, kw_only=True)
class OpenBoard:
    """A board, its part and its pins. `buffer_bytes` is what its link holds of packets that have arrived.

    `device` are nextpnr's options for the part.
    """

    name: str
    family: Family
    device: tuple[str, ...]
    pins: Pins
    baud: int
    buffer_bytes: int

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

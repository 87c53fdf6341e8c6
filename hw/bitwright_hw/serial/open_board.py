"""What the hardware needs to know of a board with a serial link."""

from dataclasses import dataclass

from bitwright_core.errors import ToolError
from bitwright_hw.families import Family
from bitwright_hw.families.flow import BoardFlow, BoardPart, Pins, TopFlow, Wheel


@dataclass(frozen=True, kw_only=True)
class OpenBoard:
    """A board, its part and its pins. `buffer_bytes` is what its link holds of packets that have arrived."""

    name: str
    family: Family
    part: BoardPart
    pins: Pins
    baud: int
    buffer_bytes: int

    @property
    def placed_here(self) -> bool:
        """Whether nextpnr makes its bitstream, and not its maker's tool."""
        return self.family.flow is not None and self.family.flow.board is not None

    @property
    def top_flow(self) -> TopFlow:
        """What the board's top needs of its family. Raises ToolError for a family without tops."""
        if self.family.flow is not None and self.family.flow.board is not None:
            return self.family.flow.board
        if self.family.vivado is None:
            raise ToolError(f"nothing makes bitstreams for {self.family.name} here")
        return self.family.vivado

    @property
    def flow(self) -> BoardFlow:
        """The tools that make its bitstream."""
        if self.family.flow is None or self.family.flow.board is None:
            raise ToolError(f"nothing makes bitstreams for {self.family.name} here")
        return self.family.flow.board

    @property
    def wheel(self) -> Wheel:
        """The wheel that brings nextpnr for it."""
        if self.family.flow is None:
            raise ToolError(f"nothing places designs for {self.family.name} here")
        return self.family.flow.wheel

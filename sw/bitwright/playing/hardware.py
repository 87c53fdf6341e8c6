"""What a page of `play` sends its frames to: a simulator or a board."""

from typing import Any, Protocol

from bitwright_core.errors import ToolError


class HardwareGoneError(ToolError):
    """The simulator or the board was lost, or did not answer. The next frame begins anew."""


class Hardware(Protocol):
    """Frames through a design, one at a time, whoever asks."""

    @property
    def where(self) -> str:
        """What computes, for the page's first sentence: "the Verilog of this design, compiled by Verilator,"."""

    def ask(self, values: list[int]) -> dict[str, Any]:
        """What becomes of a frame: class (or None), outputs (scores or bits, or nothing), layers (activations by name,
        as far as they are seen) and cycles. Raises HardwareGoneError, or BitwrightError for what went wrong."""

    def close(self) -> None:
        """Ends it."""

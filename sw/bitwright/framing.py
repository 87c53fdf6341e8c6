"""Frames as the bytes of a stream, and results back: what users need of bitwright_core.framing."""

from bitwright_core.framing import (
    InputFormat,
    OutputFormat,
    input_format,
    output_format,
    pack_frames,
)

__all__ = [
    "InputFormat",
    "OutputFormat",
    "input_format",
    "output_format",
    "pack_frames",
]

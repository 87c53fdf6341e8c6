"""The Network, its parts and its file."""

from bitwright.network.file import load, save
from bitwright.network.model import (
    Dense,
    Edge,
    Encoding,
    Input,
    Network,
    NumberType,
    Scores,
    Thresholds,
    signed_bits,
)

__all__ = [
    "Dense",
    "Edge",
    "Encoding",
    "Input",
    "Network",
    "NumberType",
    "Scores",
    "Thresholds",
    "load",
    "save",
    "signed_bits",
]

"""The Network, its parts and its file."""

from bitwright_core.network.conv import Conv2d
from bitwright_core.network.dense import Dense
from bitwright_core.network.encoding import Encoding, Input, IntegerEncoding
from bitwright_core.network.file import load, save
from bitwright_core.network.model import Layer, Network
from bitwright_core.network.outputs import Scores, Thresholds, Values, Votes
from bitwright_core.network.pool import MaxPool2d
from bitwright_core.network.values import BINARY, MAX_LANES, Edge, NumberType, signed_bits
from bitwright_core.network.windows import Windows

__all__ = [
    "BINARY",
    "MAX_LANES",
    "Conv2d",
    "Dense",
    "Edge",
    "Encoding",
    "Input",
    "IntegerEncoding",
    "Layer",
    "MaxPool2d",
    "Network",
    "NumberType",
    "Scores",
    "Thresholds",
    "Values",
    "Votes",
    "Windows",
    "load",
    "save",
    "signed_bits",
]

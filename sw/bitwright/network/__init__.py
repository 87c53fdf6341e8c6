"""The Network, its parts and its file."""

from bitwright.network.conv import Conv2d
from bitwright.network.dense import Dense
from bitwright.network.encoding import Encoding, Input, IntegerEncoding
from bitwright.network.file import load, save
from bitwright.network.model import Layer, Network
from bitwright.network.outputs import Scores, Thresholds, Values, Votes
from bitwright.network.pool import MaxPool2d
from bitwright.network.values import BINARY, MAX_LANES, Edge, NumberType, signed_bits
from bitwright.network.windows import Windows

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

"""The Network, its parts and its file."""

from bitwright_core.network.conv import Conv2d
from bitwright_core.network.dense import Dense
from bitwright_core.network.encoding import Encoding, Input, IntegerEncoding
from bitwright_core.network.file import load, save
from bitwright_core.network.matrix import MatrixLayer
from bitwright_core.network.model import Layer, Network
from bitwright_core.network.operator import Operator
from bitwright_core.network.outputs import Scores, Thresholds, Values, Votes
from bitwright_core.network.pool import MaxPool2d
from bitwright_core.network.values import BINARY, MAX_LANES, Edge, NumberType, signed_bits
from bitwright_core.network.windows import Pooling, Windows

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
    "MatrixLayer",
    "MaxPool2d",
    "Network",
    "NumberType",
    "Operator",
    "Pooling",
    "Scores",
    "Thresholds",
    "Values",
    "Votes",
    "Windows",
    "load",
    "save",
    "signed_bits",
]

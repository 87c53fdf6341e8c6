"""The Network, its parts and its file."""

from bitwright_core.checks import MAX_LANES
from bitwright_core.edge import Edge
from bitwright_core.network.encoding import Input, IntegerEncoding, ThresholdEncoding
from bitwright_core.network.graph import ENCODED, Node
from bitwright_core.network.heads import Head
from bitwright_core.network.model import Network
from bitwright_core.network.stored import load, save
from bitwright_core.network.worth import Values
from bitwright_core.numbers import BINARY, NumberType, signed_bits
from bitwright_core.ops import (
    Add,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    GroupSum,
    Luts,
    MaxPool2d,
    Operator,
    Quantize,
    SumPool2d,
    Upsample2d,
)
from bitwright_core.ops.lanes import LaneRule, Operand
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.operator import JoinRule
from bitwright_core.ops.windows import Pooling, Windows
from bitwright_core.outputs import Scores, Sums, Thresholds, Votes

__all__ = [
    "BINARY",
    "ENCODED",
    "MAX_LANES",
    "Add",
    "ChannelArgMax",
    "Concat",
    "Conv2d",
    "Dense",
    "Edge",
    "GroupSum",
    "Head",
    "Input",
    "IntegerEncoding",
    "JoinRule",
    "LaneRule",
    "Luts",
    "MatrixLayer",
    "MaxPool2d",
    "Network",
    "Node",
    "NumberType",
    "Operand",
    "Operator",
    "Pooling",
    "Quantize",
    "Scores",
    "SumPool2d",
    "Sums",
    "ThresholdEncoding",
    "Thresholds",
    "Upsample2d",
    "Values",
    "Votes",
    "Windows",
    "load",
    "save",
    "signed_bits",
]

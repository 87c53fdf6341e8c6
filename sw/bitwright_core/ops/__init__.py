"""The operators that a network is made of: a file for each, and what all have in common beside them."""

from bitwright_core.ops.add import Add
from bitwright_core.ops.arg_max import ChannelArgMax
from bitwright_core.ops.concat import Concat
from bitwright_core.ops.conv2d import Conv2d
from bitwright_core.ops.dense import Dense
from bitwright_core.ops.group_sum import GroupSum
from bitwright_core.ops.luts import Luts
from bitwright_core.ops.max_pool2d import MaxPool2d
from bitwright_core.ops.operator import Operator
from bitwright_core.ops.quantize import Quantize
from bitwright_core.ops.sum_pool2d import SumPool2d
from bitwright_core.ops.upsample2d import Upsample2d

OPERATORS: tuple[type[Operator], ...] = (
    Dense,
    Conv2d,
    MaxPool2d,
    SumPool2d,
    Upsample2d,
    Concat,
    Add,
    Quantize,
    ChannelArgMax,
    Luts,
    GroupSum,
)

__all__ = [
    "OPERATORS",
    "Add",
    "ChannelArgMax",
    "Concat",
    "Conv2d",
    "Dense",
    "GroupSum",
    "Luts",
    "MaxPool2d",
    "Operator",
    "Quantize",
    "SumPool2d",
    "Upsample2d",
]

"""What stands between the layers of a model: one value or more to one, the same in torch and in a Network.

Values are numbered: 0 is the encoded input, k + 1 what step k gives. Images are (n, channels, H, W) in torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bitwright_core.edge import Value
from bitwright_core.network import Add, Concat, MaxPool2d, Operator, SumPool2d, Upsample2d


@dataclass(frozen=True, kw_only=True)
class LayerStep:
    """A layer with weights, and the value that it takes."""

    index: int  # of the model's layers
    takes: tuple[int, ...]  # one


@dataclass(frozen=True, kw_only=True)
class JoinStep(ABC):
    """An operator without weights."""

    name: str  # of its layer in a Network
    takes: tuple[int, ...]

    keeps_channels = False  # whether a channel that comes inverted may be given so

    @abstractmethod
    def apply(self, *given: Tensor) -> Tensor:
        """What it gives, in torch."""

    @abstractmethod
    def operator(self, given: Sequence[Value]) -> Operator:
        """Its layer in a Network. Raises NetworkError for values that it cannot take."""


@dataclass(frozen=True, kw_only=True)
class AddStep(JoinStep):
    """The sum of values of one shape: a shortcut."""

    def apply(self, *given: Tensor) -> Tensor:
        total = given[0]
        for more in given[1:]:
            total = total + more
        return total

    def operator(self, given: Sequence[Value]) -> Operator:
        return Add(name=self.name, shape=given[0].edge.shape, takes=tuple(value.edge.number for value in given))


@dataclass(frozen=True, kw_only=True)
class ConcatStep(JoinStep):
    """The channels of images of one size, or values, one behind the other."""

    keeps_channels = True

    def apply(self, *given: Tensor) -> Tensor:
        return torch.cat(given, dim=1)

    def operator(self, given: Sequence[Value]) -> Operator:
        first = given[0].edge.shape
        return Concat(
            name=self.name,
            sizes=tuple(value.edge.shape[-1] for value in given),
            image=(first[0], first[1]) if len(first) == 3 else None,
            takes=tuple(value.edge.number for value in given),
        )


def _image(value: Value) -> tuple[int, int, int]:
    height, width, channels = value.edge.shape
    return height, width, channels


@dataclass(frozen=True, kw_only=True)
class AverageStep(JoinStep):
    """The sums of windows, whose divisor the next batch norm takes up."""

    window: tuple[int, int] | None  # size and stride; None: the whole image

    def apply(self, *given: Tensor) -> Tensor:
        window = self.window or (given[0].shape[2], given[0].shape[3])
        return functional.avg_pool2d(given[0], window, window, divisor_override=1)

    def operator(self, given: Sequence[Value]) -> Operator:
        shape = _image(given[0])
        window = self.window or shape[:2]
        return SumPool2d(name=self.name, shape=shape, kernel=window, stride=window, takes=given[0].edge.number)


@dataclass(frozen=True, kw_only=True)
class MaxStep(JoinStep):
    """The largest of each window, of values that others take, too."""

    window: tuple[int, int]  # size and stride

    def apply(self, *given: Tensor) -> Tensor:
        return functional.max_pool2d(given[0], self.window)

    def operator(self, given: Sequence[Value]) -> Operator:
        shape, number = _image(given[0]), given[0].edge.number
        return MaxPool2d(name=self.name, shape=shape, kernel=self.window, stride=self.window, takes=number)


@dataclass(frozen=True, kw_only=True)
class UpsampleStep(JoinStep):
    """Each pixel several times, down and across: nearest upsampling."""

    keeps_channels = True
    factors: tuple[int, int]

    def apply(self, *given: Tensor) -> Tensor:
        down, across = self.factors
        return given[0].repeat_interleave(down, dim=2).repeat_interleave(across, dim=3)

    def operator(self, given: Sequence[Value]) -> Operator:
        shape, number = _image(given[0]), given[0].edge.number
        return Upsample2d(name=self.name, shape=shape, factors=self.factors, takes=number)


Step = LayerStep | JoinStep

"""Convolutional layers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_VALUES, sizes
from bitwright_core.dot_products import DotProducts, GroupedDotProducts
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, PADDING, NumberType, PaddingValue
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.number_facts import NumberFacts, number_facts, number_type, weight_facts, weight_number
from bitwright_core.ops.operator import Facts, check_image, check_number
from bitwright_core.ops.windows import Windows, pad, taps, windows
from bitwright_core.outputs import Output, read_output
from bitwright_core.tensors import Tensors


class Conv2dFacts(Facts, omit_defaults=True, tag="conv2d"):
    """A convolution in the header of a network file."""

    shape: tuple[int, int, int]
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    padding_value: PaddingValue
    integer_bits: int = 0  # of a layer that takes signed integers; 0: it takes bits, or what `takes` says
    takes: NumberFacts | None = None
    levels: int = 1
    base: int = 0
    weight_type: NumberFacts | None = None  # None: bits that stand for -1 and +1
    output: Literal["thresholds", "scores", "votes", "sums"] = "thresholds"
    groups: int = 1
    dilation: tuple[int, int] | None = None  # None: (1, 1)

    def build(self, tensors: Tensors) -> "Conv2d":
        (down, across), channels = self.kernel, self.shape[2]
        if min(down, across, *self.shape, self.outputs, self.groups) < 1:
            raise NetworkError(f"layer {self.name}: sizes must be positive")
        check_groups(self.name, self.groups, channels, self.outputs)
        channels //= self.groups
        weight_type = weight_number(self.weight_type)
        rows = tensors.numbers("weights", self.outputs, down * across * channels, weight_type)
        return Conv2d(
            name=self.name,
            shape=self.shape,
            weights=rows.reshape(self.outputs, down, across, channels),
            output=read_output(self.output, tensors, self.outputs, self.levels, self.base),
            stride=self.stride,
            padding=self.padding,
            padding_value=self.padding_value,
            takes=number_type(self.integer_bits, self.takes),
            weight_type=weight_type,
            groups=self.groups,
            dilation=self.dilation or (1, 1),
        )


def check_groups(name: str, groups: int, channels: int, outputs: int) -> None:
    """Raises NetworkError unless channels and outputs of a convolution can be cut into so many groups."""
    if groups < 1 or channels % groups or outputs % groups:
        raise NetworkError(
            f"layer {name}: groups must divide its {channels} channels and its {outputs} outputs, not {groups}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(MatrixLayer):
    """A convolution over an image, then thresholds.

    The lanes of a window run (ky, kx, channel), channel fastest. What pads is -1 or +1 (a lane of bit 0 or 1), or
    zero: a lane that adds nothing. With zeros, accumulators and thresholds are dot products, and one threshold
    holds everywhere; `engine_thresholds` has what follows for engines that count bits, which differs at borders.
    Integers are padded with zeros alone.

    With `groups`, channels and outputs are cut into so many equal parts, in order, and the outputs of a part see the
    channels of the same part alone; a depthwise convolution has a group for each channel. The taps of a window lie
    `dilation` rows and columns apart.
    """

    kind: ClassVar[str] = "conv2d"
    facts_type: ClassVar[type[Facts]] = Conv2dFacts

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    weights: NDArray[np.integer]  # (outputs, ky, kx, channels of a group); of bits 1 is +1 and 0 is -1
    output: Output  # thresholds or sums
    stride: tuple[int, int] = (1, 1)  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too
    padding_value: PaddingValue = "minus_one"  # where nothing pads always minus_one, so popcounts
    takes: NumberType = BINARY
    weight_type: NumberType = BINARY  # ternary, or signed of 2 to 8 bits: `weights` are the numbers themselves
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)  # (down, across); one number is taken, too

    def __post_init__(self) -> None:
        self._check_matrix("outputs, kernel rows, kernel columns, channels")
        where = f"layer {self.name}"
        shape = sizes(self.shape, 3, f"{where}: the shape (height, width, channels)", 1)
        object.__setattr__(self, "shape", shape)
        check_groups(self.name, self.groups, shape[2], self.outputs)
        if shape[2] != self.weights.shape[3] * self.groups:
            groups = "" if self.groups == 1 else f" in each of {self.groups} groups"
            raise NetworkError(f"{where}: weights for {self.weights.shape[3]} channels{groups}, an image of {shape[2]}")
        checked = self._checked_windows
        object.__setattr__(self, "stride", checked.stride)
        object.__setattr__(self, "padding", checked.padding)
        object.__setattr__(self, "dilation", checked.dilation)
        if self.padding_value not in PADDING:
            raise NetworkError(
                f"{where}: padding_value must be one of {', '.join(PADDING)}, not {self.padding_value!r}"
            )
        for image in (self.shape, (*checked.shape, self.outputs)):
            if math.prod(image) > MAX_VALUES:
                raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(image)}")
        if not any(self.padding):
            object.__setattr__(self, "padding_value", "minus_one")
        elif self.padding_value not in self.takes.paddings:
            raise NetworkError(f"{where}: integers can be padded with zero alone, not {self.padding_value}")
        if self.output.gives_scores:
            raise NetworkError(
                f"{where}: a convolution gives thresholds or sums, not scores; sums of a last layer are the scores of "
                "each pixel, and one pixel is a dense layer's"
            )
        self._check_output()

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weights.shape[1], self.weights.shape[2]

    @cached_property
    def windows(self) -> Windows:
        """Where the windows stand, and their classes at the borders."""
        return self._checked_windows

    @property
    def _checked_windows(self) -> Windows:
        return windows(
            f"layer {self.name}",
            shape=self.shape,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return self.shape[2]

    @property
    def source(self) -> Edge:
        """Shape and number type of what the layer takes."""
        return Edge(shape=self.shape, number=self.takes)

    @property
    def size_text(self) -> str:
        groups = "" if self.groups == 1 else f"g{self.groups}"
        dilation = "" if self.dilation == (1, 1) else f"d{self.dilation[0]}x{self.dilation[1]}"
        return f"{self.outputs}c{self.kernel[0]}x{self.kernel[1]}{groups}{dilation}{self._types_text}"

    @property
    def padding_lane(self) -> int:
        value = PADDING[self.padding_value]
        return self.takes.lane(value) if value and self.takes.holds(value) else 0

    @property
    def sums_dots(self) -> bool:
        """Whether accumulators are dot products instead of popcounts."""
        return not self.counts_bits or self.padding_value == "zero"

    @property
    def counts_bits(self) -> bool:
        """Whether an engine counts agreeing lanes; its sums of bits that are padded with zeros are dot products."""
        return super().counts_bits and not (self.pads_with_zeros and self.output.compared is None)

    @property
    def pads_with_zeros(self) -> bool:
        return self.padding_value == "zero" and not self.takes.holds(0)

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,): for each pixel, in raster order, the row of `engine_thresholds` that holds there.

        All 0 unless bits are padded with zeros; then the class of `windows`.
        """
        return self.windows.border_class if self.pads_with_zeros else super().border_class

    @property
    def borders(self) -> Windows | None:
        classes = len(self.windows.row_classes) * len(self.windows.column_classes)
        return self.windows if self.pads_with_zeros and classes > 1 else None

    @property
    def engine_offsets(self) -> NDArray[np.int64]:
        if not self.pads_with_zeros:
            return super().engine_offsets
        padded = ~self.windows.border_taps  # (classes, ky, kx)
        weights = self.weight_type.values(self.weights, np.float64).astype(np.int64)
        return -np.einsum("byx,oyxc->bo", padded.astype(np.int64), weights)

    @cached_property
    def engine_levels(self) -> NDArray[np.int64]:
        if not self.pads_with_zeros:
            return self._levels[None]
        # dot >= T, the dot over the lanes inside, exactly when that over all lanes >= T + offset
        needed = self._levels[None] + self.engine_offsets[:, :, None]
        if not self.counts_bits:
            least, largest = self.dot_range
            return np.clip(needed, least, largest + 1)
        # and exactly when the popcount >= ceil((T + inputs + offset) / 2)
        # a threshold below the least or above the largest popcount of a class decides as 0 or inputs + 1 do
        return np.clip((needed + self.inputs + 1) // 2, 0, self.inputs + 1)

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_image(self.name, self.shape, before)
        check_number(self.name, self.takes, before)
        return self.edge

    def _windows_of(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        images = pad(values.reshape(-1, *self.shape), self.windows, PADDING[self.padding_value])
        found = taps(images, self.windows)
        if self.groups == 1:
            return found.reshape(-1, self.inputs)
        grouped = found.reshape(*found.shape[:-1], self.groups, -1)
        return np.moveaxis(grouped, -2, 0).reshape(self.groups, -1, self.inputs)

    @cached_property
    def dot_products(self) -> DotProducts | GroupedDotProducts:
        """The rows of weights, ready to be multiplied with windows."""
        if self.groups == 1:
            return DotProducts(self.rows, self.largest_dot, self.weight_type)
        return GroupedDotProducts(self.rows, self.groups, self.largest_dot, self.weight_type)

    def facts(self) -> Conv2dFacts:
        bits, takes = number_facts(self.takes)
        return Conv2dFacts(
            name=self.name,
            shape=self.shape,
            outputs=self.outputs,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            padding_value=self.padding_value,
            integer_bits=bits,
            takes=takes,
            levels=self.output.levels,
            base=self.output.base,
            output=self.output.kind,
            weight_type=weight_facts(self.weight_type),
            groups=self.groups,
            dilation=None if self.dilation == (1, 1) else self.dilation,
        )

    @property
    def format_version(self) -> int:
        return super().format_version if (self.groups, self.dilation) == (1, (1, 1)) else 3

    def digest_parts(self) -> Iterator[bytes]:
        facts = (self.shape, self.weights.shape, self.stride, self.padding, self.padding_value)
        yield repr((self.kind, *facts)).encode()
        if (self.groups, self.dilation) != (1, (1, 1)):
            yield repr(("groups, dilation", self.groups, self.dilation)).encode()
        yield from self._digest_arrays()

"""Convolutional layers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_VALUES, sizes
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, PADDING, NumberType, PaddingValue
from bitwright_core.ops.matrix import MatrixLayer
from bitwright_core.ops.number_facts import NumberFacts, number_facts, number_type, weight_facts, weight_number
from bitwright_core.ops.operator import Facts, Value, check_image, check_number
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

    def build(self, tensors: Tensors) -> "Conv2d":
        (down, across), channels = self.kernel, self.shape[2]
        if min(down, across, *self.shape, self.outputs) < 1:
            raise NetworkError(f"layer {self.name}: sizes must be positive")
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
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(MatrixLayer):
    """A convolution over an image, then thresholds.

    The lanes of a window run (ky, kx, channel), channel fastest. What pads is -1 or +1 (a lane of bit 0 or 1), or
    zero: a lane that adds nothing. With zeros, accumulators and thresholds are dot products, and one threshold
    holds everywhere; `engine_thresholds` has what follows for engines that count bits, which differs at borders.
    Integers are padded with zeros alone.
    """

    kind: ClassVar[str] = "conv2d"
    facts_type: ClassVar[type[Facts]] = Conv2dFacts

    name: str
    shape: tuple[int, int, int]  # of what it takes: (height, width, channels)
    weights: NDArray[np.integer]  # (outputs, ky, kx, channels); of bits 1 is +1 and 0 is -1
    output: Output  # thresholds or sums
    stride: tuple[int, int] = (1, 1)  # (down, across)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # (top, bottom, left, right); (down, across) is taken, too
    padding_value: PaddingValue = "minus_one"  # where nothing pads always minus_one, so popcounts
    takes: NumberType = BINARY
    weight_type: NumberType = BINARY  # ternary, or signed of 2 to 8 bits: `weights` are the numbers themselves

    def __post_init__(self) -> None:
        self._check_matrix("outputs, kernel rows, kernel columns, channels")
        where = f"layer {self.name}"
        shape = sizes(self.shape, 3, f"{where}: the shape (height, width, channels)", 1)
        object.__setattr__(self, "shape", shape)
        if shape[2] != self.weights.shape[3]:
            raise NetworkError(f"{where}: weights for {self.weights.shape[3]} channels, an image of {shape[2]}")
        checked = windows(where, shape=shape, kernel=self.kernel, stride=self.stride, padding=self.padding)
        object.__setattr__(self, "stride", checked.stride)
        object.__setattr__(self, "padding", checked.padding)
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
            raise NetworkError(f"{where}: a convolution needs thresholds; scores come from a dense layer")
        self._check_output()

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weights.shape[1], self.weights.shape[2]

    @cached_property
    def windows(self) -> Windows:
        """Where the windows stand, and their classes at the borders."""
        return windows(
            f"layer {self.name}", shape=self.shape, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    @property
    def source(self) -> Edge:
        """Shape and number type of what the layer takes."""
        return Edge(shape=self.shape, number=self.takes)

    @property
    def size_text(self) -> str:
        return f"{self.outputs}c{self.kernel[0]}x{self.kernel[1]}{self._types_text}"

    @property
    def padding_lane(self) -> int:
        value = PADDING[self.padding_value]
        return self.takes.lane(value) if value and self.takes.holds(value) else 0

    @property
    def sums_dots(self) -> bool:
        """Whether accumulators are dot products instead of popcounts."""
        return not self.counts_bits or self.padding_value == "zero"

    @property
    def _border(self) -> bool:
        """Whether zeros pad that no lane can stand for."""
        return self.padding_value == "zero" and not self.takes.holds(0)

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,): for each pixel, in raster order, the row of `engine_thresholds` that holds there.

        All 0 unless bits are padded with zeros; then the class of `windows`.
        """
        return self.windows.border_class if self._border else super().border_class

    @property
    def borders(self) -> Windows | None:
        classes = len(self.windows.row_classes) * len(self.windows.column_classes)
        return self.windows if self._border and classes > 1 else None

    @property
    def engine_offsets(self) -> NDArray[np.int64]:
        if not self._border:
            return super().engine_offsets
        padded = ~self.windows.border_taps  # (classes, ky, kx)
        weights = self.weight_type.values(self.weights, np.float64).astype(np.int64)
        return -np.einsum("byx,oyxc->bo", padded.astype(np.int64), weights)

    @cached_property
    def engine_levels(self) -> NDArray[np.int64]:
        if not self._border:
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
        return taps(images, self.windows).reshape(-1, self.inputs)

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
        )

    def digest_parts(self) -> Iterator[bytes]:
        facts = (self.shape, self.weights.shape, self.stride, self.padding, self.padding_value)
        yield repr((self.kind, *facts)).encode()
        yield from self._digest_arrays()

"""What dense and convolutional layers have in common: rows of weights, accumulators, and what follows.

Dot products come from a floating-point matrix product of whole numbers, exact in whatever order the sums are taken
(`bitwright_core.dot_products`). A convolution is such a product on the windows of its image, a few images at a time.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.bits import pack_planes
from bitwright_core.checks import MAX_DOT, MAX_INTEGER_BITS, MAX_LANES, check_name, frozen
from bitwright_core.dot_products import DotProducts, GroupedDotProducts
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, NumberType
from bitwright_core.ops.number_facts import number_version
from bitwright_core.ops.windows import Pooling, Windows
from bitwright_core.outputs import Output
from bitwright_core.outputs.thresholds import Thresholds

_WINDOW_VALUES = 1 << 19  # values in the matrix of windows: what a processor's cache can hold
MAX_WEIGHT_BITS = 8


def dot_range(rows: NDArray[np.integer], weight_type: NumberType, takes: NumberType) -> tuple[int, int]:
    """The least and the largest dot product of stored weights (outputs, inputs) with values of type `takes`.

    See `MatrixLayer.dot_range`.
    """
    if weight_type.xnor:
        largest = int(rows.shape[1]) * takes.magnitude
        return -largest, largest
    above = np.maximum(rows, 0).sum(axis=1, dtype=np.int64)
    below = np.minimum(rows, 0).sum(axis=1, dtype=np.int64)
    low, high = takes.least, takes.largest
    return int((low * above + high * below).min()), int((high * above + low * below).max())


def widest_dot_range(inputs: int, weight_type: NumberType, takes: NumberType) -> tuple[int, int]:
    """The least and the largest dot product of `inputs` weights and values of these types, whatever the weights."""
    ends = [w * x for w in (weight_type.least, weight_type.largest) for x in (takes.least, takes.largest)]
    return inputs * min(ends), inputs * max(ends)


class MatrixLayer:
    """A layer whose outputs are rows of weights times windows of its input: one window, or one each pixel.

    Weights are bits that stand for -1 and +1, or ternary, or signed integers. The accumulator of a row is the popcount
    of its agreeing lanes, except where it is the dot product itself: on values or weights that are no such bits, and in
    a convolution padded with zeros. See `Operator` for what every operator has.
    """

    kind: ClassVar[str]
    input_names: ClassVar[tuple[str, ...]] = ("x",)

    name: str
    weights: NDArray[np.integer]  # (outputs, ...) as stored, the lanes of a window in the order of their axes
    output: Output
    takes: NumberType
    weight_type: NumberType

    def _check_matrix(self, axes: str) -> None:
        """Checks name, weights and the type of the input; freezes the weights."""
        check_name(self.name, "layer name")
        number = self.weight_type
        if not number.xnor and not (number.signed and 2 <= number.bits <= MAX_WEIGHT_BITS):
            raise NetworkError(
                f"layer {self.name}: weights must be binary, ternary or signed of 2 to {MAX_WEIGHT_BITS} bits, "
                f"not {number}"
            )
        weights = frozen(self.weights, np.int8 if number.signed else np.uint8, f"layer {self.name}, weights")
        if weights.ndim != len(axes.split(",")) or weights.size == 0:
            raise NetworkError(f"layer {self.name}: weights must have shape ({axes}), not {weights.shape}")
        least, largest = number.stored
        if weights.min() < least or weights.max() > largest:
            wrong = int(weights.max() if weights.max() > largest else weights.min())
            must = "0 or 1" if number.xnor else f"{least} to {largest}"
            raise NetworkError(f"layer {self.name}: weights must be {must}, not {wrong}")
        object.__setattr__(self, "weights", weights)
        if self.inputs > MAX_LANES or self.outputs > MAX_LANES:
            raise NetworkError(f"layer {self.name}: inputs and outputs may be at most {MAX_LANES}")
        if self.takes.bits > MAX_INTEGER_BITS:
            raise NetworkError(f"layer {self.name}: values of at most {MAX_INTEGER_BITS} bits, not {self.takes}")
        if self.inputs * self.takes.magnitude * number.magnitude > MAX_DOT:
            raise NetworkError(
                f"layer {self.name}: {self.inputs} products of {self.takes} values and {number} weights may need more "
                f"than {MAX_DOT.bit_length()} bits; take fewer bits"
            )

    def _check_output(self) -> None:
        where, output = f"layer {self.name}", self.output
        if output.outputs != self.outputs:
            raise NetworkError(f"{where}: {self.outputs} weight rows but {output.outputs} rows of thresholds or scores")
        least, largest = self.accumulator_range
        output.check(where, least, largest, "the largest dot product" if self.sums_dots else "inputs")

    @property
    def matrix(self) -> "MatrixLayer":
        """The layer itself: it has weights (see `Operator`)."""
        return self

    @property
    def windows(self) -> Windows | None:
        """Where its windows stand on an image; None for a layer that takes all its values at once."""
        return None

    @property
    def pooling(self) -> Pooling | None:
        return None

    @property
    def join(self) -> None:
        """None: it takes one value (see `Operator`)."""

    @property
    def lanes(self) -> None:
        """None: it takes windows (see `Operator`)."""

    @property
    def lookup(self) -> None:
        """None: its neurons add up what they take (see `Operator`)."""

    @property
    def shows(self) -> int:
        """0: it shows its accumulators (see `margins`)."""
        return 0

    @property
    def source(self) -> Edge:
        """Shape and number type of what the layer takes: flat, whatever the shape before, unless it has windows."""
        return Edge(shape=(self.inputs,), number=self.takes)

    @cached_property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives: an image if it has windows."""
        shape = () if self.windows is None else self.windows.shape
        return Edge(shape=(*shape, self.outputs), number=self.output.number(*self.accumulator_range))

    @property
    def inputs(self) -> int:
        """Lanes that a row of weights takes: all of a window, or those of the row's group."""
        return int(self.weights[0].size)

    @property
    def outputs(self) -> int:
        """Rows of weights: neurons, or channels of each pixel."""
        return int(self.weights.shape[0])

    @property
    def channels(self) -> int:
        """Size of the last axis of what it takes: channels of an image, or all values of a flat frame."""
        return int(self.weights.shape[-1])

    @property
    def groups(self) -> int:
        """Groups of rows, each of which takes channels of its own: rows and channels follow each other by group."""
        return 1

    @property
    def pixels(self) -> int:
        """Windows of a frame."""
        return 1 if self.windows is None else self.windows.pixels

    @property
    def rows(self) -> NDArray[np.integer]:
        """The weights as (outputs, inputs), as stored."""
        return self.weights.reshape(self.outputs, self.inputs)

    @property
    def weight_bits(self) -> int:
        return int(self.weights.size) * self.weight_type.bits

    @property
    def _types_text(self) -> str:
        """What `size_text` says of weights and activations that are not bits: "w2", "wt" (ternary), "a2", "at"."""
        gives = () if self.gives_scores else (("a", self.edge.number),)
        named = (("w", self.weight_type), *gives)
        return "".join(f"{what}{number.short}" for what, number in named if not number.xnor)

    @property
    def operations(self) -> int:
        """Operations a frame, a product and an addition for each weight and pixel (the field's 2 x MACs)."""
        return 2 * int(self.weights.size) * self.pixels

    @property
    def counts_bits(self) -> bool:
        """Whether an engine counts agreeing lanes, each a bit, and not sums of products."""
        return self.takes.xnor and self.weight_type.xnor

    @property
    def gives_scores(self) -> bool:
        """Whether it gives scores, and not activations."""
        return self.output.gives_scores

    @property
    def padding_lane(self) -> int:
        """What an engine reads as a lane outside the image: 0 (a bit that stands for -1, or the integer), or 1."""
        return 0

    @property
    def gives_codes(self) -> bool:
        """Whether its activations are numbers of several levels: codes that no sign of a margin tells."""
        return isinstance(self.output, Thresholds) and not self.edge.number.xnor

    @property
    def sums_dots(self) -> bool:
        """Whether accumulators are dot products instead of popcounts."""
        return not self.counts_bits

    @cached_property
    def dot_range(self) -> tuple[int, int]:
        """The least and the largest dot product that can occur, lanes that add nothing included.

        Of weights -1 and +1 they hold whatever the weights: minus and plus inputs times the largest size of a value. Of
        others they are those of the rows that reach farthest, for any values of the type.
        """
        return dot_range(self.rows, self.weight_type, self.takes)

    @property
    def widest_count_range(self) -> tuple[int, int]:
        """The least and the largest count of an engine for any weights of the type: popcounts of bits, else dot
        products."""
        return (0, self.inputs) if self.counts_bits else widest_dot_range(self.inputs, self.weight_type, self.takes)

    @property
    def largest_dot(self) -> int:
        """A bound of the dot product's size, that of partial sums included."""
        least, largest = self.dot_range
        return max(-least, largest)

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """The least and the largest value that an accumulator may take."""
        return self.dot_range if self.sums_dots else (0, self.inputs)

    @property
    def score_range(self) -> tuple[int, int]:
        """The least and the largest score that can occur. Raises TypeError for a layer with thresholds."""
        if isinstance(self.output, Thresholds):
            raise TypeError(f"layer {self.name} gives bits, not scores")
        return self.output.range(*self.accumulator_range)

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,): for each pixel, in raster order, the row of `engine_thresholds` that holds there."""
        return np.zeros(self.pixels, np.int64)

    @property
    def borders(self) -> Windows | None:
        """The windows whose place chooses the row of `engine_thresholds`; None where one row holds for all."""
        return None

    @property
    def pads_with_zeros(self) -> bool:
        """Whether zeros pad its windows that no lane can stand for."""
        return False

    @property
    def engine_offsets(self) -> NDArray[np.int64]:
        """(border classes, outputs): the dot product of the lanes of a window that pad, read as -1.

        dot + engine_offsets is the dot product of all lanes where padding is bit 0; (dot + inputs + engine_offsets) / 2
        is their popcount.
        """
        return np.zeros((1, self.outputs), np.int64)

    @cached_property
    def engine_levels(self) -> NDArray[np.int64]:
        """(border classes, outputs, levels): what an engine compares its count with, one level of 0 for scores.

        Where it counts bits, the count is the popcount of all lanes, with lanes that only pad read as bit 0 (or as
        their `padding_value` says, where that is -1 or +1). Else it is the dot product, of all lanes likewise.
        """
        return self._levels[None]

    @property
    def _levels(self) -> NDArray[np.int64]:
        """(outputs, levels): what accumulators are compared with, one level of 0 for scores."""
        compared = self.output.compared
        return np.zeros((self.outputs, 1), np.int64) if compared is None else compared

    @property
    def engine_thresholds(self) -> NDArray[np.int64]:
        """(border classes, outputs): the middle one of `engine_levels`, which an engine's accumulators start below."""
        levels = self.engine_levels
        return levels[:, :, levels.shape[2] // 2]

    # what it computes

    def infer(self, given: Sequence[Value]) -> Edge:
        """Raises NetworkError unless the values fit its windows and its number type."""
        raise NotImplementedError

    def _windows_of(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values (n, ...) as (n * pixels, inputs), with several groups as (groups, n * pixels, inputs)."""
        return values.reshape(-1, self.inputs)

    @cached_property
    def dot_products(self) -> DotProducts | GroupedDotProducts:
        """The rows of weights, ready to be multiplied with windows."""
        return DotProducts(self.rows, self.largest_dot, self.weight_type)

    def _dots(self, stored: NDArray[np.integer]) -> Iterator[NDArray[np.signedinteger]]:
        """Dot products of every row and window, (frames, *edge shape), for a few frames at a time."""
        products, shape = self.dot_products, self.edge.shape
        step = max(1, _WINDOW_VALUES // (self.inputs * self.groups * self.pixels))
        for start in range(0, len(stored), step):
            values = self.takes.values(stored[start : start + step], products.dtype)
            yield products.of(self._windows_of(values)).reshape(-1, *shape)

    def _sums(self, dots: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
        return dots if self.sums_dots else (dots + self.inputs) >> 1

    def accumulators(self, stored: NDArray[np.integer]) -> NDArray[np.signedinteger]:
        """The accumulators (n, *edge shape) of what the layer takes, (n, ...): bits, or integers. int32 if all fit."""
        parts = [self._sums(dots) for dots in self._dots(stored)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.edge.shape), self.dot_products.integers)

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """Activations, scores or votes (n, *edge shape)."""
        parts = [self._given(dots) for dots in self._dots(given[0])]
        return np.concatenate(parts) if parts else self.output.of(self.accumulators(given[0]))

    def _given(self, dots: NDArray[np.signedinteger]) -> NDArray[np.integer]:
        if isinstance(self.output, Thresholds) and not self.sums_dots:
            # popcount >= T exactly when dot >= 2 T - N
            return self.output.reached(dots, (2 * self.output.values - self.inputs).astype(dots.dtype))
        return self.output.of(self._sums(dots))

    def margins(self, sums: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
        """What an engine holds at the end of each sum: its count less `engine_thresholds`, (n, *edge shape).

        The bit of a layer with thresholds is 1 where this is not negative. A layer with scores has its accumulators.
        """
        counts, integers = sums, self.dot_products.integers
        if self.sums_dots and self.takes.xnor:
            counts = sums + self.engine_offsets.astype(integers)[self.border_class].reshape(self.edge.shape)
            if self.counts_bits:
                counts = (counts + self.inputs) >> 1
        return counts - self.engine_thresholds.astype(integers)[self.border_class].reshape(self.edge.shape)

    def values_of(self, margins: NDArray[np.signedinteger]) -> NDArray[np.integer]:
        """What it gives, (n, *edge shape), where an engine holds `margins`, (n, ...), in any shape of that size."""
        held = margins.reshape(-1, self.pixels, self.outputs)
        if self.output.compared is None:
            return self.output.of(held).reshape(-1, *self.edge.shape)
        levels = self.engine_levels - self.engine_thresholds[:, :, None]
        reached = (held[..., None] >= levels[self.border_class]).sum(axis=-1)
        if isinstance(self.output, Thresholds):
            return (self.output.base + reached).reshape(-1, *self.edge.shape)
        return reached.reshape(-1, *self.edge.shape)

    # how it is kept

    def arrays(self) -> dict[str, NDArray[np.integer]]:
        return {"weights": pack_planes(self.rows, self.weight_type.bits), **self.output.arrays()}

    def _digest_arrays(self) -> Iterator[bytes]:
        if not self.weight_type.xnor:
            yield f"{self.weight_type} weights".encode()
        yield pack_planes(self.rows, self.weight_type.bits).tobytes()
        yield self.output.digest_name.encode()
        yield from (array.astype("<i8").tobytes() for array in self.output.arrays().values())

    @property
    def format_version(self) -> int:
        sums = self.output.compared is None and not self.gives_scores
        plain = (self.output.levels, self.output.base, self.weight_type) == (1, 0, BINARY) and not sums
        return max(number_version(self.takes), 1 if plain else 3)

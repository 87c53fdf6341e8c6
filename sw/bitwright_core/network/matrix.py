"""What dense and convolutional layers have in common: rows of +-1 weights, accumulators, and what follows."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import NetworkError
from bitwright_core.network.outputs import Scores, Thresholds, Votes, check_output
from bitwright_core.network.values import BINARY, MAX_LANES, Edge, NumberType, check_name, frozen, signed_bits
from bitwright_core.network.windows import Pooling, Windows


class MatrixLayer:
    """A layer whose outputs are rows of +-1 weights times windows of its input: one window, or one each pixel.

    The accumulator of a row is the popcount of its agreeing lanes, except where it is the dot product itself:
    on integers, and in a convolution padded with zeros.
    """

    kind: ClassVar[str]  # as files and tables name the operator

    name: str
    weights: NDArray[np.uint8]  # (outputs, ...), the lanes of a window in the order of their axes
    output: Thresholds | Scores | Votes
    takes: NumberType

    def _check_matrix(self, axes: str) -> None:
        """Checks name, weights and the type of the input; freezes the weights."""
        check_name(self.name, "layer name")
        weights = frozen(self.weights, np.uint8, f"layer {self.name}, weights")
        if weights.ndim != len(axes.split(",")) or weights.size == 0:
            raise NetworkError(f"layer {self.name}: weights must have shape ({axes}), not {weights.shape}")
        if weights.max() > 1:
            raise NetworkError(f"layer {self.name}: weights must be 0 or 1, not {int(weights.max())}")
        object.__setattr__(self, "weights", weights)
        if self.inputs > MAX_LANES or self.outputs > MAX_LANES:
            raise NetworkError(f"layer {self.name}: inputs and outputs may be at most {MAX_LANES}")
        if self.takes.kind == "unsigned":
            raise NetworkError(f"layer {self.name}: a layer takes binary values or signed integers, not {self.takes}")

    def _check_output(self) -> None:
        least, largest = self.accumulator_range
        largest_is = "inputs" if least == 0 else "the largest dot product"
        check_output(
            self.output, name=self.name, outputs=self.outputs, least=least, largest=largest, largest_is=largest_is
        )

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
    def source(self) -> Edge:
        """Shape and number type of what the layer takes: flat, whatever the shape before, unless it has windows."""
        return Edge(shape=(self.inputs,), number=self.takes)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what the layer gives: an image if it has windows."""
        shape = () if self.windows is None else self.windows.shape
        return Edge(shape=(*shape, self.outputs), number=self._result_number())

    @property
    def inputs(self) -> int:
        """Lanes of a window."""
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
    def pixels(self) -> int:
        """Windows of a frame."""
        return 1

    @property
    def rows(self) -> NDArray[np.uint8]:
        """The weights as (outputs, inputs)."""
        return self.weights.reshape(self.outputs, self.inputs)

    @property
    def weight_bits(self) -> int:
        return int(self.weights.size)

    @property
    def operations(self) -> int:
        """Operations a frame, an XNOR and an addition for each weight and pixel (the field's 2 x MACs)."""
        return 2 * self.weight_bits * self.pixels

    @property
    def counts_bits(self) -> bool:
        """Whether an engine counts agreeing lanes, each a bit, and not sums of integers."""
        return self.takes.is_binary

    @property
    def gives_scores(self) -> bool:
        """Whether it gives scores, and not activations."""
        return isinstance(self.output, Scores | Votes)

    @property
    def padding_lane(self) -> int:
        """What an engine reads as a lane outside the image: 0 (a bit that stands for -1, or the integer), or 1."""
        return 0

    @property
    def sums_dots(self) -> bool:
        """Whether accumulators are dot products instead of popcounts."""
        return not self.takes.is_binary

    @property
    def largest_dot(self) -> int:
        """A bound of the dot product's size, whatever the weights: inputs, or inputs * 2^(bits - 1) of integers."""
        return self.inputs << (0 if self.takes.is_binary else self.takes.bits - 1)

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """The least and the largest value that an accumulator may take, whatever the weights."""
        return (-self.largest_dot, self.largest_dot) if self.sums_dots else (0, self.inputs)

    @property
    def score_range(self) -> tuple[int, int]:
        """The least and the largest score that can occur. Raises TypeError for a layer with thresholds."""
        match self.output:
            case Scores():
                return self.output.range(*self.accumulator_range)
            case Votes(votes=votes):
                return 0, int(votes.max())
            case _:
                raise TypeError(f"layer {self.name} gives bits, not scores")

    @property
    def border_class(self) -> NDArray[np.int64]:
        """(pixels,): for each pixel the row of `engine_thresholds` that holds there."""
        return np.zeros(self.pixels, np.int64)

    @property
    def borders(self) -> Windows | None:
        """The windows whose place chooses the row of `engine_thresholds`; None where one row holds for all."""
        return self.windows if len(self.engine_thresholds) > 1 else None

    @property
    def engine_offsets(self) -> NDArray[np.int64]:
        """(border classes, outputs): the dot product of the lanes of a window that pad, read as -1.

        (dot + inputs + engine_offsets) / 2 is the popcount that an engine counts where padding is bit 0.
        """
        return np.zeros((1, self.outputs), np.int64)

    @property
    def engine_thresholds(self) -> NDArray[np.int64]:
        """(border classes, outputs): what an engine compares its count with, 0 for a layer with scores.

        Integers: the dot product. Bits: the popcount of all lanes, with lanes that only pad read as bit 0 (or as
        their `padding_value` says, where that is -1 or +1).
        """
        match self.output:
            case Thresholds(values=values):
                return values[None, :, 0]
            case Votes(thresholds=values):
                return values[None]
            case _:
                return np.zeros((1, self.outputs), np.int64)

    def _result_number(self) -> NumberType:
        if isinstance(self.output, Thresholds):
            return BINARY
        return NumberType(kind="signed", bits=max(map(signed_bits, self.score_range)))

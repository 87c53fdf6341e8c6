"""What the bits between two layers stand for, and how weights meet them.

A value of the graph is `middle + half * sum of its lanes`, each lane +-1; a plain activation has one lane, a
thermometer-coded input several. A row of weights +-s then gives s * half * dot plus a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.numbers import BINARY, NumberType
from bitwright_onnx.few_bits import FewBitRows, holding

NEAR = 2.0**-21  # of the largest sum: what rounding in float32 usually adds up to
SAME_STEP = 2.0**-20  # relative difference of magnitudes that float32 arithmetic alone explains


@dataclass(frozen=True, kw_only=True, eq=False)
class Lanes:
    """The inputs of a product: values in the graph's order, lanes in the hardware's."""

    lane: NDArray[np.int64]  # (values, levels): the lanes of each value, all lanes once
    middle: NDArray[np.float64]  # (values,)
    half: NDArray[np.float64]  # (values,), not 0; negative where a bit of 1 is the smaller value
    number: NumberType = BINARY  # of the lanes: +-1, or whole numbers, of an IntegerEncoding or of a few bits
    # (values,): of a value that never changes what its lanes add, with weights of +1, to a dot product; NaN of others
    idle: NDArray[np.float64] | None = None

    @property
    def integers(self) -> bool:
        """Whether lanes are whole numbers instead of +-1."""
        return not self.number.xnor

    @property
    def size(self) -> int:
        return int(self.lane.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledRows:
    """Weights as stored, and what dot product d of row r is worth in the graph: offset_r + scale_r * d."""

    weights: NDArray[np.integer]  # (outputs, lanes)
    weight_type: NumberType
    scale: NDArray[np.float64]  # (outputs,), positive where there are weights
    offset: NDArray[np.float64]  # (outputs,)

    @staticmethod
    def of_numbers(middle: NDArray[np.float64], step: NDArray[np.float64]) -> "ScaledRows":
        """Numbers that no weights made: number d of channel c is worth middle_c + step_c * d."""
        return ScaledRows(weights=np.zeros((len(step), 0), np.int8), weight_type=BINARY, scale=step, offset=middle)

    @staticmethod
    def joined(parts: Sequence["ScaledRows"]) -> "ScaledRows":
        """The rows of all groups, one group behind the other, in the widest of the groups' types of weights."""
        weights, types = [part.weights for part in parts], {part.weight_type for part in parts}
        weight_type = parts[0].weight_type
        if len(types) > 1:  # none of them is of bits: one group that is not makes all few bits
            weight_type = max(types, key=lambda number: number.largest)
        return ScaledRows(
            weights=np.concatenate(weights),
            weight_type=weight_type,
            scale=np.concatenate([part.scale for part in parts]),
            offset=np.concatenate([part.offset for part in parts]),
        )

    def part(self, outputs: slice) -> "ScaledRows":
        """Some of the rows."""
        return ScaledRows(
            weights=self.weights[outputs],
            weight_type=self.weight_type,
            scale=self.scale[outputs],
            offset=self.offset[outputs],
        )

    def exact(self, dots: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values (n, outputs) at dot products (n, 1), or (n, outputs) for each row its own."""
        return self.offset + self.scale * dots.astype(np.float64)

    def values(self, dots: NDArray[np.int64]) -> NDArray[np.float32]:
        """`exact` as float32: the nearest to the exact sums."""
        return self.exact(dots).astype(np.float32)

    def margins(self, largest: int) -> list[NDArray[np.float64]]:
        """What may be added to `exact` values without being seen in float32 sums: nothing where these are exact.

        What the values decide alike with each of these hangs neither on the order of additions nor on rounding.
        """
        nothing = np.zeros_like(self.scale)
        if self.dyadic:
            return [nothing]
        margin = NEAR * (np.abs(self.offset) + np.abs(self.scale) * largest)
        return [-margin, nothing, margin]

    @property
    def dyadic(self) -> bool:
        """Whether every partial sum is exact in float32, in whatever order a runtime adds."""
        some = self.scale != 0  # of a row of zeros the sum is 0, exactly
        mantissa, _ = np.frexp(np.abs(self.scale[some]))
        whole = self.offset[some] / self.scale[some]
        return bool((mantissa == 0.5).all() and (whole == np.rint(whole)).all())


def product(weights: NDArray[Any], lanes: Lanes, few: FewBitRows | None = None) -> ScaledRows:
    """Rows of weights (outputs, values), each +-1 times a scale, or those of `few`, over `lanes`. Raises ValueError.

    A row of zeros has the scale 0, and a sum of 0. A column of zeros, a value that no output takes, must be one of the
    lanes' idle ones, whose share in the dot product the offset takes back.
    """
    if weights.shape[1] != len(lanes.lane):
        raise ValueError(f"its weights take {weights.shape[1]} values of {len(lanes.lane)}")
    unused = ~weights.astype(bool).any(axis=0)
    size = np.abs(lanes.half)
    if size.max() - size.min() > SAME_STEP * size.max():
        raise ValueError(
            f"its inputs have steps of different sizes ({2 * size.min():.6g} and {2 * size.max():.6g}); one scale "
            "for all channels is needed before a binary layer"
        )
    if few is not None:
        signed = few.numbers * np.sign(lanes.half).astype(np.int8)
        stored = np.zeros((len(signed), lanes.size), np.int8)
        for level in range(lanes.lane.shape[1]):
            stored[:, lanes.lane[:, level]] = signed
        return ScaledRows(
            weights=stored,
            weight_type=holding(stored, few.number),
            scale=few.scale * size[0],
            offset=(few.numbers * few.scale[:, None]) @ lanes.middle,
        )
    values = weights.astype(np.float64)
    positive = ((values > 0) == (lanes.half > 0)) | unused
    bits = np.zeros((len(values), lanes.size), np.uint8)
    for level in range(lanes.lane.shape[1]):
        bits[:, lanes.lane[:, level]] = positive
    scale = np.abs(values).max(axis=1) * size[0]
    offset = values @ lanes.middle
    if unused.any():
        if lanes.idle is None or np.isnan(lanes.idle[unused]).any():
            raise ValueError("it has weights of 0 for inputs that change: zeros must be of a whole row or channel")
        offset = offset - scale * lanes.idle[unused].sum()
    return ScaledRows(weights=bits, weight_type=BINARY, scale=scale, offset=offset)

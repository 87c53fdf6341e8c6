"""The numbers of a matrix engine: weights by words, widths, what accumulators start from and are compared with."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import MatrixLayer, Scores, Thresholds, signed_bits
from bitwright_core.plan import Fold
from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.integer_row import corrections
from bitwright_hw.levels import (
    LevelSizes,
    level_counts,
    level_steps,
    level_units,
    level_words,
    levels_latency,
    varying_bits,
)
from bitwright_hw.plane_order import PlaneOrder
from bitwright_hw.preloads import Borders
from bitwright_hw.products import Products

Matrix = MatrixLayer


def products_of(layer: Matrix) -> Products | None:
    """What the rows of a layer add where that is popcounts of several bit-planes. None where they count lanes of a bit,
    or add and subtract signed integers (IntegerRow)."""
    weights, takes = layer.weight_type, layer.takes
    integers = takes.signed and takes.least < -takes.largest  # and no ternary numbers, for which planes are smaller
    if layer.counts_bits or (weights.xnor and integers):
        return None
    return Products(takes=takes, weights=weights)


def plane_order(layer: Matrix, fold: Fold) -> PlaneOrder | None:
    """The order in which rows count the planes of `layer`; None unless they follow each other."""
    if fold.plane_products == 1:
        return None
    return PlaneOrder(products=Products(takes=layer.takes, weights=layer.weight_type))


def _folded(layer: Matrix, fold: Fold) -> NDArray[np.integer]:
    """The weights as (NF * PE, SF * SIMD). Rows and columns that only pad are 1, or 0 where weights are no bits."""
    shape = fold.neuron_folds * fold.pe, fold.synapse_folds * fold.simd
    padded = np.full(shape, int(layer.weight_type.xnor), layer.rows.dtype)
    padded[: layer.outputs, : layer.inputs] = layer.rows
    return padded


def weight_rows(layer: Matrix, fold: Fold) -> NDArray[np.uint8]:
    """(words, PE * planes * SIMD): the weight memory. Word nf * SF + sf holds row nf * PE + pe, columns sf * SIMD + s;
    plane q of the weights in bit (pe * planes + q) * SIMD + s. Where planes follow each other, word (nf * planes + q) *
    SF + sf holds plane q alone. Rows and columns that only pad are as in `_folded`."""
    padded = _folded(layer, fold)
    folded = padded.reshape(fold.neuron_folds, fold.pe, fold.synapse_folds, fold.simd).transpose(0, 2, 1, 3)
    if layer.weight_type.xnor:
        return folded.reshape(fold.weight_words, fold.lanes).astype(np.uint8)
    planes = Products(takes=layer.takes, weights=layer.weight_type).weight_planes(folded)
    if fold.plane_products > 1:
        planes = planes.transpose(0, 3, 1, 2, 4)
    return planes.reshape(fold.weight_words, -1)


def weight_width(layer: Matrix, fold: Fold) -> int:
    """Bits of a word of the weight memory."""
    return fold.lanes * (1 if fold.plane_products > 1 else layer.weight_type.bits)


def count_range(layer: Matrix, fold: Fold) -> tuple[int, int]:
    """The least and the largest count of a row: popcounts of bits, dot products of integers; of any weights, where
    others may be loaded."""
    if fold.loadable:
        return layer.widest_count_range
    return (0, layer.inputs) if layer.counts_bits else layer.dot_range


def _padded_levels(layer: Matrix, fold: Fold) -> NDArray[np.int64]:
    """(border classes, NF * PE, levels): what counts are compared with. Rows that only pad have levels that give 0."""
    levels = layer.engine_levels
    least, largest = count_range(layer, fold)
    padded = np.full((len(levels), fold.neuron_folds * fold.pe, levels.shape[2]), largest + 1, np.int64)
    if isinstance(layer.output, Thresholds):
        padded[:, :, : -layer.output.base] = least
    padded[:, : layer.outputs] = levels
    return padded


def accumulator_bits(layer: Matrix, fold: Fold) -> int:
    """Width of count - T over every count and threshold that can occur (of the count alone for scores). With
    several levels T is the middle one, and the others less T must fit, too."""
    least, largest = count_range(layer, fold)
    if isinstance(layer.output, Scores):
        return max(signed_bits(least), signed_bits(largest))
    if fold.loadable:  # any thresholds; at the borders of an image popcounts lack up to all lanes, or have them twice
        beyond = layer.inputs if layer.pads_with_zeros and layer.counts_bits else 0
        above = largest + (layer.output.levels > 1)
        return max(
            signed_bits(least - largest - 1 - beyond), signed_bits(above - least + beyond), layer.inputs.bit_length()
        )
    levels = _padded_levels(layer, fold)
    middle = levels[:, :, levels.shape[2] // 2]
    low, high = int(middle.min()), int(middle.max())
    above = largest + (levels.shape[2] > 1)
    return max(signed_bits(least - high), signed_bits(above - low), layer.inputs.bit_length())


def preload_values(layer: Matrix, fold: Fold, bits: int) -> tuple[tuple[int, ...], ...]:
    """For each border class of output pixels and each pass nf, 2^(bits - 1) - T of rows nf * PE + pe; rows that only
    pad have a T beyond the largest count.

    The bias makes the top bit of a row's total the activation itself, so that no row needs an inverter. A layer of
    scores starts from 0. On integers the `corrections` of IntegerRow are added to all of these, and the `excess` of
    ProductRow is subtracted. Where planes follow each other they are as `PlaneOrder.fed_as` says.
    """
    values = [tuple(row) for row in _starts(layer, fold, bits).tolist()]
    if starts_loaded(layer, fold):
        return tuple(values)
    return tuple(values[:1] if len(set(values)) == 1 else values)


def given_preloads(values: tuple[tuple[int, ...], ...], inverted: bool) -> tuple[tuple[int, ...], ...]:
    """`values` as rows take them: complemented if `inverted`."""
    return tuple(tuple(~value for value in row) for row in values) if inverted else values


def preload_count(layer: Matrix, fold: Fold, bits: int) -> int:
    """How many `preload_values` has."""
    starts = _starts(layer, fold, bits)
    if starts_loaded(layer, fold):
        return len(starts)
    return 1 if bool((starts == starts[0]).all()) else len(starts)


def starts_loaded(layer: Matrix, fold: Fold) -> bool:
    """Whether what accumulators begin with is loaded: where it depends on thresholds, or on the weights."""
    if not fold.loadable:
        return False
    if not isinstance(layer.output, Scores) or layer.pads_with_zeros:
        return True
    return not layer.counts_bits and (layer.weight_type.xnor or layer.takes.xnor)


def _starts(layer: Matrix, fold: Fold, bits: int) -> NDArray[np.int64]:
    """(border classes * NF, PE): `preload_values`, one for all where they are equal or not."""
    start: NDArray[np.int64] = np.zeros((1, fold.neuron_folds * fold.pe), np.int64)
    if not isinstance(layer.output, Scores):
        levels = _padded_levels(layer, fold)
        start = (1 << (bits - 1)) - levels[:, :, levels.shape[2] // 2]
    elif layer.pads_with_zeros:  # sums of the lanes inside the image alone
        start = -_padded_levels(layer, fold)[:, :, 0]
    products, order = products_of(layer), plane_order(layer, fold)
    if order is not None:
        start = order.fed_as(start - order.excess(_folded(layer, fold)), bits)
    elif products is not None:
        start = start - products.excess(_folded(layer, fold))
        if products.takes.xnor and products.weights.xnor:  # a lane is twice its bit, less 1
            start[:, : layer.outputs] -= layer.weight_type.integers(layer.rows).sum(axis=1)
    elif not layer.counts_bits:
        start = start + corrections(_folded(layer, fold).astype(np.uint8), fold.simd)
    return start.reshape(-1, fold.pe)


def preload_borders(layer: Matrix) -> Borders | None:
    """Which thresholds hold where, if they depend on the pixel."""
    windows = layer.borders
    if windows is None:
        return None
    across = len(windows.column_classes)
    return Borders(
        rows=tuple(across * int(row) for row in windows.row_class), columns=tuple(windows.column_class.tolist())
    )


@dataclass(frozen=True, kw_only=True)
class LevelNumbers:
    """What the threshold stage of `layer` is made of (see LevelUnit), for accumulators of `bits` bits."""

    layer: Matrix
    fold: Fold
    bits: int

    @property
    def code_bits(self) -> int:
        return self.layer.edge.number.bits

    @property
    def base(self) -> int:
        """The value where no level is reached."""
        assert isinstance(self.layer.output, Thresholds)
        return self.layer.output.base

    @property
    def middle(self) -> int:
        """The level that the preloads have."""
        return self.layer.output.levels // 2

    @cached_property
    def _apart(self) -> NDArray[np.int64]:
        """`others` as an array (border classes * NF, PE, levels - 1)."""
        levels, fold = _padded_levels(self.layer, self.fold), self.fold
        middle = levels[:, :, self.middle, None]
        apart = np.delete(levels - middle, self.middle, axis=2) + (1 << (self.bits - 1))
        return apart.reshape(len(levels) * fold.neuron_folds, fold.pe, levels.shape[2] - 1)

    @property
    def others(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """For each border class and pass, of each row, the other levels in the numbers of its biased total."""
        return tuple(tuple(tuple(row) for row in rows) for rows in self._apart.tolist())

    @property
    def varying_bits(self) -> int:
        """Bits of the stage's memory words that are not the same in all of them: no memory holds the others."""
        return varying_bits(self._apart, self.fold.pass_words)

    @property
    def words(self) -> tuple[tuple[int, ...], ...]:
        """The words of the stage's memory where they are loaded."""
        pe, apart = self.fold.pe, self.fold.pass_words
        return level_words(self.others, level_units(pe, apart), level_steps(pe, apart), loaded=True)

    @property
    def latency(self) -> int:
        """Cycles from a pass's totals to its codes."""
        return levels_latency(self.fold.pe, self.fold.pass_words)

    def counts(self, costs: Costs) -> Counts:
        """What it takes."""
        borders = preload_borders(self.layer) is not None
        classes = len(self.layer.engine_levels)
        sizes = LevelSizes(
            pe=self.fold.pe,
            passes_apart=self.fold.pass_words,
            bits=self.bits,
            levels=self.layer.output.levels,
            code_bits=self.code_bits,
        )
        return level_counts(
            sizes,
            passes=self.fold.neuron_folds * classes,
            borders=borders,
            varying=None if self.fold.loadable else self.varying_bits,
            costs=costs,
        )


def level_numbers(layer: Matrix, fold: Fold) -> LevelNumbers | None:
    """The threshold stage behind the rows of a layer; None where their top bit is the activation, or for scores."""
    if not isinstance(layer.output, Thresholds) or layer.edge.number.xnor:
        return None
    return LevelNumbers(layer=layer, fold=fold, bits=accumulator_bits(layer, fold))

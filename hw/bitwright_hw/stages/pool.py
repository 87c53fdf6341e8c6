"""A pool between two convolutions, or behind the last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import NumberType, Pooling, Windows
from bitwright_core.numbers import signed_bits
from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.image_pool import Axis, ImagePool, PoolParams, Reduction
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words, feed
from bitwright_hw.window_params import WindowParams


@dataclass(frozen=True, kw_only=True)
class PoolStage(Stage):
    """Passes the pixels that complete a window on, a few cycles later; whoever makes those takes their tokens."""

    params: PoolParams

    def component(self, rows: RowPool) -> ImagePool:
        return ImagePool(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, ImagePool)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        (pixels,) = words
        kept = np.array(self.params.completing)
        return replace(pixels, takes=pixels.takes[kept], makes=pixels.makes[kept], after=pixels.after + self.delay)

    @property
    def delay(self) -> int:
        return ImagePool.LATENCY

    def cost(self, costs: Costs) -> Counts:
        """Partial results, and the tables of where windows begin and end."""
        pool = self.params
        rows, columns = pool.axes
        total = Counts(luts=costs.pool, ffs=4 * counter_bits(rows.size) + 4 * counter_bits(columns.size) + 2)
        for axis, inner in ((columns, pool.words), (rows, columns.count * pool.words)):
            width = pool.out_width
            total += Counts(ffs=width + 1)
            for slot in range(min(axis.slots, axis.count)):
                total += Counts(luts=width if slot else width // 2)
                if not pool.reduction.is_or:
                    total += Counts(luts=width)
                total += costs.register_file(width, inner) if inner > 1 else Counts(ffs=width)
        return total


def reduction(pooling: Pooling, number: NumberType) -> Reduction:
    """How values of this type are pooled, as stored."""
    least, largest = number.stored
    if pooling.rule == "max":
        return Reduction(in_bits=number.bits, bits=number.bits, signed=number.signed, least=least)
    taps = pooling.windows.kernel[0] * pooling.windows.kernel[1]
    bits = (
        max(signed_bits(least * taps), signed_bits(largest * taps)) if number.signed else (largest * taps).bit_length()
    )
    return Reduction(rule="sum", in_bits=number.bits, bits=bits, signed=number.signed)


def pool_params(layer: Pooling, words: int, number: NumberType) -> tuple[PoolParams, WindowParams | None]:
    """The pool, for words of so many lanes of a number type, and the unit that it needs before it where windows overlap
    in the padding below or to the right: with what pads there as pixels of the image, no two windows end at once."""
    windows, how = layer.windows, reduction(layer, number)
    count = ceil_div(layer.channels, words)
    ends = [
        Axis(
            size=windows.image[k],
            count=windows.shape[k],
            kernel=windows.kernel[k],
            stride=windows.stride[k],
            before=windows.padding[2 * k],
        )
        for k in range(2)
    ]
    if all(axis.ends_differ for axis in ends):
        return PoolParams(windows=windows, width=words, words=count, reduction=how), None
    beyond = [max(0, axis.furthest - axis.size) for axis in ends]
    top, _, left, _ = windows.padding
    padded = Windows(image=windows.image, kernel=(1, 1), stride=(1, 1), padding=(0, beyond[0], 0, beyond[1]))
    pool = Windows(image=padded.shape, kernel=windows.kernel, stride=windows.stride, padding=(top, 0, left, 0))
    padding = WindowParams(
        windows=padded,
        channels=layer.channels,
        in_width=words,
        simd=words,
        passes=1,
        capacity=1,
        lane_bits=number.bits,
        padding_lane=how.least & ((1 << number.bits) - 1),
    )
    return PoolParams(windows=pool, width=words, words=count, reduction=how), padding

"""A max-pool between two convolutions, or behind the last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import Pooling, Windows
from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.engine import RowPool
from bitwright_hw.families.costs import Costs
from bitwright_hw.max_pool import Axis, MaxPool, PoolParams
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words, feed
from bitwright_hw.window_params import WindowParams


@dataclass(frozen=True, kw_only=True)
class PoolStage(Stage):
    """Passes the pixels that complete a window on, a few cycles later; whoever makes those takes their tokens."""

    params: PoolParams

    def component(self, rows: RowPool) -> MaxPool:
        return MaxPool(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, MaxPool)
        feed(m, givers[0], unit.i, unit.space)
        return Giver(unit.o.valid, unit.o.payload, unit.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        (pixels,) = words
        kept = np.array(self.params.completing)
        return replace(pixels, takes=pixels.takes[kept], makes=pixels.makes[kept], after=pixels.after + self.delay)

    @property
    def delay(self) -> int:
        return MaxPool.LATENCY

    def cost(self, costs: Costs) -> Counts:
        """Partial results, and the tables of where windows begin and end."""
        pool = self.params
        rows, columns = pool.axes
        total = Counts(luts=costs.pool, ffs=4 * counter_bits(rows.size) + 4 * counter_bits(columns.size) + 2)
        for axis, inner in ((columns, pool.words), (rows, columns.count * pool.words)):
            total += Counts(ffs=pool.width + 1)
            for slot in range(min(axis.slots, axis.count)):
                total += Counts(luts=pool.width if slot else pool.width // 2)
                total += costs.register_file(pool.width, inner) if inner > 1 else Counts(ffs=pool.width)
        return total


def pool_params(layer: Pooling, words: int) -> tuple[PoolParams, WindowParams | None]:
    """The pool, for words of so many lanes, and the unit that it needs before it where windows overlap in the padding
    below or to the right: with what pads there as pixels of the image, no two windows end at once."""
    windows = layer.windows
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
        return PoolParams(windows=windows, width=words, words=count), None
    beyond = [max(0, axis.furthest - axis.size) for axis in ends]
    top, _, left, _ = windows.padding
    padded = Windows(image=windows.image, kernel=(1, 1), stride=(1, 1), padding=(0, beyond[0], 0, beyond[1]))
    pool = Windows(image=padded.shape, kernel=windows.kernel, stride=windows.stride, padding=(top, 0, left, 0))
    padding = WindowParams(windows=padded, channels=layer.channels, in_width=words, simd=words, passes=1, capacity=1)
    return PoolParams(windows=pool, width=words, words=count), padding

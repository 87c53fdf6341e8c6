"""What follows from a convolution's shape and fold for the unit that slides its window: words, addresses, needs.

Images are written pixel by pixel in raster order. Output pixel j needs the image's pixels up to `need[j]`, and none
before `oldest[j]` is needed by it or by a later one; so what must be kept at any time is one stretch of the raster.
"""

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import Windows
from bitwright_core.plan import ceil_div


@cache
def storage_lanes(channels: int, least: int) -> int:
    """Lanes of a storage word: the least divisor of `channels` that is at least `least`, or all."""
    return next(n for n in range(1, channels + 1) if channels % n == 0 and (n >= least or n == channels))


@dataclass(frozen=True, kw_only=True)
class WindowParams:
    """The arguments of Window.

    `in_width` and `simd` are in lanes of `lane_bits` bits; a pixel has `channels` lanes. Every lane that pads is
    `padding_lane`. Each output pixel's window is sent `passes` times. `capacity` is in pixels.

    With `groups`, the channels are cut into that many equal parts, and the window of each part is sent by itself,
    `passes` times, one part after the other. With `groups_at_once` above 1, that many parts are sent side by side: in
    place of each lane stands a bundle, one lane of each of them. Where too few parts are left to fill the last bundles,
    their spare lanes may hold anything.
    """

    windows: Windows
    channels: int
    in_width: int
    simd: int
    passes: int
    capacity: int
    lane_bits: int = 1
    padding_lane: int = 0
    groups: int = 1
    groups_at_once: int = 1

    def __post_init__(self) -> None:
        if self.groups < 1 or self.channels % self.groups or not 1 <= self.groups_at_once <= self.groups:
            raise ValueError("groups must divide the channels, and groups_at_once lie in 1..groups")
        if min(self.channels, self.in_width, self.simd, self.passes, self.capacity, self.lane_bits) < 1:
            raise ValueError("channels, in_width, simd, passes, capacity and lane_bits must be at least 1")
        if self.in_width > self.channels:
            raise ValueError(f"in_width must be at most the {self.channels} channels of a pixel, not {self.in_width}")
        if self.simd > self.inputs:
            raise ValueError(f"simd must be at most the {self.inputs} lanes of a window, not {self.simd}")

    @property
    def inputs(self) -> int:
        """Lanes of a window, of one group alone."""
        return self.windows.kernel[0] * self.windows.kernel[1] * self.group_lanes

    @property
    def group_lanes(self) -> int:
        """Channels of a group."""
        return self.channels // self.groups

    @property
    def bundle_bits(self) -> int:
        """Bits of a bundle: a lane of each of the groups that are read at once."""
        return self.groups_at_once * self.lane_bits

    @property
    def rounds(self) -> int:
        """How often a window is read to send it for all groups."""
        return ceil_div(self.groups, self.groups_at_once)

    @property
    def image_pixels(self) -> int:
        return self.windows.image[0] * self.windows.image[1]

    @cached_property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the kernel that are read in a cycle: the fewest pixels with `simd` lanes or more."""
        _down, across = self.windows.kernel
        for columns in range(1, across + 1):
            if across % columns == 0 and columns * self.group_lanes >= self.simd:
                return 1, columns
        return ceil_div(self.simd, across * self.group_lanes), across

    @property
    def copies(self) -> int:
        """Memories, each with all pixels kept: one for each pixel of a tile."""
        return self.tile[0] * self.tile[1]

    @property
    def storage_lanes(self) -> int:
        """Lanes of a memory's word."""
        return self.slots * self.slot_lanes

    @property
    def slot_lanes(self) -> int:
        """Lanes of a memory's word that are used in a cycle: those of the groups read at once, or some of them."""
        whole = self.groups_at_once * self.group_lanes
        if self.copies > 1 or self.groups_at_once > 1:
            return whole
        return storage_lanes(whole, max(self.in_width, min(self.simd, whole)))

    @property
    def slots(self) -> int:
        """Slots of a memory's word, one of which is read in a cycle: several where the words that come are wider."""
        return ceil_div(self.in_width, self.slot_lanes)

    @property
    def pixel_words(self) -> int:
        """Words of a pixel in a memory."""
        return ceil_div(self.channels, self.storage_lanes)

    @property
    def round_words(self) -> int:
        """Slots that are read of each pixel in a round."""
        return self.groups_at_once * self.group_lanes // self.slot_lanes

    @property
    def read_lanes(self) -> int:
        """Lanes that are read in a cycle of each group that is read at once; so many bundles."""
        return self.copies * self.slot_lanes // self.groups_at_once

    @property
    def read_bits(self) -> int:
        """Bits that are read in a cycle."""
        return self.read_lanes * self.bundle_bits

    @property
    def chained(self) -> bool:
        """Whether the memory of the next column of a tile is written where the one before was, a word earlier."""
        return self.pixel_words == 1 and self.windows.dilation[1] == 1

    @property
    def writers(self) -> int:
        """How many counters of write addresses there are."""
        return self.tile[0] if self.chained else self.copies

    def offset(self, copy: int) -> int:
        """How many words earlier a pixel lies in memory `copy` than in the first one."""
        (down, across), (y, x) = divmod(copy, self.tile[1]), self.windows.dilation
        return (down * y * self.windows.image[1] + across * x) * self.pixel_words

    @property
    def depth(self) -> int:
        """Words of a memory."""
        return self.capacity * self.pixel_words

    @property
    def cycles(self) -> int:
        """Cycles of an output pixel: words of `simd` lanes."""
        return self.rounds * self.passes * ceil_div(self.inputs, self.simd)

    @property
    def latency(self) -> int:
        """Cycles from an output pixel's start to its first word on `o`."""
        return 2 if self.read_lanes == self.simd else 3

    @property
    def need(self) -> NDArray[np.int64]:
        """(pixels,): the last pixel of the image that each output pixel or an earlier one needs.

        A frame's last output pixel waits for all of the image, so that no result is there before its frame.
        """
        return _pixels(self.windows)[0]

    @property
    def oldest(self) -> NDArray[np.int64]:
        """(pixels + 1,): the first pixel of the image that each output pixel or a later one needs; last all."""
        return _pixels(self.windows)[1]

    @property
    def _tops(self) -> list[int]:
        return self.windows.corners(0)

    @property
    def _lefts(self) -> list[int]:
        return self.windows.corners(1)

    @cached_property
    def need_steps(self) -> list[list[int]]:
        """For each output pixel by row and column: how many more pixels the next one needs (of the next frame)."""
        following = np.append(self.need, self.image_pixels + self.need[0])
        return np.diff(following).reshape(self.windows.shape).tolist()

    @cached_property
    def release_steps(self) -> list[list[int]]:
        """For each output pixel by row and column: how many pixels nobody needs any more once it is done."""
        return np.diff(self.oldest).reshape(self.windows.shape).tolist()

    @property
    def base(self) -> int:
        """The address of the first window's corner, which may lie outside the image."""
        corner = self._tops[0] * self.windows.image[1] + self._lefts[0]
        return corner * self.pixel_words % self.depth

    @cached_property
    def base_steps(self) -> list[list[int]]:
        """For each output pixel by row and column: the way of the corner's address to the next one, modulo depth."""
        width = self.windows.image[1]
        corners = [y * width + x for y in self._tops for x in self._lefts]
        following = np.append(corners, self.image_pixels + corners[0])
        return (np.diff(following) * self.pixel_words % self.depth).reshape(self.windows.shape).tolist()

    @property
    def least_capacity(self) -> int:
        """Pixels without which some window is never complete."""
        return _pixels(self.windows)[2]


@lru_cache(maxsize=64)
def _pixels(windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """`need`, `oldest` and `least_capacity`, which do not depend on the fold."""
    (height, width), (down, across) = windows.image, windows.extent
    tops, lefts = np.array(windows.corners(0)), np.array(windows.corners(1))
    rows, columns = (down - 1 + tops).clip(0, height - 1), (across - 1 + lefts).clip(0, width - 1)
    need = np.maximum.accumulate((rows[:, None] * width + columns).reshape(-1))
    need[-1] = height * width - 1
    first = (tops.clip(0)[:, None] * width + lefts.clip(0)).reshape(-1)
    first = np.minimum(first, height * width)  # windows that lie below the image need nothing
    oldest = np.append(np.minimum.accumulate(first[::-1])[::-1], height * width)
    for array in (need, oldest):
        array.flags.writeable = False
    return need, oldest, int((need - oldest[:-1]).max()) + 1

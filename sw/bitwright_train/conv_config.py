"""One convolution of a training configuration, and what stands behind it."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from bitwright_core.errors import TrainingError

Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
_PAIR = msgspec.Meta(min_length=2, max_length=2)  # msgspec 0.22 misreads tuple[A, A] beside a number with bounds
_Count = Annotated[int, msgspec.Meta(ge=1, le=256)]
_Margin = Annotated[int, msgspec.Meta(ge=0, le=255)]
Sizes = _Count | Annotated[tuple[_Count, ...], _PAIR]  # one number for both, or (down, across)
Margins = _Margin | Annotated[tuple[_Margin, ...], _PAIR]


def both(size: int | tuple[int, ...]) -> tuple[int, int]:
    """(down, across) of a size that may be one number."""
    if isinstance(size, int):
        return size, size
    down, across = size
    return down, across


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """One convolution and the max-pool behind it; each size is one number, or (down, across).

    Its batch norm comes before the pool, or with `pool_first` behind it; the sign last. Padding goes on both sides.
    Behind its activation come, in this order and each at will, a `shortcut`, which adds what the convolution so many
    places before it gives, an `average` pool, whose sums are given, nearest upsampling (`upsample`), and a `concat`,
    which puts what the convolution so many places before it gives behind its own channels.
    """

    outputs: Positive
    kernel: Sizes = 3
    stride: Sizes = 1
    padding: Margins = 0
    padding_value: Literal["minus_one", "plus_one", "zero"] = "zero"
    dilation: Sizes = 1  # how many rows and columns the taps of the kernel lie apart
    pool: Sizes = 1  # size and stride; 1 is none
    pool_first: bool = False
    groups: Positive = 1  # of channels, each seen by outputs of its own
    depthwise: bool = False  # a group for each channel
    shortcut: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # how many convolutions before it; 0 is none
    average: Sizes | Literal["global"] = 1  # size and stride; 1 is none
    upsample: Sizes = 1  # how many times each pixel is given; 1 is none
    concat: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # how many convolutions before it; 0 is none
    takes: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1  # how many places before it stands what it takes

    def __post_init__(self) -> None:
        if self.depthwise and self.groups != 1:
            raise TrainingError("a depthwise convolution has a group for each channel; remove groups")
        if self.pool_first and (self.shortcut or self.averages or self.concat):
            raise TrainingError(
                "a pool before the batch norm goes with neither shortcut nor average nor concat; unset pool_first"
            )
        for padding, reach, kernel, dilation in zip(
            both(self.padding), self.reach, both(self.kernel), both(self.dilation), strict=True
        ):
            if padding >= reach:
                dilated = "" if dilation == 1 else f", which reaches over {reach} with a dilation of {dilation}"
                raise TrainingError(f"a convolution's padding {padding} must be less than its kernel {kernel}{dilated}")

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns that the dilated kernel spans."""
        down, across = ((k - 1) * d + 1 for k, d in zip(both(self.kernel), both(self.dilation), strict=True))
        return down, across

    @property
    def pads(self) -> bool:
        """Whether anything pads."""
        return any(both(self.padding))

    @property
    def pools(self) -> bool:
        """Whether it has a max-pool."""
        return both(self.pool) != (1, 1)

    @property
    def averages(self) -> bool:
        """Whether it has an average pool."""
        return self.average == "global" or both(self.average) != (1, 1)

    @property
    def upsamples(self) -> bool:
        """Whether its pixels are given several times."""
        return both(self.upsample) != (1, 1)

    def image(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """`shape` as (height, width, channels). Raises TrainingError for frames that are no images."""
        if len(shape) != 3:
            raise TrainingError(
                "convolutions are for images; these frames are flat, so give the first a kernel = [1, k], which takes "
                "them as a signal, or set convs = []"
            )
        return shape[0], shape[1], shape[2]

    def gives(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The image behind convolution, pool, average and upsampling, without what `concat` adds.

        Raises TrainingError where the image before is too small.
        """
        height, width, channels = self.pooled(shape)
        down, across = self.window(height, width)
        if down > height or across > width:
            raise TrainingError(f"an average of {_text(self.average)} does not fit an image of {height} x {width}")
        times = both(self.upsample)
        return height // down * times[0], width // across * times[1], channels

    def pooled(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The image behind convolution and pool, to which a shortcut is added. Raises TrainingError."""
        sizes = []
        for size, padding, reach, stride, pool in zip(
            shape, both(self.padding), self.reach, both(self.stride), both(self.pool), strict=False
        ):
            windows = (size + 2 * padding - reach) // stride + 1
            if size + 2 * padding < reach or windows < pool:
                dilated = "" if both(self.dilation) == (1, 1) else f", dilation {_text(self.dilation)}"
                raise TrainingError(
                    f"an image of {shape[0]} x {shape[1]} is too small for a convolution of kernel "
                    f"{_text(self.kernel)}, stride {_text(self.stride)}{dilated} and pool {_text(self.pool)}"
                )
            sizes.append(windows // pool)
        groups = self.groups_of(shape[2])
        if shape[2] % groups or self.outputs % groups:
            raise TrainingError(f"{groups} groups divide not both {shape[2]} channels and {self.outputs} outputs")
        return sizes[0], sizes[1], self.outputs

    def groups_of(self, channels: int) -> int:
        """Groups of an image of so many channels."""
        return channels if self.depthwise else self.groups

    def window(self, height: int, width: int) -> tuple[int, int]:
        """The window of its average pool on an image."""
        return (height, width) if self.average == "global" else both(self.average)


def _text(size: int | tuple[int, ...] | str) -> str:
    return " x ".join(map(str, size)) if isinstance(size, tuple) else str(size)

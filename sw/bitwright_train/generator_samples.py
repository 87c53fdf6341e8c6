"""What a generator draws: codes, how well a judge tells the images, how far apart they are, and a picture."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright_core.atomic import write_bytes
from bitwright_train.generator_trainer import judged
from bitwright_train.teacher import FloatTeacher

_CHUNK = 1000
_COMPARED = 400  # images of a class whose distances are measured
_SCALE = 2  # pixels of the picture for one of an image
_COLUMNS = 16
_PAPER = 96  # grey between images


@dataclass(frozen=True, kw_only=True)
class SampleMetrics:
    """Of n samples, all classes alike: how many are told as what was asked for, and how much they differ.

    A distance is the mean number of pixels in which two images of a class differ, over all classes.
    """

    samples: int
    recognised: float  # the share whose class the judge gives
    recognised_of: tuple[float, ...]  # of each class
    distance: float
    real_distance: float  # of test images
    distance_of: tuple[float, ...]  # of each class
    real_distance_of: tuple[float, ...]
    distinct: float  # the share of samples that no earlier one equals


def codes_of(count: int, classes: int, noise: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Codes (count, classes + noise) by `seed`, and the classes (count,) that they ask for, one after the other."""
    asked = np.arange(count) % classes
    bits = np.random.default_rng(seed).integers(0, 2, (count, noise), dtype=np.uint8)
    return np.concatenate([np.eye(classes, dtype=np.uint8)[asked], bits], axis=1), asked


def _distances(images: NDArray[np.uint8], classes: NDArray[np.int64], count: int) -> tuple[float, ...]:
    """For each of `count` classes the mean number of bits in which two of its first images (n, pixels) differ."""
    found = []
    for each in range(count):
        own = images[classes == each][:_COMPARED].astype(np.float32)
        differing = own @ (1 - own).T
        found.append(float(2 * differing.sum() / max(1, len(own) * (len(own) - 1))))
    return tuple(found)


def sample_metrics(
    judge: FloatTeacher,
    drawn: tuple[NDArray[Any], NDArray[np.int64]],
    real: tuple[NDArray[Any], NDArray[np.int64]],
) -> SampleMetrics:
    """Metrics of images of bits (n, pixels) that were `drawn`, with the classes asked for, beside `real` ones."""
    images, asked = drawn[0].astype(np.uint8), drawn[1]
    with torch.no_grad():
        said = torch.cat([judged(judge.eval(), part).argmax(1) for part in torch.from_numpy(images).split(_CHUNK)])
    right = said.numpy() == asked
    own = _distances(images, asked, judge.classes)
    theirs = _distances(real[0].reshape(len(real[0]), -1).astype(np.uint8), real[1], judge.classes)
    return SampleMetrics(
        samples=len(images),
        recognised=float(right.mean()),
        recognised_of=tuple(float(right[asked == each].mean()) for each in range(judge.classes)),
        distance=float(np.mean(own)),
        real_distance=float(np.mean(theirs)),
        distance_of=own,
        real_distance_of=theirs,
        distinct=len(np.unique(np.packbits(images, axis=1), axis=0)) / len(images),
    )


def write_codes(path: Path, codes: NDArray[np.uint8], asked: NDArray[np.int64]) -> None:
    """Writes codes as frames that verify and others take (x_test), with the classes asked for. Raises OSError."""
    content = io.BytesIO()
    np.savez_compressed(content, x_test=codes, classes=asked)
    write_bytes(path, content.getvalue())


def write_samples(path: Path, images: NDArray[Any], classes: int, shape: tuple[int, ...]) -> None:
    """Draws the first images (n, pixels), a row of each class, to a PNG; flat ones as lines. Raises OSError."""
    from matplotlib.image import imsave

    height, width = shape if len(shape) == 2 else (1, int(np.prod(shape)))
    columns = min(_COLUMNS, len(images) // classes)
    page = np.full((classes * (height + 1) - 1, columns * (width + 1) - 1), _PAPER, np.uint8)
    for place, image in enumerate(images[: classes * columns]):
        top, left = place % classes * (height + 1), place // classes * (width + 1)
        page[top : top + height, left : left + width] = image.reshape(height, width) * 255
    content = io.BytesIO()
    scaled = page.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    imsave(content, scaled, cmap="gray", vmin=0, vmax=255, format="png", metadata={"Software": "bitwright"})
    write_bytes(path, content.getvalue())

"""Frames for a network: held-out data sets, or random values."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright.api.common import PathLike
from bitwright_core.errors import DataError
from bitwright_core.network import Network

RANDOM_FRAMES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Frames (n, values) for a network, with their labels where they have any that the network tells.

    Labels are classes (n,), or 0 and 1 (n, labels) for a network that gives bits.
    """

    name: str
    frames: NDArray[np.integer]
    labels: NDArray[np.int64] | None

    def only(self, number: int) -> "Frames":
        """The frame of this number alone. Raises DataError if there is none."""
        if not 0 <= number < len(self.frames):
            raise DataError(f"there is no frame {number} in {self.name}, which has {len(self.frames)}, from 0 on")
        chosen = slice(number, number + 1)
        labels = None if self.labels is None else self.labels[chosen]
        return Frames(name=self.name, frames=self.frames[chosen], labels=labels)


def load_frames(network: Network, data: str, *, frames: int | None = None, data_dir: PathLike | None = None) -> Frames:
    """The held-out frames of data set `data` that `network` takes, the first `frames` of them or all.

    `data` is the name of a data set (digits, mnist, fashion-mnist, cifar10, fsdd, spam, yeast), the path of a .npz file
    with x_test and, for the accuracy, y_test, of a .csv file, of a folder of classes or of a .npy file of frames, or
    "random" or "random:SEED" for uniform random frames (1,000 unless `frames` says otherwise; no labels).
    `data_dir` holds the files of data sets that are not embedded; without it, the folder that the
    environment variable BITWRIGHT_DATA names, or ./data.

    Raises DataError for a data set that is missing, damaged, or of another shape than the network's.
    """
    from bitwright_core.golden import check_frames

    if frames is not None and frames < 1:
        raise DataError(f"at least 1 frame is needed, not {frames}")
    if data == "random" or data.startswith("random:"):
        seed = _seed(data)
        count = RANDOM_FRAMES if frames is None else frames
        rng = np.random.default_rng(seed)
        random: NDArray[np.integer] = rng.integers(
            0, 1 << network.input.bits, (count, network.input.size), dtype=np.uint16
        )
        return Frames(name=f"random:{seed}", frames=random, labels=None)
    from bitwright_data import load_held_out

    dataset = load_held_out(data, default_data_dir() if data_dir is None else Path(data_dir))
    chosen = slice(None, frames)
    if frames is not None and frames > len(dataset.frames):
        raise DataError(f"{frames} frames asked for, but the held-out set of {dataset.name} has {len(dataset.frames)}")
    values: NDArray[np.integer] = dataset.frames[chosen]
    if _squeezed(values.shape[1:]) == _squeezed(network.input.shape):
        values = values.reshape(len(values), -1)
    try:
        values = check_frames(network, values)
    except DataError as error:
        raise DataError(f"data set {dataset.name}: {error}") from None
    labels = None if dataset.labels is None else _labels(network, dataset.name, dataset.labels[chosen])
    return Frames(name=dataset.name, frames=values, labels=labels)


def _labels(network: Network, name: str, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """What of a data set's labels the network tells. Raises DataError where the two do not fit."""
    if labels.ndim == 2:
        if network.gives != "bits" or network.outputs != labels.shape[1]:
            raise DataError(
                f"data set {name} has {labels.shape[1]} labels a frame, but network {network.name} gives "
                + {
                    "class": "one class",
                    "values": "values",
                    "bits": f"{network.outputs} bits",
                    "integers": "integers",
                }[network.gives]
            )
        return labels
    if network.gives == "bits" and network.outputs == 1 and int(labels.max()) <= 1:
        return labels[:, None]  # a decision between two classes
    if not network.is_classifier:
        return None
    if int(labels.max()) >= network.outputs:
        raise DataError(
            f"data set {name} has label {int(labels.max())}, but network {network.name} knows {network.outputs} classes"
        )
    return labels


def default_data_dir() -> Path:
    """The folder that BITWRIGHT_DATA names, or ./data."""
    return Path(os.environ.get("BITWRIGHT_DATA") or "data")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _seed(data: str) -> int:
    text = data.partition(":")[2] or "0"
    if not text.isdecimal():
        raise DataError(f"random frames take a seed, as in random:7, not {data}")
    return int(text)

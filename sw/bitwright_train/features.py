"""A new last layer on the features of a network that stays: transfer to other classes of the same kind of frames.

The features are the bits that the frozen layers give, by the golden model. The last layer is trained on them as a
network of its own, and takes the place of the old one: Leroux, Bohez, Verbelen et al., "Transfer Learning with Binary
Neural Networks" (2017, arXiv 1711.10761). A running accelerator whose last layer is loadable takes it.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core import golden
from bitwright_core.atomic import write_bytes
from bitwright_core.errors import TrainingError
from bitwright_core.network import ENCODED, Network, Scores
from bitwright_core.progress import Progress
from bitwright_data import Dataset, load_dataset
from bitwright_train.config import TrainConfig
from bitwright_train.loop import Told
from bitwright_train.run import NETWORK_FILE, TrainReport, train

FEATURES_FILE = "features.npz"
HEAD_FOLDER = "head"  # of the run of the last layer by itself
_CHUNK = 1000  # frames at a time


@dataclass(frozen=True, kw_only=True)
class FeatureReport:
    """What came of it: the whole network, and the run of its last layer."""

    network: Network
    test_accuracy: float  # of the whole network by the golden model, on the raw test frames
    head: TrainReport


def features(network: Network, frames: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, lanes): the bits that the last layer of `network` takes of frames (n, ...).

    Raises TrainingError for a network whose last layer is no dense one of scores behind a layer of bits.
    """
    last = network.nodes[-1]
    operator, taken = last.operator, last.takes[0]
    matrix = operator.matrix
    if matrix is None or matrix.windows is not None or type(matrix.output) is not Scores or not matrix.counts_bits:
        raise TrainingError(
            f"network {network.name}: its last layer gives no scores of bits; choose a classifier of bits"
        )
    if taken == ENCODED:
        raise TrainingError(f"network {network.name} has a single layer, and no features before it")
    place = [layer.name for layer in network.layers].index(taken)
    parts = [
        golden.trace(network, frames[start : start + _CHUNK]).layers[place].values.reshape(-1, matrix.inputs)
        for start in range(0, len(frames), _CHUNK)
    ]
    return np.concatenate(parts).astype(np.uint8)


def with_last_layer(network: Network, head: Network) -> Network:
    """`network` with the last layer of `head`, whose classes it then tells."""
    layer = replace(head.last, name=network.last.name)  # type: ignore[type-var]
    return replace(network, layers=(*network.layers[:-1], layer), labels=head.labels)


def train_features(
    config: TrainConfig,
    network: Network,
    out: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: Told | None = None,
) -> FeatureReport:
    """Trains a new last layer for `network` on the data set of `config`, and writes the whole network to `out`.

    Layers, encoding and warps of frames in `config` do not matter: frames are features here. Raises DataError or
    TrainingError.
    """
    dataset = load_dataset(config.dataset, data_dir)
    _check(network, dataset)
    out.mkdir(parents=True, exist_ok=True)
    file = out / FEATURES_FILE
    _write(file, network, dataset)
    report = train(
        head_config(config, str(file)),
        out / HEAD_FOLDER,
        resume=resume,
        seconds=seconds,
        progress=progress,
        told=told,
    )
    whole = with_last_layer(network, report.network)
    whole.save(out / NETWORK_FILE)
    classes = golden.classify(whole, dataset.test_frames.reshape(-1, *whole.input.shape))
    accuracy = float(np.mean(classes == dataset.test_labels))
    return FeatureReport(network=whole, test_accuracy=accuracy, head=report)


def head_config(config: TrainConfig, dataset: str) -> TrainConfig:
    """The run of a last layer by itself, on the bits of `dataset`."""
    return replace(
        config,
        dataset=dataset,
        hidden=(),
        convs=(),
        luts=None,
        weights=1,
        activations=1,
        input_bits=1,
        thresholds=(),
        levels=1,
        encoding="bits",
        start="",
        teacher="",
        distill=0.0,
        baseline=False,
        two_step=0.0,
        estimator="straight_through",
        shift=0,
        flip=False,
        rotate=0.0,
        zoom=0.0,
        elastic=0.0,
        cutout=0,
        jitter=0,
        mixup=0.0,
    )


def _check(network: Network, dataset: Dataset) -> None:
    """Raises TrainingError unless `network` takes the frames of `dataset`, which has classes."""
    if dataset.is_multi_label or dataset.is_map:
        raise TrainingError(f"{dataset.name} has several labels for each frame; features are for classes")
    size = int(np.prod(dataset.shape))
    if size != network.input.size or dataset.value_bits > network.input.bits:
        raise TrainingError(
            f"{dataset.name} has frames of {size} values of {dataset.value_bits} bits, but network {network.name} "
            f"takes {network.input.size} of {network.input.bits}"
        )


def _write(file: Path, network: Network, dataset: Dataset) -> None:
    """The features of both parts of `dataset` as a data set of their own."""
    shape = network.input.shape
    content = io.BytesIO()
    np.savez_compressed(
        content,
        x_train=features(network, dataset.train_frames.reshape(-1, *shape)),
        y_train=dataset.train_labels,
        x_test=features(network, dataset.test_frames.reshape(-1, *shape)),
        y_test=dataset.test_labels,
        labels=np.array(dataset.labels),
    )
    write_bytes(file, content.getvalue())

"""A short training without files, as a search makes many of: from another network's weights, ended when it may be."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from bitwright_core.progress import Progress
from bitwright_data import Dataset
from bitwright_train.checkpoint import Epoch
from bitwright_train.config import TrainConfig
from bitwright_train.loop import LoopOptions
from bitwright_train.loop import run as run_loop
from bitwright_train.model import BinaryNetwork
from bitwright_train.threads import torch_threads


def train_short(
    config: TrainConfig,
    dataset: Dataset,
    *,
    inherited: BinaryNetwork | None = None,
    enough: Callable[[list[Epoch]], bool] | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[BinaryNetwork, list[Epoch], int]:
    """The trained model, in evaluation mode, its history, and the epoch that was kept (from 1).

    It begins with the weights of `inherited`, cut or widened, and ends after the epoch for which `enough`, which is
    given the history, says so. The same arguments give the same bits on the same kind of machine. Raises TrainingError.
    """
    with torch_threads(threads), tempfile.TemporaryDirectory(prefix="bitwright-short-") as folder:
        options = LoopOptions(
            device=torch.device("cpu"),
            teacher=Path(folder) / "teacher.safetensors",
            checkpoint_seconds=float("inf"),
            progress=progress,
            inherited=inherited,
            enough=enough,
        )
        model, record = run_loop(config, dataset, Path(folder) / "checkpoint.safetensors", options)
    assert isinstance(model, BinaryNetwork)
    return model, record.history, record.best_epoch

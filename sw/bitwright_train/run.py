"""A whole training run: data, loop, export, proof on the test set, and the files that tell of it."""

import itertools
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from bitwright_core import golden
from bitwright_core.atomic import write_bytes
from bitwright_core.errors import TrainingError
from bitwright_core.metrics import LabelMetrics
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_data import Dataset, load_dataset
from bitwright_train.checkpoint import TrainingRecord
from bitwright_train.config import TrainConfig
from bitwright_train.curves import write_curves
from bitwright_train.export_check import ExportCheck
from bitwright_train.exports import check_export, export_model
from bitwright_train.loop import CHECKPOINT_SECONDS, LoopOptions, Told
from bitwright_train.loop import run as run_loop
from bitwright_train.model_file import MODEL_FILE, save_model
from bitwright_train.threads import torch_threads
from bitwright_train.together import started_together, together

NETWORK_FILE = "network.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"
TEACHER_FILE = "teacher.safetensors"
METRICS_FILE = "metrics.json"
CURVES_FILE = "curves.png"
CURVES_SECONDS = 60.0  # between two pictures while a run goes on
_SMALL_WORK = 4_000_000  # hidden weights times batch: below, a step is too short to share between threads


@dataclass(frozen=True, kw_only=True)
class TrainFiles:
    """Where a run's results lie."""

    network: Path
    model: Path
    checkpoint: Path
    teacher: Path
    metrics: Path
    curves: Path

    @classmethod
    def under(cls, out: Path) -> "TrainFiles":
        return cls(
            network=out / NETWORK_FILE,
            model=out / MODEL_FILE,
            checkpoint=out / CHECKPOINT_FILE,
            teacher=out / TEACHER_FILE,
            metrics=out / METRICS_FILE,
            curves=out / CURVES_FILE,
        )


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What came of a run.

    Accuracies are fractions, of labels where each stands for itself; `seconds` counts every part of a resumed run.
    """

    config: TrainConfig
    test_accuracy: float
    label_metrics: LabelMetrics | None  # of the test set, with loss "bce"
    validation_accuracy: float | None
    best_epoch: int
    seconds: float
    check: ExportCheck
    network: Network
    files: TrainFiles
    baseline_accuracy: float | None = None  # of the float network on the test set, with `baseline`


def device_of(device: str | None) -> torch.device:
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _mixed(device: torch.device) -> bool:
    """Whether matrix products are of bfloat16: on a GPU that has it."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def drawer(path: Path, title: str) -> Callable[[TrainingRecord], None]:
    """Draws the curves so far when a checkpoint is written, once in CURVES_SECONDS."""
    drawn = time.monotonic()

    def draw(record: TrainingRecord) -> None:
        nonlocal drawn
        if time.monotonic() - drawn >= CURVES_SECONDS:
            write_curves(path, f"{title}: {record.epoch} epochs so far", record.history, record.best_epoch)
            drawn = time.monotonic()

    return draw


def _check_kind(config: TrainConfig) -> None:
    """Raises TrainingError for a configuration of a generator, whose run is another."""
    if config.generator is not None:
        raise TrainingError(f"{config.name}: a generator; train it by bitwright train, or by train_generator")


def default_threads(config: TrainConfig, available: int) -> int:
    if config.convs or config.luts is not None:
        return available
    hidden = sum(a * b for a, b in itertools.pairwise(config.hidden))
    return 1 if config.batch_size * hidden < _SMALL_WORK else available


def train(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: str | None = None,
    threads: int | None = None,
    mixed: bool | None = None,
    seconds: float | None = None,
    told: Told | None = None,
) -> TrainReport:
    """Trains, exports and proves the export on the whole test set, which is looked at once, at the end.

    Writes under `out` (each file whole or not at all): the checkpoint, at most every `checkpoint_seconds`
    between epochs, and once a minute the curves so far; then the network, the float model, metrics.json and
    curves.png. With `resume`, a
    checkpoint of the same configuration and data there is taken up, and the result is the same to the bit,
    on the same machine and number of threads, as that of a run that was never stopped. `device` is a torch
    device (default: CUDA if there is one); `threads` is the number of torch's while this runs (default: one for
    small networks, which more would only slow down, else torch's own choice). `mixed` makes the matrix products of
    training bfloat16 (default: on a GPU that has it); what is exported and proved is always float32. With `seconds`
    the training, and its schedule with it, ends within about so many. `told` hears of every epoch.
    Raises DataError, TrainingError, or ExportError if the network is not what torch computes; then none is
    written.
    """
    if threads is not None and threads < 1:
        raise TrainingError(f"threads must be at least 1, not {threads}")
    if started_together():
        raise TrainingError(
            "torchrun has started several processes, which train by -m bitwright_train CONFIG --out DIR; "
            "then bitwright train, without torchrun, exports what DIR has and proves it"
        )
    _check_kind(config)
    with torch_threads(threads or default_threads(config, torch.get_num_threads())):
        return _train(
            config,
            Path(out),
            data_dir=data_dir,
            resume=resume,
            progress=progress,
            checkpoint_seconds=checkpoint_seconds,
            device=device_of(device),
            mixed=mixed,
            seconds=seconds,
            told=told,
        )


def train_only(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    seconds: float | None = None,
    record: bool = True,
    kept_alone: bool = False,
    told: Told | None = None,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Trains, or goes on with what `out` has, and leaves a checkpoint that `train` exports and proves, elsewhere say.

    Beside it lies the float model, which another run can start from.

    `record` lets a GPU replay a recorded step; with `kept_alone` the checkpoint has only what the export takes.
    Processes that torchrun has started train one network together, each on its share of every batch; the first one
    alone writes and tells how far it is. Raises DataError or TrainingError.
    """
    _check_kind(config)
    files = TrainFiles.under(Path(out))
    dataset = load_dataset(config.dataset, data_dir)
    with (
        together(device_of(device)) as (processes, place),
        torch_threads(threads or default_threads(config, torch.get_num_threads())),
    ):
        if place.type == "cuda":
            torch.backends.cudnn.benchmark = True
        options = LoopOptions(
            device=place,
            mixed=_mixed(place),
            record=record,
            kept_alone=kept_alone,
            seconds=seconds,
            teacher=files.teacher,
            told=told if processes.is_first else None,
            progress=progress if processes.is_first else None,
            together=processes,
        )
        model, reached = run_loop(config, dataset, files.checkpoint, options)
        if processes.is_first:
            save_model(files.model, model, config, dataset.labels)
        processes.meet()
        return reached


def _train(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None,
    resume: bool,
    progress: Progress | None,
    checkpoint_seconds: float,
    device: torch.device,
    mixed: bool | None,
    seconds: float | None,
    told: Told | None,
) -> TrainReport:
    started = time.monotonic()
    files = TrainFiles.under(out)
    dataset = load_dataset(config.dataset, data_dir)
    loaded = time.monotonic() - started
    options = LoopOptions(
        device=device,
        mixed=_mixed(device) if mixed is None else mixed,
        resume=resume,
        seconds=seconds,
        checkpoint_seconds=checkpoint_seconds,
        teacher=files.teacher,
        progress=progress,
        told=told,
        saved=drawer(files.curves, f"{config.name} on {dataset.name}"),
    )
    model, record = run_loop(config, dataset, files.checkpoint, options)
    trained = time.monotonic()
    model.cpu()
    names = () if dataset.is_map else dataset.labels
    network = export_model(model, name=config.name, labels=names, score_bits=config.score_bits, progress=progress)
    check = check_export(model, network, dataset.test_frames, score_bits=config.score_bits, progress=progress)
    accuracy, labels = _accuracy(network, dataset)

    save_model(files.model, model, config, dataset.labels)
    network.save(files.network)
    write_curves(files.curves, _title(config, dataset, accuracy), record.history, record.best_epoch)
    took = record.seconds + loaded + time.monotonic() - trained
    metrics = run_metrics(
        config=config,
        frames=len(dataset.test_labels),
        record=record,
        network=network,
        check=check,
        device=device,
    )
    metrics = {
        "test_accuracy": accuracy,
        **({} if labels is None else {"test_labels": asdict(labels)}),
        "seconds": took,
        **metrics,
    }
    write_bytes(files.metrics, msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
    return TrainReport(
        config=config,
        test_accuracy=accuracy,
        label_metrics=labels,
        validation_accuracy=metrics["validation_accuracy"],
        best_epoch=record.best_epoch,
        seconds=took,
        check=check,
        network=network,
        files=files,
        baseline_accuracy=record.baseline_accuracy,
    )


def _title(config: TrainConfig, dataset: Dataset, accuracy: float) -> str:
    """What stands above the curves of a finished run."""
    what = "labels of the " if dataset.is_multi_label else "pixels of the " if dataset.is_map else ""
    return f"{config.name} on {dataset.name}: {accuracy:.2%} of the {what}test set"


def _accuracy(network: Network, dataset: Dataset) -> tuple[float, LabelMetrics | None]:
    """How much of the test set the network tells right; and how well labels are told, where frames have several."""
    if dataset.is_map:
        pixels = golden.outputs(network, dataset.test_frames)
        return float((pixels == dataset.test_labels.reshape(pixels.shape)).mean()), None
    if dataset.is_multi_label:
        told = LabelMetrics.of(golden.outputs(network, dataset.test_frames), dataset.test_labels)
        return 1 - told.hamming_loss, told
    return float((golden.classify(network, dataset.test_frames) == dataset.test_labels).mean()), None


def run_metrics(
    *,
    config: TrainConfig,
    frames: int,
    record: TrainingRecord,
    network: Network,
    check: ExportCheck,
    device: torch.device,
) -> dict[str, Any]:
    """What metrics.json has of the run, its export and its machine; `frames` of the test set."""
    return {
        "validation_accuracy": record.history[record.best_epoch - 1].validation_accuracy,
        "best_epoch": record.best_epoch,
        **({} if record.teacher_accuracy is None else {"teacher_validation_accuracy": record.teacher_accuracy}),
        **({} if record.baseline_accuracy is None else {"baseline_test_accuracy": record.baseline_accuracy}),
        "test_frames": frames,
        "digest": network.digest,
        "seed": config.seed,
        "config": asdict(config),
        "export_check": asdict(check),
        "environment": {
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "device": str(device),
            "threads": torch.get_num_threads(),
        },
        "history": [msgspec.to_builtins(entry) for entry in record.history],
    }

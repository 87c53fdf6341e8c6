"""A whole run of a generator: data, loop, export and its proof on codes, and the files that tell of it."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from bitwright_core import golden
from bitwright_core.atomic import write_bytes
from bitwright_core.network import Network
from bitwright_core.progress import Progress
from bitwright_data import load_dataset
from bitwright_train.config import TrainConfig
from bitwright_train.curves import write_curves
from bitwright_train.export_check import ExportCheck
from bitwright_train.exports import check_export, export_model
from bitwright_train.generator_loop import network_config, of_bits, run_generator, settings_of
from bitwright_train.generator_samples import SampleMetrics, codes_of, sample_metrics, write_codes, write_samples
from bitwright_train.loop import CHECKPOINT_SECONDS, LoopOptions, Told
from bitwright_train.model_file import save_model
from bitwright_train.run import TrainFiles, default_threads, device_of, drawer, run_metrics
from bitwright_train.threads import torch_threads

JUDGE_FILE = "judge.safetensors"
CODES_FILE = "codes.npz"
SAMPLES_FILE = "samples.png"


@dataclass(frozen=True, kw_only=True)
class GeneratorReport:
    """What came of a run; `seconds` counts every part of a resumed one, and the judge."""

    config: TrainConfig
    judge_accuracy: float  # of the judge, on the test images
    samples: SampleMetrics  # of the golden model, for the codes in the run's folder
    seconds: float
    check: ExportCheck
    network: Network


def train_generator(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    told: Told | None = None,
    device: str | None = None,
) -> GeneratorReport:
    """Trains a judge, then a generator and its discriminator, exports the generator and proves the export on codes.

    Writes under `out` (each file whole or not at all) what `train` does, the judge, the codes that were judged and a
    picture of what the golden model draws of them. Arguments are those of `train`. Raises DataError, TrainingError, or
    ExportError if the network is not what torch computes; then none is written.
    """
    with torch_threads(default_threads(config, torch.get_num_threads())):
        options = LoopOptions(
            device=device_of(device),
            resume=resume,
            seconds=seconds,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            teacher=Path(out) / JUDGE_FILE,
            progress=progress,
            told=told,
            saved=drawer(TrainFiles.under(Path(out)).curves, config.name),
        )
        return _train(config, Path(out), data_dir, options)


def _train(config: TrainConfig, out: Path, data_dir: Path | None, options: LoopOptions) -> GeneratorReport:
    started = time.monotonic()
    settings, files, progress = settings_of(config), TrainFiles.under(out), options.progress
    dataset = of_bits(load_dataset(config.dataset, data_dir), settings.threshold)
    out.mkdir(parents=True, exist_ok=True)
    loaded = time.monotonic() - started
    trained = run_generator(config, dataset, files.checkpoint, options)
    ended = time.monotonic()
    model = trained.model.generator
    codes, asked = codes_of(settings.samples, dataset.classes, settings.noise, config.seed)
    network = export_model(model, name=config.name, progress=progress)
    check = check_export(model, network, codes, progress=progress)
    parts = [golden.outputs(network, codes[part]) for part in golden.chunks(network, len(codes))]
    images = np.concatenate(parts)
    samples = sample_metrics(trained.judge, (images, asked), (dataset.test_frames, dataset.test_labels))

    pixels = tuple(f"pixel {place}" for place in range(model.classes))
    save_model(files.model, model, network_config(config), pixels)
    network.save(files.network)
    record = trained.record
    title = f"{config.name} on {dataset.name}: {samples.recognised:.2%} of {samples.samples:,} samples recognised"
    write_curves(files.curves, title, record.history, record.best_epoch)
    write_codes(out / CODES_FILE, codes, asked)
    write_samples(out / SAMPLES_FILE, images, dataset.classes, dataset.shape)
    took = trained.record.seconds + loaded + time.monotonic() - ended
    metrics = run_metrics(
        config=config,
        frames=len(codes),
        record=record,
        network=network,
        check=check,
        device=options.device,
    )
    metrics = {"judge_accuracy": trained.judge_accuracy, "samples": asdict(samples), "seconds": took, **metrics}
    write_bytes(files.metrics, msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
    return GeneratorReport(
        config=config,
        judge_accuracy=trained.judge_accuracy,
        samples=samples,
        seconds=took,
        check=check,
        network=network,
    )

"""A generator's training run: the judge first, then generator and discriminator, with a checkpoint to go on from."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bitwright_core.errors import TrainingError
from bitwright_data import Dataset
from bitwright_train.adversaries import Adversaries, Discriminator
from bitwright_train.average import Average
from bitwright_train.checkpoint import State, TrainingRecord, load_checkpoint
from bitwright_train.config import TrainConfig
from bitwright_train.generator_config import GeneratorConfig
from bitwright_train.generator_trainer import GeneratorTrainer, optimizer_of
from bitwright_train.loop import LoopOptions, carry_out, data_digest, place, round_trip, taught
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.model_file import build_model
from bitwright_train.teacher import FloatTeacher
from bitwright_train.trainer import TrainingFrames, evaluate


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedGenerator:
    """What a run leaves: the generator with its discriminator, and the judge, with its accuracy on test images."""

    model: Adversaries
    judge: FloatTeacher
    judge_accuracy: float
    record: TrainingRecord


def settings_of(config: TrainConfig) -> GeneratorConfig:
    """The table `generator` of a configuration. Raises TrainingError if there is none."""
    if config.generator is None:
        raise TrainingError(f"{config.name}: no generator; give it a table generator")
    return config.generator


def network_config(config: TrainConfig) -> TrainConfig:
    """The generator as a configuration of a network: bits in, bits out that each stand for themselves."""
    return replace(config, generator=None, input_bits=1, loss="bce", validation_fraction=0.0, keep="last")


def judge_config(config: TrainConfig) -> TrainConfig:
    """The configuration whose float network is the judge."""
    plain = {"hidden": (), "weights": 1, "activations": 1, "nonlinearity": "none", "ema": 0.0, "recalibrate": 0}
    return replace(config, generator=None, input_bits=1, validation_fraction=0.0, **plain)  # type: ignore[arg-type]


def of_bits(dataset: Dataset, threshold: int) -> Dataset:
    """`dataset` with images of bits, 1 from `threshold` on. Raises TrainingError for what has no classes of images."""
    if dataset.is_multi_label or dataset.is_map:
        raise TrainingError(f"{dataset.name} has several labels for each frame; a generator is for classes of images")
    train, test = dataset.train_frames >= threshold, dataset.test_frames >= threshold
    if not train.any() or train.all():
        raise TrainingError(
            f"{dataset.name}: with threshold {threshold} every pixel is the same; its values go from "
            f"{dataset.train_frames.min()} to {dataset.train_frames.max()}"
        )
    return replace(dataset, train_frames=train.astype(np.uint8), test_frames=test.astype(np.uint8))


def _adversaries(config: TrainConfig, dataset: Dataset) -> Adversaries:
    """Both networks, before the first step."""
    settings = settings_of(config)
    pixels = int(np.prod(dataset.shape))
    generator = build_model(network_config(config), (dataset.classes + settings.noise,), pixels)
    assert isinstance(generator, BinaryNetwork)
    discriminator = Discriminator(pixels=pixels, classes=dataset.classes, width=settings.discriminator)
    return Adversaries(generator, discriminator, classes=dataset.classes)


def run_generator(config: TrainConfig, dataset: Dataset, checkpoint: Path, options: LoopOptions) -> TrainedGenerator:
    """Trains to the end on a `dataset` of bits, from `checkpoint` if it is there and may be.

    On a CPU the result is the same to the bit, interrupted or not. Raises TrainingError for another run's checkpoint.
    """
    started = time.monotonic()
    digest = data_digest(dataset)
    settings, own, device = settings_of(config), network_config(config), options.device
    frames = TrainingFrames.of(judge_config(config), dataset, device)
    judge = taught(judge_config(config), dataset, frames, digest, options, what="judge")
    chance = torch.Generator().manual_seed(config.seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(config.seed)
    model = _adversaries(config, dataset)
    model.initialise(chance)
    place(model, device)
    trainer = GeneratorTrainer(
        config=own,
        settings=settings,
        frames=frames,
        model=model,
        optimizer=optimizer_of(model, config, settings),
        generator=chance,
        average=Average(model, config.ema) if config.ema else None,
    )
    trainer.teacher, trainer.progress = judge, options.progress
    state = State(progress=round_trip(TrainingRecord(config=asdict(config), data_digest=digest)))
    if options.resume and checkpoint.exists():
        parts = (model, trainer.optimizer, chance, trainer.average)
        state = load_checkpoint(checkpoint, state.progress, *parts, older_digest=lambda: digest)
    carry_out(own, trainer, state, checkpoint, options, started)
    model.load_state_dict(state.best)
    model.eval()
    tests = as_tensor(dataset.test_frames).to(device), torch.from_numpy(dataset.test_labels.copy()).to(device)
    accuracy = evaluate(judge, judge_config(config), *tests)[1]
    return TrainedGenerator(model=model.cpu(), judge=judge.cpu(), judge_accuracy=accuracy, record=state.progress)

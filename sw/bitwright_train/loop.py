"""The training loop: a teacher first, if one is asked for, then epoch by epoch, with a checkpoint to go on from."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress
from bitwright_data import Dataset
from bitwright_train.adversaries import Adversaries
from bitwright_train.average import Average
from bitwright_train.checkpoint import Epoch, State, TrainingRecord, load_checkpoint, save_checkpoint
from bitwright_train.config import TrainConfig, shipped_start
from bitwright_train.copies import Copies
from bitwright_train.inherit import inherit
from bitwright_train.lut_model import LutNetwork
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.model_file import MODEL_FILE, build_model, load_model, save_model
from bitwright_train.schedule import Clock, Span, is_over, learning_rate, weights_are_float
from bitwright_train.start import begin_with
from bitwright_train.teacher import DECAY, FloatTeacher, load_teacher, save_teacher, teacher_config
from bitwright_train.together import Together
from bitwright_train.told import EpochTold
from bitwright_train.trainer import Trainer, TrainingFrames, adam, evaluate

CHECKPOINT_SECONDS = 10.0


Told = Callable[[EpochTold], None]


def place(module: nn.Module, device: torch.device) -> None:
    """Moves `module` to its device, where a GPU has the channels of a pixel side by side."""
    module.to(device)
    if device.type == "cuda":
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _digest(*arrays: np.ndarray) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(repr((array.shape, str(array.dtype))).encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def data_digest(dataset: Dataset) -> str:
    """Of what is trained on; the test set may lie elsewhere."""
    return _digest(dataset.train_frames, dataset.train_labels)


def _older_digest(dataset: Dataset) -> str:
    """Of everything, as checkpoints once had it."""
    return _digest(dataset.train_frames, dataset.train_labels, dataset.test_frames, dataset.test_labels)


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How a run is carried out; nothing here is part of its configuration.

    `seconds`: the run ends within about so many, its schedule with it. `told` hears of every epoch, `saved` of every
    checkpoint. `teacher` is the file of a float teacher, read if it is the right one, else written. With `kept_alone`
    the finished run's checkpoint has the model alone that is kept: enough to export it. `inherited` is a model of other
    sizes, say, whose weights the run begins with. `enough` is asked after each epoch, with the history, and may end the
    run. Of processes that train `together` the first one alone writes and tells.
    """

    device: torch.device
    mixed: bool = False
    record: bool = True
    resume: bool = True
    seconds: float | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    kept_alone: bool = False
    teacher: Path
    progress: Progress | None = None
    told: Told | None = None
    saved: Callable[[TrainingRecord], None] | None = None
    inherited: BinaryNetwork | None = None
    enough: Callable[[list[Epoch]], bool] | None = None
    together: Together = field(default_factory=Together)


def taught(
    config: TrainConfig,
    dataset: Dataset,
    frames: TrainingFrames,
    digest: str,
    options: LoopOptions,
    what: str = "teacher",
) -> FloatTeacher:
    """The float teacher of a run, in evaluation mode: the one in its file, or a new one, which is then written."""
    teacher = FloatTeacher(
        shape=dataset.shape, input_bits=config.input_bits, width=config.teacher_width, classes=dataset.classes
    )
    device = options.device
    if not load_teacher(options.teacher, config, teacher, digest):
        own = teacher_config(config)
        generator = torch.Generator().manual_seed(config.seed)
        teacher.initialise(generator)
        place(teacher, device)
        trainer = Trainer(
            config=own,
            frames=frames,
            model=teacher,
            optimizer=adam(list(teacher.parameters()), device, DECAY),
            generator=generator,
            mixed=options.mixed,
            record=options.record,
            what=what,
            progress=options.progress,
            together=options.together,
        )
        for epoch in range(own.epochs):
            trainer.epoch(epoch, Span(epoch, own.epochs))
            trainer.tell((epoch + 1) * trainer.steps)
        options.together.alike(teacher)
        if options.together.is_first:
            save_teacher(options.teacher, config, teacher, digest)
    place(teacher, device)
    return teacher.eval().requires_grad_(False)


def _teacher_of(config: TrainConfig, dataset: Dataset, device: torch.device) -> BinaryNetwork | LutNetwork:
    """The trained network in the folder `config.teacher`, in evaluation mode. Raises TrainingError."""
    teacher = load_model(Path(config.teacher))
    if teacher.shape not in (dataset.shape, (1, *dataset.shape)) or teacher.classes != dataset.classes:
        raise TrainingError(
            f"{config.teacher}: a teacher of frames of shape {teacher.shape} and {teacher.classes} classes, but "
            f"{dataset.name} has frames of shape {dataset.shape} and {dataset.classes} classes; choose another teacher"
        )
    place(teacher, device)
    return teacher.requires_grad_(False)


@dataclass(kw_only=True, eq=False)
class _Run:
    """A run under way."""

    config: TrainConfig
    trainer: Trainer
    state: State
    clock: Clock
    told: Told | None

    def epoch(self) -> None:
        """Trains and validates once more, appends to the history, and keeps the model if it is to be kept."""
        progress, trainer = self.state.progress, self.trainer
        started = time.monotonic()
        epoch = progress.epoch
        position = epoch / self.config.epochs if progress.position is None else progress.position
        span = Span(*trainer.together.agreed(*astuple(self.clock.next(epoch, position))))
        loss, accuracy = trainer.epoch(epoch, span)
        if trainer.average:
            with trainer.average.applied():
                self._judged(epoch, span, loss, accuracy)
        else:
            self._judged(epoch, span, loss, accuracy)
        progress.epoch = epoch + 1
        progress.position = span.at(1.0)
        trainer.tell(min(self.config.epochs, epoch + 1) * trainer.steps)
        self.clock.durations.append(time.monotonic() - started)
        if self.told:
            left = 0 if is_over(progress.position) else span.count * (1 - progress.position)
            told = EpochTold(
                entry=progress.history[-1],
                epochs=epoch + 1 + round(left),
                best=progress.history[progress.best_epoch - 1],
                frames_per_second=trainer.steps * trainer.batch / self.clock.durations[-1],
                seconds_left=left * self.clock.each,
            )
            self.told(told)

    def _judged(self, epoch: int, span: Span, loss: float, accuracy: float) -> None:
        trainer, state = self.trainer, self.state
        if self.config.recalibrate:
            trainer.recalibrate(self.config.recalibrate)
        validation = trainer.validate()
        history = state.progress.history
        entry = Epoch(
            epoch=epoch + 1,
            learning_rate=learning_rate(self.config, span.at(0.0)),
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=validation[0],
            validation_accuracy=validation[1],
        )

        def merit(of: Epoch) -> tuple[float, float]:
            return (of.validation_accuracy or 0.0, -(of.validation_loss or 0.0))

        progress = state.progress
        is_float = weights_are_float(self.config, span)  # then a model is kept until one is not
        first = not history or is_float or progress.best_is_float
        last = self.config.keep == "last" or validation[0] is None
        if first or last or merit(entry) > merit(history[progress.best_epoch - 1]):
            progress.best_epoch = epoch + 1
            progress.best_is_float = is_float
            state.best = trainer.model.kept_state()
        history.append(entry)


def _start_of(config: TrainConfig, dataset: Dataset, options: LoopOptions) -> Path:
    """The folder of the run that `config.start` names; a configuration that ships is trained in OUT/start, on the same
    frames and in its share of the seconds.
    """
    shipped = shipped_start(config)
    if shipped is None:
        return Path(config.start)
    folder = options.teacher.parent / "start"
    first = replace(
        shipped,
        dataset=config.dataset,
        seed=config.seed,
        validation_fraction=config.validation_fraction,
    )
    share = first.epochs / (first.epochs + config.epochs)
    own = replace(
        options,
        teacher=folder / options.teacher.name,
        seconds=None if options.seconds is None else options.seconds * share,
        kept_alone=False,
        saved=None,
    )
    model, _ = run(first, dataset, folder / "checkpoint.safetensors", own)
    if options.together.is_first:
        save_model(folder / MODEL_FILE, model, first, dataset.labels)
    options.together.meet()
    return folder


def _check_map(model: BinaryNetwork | LutNetwork, dataset: Dataset) -> None:
    """Raises TrainingError where a model gives maps of another size than those of `dataset`."""
    if not dataset.is_map or isinstance(model, LutNetwork):
        return
    with torch.no_grad():
        given = model.eval()(model.encode(as_tensor(dataset.train_frames[:1]))).shape[2:]
    if tuple(given) != dataset.train_labels.shape[1:]:
        one, other = (" x ".join(map(str, sizes)) for sizes in (given, dataset.train_labels.shape[1:]))
        raise TrainingError(f"the last convolution gives a map of {one}, but {dataset.name} has maps of {other}")


def _binary_trainer(config: TrainConfig, dataset: Dataset, options: LoopOptions, *, fresh: bool) -> Trainer:
    """The trainer of the network itself, before its first epoch and without its teacher.

    A run that is not `fresh` takes all it has learned from its checkpoint.
    """
    device = options.device
    frames = TrainingFrames.of(config, dataset, device)
    generator = torch.Generator().manual_seed(config.seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(config.seed + options.together.rank)
    model = build_model(config, dataset.shape, dataset.classes)
    _check_map(model, dataset)
    place(model, device)
    source = load_model(_start_of(config, dataset, options)) if config.start and fresh else None
    if isinstance(source, LutNetwork):
        raise TrainingError(f"{config.start}: a network of lookup tables, which no other can start from")
    if isinstance(model, LutNetwork):
        model.prepare(frames.augmenter.frames, frames.labels, generator)
        if source is not None:
            model.begin_with(source, frames.augmenter.frames, config.start)
    else:
        model.initialise(generator)
        if source is not None:
            begin_with(model, source, config.start)
        if options.inherited is not None and fresh:
            inherit(model, options.inherited)
    place(model, device)
    return Trainer(
        config=config,
        frames=frames,
        model=model,
        optimizer=adam(list(model.parameters()), device),
        generator=generator,
        mixed=options.mixed,
        record=options.record,
        average=Average(model, config.ema) if config.ema else None,
        progress=options.progress,
        together=options.together,
    )


def run(
    config: TrainConfig, dataset: Dataset, checkpoint: Path, options: LoopOptions
) -> tuple[BinaryNetwork | LutNetwork, TrainingRecord]:
    """Trains to the end, from `checkpoint` if it is there and may be; returns the model that is kept, and the history.

    The same configuration, data, machine and number of threads give the same bits, interrupted or not, on a CPU.
    A finished run goes on if it now has more epochs. Raises TrainingError for data that does not suit, or for another
    run's checkpoint.
    """
    started = time.monotonic()
    digest = data_digest(dataset)
    record = round_trip(TrainingRecord(config=asdict(config), data_digest=digest))
    fresh = not options.together.agreed(float(options.resume and checkpoint.exists()))[0]
    trainer = _binary_trainer(config, dataset, options, fresh=fresh)
    model, state = trainer.model, State(progress=record)
    assert not isinstance(model, FloatTeacher | Adversaries)
    parts = (model, trainer.optimizer, trainer.generator, trainer.average)
    if not fresh:
        state = load_checkpoint(checkpoint, record, *parts, older_digest=lambda: _older_digest(dataset))
    progress = state.progress
    if config.baseline or (config.distill and not config.teacher and not _is_over(progress, config)):
        baseline = taught(config, dataset, trainer.frames, digest, options)
        if config.baseline:
            tests = as_tensor(dataset.test_frames).to(options.device), torch.from_numpy(dataset.test_labels.copy())
            progress.baseline_accuracy = evaluate(baseline, config, tests[0], tests[1].to(options.device))[1]
    if config.distill and not _is_over(progress, config):
        trainer.teacher = _teacher_of(config, dataset, options.device) if config.teacher else baseline
        if len(trainer.frames.held_labels):
            held, labels = trainer.frames.held_frames, trainer.frames.held_labels
            progress.teacher_accuracy = evaluate(trainer.teacher, config, held, labels)[1]
    if config.copies and not _is_over(progress, config):
        said = None if config.mixup else trainer.teacher
        trainer.copies = Copies(trainer.frames.augmenter, config.copies, config.seed, said, options.progress)
    carry_out(config, trainer, state, checkpoint, options, started)
    model.finish()
    model.load_state_dict(state.best)
    model.eval()
    model.after_training(trainer.frames.augmenter.frames)
    return model, state.progress


def carry_out(
    config: TrainConfig, trainer: Trainer, state: State, checkpoint: Path, options: LoopOptions, started: float
) -> None:
    """Trains to the end of the run, which `state` is in the middle of, and writes `checkpoint` now and then.

    `started` is the time.monotonic() at which this part of the run began.
    """
    progress, before = state.progress, state.progress.seconds
    left = None if options.seconds is None else options.seconds - (time.monotonic() - started)
    under_way = _Run(
        config=config, trainer=trainer, state=state, clock=Clock(epochs=config.epochs, limit=left), told=options.told
    )
    written = time.monotonic()
    over = _is_over(progress, config)
    while not over:
        under_way.epoch()
        now = time.monotonic()
        progress.seconds = before + now - started
        over = _is_over(progress, config) or (options.enough is not None and options.enough(progress.history))
        due = over or now - written >= options.checkpoint_seconds
        if due and options.together.is_first:
            parts = (trainer.model, trainer.optimizer, trainer.generator, trainer.average)
            save_checkpoint(checkpoint, state, *parts, kept_alone=over and options.kept_alone)
            written = time.monotonic()
            if options.saved:
                options.saved(progress)


def _is_over(progress: TrainingRecord, config: TrainConfig) -> bool:
    return progress.epoch >= config.epochs or (progress.position is not None and is_over(progress.position))


def round_trip(record: TrainingRecord) -> TrainingRecord:
    """`record` as it reads back from JSON, so that a configuration compares equal to a stored one."""
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(record), type=TrainingRecord)

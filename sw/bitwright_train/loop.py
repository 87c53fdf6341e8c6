"""The training loop: Adam on latent weights, data resident on the device, one generator for all chance."""

import hashlib
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress
from bitwright_data import Dataset
from bitwright_train.checkpoint import Epoch, State, TrainingRecord, load_checkpoint, save_checkpoint
from bitwright_train.config import TrainConfig
from bitwright_train.layers import BinaryConv, BinaryLinear
from bitwright_train.lut_layers import LutLayer
from bitwright_train.lut_model import LutNetwork
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.quantizers import activation_of, weight_type

CHECKPOINT_SECONDS = 10.0
_EVALUATION_CHUNK = 2000
_STEPS_A_REPORT = 20


def build_model(config: TrainConfig, shape: tuple[int, ...], classes: int) -> BinaryNetwork | LutNetwork:
    """The model that a configuration describes, all latent weights 0."""
    if config.luts is not None:
        return LutNetwork(
            shape=shape,
            input_bits=config.input_bits,
            thresholds=config.encoding_thresholds,
            luts=config.luts,
            classes=classes,
        )
    return BinaryNetwork(
        shape=shape,
        input_bits=config.input_bits,
        thresholds=config.encoding_thresholds,
        table=config.integer_table,
        convs=config.convs,
        hidden=config.hidden,
        weights=tuple(map(weight_type, config.weight_bits)),
        activations=tuple(map(activation_of, config.activation_bits)),
        classes=classes,
        final_norm=config.final_norm,
        multi_label=config.loss == "bce",
        input_dropout=config.input_dropout,
        dropout=config.dropout,
    )


def learning_rate(config: TrainConfig, epoch: int, fraction: float) -> float:
    """The rate `fraction` (0..1) into epoch `epoch` (from 0): cosine falls to 0, step between epochs."""
    match config.schedule:
        case "cosine":
            return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch + fraction) / config.epochs))
        case "step":
            return config.learning_rate * config.step_factor ** (epoch // config.step_epochs)
        case _:
            return config.learning_rate


def loss_of(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over the batch. Without a last batch norm, logits are first divided by sqrt(inputs)."""
    if not config.final_norm and config.luts is None:
        logits = logits / math.sqrt(config.hidden[-1] if config.hidden else logits.shape[1])
    if config.loss == "bce":
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if config.loss == "cross_entropy":
        return functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    wanted = functional.one_hot(labels, logits.shape[1]).to(logits.dtype) * 2 - 1
    return torch.clamp(1 - wanted * logits, min=0).square().mean()


def share_right(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """How many frames are classified right; of labels that stand for themselves, each frame's share, summed."""
    if config.loss == "bce":
        return ((logits >= 0) == (labels > 0)).to(torch.float64).mean(1).sum()
    return (logits.argmax(1) == labels).sum().to(torch.float64)


class Augmenter:
    """Batches of frames (n, H, W[, C]), each shifted by up to `shift` pixels each way, zeros moving in.

    With `flip`, half of them, by chance, are turned left to right.
    """

    def __init__(self, frames: Tensor, shift: int, flip: bool = False) -> None:
        if (shift or flip) and frames.ndim < 3:
            raise TrainingError("shift and flip are for images; these frames are flat, so set shift = 0, flip = false")
        self.shift = shift
        self.flip = flip
        self.frames = frames
        if shift:
            height, width = frames.shape[1:3]
            padded = frames.new_zeros((len(frames), height + 2 * shift, width + 2 * shift, *frames.shape[3:]))
            padded[:, shift : shift + height, shift : shift + width] = frames
            self.windows = padded.unfold(1, height, 1).unfold(2, width, 1)

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """The frames of `index`, (n,) + frame shape."""
        batch = self._shifted(index, generator)
        if self.flip:
            turned = (torch.rand(len(index), generator=generator) < 0.5).to(index.device)
            batch = torch.where(turned.reshape(-1, *[1] * (batch.ndim - 1)), batch.flip(2), batch)
        return batch

    def _shifted(self, index: Tensor, generator: torch.Generator) -> Tensor:
        if not self.shift:
            return self.frames[index]
        moves = torch.randint(0, 2 * self.shift + 1, (2, len(index)), generator=generator).to(index.device)
        batch = self.windows[index, moves[0], moves[1]]  # (n, [C,] H, W)
        return batch.movedim(1, -1) if self.frames.ndim == 4 else batch


def evaluate(
    model: BinaryNetwork | LutNetwork, config: TrainConfig, frames: Tensor, labels: Tensor
) -> tuple[float, float]:
    """Mean loss and accuracy (0..1, of labels if each stands for itself) in evaluation mode."""
    model.eval()
    loss = 0.0
    correct = 0.0
    with torch.no_grad():
        for part, wanted in zip(frames.split(_EVALUATION_CHUNK), labels.split(_EVALUATION_CHUNK), strict=True):
            logits = model(model.encode(part))
            loss += loss_of(config, logits, wanted).item() * len(part)
            correct += share_right(config, logits, wanted).item()
    return loss / len(frames), correct / len(frames)


def _data_digest(dataset: Dataset) -> str:
    sha = hashlib.sha256()
    for array in (dataset.train_frames, dataset.train_labels, dataset.test_frames, dataset.test_labels):
        sha.update(repr((array.shape, str(array.dtype))).encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def _split(config: TrainConfig, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the validation frames, by the seed: the same fraction of every class.

    Of labels that stand for themselves, any frames.
    """
    random = np.random.default_rng(config.seed)
    held = np.zeros(len(labels), bool)
    if config.validation_fraction and labels.ndim == 2:
        held[random.permutation(len(labels))[: round(len(labels) * config.validation_fraction)]] = True
    elif config.validation_fraction:
        for label in np.unique(labels):
            members = random.permutation(np.flatnonzero(labels == label))
            held[members[: round(len(members) * config.validation_fraction)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _check(config: TrainConfig, dataset: Dataset, frames: int) -> None:
    if dataset.value_bits > config.input_bits:
        raise TrainingError(
            f"{dataset.name} has values up to {dataset.value_bits} bits but input_bits is "
            f"{config.input_bits}; set input_bits = {dataset.value_bits} and thresholds to suit"
        )
    if dataset.is_multi_label != (config.loss == "bce"):
        raise TrainingError(
            f'{dataset.name} has 0 and 1 for each of {dataset.classes} labels, which is for loss = "bce" alone'
            if dataset.is_multi_label
            else f'loss = "bce" is for labels of 0 and 1, of shape (frames, labels); {dataset.name} has a class a frame'
        )
    if frames < 2:
        raise TrainingError(f"{dataset.name}: {frames} frames are left to train on; at least 2 are needed")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Frames:
    """The frames of a run on its device: those it trains on, and those that are held back for validation."""

    augmenter: Augmenter
    labels: Tensor
    held_frames: Tensor
    held_labels: Tensor

    @staticmethod
    def of(config: TrainConfig, dataset: Dataset, device: torch.device) -> "_Frames":
        """Splits `dataset`. Raises TrainingError if it does not suit."""
        kept, held = _split(config, dataset.train_labels)
        _check(config, dataset, len(kept))
        frames = as_tensor(dataset.train_frames).to(device)
        labels = torch.from_numpy(dataset.train_labels.copy()).to(device)
        kept_index, held_index = torch.from_numpy(kept).to(device), torch.from_numpy(held).to(device)
        return _Frames(
            augmenter=Augmenter(frames[kept_index], config.shift, config.flip),
            labels=labels[kept_index],
            held_frames=frames[held_index],
            held_labels=labels[held_index],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Training:
    """A model, its frames and its optimizer; `epoch` and `validate` are the two halves of an epoch."""

    config: TrainConfig
    frames: _Frames
    model: BinaryNetwork | LutNetwork
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    mixed: bool
    progress: Progress | None

    @property
    def batch(self) -> int:
        return min(self.config.batch_size, len(self.frames.labels))

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self.frames.labels) // self.batch

    def tell(self, steps: int) -> None:
        """Says that `steps` of all epochs are done."""
        if self.progress:
            self.progress("train", steps, self.config.epochs * self.steps)

    def epoch(self, epoch: int) -> tuple[float, float]:
        """Trains on every frame once; the mean loss, and the share that was told right. Raises TrainingError."""
        self.model.train()
        frames, device = self.frames, self.frames.labels.device
        clipped = latent_weights(self.model)
        order = torch.randperm(len(frames.labels), generator=self.generator).to(device)
        total = torch.zeros((), dtype=torch.float64, device=device)
        correct = torch.zeros((), dtype=torch.float64, device=device)
        for step in range(self.steps):
            rate = learning_rate(self.config, epoch, step / self.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            index = order[step * self.batch : (step + 1) * self.batch]
            wanted = frames.labels[index]
            encoded = self.model.encode(frames.augmenter.batch(index, self.generator))
            with torch.autocast(device.type, torch.bfloat16, enabled=self.mixed):
                logits = self.model(encoded, self.generator)
            loss = loss_of(self.config, logits.float(), wanted)
            if isinstance(self.model, LutNetwork) and self.model.luts.spectral:
                loss = loss + self.model.luts.spectral * self.model.spectrum
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                for weight in clipped:
                    weight.clamp_(-self.config.clip, self.config.clip)
                total += loss
                correct += share_right(self.config, logits, wanted)
            if (step + 1) % _STEPS_A_REPORT == 0:
                self.tell(epoch * self.steps + step + 1)
        mean = total.item() / self.steps
        if not math.isfinite(mean):
            raise TrainingError(f"{self.config.name}: the loss became {mean} in epoch {epoch + 1}; lower learning_rate")
        return mean, correct.item() / (self.steps * self.batch)

    def validate(self, state: State, epoch: int, loss: float, accuracy: float) -> None:
        """Appends to the history, and keeps the model if its validation is the best (or if there is none)."""
        held, labels = self.frames.held_frames, self.frames.held_labels
        validation = evaluate(self.model, self.config, held, labels) if len(held) else (None, None)
        history = state.progress.history
        entry = Epoch(
            epoch=epoch + 1,
            learning_rate=learning_rate(self.config, epoch, 0.0),
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=validation[0],
            validation_accuracy=validation[1],
        )

        def merit(of: Epoch) -> tuple[float, float]:
            return (of.validation_accuracy or 0.0, -(of.validation_loss or 0.0))

        if not history or not len(held) or merit(entry) > merit(history[state.progress.best_epoch - 1]):
            state.progress.best_epoch = epoch + 1
            state.best = _kept(self.model)
        history.append(entry)
        state.progress.epoch = epoch + 1


def latent_weights(model: torch.nn.Module) -> list[Tensor]:
    """What stays within -clip..clip: latent weights, and entries of tables."""
    found: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, BinaryLinear | BinaryConv):
            found.append(module.weight)
        elif isinstance(module, LutLayer):
            found.append(module.tables)
    return found


def _kept(model: BinaryNetwork | LutNetwork) -> dict[str, Tensor]:
    """A copy of the state that is exported; of lookup tables, without what learning the wiring takes."""
    if isinstance(model, LutNetwork):
        return model.settled_state()
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _initialised(model: BinaryNetwork | LutNetwork, frames: _Frames, generator: torch.Generator) -> None:
    """Draws weights, or tables and wiring, by chance and by the training frames."""
    if isinstance(model, LutNetwork):
        model.prepare(frames.augmenter.frames, frames.labels, generator)
    else:
        model.initialise(generator)


def run(
    config: TrainConfig,
    dataset: Dataset,
    checkpoint: Path,
    *,
    resume: bool,
    device: torch.device,
    mixed: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> tuple[BinaryNetwork | LutNetwork, TrainingRecord]:
    """Trains to the end, from `checkpoint` if it is there and `resume`; returns the best model, the history.

    The same configuration, data, machine and number of threads give the same bits, interrupted or not, on a CPU.
    With `mixed`, matrix products are of bfloat16; validation is not.
    Raises TrainingError for data that does not suit, or for another run's checkpoint.
    """
    started = time.monotonic()
    frames = _Frames.of(config, dataset, device)
    generator = torch.Generator().manual_seed(config.seed)
    model = build_model(config, dataset.shape, dataset.classes)
    model.to(device)
    _initialised(model, frames, generator)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    record = _round_trip(TrainingRecord(config=asdict(config), data_digest=_data_digest(dataset)))
    state = State(progress=record)
    if resume and checkpoint.exists():
        state = load_checkpoint(checkpoint, record, model, optimizer, generator)
    before = state.progress.seconds
    training = _Training(
        config=config,
        frames=frames,
        model=model,
        optimizer=optimizer,
        generator=generator,
        mixed=mixed,
        progress=progress,
    )
    written = time.monotonic()
    for epoch in range(state.progress.epoch, config.epochs):
        loss, accuracy = training.epoch(epoch)
        training.validate(state, epoch, loss, accuracy)
        training.tell((epoch + 1) * training.steps)
        now = time.monotonic()
        state.progress.seconds = before + now - started
        if epoch + 1 == config.epochs or now - written >= checkpoint_seconds:
            save_checkpoint(checkpoint, state, model, optimizer, generator)
            written = time.monotonic()
    if isinstance(model, LutNetwork):
        model.settle()
    model.load_state_dict(state.best)
    model.eval()
    return model, state.progress


def _round_trip(record: TrainingRecord) -> TrainingRecord:
    """`record` as it reads back from JSON, so that a configuration compares equal to a stored one."""
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(record), type=TrainingRecord)

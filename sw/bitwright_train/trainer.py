"""One epoch after another: batches, losses and steps of the optimizer, everything on one device.

On a GPU a whole step, from the batch's frames to the new weights, is recorded once as a CUDA graph and then replayed,
so that no time goes by between its many small kernels.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress
from bitwright_data import Dataset
from bitwright_train.adversaries import Adversaries
from bitwright_train.augment import Augmenter, blended
from bitwright_train.average import Average, recalibrate
from bitwright_train.config import TrainConfig
from bitwright_train.copies import Copies
from bitwright_train.estimators import EdeSign
from bitwright_train.layers import BinaryConv, BinaryDense
from bitwright_train.losses import distilled, loss_of, share_right
from bitwright_train.lut_model import LutNetwork
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.schedule import Span, learning_rate, weights_are_float
from bitwright_train.teacher import FloatTeacher
from bitwright_train.together import Together

_EVALUATION_CHUNK = 2000
_STEPS_A_REPORT = 20
_WARM_STEPS = 3  # before a step is recorded, as torch asks for

Model = BinaryNetwork | LutNetwork | FloatTeacher | Adversaries


def evaluate(model: Model, config: TrainConfig, frames: Tensor, labels: Tensor) -> tuple[float, float]:
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


def _split(config: TrainConfig, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the validation frames, by the seed: the same fraction of every class.

    Of labels that stand for themselves, and of maps of classes, any frames.
    """
    random = np.random.default_rng(config.seed)
    held = np.zeros(len(labels), bool)
    if config.validation_fraction and labels.ndim > 1:
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
    if dataset.is_map != config.pixels:
        raise TrainingError(
            f"{dataset.name} has a map of classes for each frame, which is for pixels = true alone"
            if dataset.is_map
            else f"pixels is for maps of classes, of shape (frames, height, width); {dataset.name} has none"
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
class TrainingFrames:
    """The frames of a run on its device: those it trains on, and those that are held back for validation."""

    augmenter: Augmenter
    labels: Tensor
    held_frames: Tensor
    held_labels: Tensor

    @staticmethod
    def of(config: TrainConfig, dataset: Dataset, device: torch.device) -> "TrainingFrames":
        """Splits `dataset`. Raises TrainingError if it does not suit."""
        kept, held = _split(config, dataset.train_labels)
        _check(config, dataset, len(kept))
        frames = as_tensor(dataset.train_frames).to(device)
        labels = torch.from_numpy(dataset.train_labels.copy()).to(device)
        kept_index, held_index = torch.from_numpy(kept).to(device), torch.from_numpy(held).to(device)
        augmenter = Augmenter(
            frames[kept_index],
            config.shift,
            config.flip,
            rotate=config.rotate,
            zoom=config.zoom,
            elastic=config.elastic,
            cutout=config.cutout,
            jitter=(config.jitter, (1 << config.input_bits) - 1),
        )
        return TrainingFrames(
            augmenter=augmenter,
            labels=labels[kept_index],
            held_frames=frames[held_index],
            held_labels=labels[held_index],
        )


def adam(parameters: list[nn.Parameter], device: torch.device, decay: float | None = None) -> torch.optim.Optimizer:
    """Adam, or with `decay` AdamW; on a GPU such that a step can be recorded. The rate is set before each step."""
    cuda = device.type == "cuda"
    rate = torch.zeros((), device=device) if cuda else 0.001
    if decay is None:
        return torch.optim.Adam(parameters, lr=rate, fused=True, capturable=cuda)
    return torch.optim.AdamW(parameters, lr=rate, fused=True, capturable=cuda, weight_decay=decay)


class Trainer:
    """Trains `model` on `frames`, an epoch at a time.

    Chance that a CPU has is of `generator`, so that a run can be repeated to the bit; a GPU has its own, but for the
    order of frames. With `mixed`, matrix products are of bfloat16; `record` lets a GPU replay a recorded step.
    Processes that train `together` take each their share of a batch.
    """

    def __init__(
        self,
        *,
        config: TrainConfig,
        frames: TrainingFrames,
        model: Model,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        mixed: bool = False,
        record: bool = True,
        teacher: Model | None = None,
        average: Average | None = None,
        copies: Copies | None = None,
        what: str = "train",
        progress: Progress | None = None,
        together: Together | None = None,
    ) -> None:
        self.config = config
        self.frames = frames
        self.model = model
        self.optimizer = optimizer
        self.generator = generator
        self.mixed = mixed
        self.device = frames.labels.device
        self.chance = generator if self.device.type == "cpu" else None
        self.together = together or Together()
        self.record = record and self.device.type == "cuda" and model.can_be_recorded and self.together.is_alone
        self.teacher = teacher
        self.average = average
        self.copies = copies
        self.what = what
        self.progress = progress
        self.batch = min(config.batch_size, len(frames.labels))
        self.steps = len(frames.labels) // self.batch  # batches of an epoch
        self._binary = [module for module in model.modules() if isinstance(module, BinaryDense | BinaryConv)]
        self._clipped = model.clipped
        self.share = self.together.share_of(self.batch)  # of a batch, for this process
        self._forward = self.together.forward_of(model)
        self._index = torch.zeros(self.share, dtype=torch.int64, device=self.device)
        self._total = torch.zeros((), dtype=torch.float64, device=self.device)
        self._correct = torch.zeros((), dtype=torch.float64, device=self.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def tell(self, steps: int) -> None:
        """Says that `steps` of all epochs are done."""
        if self.progress:
            self.progress(self.what, steps, self.config.epochs * self.steps)

    def epoch(self, epoch: int, span: Span) -> tuple[float, float]:
        """Trains on every frame once; the mean loss, and the share that was told right. Raises TrainingError."""
        self._prepare(span)
        self._forward.train()
        order = torch.randperm(len(self.frames.labels), generator=self.generator).to(self.device)
        if self.chance is not None:
            self.chance = self.together.chance(self.generator, epoch)
        self._total.zero_()
        self._correct.zero_()
        for step in range(self.steps):
            rate = learning_rate(self.config, span.at(step / self.steps))
            for group in self.optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate * group.get("share", 1.0)
            begin = step * self.batch + self.together.rank * self.share
            self._index.copy_(order[begin : begin + self.share])
            if not self.record:
                self._step()
            else:
                if self._graph is None:
                    self._graph = self._recorded()
                self._graph.replay()
            if (step + 1) % _STEPS_A_REPORT == 0:
                self.tell(epoch * self.steps + step + 1)
        self.together.add(self._total)
        self.together.add(self._correct)
        mean = self._total.item() / (self.steps * self.together.count)
        if not math.isfinite(mean):
            raise TrainingError(f"{self.config.name}: the loss became {mean} in epoch {epoch + 1}; lower learning_rate")
        return mean, min(1.0, self._correct.item() / (self.steps * self.batch))

    def validate(self) -> tuple[float | None, float | None]:
        """Loss and accuracy of the frames held back, None if there are none, with the model as it is."""
        held, labels = self.frames.held_frames, self.frames.held_labels
        return evaluate(self.model, self.config, held, labels) if len(held) else (None, None)

    def recalibrate(self, batches: int) -> None:
        """Measures batch norms anew, over the first `batches` batches of the training frames as they are."""
        whole = torch.arange(min(batches * self.batch, len(self.frames.labels)))
        parts = whole.to(self.device).split(self.batch)
        frames = self.frames.augmenter.frames
        recalibrate(self.model, (self.model.encode(frames[part]) for part in parts if len(part) > 1))

    def _prepare(self, span: Span) -> None:
        """Sets what changes from epoch to epoch."""
        is_float = weights_are_float(self.config, span)
        if any(module.is_float != is_float for module in self._binary):
            for module in self._binary:
                module.is_float = is_float
            self._graph = None
        for part in self.model.modules():
            if isinstance(part, EdeSign):
                part.sharpen(span.at(0.0))

    def _step(self) -> None:
        """One step of the optimizer, on the frames that `_index` names."""
        config, frames = self.config, self.frames
        batch, said = self._augmented()
        wanted = goal = frames.labels[self._index]
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            if config.mixup:
                said = None  # of other frames
                goal = _shares(goal, self.model)
                batch, goal = blended(batch, goal, config.mixup, self.chance)
        encoded = self.model.encode(batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed, cache_enabled=False):
            logits = self._forward(encoded, self.chance)
            if self.teacher is not None and said is None:
                with torch.no_grad():
                    said = self.teacher(self.teacher.encode(batch))
        loss = loss_of(config, logits.float(), goal)
        if said is not None:
            loss = distilled(config, logits.float(), said.float(), loss)
        penalty = self.model.penalty()
        if penalty is not None:
            loss = loss + penalty
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for weight in self._clipped:
                weight.clamp_(-config.clip, config.clip)
            if self.average:
                self.average.update()
            self._total += loss
            self._correct += share_right(config, logits, wanted)

    def _augmented(self) -> tuple[Tensor, Tensor | None]:
        """The frames that `_index` names, augmented, and what the teacher says of them, where that is known."""
        if self.copies is not None:
            return self.copies.batch(self._index, self.chance)
        return self.frames.augmenter.batch(self._index, self.chance), None

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """A step as a CUDA graph; some steps are made on the way, as torch asks for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_STEPS):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self._total.zero_()
        self._correct.zero_()
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        return graph


def _shares(labels: Tensor, model: Model) -> Tensor:
    """Labels as how much of each class or label is meant."""
    return (labels if labels.ndim == 2 else functional.one_hot(labels, model.classes)).to(torch.float32)

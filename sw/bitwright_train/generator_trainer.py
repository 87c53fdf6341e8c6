"""The steps of a generator's training: the discriminator learns, then the generator, batch by batch.

The losses are the non-saturating ones, with a penalty on the discriminator's slope at real images (L. Mescheder,
A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018), of every few batches (T.
Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020). The discriminator sees images of
bits alone, real or drawn; the sign's straight-through gradient takes what it says back to the generator.
"""

import torch
from torch import Tensor
from torch.nn import functional

from bitwright_train.adversaries import Adversaries
from bitwright_train.average import Average, recalibrate
from bitwright_train.config import TrainConfig
from bitwright_train.generator_config import GeneratorConfig
from bitwright_train.layers import sign
from bitwright_train.schedule import Span
from bitwright_train.teacher import FloatTeacher
from bitwright_train.trainer import Trainer, TrainingFrames

_BETAS = (0.5, 0.99)  # of Adam
_PENALTY_EVERY = 8  # batches
_JUDGED = 2000  # samples after each epoch
_CHUNK = 1000


def optimizer_of(model: Adversaries, config: TrainConfig, settings: GeneratorConfig) -> torch.optim.Optimizer:
    """Adam for both; the discriminator's rate is always the same multiple of the generator's."""
    share = settings.discriminator_rate / config.learning_rate
    groups = [
        {"params": list(model.generator.parameters()), "share": 1.0},
        {"params": list(model.discriminator.parameters()), "share": share},
    ]
    return torch.optim.Adam(groups, lr=0.001, betas=_BETAS, fused=True)


class GeneratorTrainer(Trainer):
    """Trains `model` on images of bits, an epoch of them at a time; the judge is what `teacher` is of other runs.

    An epoch's loss is the generator's, and the share told right that of its images that the discriminator gives the
    class that was asked for.
    """

    model: Adversaries
    teacher: FloatTeacher

    def __init__(
        self,
        *,
        config: TrainConfig,
        settings: GeneratorConfig,
        frames: TrainingFrames,
        model: Adversaries,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        average: Average | None,
    ) -> None:
        super().__init__(
            config=config, frames=frames, model=model, optimizer=optimizer, generator=generator, average=average
        )
        self.settings = settings
        self._batches = 0  # of this epoch
        fixed = torch.Generator().manual_seed(config.seed)
        asked = torch.arange(_JUDGED) % model.classes
        self._judged_codes = model.codes(asked, fixed).to(self.device)
        self._judged_classes = asked.to(self.device)

    def validate(self) -> tuple[float | None, float | None]:
        """The judge's mean cross entropy on samples, and the share of them whose class it gives."""
        loss, right = 0.0, 0
        self.model.eval()
        with torch.no_grad():
            for codes, asked in zip(self._judged_codes.split(_CHUNK), self._judged_classes.split(_CHUNK), strict=True):
                said = judged(self.teacher, self.model(self.model.encode(codes)) >= 0)
                loss += functional.cross_entropy(said, asked, reduction="sum").item()
                right += int((said.argmax(1) == asked).sum())
        return loss / _JUDGED, right / _JUDGED

    def recalibrate(self, batches: int) -> None:
        """Measures the generator's batch norms anew, over `batches` of codes."""
        fixed = torch.Generator().manual_seed(self.config.seed + 1)
        asked = torch.arange(self.batch) % self.model.classes
        codes = (self.model.codes(asked, fixed).to(self.device) for _ in range(batches))
        recalibrate(self.model, (self.model.encode(part) for part in codes))

    def _prepare(self, span: Span) -> None:
        super()._prepare(span)
        self._batches = 0

    def _step(self) -> None:
        frames, model = self.frames, self.model
        images = frames.augmenter.batch(self._index, self.chance)
        real = images.reshape(len(images), -1).to(torch.float32) * 2 - 1
        self.optimizer.zero_grad(set_to_none=True)
        self._discriminator_loss(real, frames.labels[self._index]).backward()
        self.optimizer.step()  # the generator has no gradient
        self.optimizer.zero_grad(set_to_none=True)
        asked, drawn = self._drawn()
        model.discriminator.requires_grad_(False)
        real_logits, class_logits = model.discriminator(drawn, self._one_hot(asked))
        loss = functional.softplus(-real_logits).mean()
        loss = loss + self.settings.auxiliary * functional.cross_entropy(class_logits, asked)
        loss.backward()
        self.optimizer.step()
        model.discriminator.requires_grad_(True)
        self._batches += 1
        with torch.no_grad():
            for weight in self._clipped:
                weight.clamp_(-self.config.clip, self.config.clip)
            if self.average:
                self.average.update()
            self._total += loss
            self._correct += (class_logits.argmax(1) == asked).sum()

    def _discriminator_loss(self, real: Tensor, classes: Tensor) -> Tensor:
        """Of real images (n, pixels) of -1 and +1, and as many that the generator draws."""
        settings, discriminator = self.settings, self.model.discriminator
        with torch.no_grad():
            asked, drawn = self._drawn()
        penalised = settings.penalty > 0 and self._batches % _PENALTY_EVERY == 0
        real.requires_grad_(penalised)
        of_real, told = discriminator(real, self._one_hot(classes))
        of_drawn, _ = discriminator(drawn, self._one_hot(asked))
        loss: Tensor = functional.softplus(-of_real).mean() + functional.softplus(of_drawn).mean()
        loss = loss + settings.auxiliary * functional.cross_entropy(told, classes)
        if penalised:
            (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            loss = loss + settings.penalty / 2 * _PENALTY_EVERY * slope.square().sum(1).mean()
        return loss

    def _drawn(self) -> tuple[Tensor, Tensor]:
        """Classes (n,) by chance, and images (n, pixels) of -1 and +1 that the generator draws of them."""
        asked = torch.randint(0, self.model.classes, (self.batch,), generator=self.chance, device=self.device)
        codes = self.model.codes(asked, self.chance)
        return asked, sign(self.model(self.model.encode(codes)))

    def _one_hot(self, classes: Tensor) -> Tensor:
        return functional.one_hot(classes, self.model.classes).to(torch.float32)


def judged(judge: FloatTeacher, images: Tensor) -> Tensor:
    """The judge's logits (n, classes) for images of bits, (n, pixels)."""
    logits: Tensor = judge(judge.encode(images.reshape(len(images), *judge.shape)))
    return logits

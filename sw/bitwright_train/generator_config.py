"""What a configuration says of a generator: class and noise bits in, an image of bits out, trained adversarially."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from bitwright_core.errors import TrainingError

# of a configuration, what the training of a generator reads
_OWN = (
    "name",
    "dataset",
    "hidden",
    "weights",
    "activations",
    "nonlinearity",
    "generator",
    "epochs",
    "batch_size",
    "learning_rate",
    "schedule",
    "step_epochs",
    "step_factor",
    "warmup_epochs",
    "ema",
    "recalibrate",
    "clip",
    "teacher_width",
    "teacher_epochs",
    "seed",
)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """A network that draws images of its data set, each class on request, in the place of one that tells them apart.

    It takes codes: a bit for each class, of which one is 1, then `noise` bits. Each of its outputs is a pixel.
    """

    noise: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 54
    threshold: Annotated[int, msgspec.Meta(ge=1, lt=1 << 16)] = 128  # values of the data set's images from it on are 1
    discriminator: Annotated[int, msgspec.Meta(ge=4, le=1 << 14)] = 512  # neurons of its first layer; then half of them
    discriminator_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.0004  # of Adam
    penalty: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.3  # weight of the squared slope at real images
    auxiliary: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.2  # weight of the classes that it tells, too
    samples: Annotated[int, msgspec.Meta(ge=20, le=1 << 20)] = 10_000  # judged at the end, and written as codes

    def check(self, given: Iterable[str]) -> None:
        """Raises TrainingError where one of the keys that a configuration gives is not for a generator."""
        other = [key for key in given if key not in _OWN]
        if other:
            raise TrainingError(f"a generator trains without {other[0]}; remove it, or the table generator")

"""A binary network that draws images of bits, and the float network that tells them from real ones.

I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014; a projection of the class, T. Miyato, M. Koyama,
"cGANs with Projection Discriminator", ICLR 2018; a second output that tells the class, A. Odena, C. Olah, J. Shlens,
"Conditional Image Synthesis with Auxiliary Classifier GANs", ICML 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitwright_train.model import BinaryNetwork
from bitwright_train.trained import TrainedModel

_LEAK = 0.2


class Discriminator(nn.Module):
    """Images (n, pixels) of -1 and +1 and their classes, one-hot (n, classes), to logits.

    The first (n,) is positive where an image seems real; the others (n, classes) are of its class.
    """

    def __init__(self, *, pixels: int, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(pixels, width), nn.LeakyReLU(_LEAK), nn.Linear(width, width // 2), nn.LeakyReLU(_LEAK)
        )
        self.real = nn.Linear(width // 2, 1)
        self.projection = nn.Linear(classes, width // 2, bias=False)
        self.told = nn.Linear(width // 2, classes)

    def initialise(self, generator: torch.Generator) -> None:
        """Weights and biases uniform in +-1 / sqrt(inputs), by `generator` alone."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    for tensor in (module.weight, module.bias):
                        if tensor is not None:
                            uniform = torch.rand(tensor.shape, generator=generator) * 2 - 1
                            tensor.copy_(uniform * module.in_features**-0.5)

    def forward(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        seen: Tensor = self.body(images)
        projected = (seen * self.projection(classes)).sum(1) * seen.shape[1] ** -0.5
        return self.real(seen)[:, 0] + projected, self.told(seen)


class Adversaries(TrainedModel):
    """Both as one model, whose parameters and state are those of both; it computes what the generator does.

    Codes (n, classes + noise) of 0 and 1 are its frames; it gives the logits of pixels, (n, pixels).
    """

    can_be_recorded = False  # not every step is the same: the penalty is of some alone

    def __init__(self, generator: BinaryNetwork, discriminator: Discriminator, *, classes: int) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.classes = classes  # of images

    def initialise(self, generator: torch.Generator) -> None:
        """Latent weights and the discriminator's, by `generator` alone."""
        self.generator.initialise(generator)
        self.discriminator.initialise(generator)

    @property
    def clipped(self) -> list[Tensor]:
        return self.generator.clipped

    def encode(self, frames: Tensor) -> Tensor:
        return self.generator.encode(frames)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        logits: Tensor = self.generator(x, generator)
        return logits

    def codes(self, classes: Tensor, chance: torch.Generator | None) -> Tensor:
        """Codes (n, classes + noise) that ask for `classes` (n,), with noise by `chance`."""
        noise = self.generator.shape[0] - self.classes
        bits = torch.randint(0, 2, (len(classes), noise), generator=chance, device=classes.device, dtype=torch.uint8)
        return torch.cat([functional.one_hot(classes, self.classes).to(torch.uint8), bits], dim=1)

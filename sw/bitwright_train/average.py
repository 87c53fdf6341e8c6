"""A running mean of a model's parameters, and batch norms measured anew for it.

B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; P. Izmailov, D. Podoprikhin,
T. Garipov, D. Vetrov, A. Wilson, "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, which
measures batch norms anew.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Average:
    """A running mean of the parameters: each step moves it by 1 - `decay` of the way to their values."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = model
        self.tensors = {name: value.detach().clone() for name, value in model.named_parameters()}

    def update(self) -> None:
        """Takes the parameters' present values into the mean."""
        own = [value.detach() for value in self.model.parameters()]
        torch._foreach_lerp_(list(self.tensors.values()), own, 1 - self.decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the model the mean as its parameters for a `with` block; then its own parameters and buffers again."""
        own = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.tensors, strict=False)
        try:
            yield
        finally:
            self.model.load_state_dict(own)


def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Sets every batch norm's mean and variance to those over `batches` of what the model takes; no dropout."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()

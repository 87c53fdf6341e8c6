"""Several processes that train one network together, each on its share of every batch, as torchrun starts them.

Gradients are averaged by torch's DistributedDataParallel (S. Li et al., "PyTorch Distributed: Experiences on
Accelerating Data Parallel Training", VLDB 2020); batch norms are of each process' share.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from bitwright_core.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class Together:
    """Which of how many processes this one is; with its defaults, one that trains alone."""

    rank: int = 0
    count: int = 1

    @property
    def is_alone(self) -> bool:
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes files and tells of the run."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """Frames of a batch for each process. Raises TrainingError where they cannot be shared evenly."""
        if batch % self.count:
            raise TrainingError(
                f"a batch of {batch} frames cannot be shared evenly by {self.count} processes; "
                f"set batch_size to a multiple of {self.count}"
            )
        return batch // self.count

    def forward_of(self, model: nn.Module) -> nn.Module:
        """`model`, or what stands for it in training, so that its gradients become the mean of all processes'."""
        if self.is_alone:
            return model
        warnings.filterwarnings("ignore", "Grad strides do not match")  # of kernels of one channel; a matter of speed
        return DistributedDataParallel(model)

    def add(self, total: Tensor) -> None:
        """Makes `total` the sum of all processes'."""
        if not self.is_alone:
            distributed.all_reduce(total)

    def agreed(self, *values: float) -> tuple[float, ...]:
        """What the first process has for `values`."""
        if self.is_alone:
            return values
        held = torch.tensor(values, dtype=torch.float64, device=_device())
        distributed.broadcast(held, 0)
        return tuple(held.tolist())

    def alike(self, model: nn.Module) -> None:
        """Gives `model` all that the first process' has: the running means of batch norms, too."""
        if not self.is_alone:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, 0)

    def meet(self) -> None:
        """Waits until every process has come here."""
        if not self.is_alone:
            distributed.barrier()

    def chance(self, generator: torch.Generator, epoch: int) -> torch.Generator:
        """Chance of an epoch for this process: `generator`, which all have alike, or one of its own with that seed."""
        if self.is_alone:
            return generator
        seed = (generator.initial_seed() << 20) + epoch * self.count + self.rank
        return torch.Generator().manual_seed(seed % (1 << 63))


def _device() -> torch.device:
    """Where values lie that processes give each other: NCCL takes those of GPUs alone."""
    on_gpus = distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpus else torch.device("cpu")


def started_together() -> bool:
    """Whether torchrun has started this process beside others."""
    return _number("WORLD_SIZE", 1) > 1


def is_first() -> bool:
    """Whether this process is alone, or the first of those of torchrun."""
    return _number("RANK", 0) == 0


def _number(variable: str, default: int) -> int:
    """A whole number of the environment. Raises TrainingError."""
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdecimal():
        raise TrainingError(f"{variable} is {text!r} in the environment, not a number; start the processes by torchrun")
    return int(text)


@contextmanager
def together(device: torch.device) -> Iterator[tuple[Together, torch.device]]:
    """The processes of torchrun joined, and the device of this one: of `device`'s type, a GPU for each process.

    Raises TrainingError where there are fewer GPUs than processes on a machine.
    """
    if not started_together():
        yield Together(), device
        return
    if device.type == "cuda":
        local, seen = _number("LOCAL_RANK", 0), torch.cuda.device_count()
        if local >= seen:
            raise TrainingError(
                f"process {local + 1} of this machine has no GPU of its own: torch sees {seen}; "
                f"start torchrun with --nproc-per-node {seen}, or train with --cpu"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Together(rank=distributed.get_rank(), count=distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()

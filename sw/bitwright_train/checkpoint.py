"""What a training run needs to go on after a kill: tensors and JSON in one safetensors file, no pickle."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bitwright_core.errors import TrainingError
from bitwright_train.average import Average
from bitwright_train.config import parse_config
from bitwright_train.schedule import is_over
from bitwright_train.tensor_file import write_tensors

_KEY = "bitwright"
_VERSION = 1


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history. Losses are means over frames; the training ones include augmentation."""

    epoch: int  # counted from 1
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


class TrainingRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How far a run is: everything but the tensors."""

    version: int = _VERSION
    config: dict[str, Any]
    data_digest: str
    epoch: int = 0  # epochs done
    seconds: float = 0.0
    best_epoch: int = 0
    teacher_accuracy: float | None = None  # of the float teacher, on the validation frames
    baseline_accuracy: float | None = None  # of the float network, on the test frames
    best_is_float: bool = False  # its weights are not rounded yet: it is of the first of two steps of training
    position: float | None = None  # 0..1 of the run; None: epochs done over epochs
    history: list[Epoch] = []


@dataclass(kw_only=True)
class State:
    """A run between two epochs."""

    progress: TrainingRecord
    best: dict[str, Tensor] = field(default_factory=dict)  # the model at its best epoch


def _optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"adam.{names[index]}.{key}": value for index, entry in state.items() for key, value in entry.items()}


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """`value` in the memory order of `parameter`, as a fused Adam on a GPU asks for; a count of steps as it is."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, device=value.device, dtype=value.dtype).copy_(value)


def _with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """A stored configuration with the keys that have come since, at their defaults; as it is if it makes no sense."""
    try:
        known = asdict(parse_config(config, "checkpoint"))
    except TrainingError:
        return config
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(known))
    return plain


def save_checkpoint(
    path: Path,
    state: State,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    average: Average | None = None,
    *,
    kept_alone: bool = False,
) -> None:
    """Writes the whole state of the run to `path`, atomically; with `kept_alone` only the model that is kept.

    Raises OSError.
    """
    names = [name for name, _ in model.named_parameters()]
    tensors = {f"best.{name}": tensor for name, tensor in state.best.items()}
    if not kept_alone:
        tensors |= {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        tensors |= _optimizer_tensors(optimizer, names)
        tensors["generator"] = generator.get_state()
    if average and not kept_alone:
        tensors |= {f"average.{name}": tensor for name, tensor in average.tensors.items()}
    write_tensors(path, tensors, key=_KEY, header=msgspec.json.encode(state.progress).decode())


def load_checkpoint(
    path: Path,
    expected: TrainingRecord,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    average: Average | None = None,
    *,
    older_digest: Callable[[], str],
) -> State:
    """Puts a run back where `path` left it, which may now have more epochs.

    `older_digest` is the digest of the data as checkpoints once had it.

    Raises TrainingError for another run's file or a damaged one.
    """
    remedy = "choose another output folder, or delete the file to start anew"
    try:
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_KEY, "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        progress = msgspec.json.decode(text, type=TrainingRecord)
    except (SafetensorError, OSError, msgspec.DecodeError, ValueError) as error:
        raise TrainingError(f"{path}: not a readable checkpoint ({error}); {remedy}") from None
    if progress.version != _VERSION:
        raise TrainingError(f"{path}: checkpoint version {progress.version}, not {_VERSION}; {remedy}")
    theirs = _with_defaults(progress.config)
    differing = [
        f"{key} {theirs.get(key)!r} there, {expected.config.get(key)!r} here"
        for key in sorted({*theirs, *expected.config})
        if theirs.get(key) != expected.config.get(key)
    ]
    more = {**theirs, "epochs": expected.config["epochs"]} == expected.config
    if more and expected.config["epochs"] > theirs["epochs"]:
        progress.position = progress.epoch / expected.config["epochs"]
        progress.config = expected.config
    elif differing:
        raise TrainingError(
            f"{path}: the checkpoint belongs to another configuration ({'; '.join(differing)}); {remedy}"
        )
    if progress.data_digest != expected.data_digest and progress.data_digest != older_digest():
        raise TrainingError(f"{path}: the checkpoint was trained on other data of the same name; {remedy}")
    best = {name.removeprefix("best."): t for name, t in tensors.items() if name.startswith("best.")}
    if best and len(best) == len(tensors):
        if is_over(progress.position or 0.0):
            return State(progress=progress, best=best)
        raise TrainingError(f"{path}: has what the export takes alone, so training cannot go on from it; {remedy}")
    try:
        own = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        model.load_state_dict(own)
        entries: dict[int, dict[str, Tensor]] = {}
        for index, (name, parameter) in enumerate(model.named_parameters()):
            prefix = f"adam.{name}."
            keys = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
            if not {"step", "exp_avg", "exp_avg_sq"} <= keys.keys():
                raise KeyError(f"{prefix}step, exp_avg or exp_avg_sq")
            entries[index] = {key: _laid_out(value, parameter) for key, value in keys.items()}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
        generator.set_state(tensors["generator"])
        for name, value in (average.tensors if average else {}).items():
            value.copy_(tensors[f"average.{name}"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{path}: incomplete checkpoint ({error}); {remedy}") from None
    return State(progress=progress, best=best)

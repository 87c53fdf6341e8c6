"""One line of text for each finished epoch."""

from dataclasses import dataclass

from bitwright_train.checkpoint import Epoch


@dataclass(frozen=True, kw_only=True)
class EpochTold:
    """A finished epoch, and how much of the run is left."""

    entry: Epoch
    epochs: int  # of the whole run, as far as is known
    best: Epoch
    frames_per_second: float
    seconds_left: float


def time_of(seconds: float) -> str:
    """`seconds` in the unit that reads best: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def line_of(told: EpochTold) -> str:
    """The line of an epoch: loss, accuracies, frames a second and time left."""
    entry, best = told.entry, told.best
    validation = ""
    if entry.validation_accuracy is not None and best.validation_accuracy is not None:
        validation = f", validation {entry.validation_accuracy:.2%}"
        if best.epoch != entry.epoch:
            validation += f" (kept: {best.validation_accuracy:.2%} of epoch {best.epoch})"
    left = f", {time_of(told.seconds_left)} left" if told.seconds_left else ""
    return (
        f"epoch {entry.epoch}/{told.epochs}: loss {entry.train_loss:.4f}, training {entry.train_accuracy:.2%}"
        f"{validation}, {told.frames_per_second:,.0f} frames/s{left}"
    )

"""How far a run is, and the learning rate there: warm-up, then cosine, steps or a constant, once or in two steps."""

import math
from dataclasses import dataclass, field

from bitwright_train.config import TrainConfig

_RECENT = 5  # epochs whose mean time tells how many more fit


def step_of(config: TrainConfig, done: float) -> tuple[float, float]:
    """Begin and end, as shares of the run, of that one of the `two_step` steps in which `done` (0..1) lies."""
    return (0.0, config.two_step) if done < config.two_step else (config.two_step, 1.0)


def learning_rate(config: TrainConfig, done: float) -> float:
    """The rate when `done` (0..1) of the run is over: cosine falls to 0 in each step of training."""
    begins, ends = step_of(config, done)
    local = (done - begins) / (ends - begins)
    rate = config.learning_rate
    match config.schedule:
        case "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * local))
        case "step":
            rate *= config.step_factor ** (int(local * config.epochs + 1e-9) // config.step_epochs)
    warming = done * config.epochs
    return rate * warming / config.warmup_epochs if warming < config.warmup_epochs else rate


@dataclass(frozen=True)
class Span:
    """One epoch's part of a run."""

    before: float  # epochs as long as this one
    count: float  # how many of them make the run

    def at(self, fraction: float) -> float:
        """How much (0..1) of the run is over, `fraction` (0..1) into this epoch."""
        return min(1.0, (self.before + fraction) / self.count)


def weights_are_float(config: TrainConfig, span: Span) -> bool:
    """Whether weights are not rounded yet in an epoch: in the first of two steps, and never in the last epoch."""
    return span.at(0.5) < config.two_step and not is_over(span.at(1.0))


@dataclass(kw_only=True)
class Clock:
    """How far each epoch takes the run, which ends after `epochs`, or after fewer that fit into `limit` seconds."""

    epochs: int
    limit: float | None = None
    durations: list[float] = field(default_factory=list)  # seconds of the epochs so far, here

    @property
    def each(self) -> float:
        """Mean seconds of the last few epochs; 0 before any. The first, slower one counts only while it is alone."""
        recent = self.durations[1:][-_RECENT:] or self.durations
        return sum(recent) / len(recent) if recent else 0.0

    def next(self, epoch: int, position: float) -> Span:
        """The part of the run's next epoch, when `epoch` of them are over and `position` (0..1) is reached."""
        if self.limit is None and position == epoch / self.epochs:
            return Span(epoch, self.epochs)
        left = max(1, self.epochs - epoch)
        if self.limit is not None and self.each:
            left = min(left, max(1, int((self.limit - sum(self.durations)) / self.each)))
        count = left / (1 - position)
        return Span(position * count, count)


def is_over(position: float) -> bool:
    """Whether a run that has come to `position` is at its end."""
    return position > 1 - 1e-9

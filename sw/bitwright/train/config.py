"""What a training run is: a TOML file, or one of those that ship, as a frozen dataclass."""

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bitwright.errors import TrainingError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. Raises TrainingError, naming the field, for a value that makes no sense.

    The encoding is `thresholds` if given, else `levels` thresholds spread evenly over the input's range.
    """

    name: str
    dataset: str
    hidden: tuple[Positive, ...]
    input_bits: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    thresholds: tuple[int, ...] = ()
    levels: Positive = 1
    final_norm: bool = True  # the last layer ends in a batch norm
    epochs: Positive = 100
    batch_size: Annotated[int, msgspec.Meta(ge=2, le=1 << 20)] = 100
    loss: Literal["cross_entropy", "squared_hinge"] = "cross_entropy"
    label_smoothing: Fraction = 0.0  # cross entropy only
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.003
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    step_epochs: Positive = 30  # of schedule "step"
    step_factor: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    clip: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0  # latent weights stay in -clip .. clip
    input_dropout: Fraction = 0.0
    dropout: Fraction = 0.0
    shift: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # pixels, each way and axis; images only
    validation_fraction: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.1
    seed: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 1

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise TrainingError(
                f"name {self.name!r} must be a lower-case identifier (letters, digits, _) of at most 48 characters"
            )
        if self.thresholds:
            if any(b <= a for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
                raise TrainingError(f"thresholds must increase strictly, not {list(self.thresholds)}")
            if self.thresholds[0] < 1 or self.thresholds[-1] >= 1 << self.input_bits:
                raise TrainingError(
                    f"thresholds must lie in 1..{(1 << self.input_bits) - 1} for {self.input_bits}-bit "
                    f"inputs, not {list(self.thresholds)}"
                )
            if self.levels not in (1, len(self.thresholds)):
                raise TrainingError(
                    f"{len(self.thresholds)} thresholds but levels is {self.levels}; give one of the two"
                )
        elif self.levels >= 1 << self.input_bits:
            raise TrainingError(f"levels must be below {1 << self.input_bits} for {self.input_bits}-bit inputs")
        if self.label_smoothing and self.loss != "cross_entropy":
            raise TrainingError(f"label_smoothing belongs to cross_entropy; remove it with {self.loss}")

    @property
    def encoding_thresholds(self) -> tuple[int, ...]:
        """The thresholds of the input encoding, as they are used."""
        if self.thresholds:
            return self.thresholds
        span = 1 << self.input_bits
        return tuple(span * (level + 1) // (self.levels + 1) for level in range(self.levels))


def config_names() -> tuple[str, ...]:
    """The names of the configurations that ship."""
    folder = resources.files("bitwright") / "configs"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def parse_config(values: dict[str, Any], where: str) -> TrainConfig:
    """A configuration from plain values; `where` begins each message. Raises TrainingError."""
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TrainingError(f"{where}: unknown key {', '.join(unknown)}; the keys are {', '.join(known)}")
    try:
        return msgspec.convert(values, TrainConfig)
    except msgspec.ValidationError as error:
        raise TrainingError(f"{where}: {error}") from None


def load_config(name_or_path: str | Path) -> TrainConfig:
    """A configuration that ships, by name, or a TOML file's. Raises TrainingError."""
    name = str(name_or_path)
    if name in config_names():
        text = (resources.files("bitwright") / "configs" / f"{name}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (FileNotFoundError, IsADirectoryError):
            raise TrainingError(
                f"{name}: no such file, and not a configuration that ships ({', '.join(config_names())})"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(f"{name}: cannot be read as text ({error})") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{name}: not valid TOML ({error})") from None
    return parse_config(values, name)


def with_overrides(
    config: TrainConfig, *, dataset: str | None = None, epochs: int | None = None, seed: int | None = None
) -> TrainConfig:
    """`config` with what is not None replaced, checked as a file is. Raises TrainingError."""
    values = dataclasses.asdict(config)
    values |= {
        key: value for key, value in (("dataset", dataset), ("epochs", epochs), ("seed", seed)) if value is not None
    }
    return parse_config(values, config.name)

"""What a training run is: a TOML file, or one of those that ship, as a frozen dataclass."""

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bitwright_core.errors import TrainingError
from bitwright_core.keys import first_mistake
from bitwright_core.near import did_you_mean, did_you_mean_path
from bitwright_train.conv_config import ConvConfig, Positive
from bitwright_train.generator_config import GeneratorConfig
from bitwright_train.lut_config import LutConfig

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
Bits = Annotated[int, msgspec.Meta(ge=1, le=4)] | Literal["ternary"]
ActivationBits = Annotated[int, msgspec.Meta(ge=1, le=4)] | Literal["ternary", "signed2", "signed3", "signed4"]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. Raises TrainingError, naming the field, for a value that makes no sense.

    The encoding to bits is `thresholds` if given, else `levels` thresholds spread evenly over the input's range. With
    `encoding` "integers" the first layer takes the input values less half their range, as signed integers.
    """

    name: str
    dataset: str
    hidden: tuple[Positive, ...] = ()  # dense layers before the last
    convs: tuple[ConvConfig, ...] = ()  # before the dense layers
    luts: LutConfig | None = None  # layers of lookup tables, in the place of all others
    generator: GeneratorConfig | None = None  # the network draws the images of the data set
    weights: Bits | tuple[Bits, ...] = 1  # of all layers, or of each
    activations: ActivationBits | tuple[ActivationBits, ...] = 1  # of all layers but the last, or of each
    nonlinearity: Literal["none", "prelu", "rprelu", "hardtanh"] = "none"  # between batch norm and activation
    input_bits: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    thresholds: tuple[int, ...] = ()
    levels: Positive = 1
    learned_thresholds: bool = False  # they are learned, and begin at these
    encoding: Literal["bits", "integers"] = "bits"
    pixels: bool = False  # the last layer is a convolution of one pixel, and tells a class of each pixel
    final_norm: bool = True  # the last layer ends in a batch norm
    score_bits: Annotated[int, msgspec.Meta(ge=0, le=48)] = 24  # of class scores, 8 or more; 0: the order of all kept
    start: str = ""  # a run's folder, or a configuration that ships: what this run begins with
    baseline: bool = False  # train a float network, too, and tell its accuracy beside this one's
    epochs: Positive = 100
    batch_size: Annotated[int, msgspec.Meta(ge=2, le=1 << 20)] = 100
    loss: Literal["cross_entropy", "squared_hinge", "bce"] = "cross_entropy"  # bce: labels that stand for themselves
    label_smoothing: Fraction = 0.0  # cross entropy only
    distill: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # share of the loss that follows a float teacher
    teacher: str = ""  # the folder of the run whose network distill follows; without it a float one is trained
    temperature: Annotated[float, msgspec.Meta(gt=0, le=100)] = 2.0  # of distill
    teacher_width: Annotated[int, msgspec.Meta(ge=4, le=1024)] = 64
    teacher_epochs: Positive = 30
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.003
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    step_epochs: Positive = 30  # of schedule "step"
    step_factor: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    warmup_epochs: Annotated[float, msgspec.Meta(ge=0, le=1 << 20)] = 0.0  # the rate rises from 0
    two_step: Fraction = 0.0  # share of the run in which activations are few-bit and weights are not yet
    estimator: Literal["straight_through", "polynomial", "ede"] = "straight_through"  # of signs of activations
    ema: Fraction = 0.0  # decay a step of a running mean of the parameters, which is what is kept; 0 is none
    recalibrate: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0  # batches that batch norms are measured on anew
    keep: Literal["best", "last"] = "best"  # which epoch's model, by validation
    clip: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0  # latent weights stay in -clip .. clip
    input_dropout: Fraction = 0.0
    dropout: Fraction = 0.0
    shift: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # pixels, each way and axis; images only
    flip: bool = False  # half of the frames, left to right; images only
    rotate: Annotated[float, msgspec.Meta(ge=0, le=180)] = 0.0  # degrees, each way; images only, as are the next three
    zoom: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.0  # share of the size, each way
    elastic: Annotated[float, msgspec.Meta(ge=0, le=64)] = 0.0  # pixels that places move, each way
    cutout: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # side of a square set to 0
    jitter: Annotated[int, msgspec.Meta(ge=0, le=1 << 15)] = 0  # that values move by, each way, inside their range
    mixup: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # share of frames that are blended with another
    copies: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0  # augmented ones of each frame, made once; 0: anew
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
        if self.learned_thresholds and (self.encoding != "bits" or self.luts is not None):
            raise TrainingError(
                "learned_thresholds are of an encoding to bits, and not for lookup tables; remove the key"
            )
        if self.encoding == "integers":
            if self.thresholds or self.levels != 1:
                raise TrainingError("thresholds and levels are for an encoding to bits; remove them with integers")
            if any(
                before is None and conv.pads and conv.padding_value != "zero"
                for before, conv in zip(self._sources, self.convs, strict=True)
            ):
                raise TrainingError("a first convolution on integers is padded with zero alone")
        for before, conv in zip(self._sources, self.convs, strict=True):
            if before and before.pools and before.pool_first and conv.pads and conv.padding_value != "zero":
                raise TrainingError(
                    f"a convolution padded with {conv.padding_value} cannot follow a pool before its batch norm, whose "
                    "channels the export may turn; pad with zero, or unset pool_first"
                )
        self._check_bits()
        self._check_joins()
        self._check_luts()
        self._check_pixels()
        if self.generator is not None:
            self.generator.check(f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default)
        if 0 < self.score_bits < 8:
            raise TrainingError(
                f"score_bits must be 8 to 48, or 0 to keep the order of all scores, not {self.score_bits}"
            )
        if self.label_smoothing and self.loss != "cross_entropy":
            raise TrainingError(f"label_smoothing belongs to cross_entropy; remove it with {self.loss}")
        if self.distill and self.loss == "squared_hinge":
            raise TrainingError("distill follows probabilities, which squared_hinge has none of; use cross_entropy")
        if self.teacher and not self.distill:
            raise TrainingError("teacher says whom distill follows; set distill = 0.5, say, or remove teacher")
        if self.ema and not self.recalibrate:
            raise TrainingError("ema averages weights that no batch norm has seen; set recalibrate = 20, say")
        if self.estimator != "straight_through" and 1 not in self.activation_bits:
            raise TrainingError(f"estimator {self.estimator} is for activations of 1 bit, and there are none")

    def _check_luts(self) -> None:
        """Raises TrainingError for what layers of lookup tables cannot be mixed with."""
        if self.luts is None:
            return
        if self.hidden or self.convs:
            raise TrainingError("layers of lookup tables train alone; leave hidden and convs out")
        if self.encoding != "bits":
            raise TrainingError('layers of lookup tables take bits; remove encoding = "integers"')
        if self.loss != "cross_entropy":
            raise TrainingError(f"layers of lookup tables train with cross_entropy, not {self.loss}")
        if self.luts.placement != "even" and self.thresholds:
            raise TrainingError(f'placement = "{self.luts.placement}" finds thresholds; remove those that are given')
        if self.luts.threshold_cost and self.luts.placement not in ("information", "tree"):
            raise TrainingError('threshold_cost belongs to placement = "information" or "tree"; remove it')
        if self.dropout or self.input_dropout:
            raise TrainingError("layers of lookup tables have no dropout; remove dropout and input_dropout")
        if self.nonlinearity != "none":
            raise TrainingError("layers of lookup tables have no batch norm; remove nonlinearity")
        if self.two_step:
            raise TrainingError("layers of lookup tables have no weights to round later; remove two_step")
        if self.weights != 1 or self.activations != 1:
            raise TrainingError("layers of lookup tables have no weights and activations of several bits; remove them")

    def _check_pixels(self) -> None:
        """Raises TrainingError for what does not go with a class of each pixel."""
        if not self.pixels:
            return
        if self.luts or self.hidden or not self.convs:
            raise TrainingError("pixels is for convolutions alone: give convs, hidden = [] and no luts")
        if self.loss != "cross_entropy" or self.distill or self.baseline or self.mixup:
            raise TrainingError("classes of pixels train with cross_entropy, without distill, baseline and mixup")
        moved = [key for key in ("shift", "flip", "rotate", "zoom", "elastic") if getattr(self, key)]
        if moved:
            raise TrainingError(f"{moved[0]} would move pixels away from their classes; remove it with pixels")

    def _check_joins(self) -> None:
        """Raises TrainingError for what finds nothing to take, or for channels that the export may turn."""
        taken = {len(self.convs) - 1}
        for place, conv in enumerate(self.convs):
            for key in ("shortcut", "concat"):
                back = getattr(conv, key)
                if back > place:
                    raise TrainingError(f"convolution {place} has a {key} of {back}, but {place} before it")
                if back and self.convs[place - back].pool_first:
                    raise TrainingError(f"a {key} cannot begin behind a pool before its batch norm; unset pool_first")
                taken |= {place - back} if back else set()
            if conv.takes > place + 1:
                raise TrainingError(
                    f"convolution {place} takes what stands {conv.takes} places before it, but there are {place} and "
                    "the frames"
                )
            taken.add(place - conv.takes)
            before = self._sources[place]
            if before is None:
                continue
            if (conv.groups > 1 or conv.depthwise) and before.pool_first:
                raise TrainingError("groups cannot follow a pool before its batch norm; unset pool_first")
            if (before.shortcut or before.averages or before.concat) and conv.pads and conv.padding_value != "zero":
                what = "joined channels" if before.concat else "sums"
                raise TrainingError(f"{what} are padded with zero alone, not {conv.padding_value}")
        for place in range(len(self.convs)):
            if place not in taken:
                raise TrainingError(f"nothing takes what convolution {place} gives; join it by concat or shortcut")

    def _check_bits(self) -> None:
        """Raises TrainingError for lists of bits that do not fit, and for what few-bit activations cannot be."""
        layers = len(self.convs) + len(self.hidden) + 1
        for key, given, count in (("weights", self.weights, layers), ("activations", self.activations, layers - 1)):
            if isinstance(given, tuple) and len(given) != count:
                raise TrainingError(
                    f"{key} has {len(given)} entries, but {count} layers have {key}; give one for each, or one number"
                )
        for conv, bits in zip(self.convs, self.activation_bits, strict=False):
            if conv.pools and conv.pool_first and bits != 1:
                raise TrainingError("a pool before the batch norm needs activations of 1 bit; unset pool_first")
        for place, conv in enumerate(self.convs):
            before = self._sources[place]
            bits = self.activation_bits[place - conv.takes] if before else 1
            if conv.pads and conv.padding_value != "zero" and bits != 1:
                raise TrainingError(f"activations of several bits are padded with zero alone, not {conv.padding_value}")
        if self.nonlinearity == "hardtanh" and not {1, "ternary"}.issuperset(self.activation_bits):
            raise TrainingError(
                "hardtanh ends at 1, so that the higher levels of activations of several bits are never reached; use "
                'it with activations of 1 or "ternary"'
            )

    @property
    def _sources(self) -> list[ConvConfig | None]:
        """For each convolution the one that it takes values of; None for the frames."""
        found = [place - conv.takes for place, conv in enumerate(self.convs)]
        return [self.convs[place] if place >= 0 else None for place in found]

    @property
    def weight_bits(self) -> tuple[int | str, ...]:
        """The bits of each layer's weights, in order."""
        layers = len(self.convs) + len(self.hidden) + 1
        return self.weights if isinstance(self.weights, tuple) else (self.weights,) * layers

    @property
    def activation_bits(self) -> tuple[int | str, ...]:
        """The bits of each layer's activations, in order; the last layer has none."""
        layers = len(self.convs) + len(self.hidden)
        return self.activations if isinstance(self.activations, tuple) else (self.activations,) * layers

    @property
    def encoding_thresholds(self) -> tuple[int, ...]:
        """The thresholds of the input encoding, as they are used; none for integers."""
        if self.encoding == "integers":
            return ()
        if self.thresholds:
            return self.thresholds
        span = 1 << self.input_bits
        return tuple(span * (level + 1) // (self.levels + 1) for level in range(self.levels))

    @property
    def integer_table(self) -> tuple[int, ...]:
        """The integer of each input value; none for an encoding to bits."""
        if self.encoding == "bits":
            return ()
        span = 1 << self.input_bits
        return tuple(range(-span // 2, span // 2))


def config_names() -> tuple[str, ...]:
    """The names of the configurations that ship."""
    folder = resources.files("bitwright_train") / "configs"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def parse_config(values: dict[str, Any], where: str) -> TrainConfig:
    """A configuration from plain values; `where` begins each message. Raises TrainingError."""
    if "hidden" not in values and "luts" not in values:
        raise TrainingError(f"{where}: Object missing required field `hidden`")
    mistake = first_mistake(values, TrainConfig)
    if mistake is not None:
        raise TrainingError(f"{where}: {mistake}")
    try:
        return msgspec.convert(values, TrainConfig)
    except msgspec.ValidationError as error:
        raise TrainingError(f"{where}: {error}") from None


def load_config(name_or_path: str | Path) -> TrainConfig:
    """A configuration that ships, by name, or a TOML file's. Raises TrainingError."""
    name = str(name_or_path)
    if name in config_names():
        text = (resources.files("bitwright_train") / "configs" / f"{name}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (FileNotFoundError, IsADirectoryError):
            raise TrainingError(
                f"{name}: no such file, and not a configuration that ships ({', '.join(config_names())})"
                + (did_you_mean(name, config_names()) or did_you_mean_path(Path(name)))
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(f"{name}: cannot be read as text ({error})") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{name}: not valid TOML ({error})") from None
    if name not in config_names():
        values |= _beside(Path(name).parent, values)
    return parse_config(values, name)


def _beside(folder: Path, values: dict[str, Any]) -> dict[str, str]:
    """The paths among `values` that are relative and there, seen from `folder`, that of the TOML file."""
    found = {key: values[key] for key in ("dataset", "start", "teacher") if isinstance(values.get(key), str)}
    if "." not in found.get("dataset", ""):
        found.pop("dataset", None)  # a name, of which a folder may be there by chance
    return {key: str(folder / path) for key, path in found.items() if path and (folder / path).exists()}


def with_overrides(
    config: TrainConfig,
    *,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    start: str | None = None,
    teacher: str | None = None,
) -> TrainConfig:
    """`config` with what is not None replaced, checked as a file is. Raises TrainingError."""
    values = dataclasses.asdict(config)
    given = {"dataset": dataset, "epochs": epochs, "seed": seed, "start": start, "teacher": teacher}
    values |= {key: value for key, value in given.items() if value is not None}
    return parse_config(values, config.name)


def shipped_start(config: TrainConfig) -> TrainConfig | None:
    """The configuration that `start` names, where it ships; None where `start` is a run's folder, or empty."""
    if config.start not in config_names() or Path(config.start).exists():
        return None
    return load_config(config.start)


def from_chance(config: TrainConfig) -> TrainConfig:
    """`config` without `start`, at the rate of the configuration that it would begin as, as weights that have learned
    want a lower one.
    """
    first = shipped_start(config) or config
    return dataclasses.replace(config, start="", learning_rate=first.learning_rate)

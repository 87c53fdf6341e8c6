"""The float model of a run as a file, with its configuration and labels; the model that a configuration describes."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open

from bitwright_core.errors import TrainingError
from bitwright_core.near import did_you_mean_path
from bitwright_train.config import TrainConfig, parse_config
from bitwright_train.conv_config import both
from bitwright_train.estimators import estimator_of
from bitwright_train.lut_model import LutNetwork
from bitwright_train.model import BinaryNetwork
from bitwright_train.quantizers import activation_of, weight_type
from bitwright_train.tensor_file import write_tensors

MODEL_FILE = "model.safetensors"
_KEY = "bitwright"
_MODEL_VERSION = 1


def build_model(config: TrainConfig, shape: tuple[int, ...], classes: int) -> BinaryNetwork | LutNetwork:
    """The model that a configuration describes, all latent weights 0.

    Flat frames are signals, images of height 1, where the first convolution has a kernel of height 1.
    """
    if config.luts is not None:
        return LutNetwork(
            shape=shape,
            input_bits=config.input_bits,
            thresholds=config.encoding_thresholds,
            luts=config.luts,
            classes=classes,
        )
    if len(shape) == 1 and config.convs and both(config.convs[0].kernel)[0] == 1:
        shape = (1, *shape)
    return BinaryNetwork(
        shape=shape,
        input_bits=config.input_bits,
        thresholds=config.encoding_thresholds,
        learned_thresholds=config.learned_thresholds,
        table=config.integer_table,
        convs=config.convs,
        hidden=config.hidden,
        weights=tuple(map(weight_type, config.weight_bits)),
        activations=tuple(map(activation_of, config.activation_bits)),
        estimator=estimator_of(config.estimator),
        nonlinearity=config.nonlinearity,
        classes=classes,
        final_norm=config.final_norm,
        multi_label=config.loss == "bce",
        pixels=config.pixels,
        input_dropout=config.input_dropout,
        dropout=config.dropout,
    )


class _ModelHeader(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    version: int = _MODEL_VERSION
    config: dict[str, Any]
    shape: list[int]
    labels: list[str]


def save_model(path: Path, model: BinaryNetwork | LutNetwork, config: TrainConfig, labels: tuple[str, ...]) -> None:
    """Writes the float model, its configuration and its labels, atomically. Raises OSError."""
    header = _ModelHeader(config=asdict(config), shape=list(model.shape), labels=list(labels))
    write_tensors(path, model.state_dict(), key=_KEY, header=msgspec.json.encode(header).decode())


def load_model(out: Path) -> BinaryNetwork | LutNetwork:
    """The trained float model of a run's folder (or its model.safetensors), in evaluation mode, on the CPU.

    Raises TrainingError for a file that is missing, damaged, or of another version.
    """
    path = Path(out)
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.is_file():
        hint = did_you_mean_path(path)
        raise TrainingError(f"{path}: no such model{hint}; bitwright train writes it beside the network")
    try:
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_KEY, "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        header = msgspec.json.decode(text, type=_ModelHeader)
        if header.version != _MODEL_VERSION:
            raise TrainingError(f"{path}: model version {header.version}, not {_MODEL_VERSION}; train again")
        config = parse_config(header.config, str(path))
        model = build_model(config, tuple(header.shape), len(header.labels))
        model.load_state_dict(tensors)
    except TrainingError:
        raise
    except (SafetensorError, OSError, msgspec.DecodeError, RuntimeError, ValueError) as error:
        raise TrainingError(f"{path}: not a readable model ({error}); train again") from None
    model.eval()
    return model

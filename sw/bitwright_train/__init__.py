"""Training in torch, and the exact export to a Network.

Configurations (`load_config`, `with_overrides`) load without torch; every other name loads it on first use.
"""

from typing import TYPE_CHECKING, Any

from bitwright_train.config import TrainConfig, config_names, from_chance, load_config, with_overrides
from bitwright_train.conv_config import ConvConfig
from bitwright_train.generator_config import GeneratorConfig
from bitwright_train.lut_config import LutConfig

if TYPE_CHECKING:
    from bitwright_train.export_check import ExportCheck
    from bitwright_train.exports import check_export, export_model
    from bitwright_train.features import FeatureReport, train_features
    from bitwright_train.generator_run import GeneratorReport, train_generator
    from bitwright_train.generator_samples import SampleMetrics
    from bitwright_train.lut_model import LutNetwork
    from bitwright_train.model import BinaryNetwork, ModelTrace, trace_model
    from bitwright_train.model_file import load_model, save_model
    from bitwright_train.run import TrainFiles, TrainReport, train

_LATE = {
    "BinaryNetwork": "model",
    "ExportCheck": "export_check",
    "FeatureReport": "features",
    "GeneratorReport": "generator_run",
    "LutNetwork": "lut_model",
    "ModelTrace": "model",
    "SampleMetrics": "generator_samples",
    "TrainFiles": "run",
    "TrainReport": "run",
    "check_export": "exports",
    "export_model": "exports",
    "load_model": "model_file",
    "save_model": "model_file",
    "trace_model": "model",
    "train": "run",
    "train_features": "features",
    "train_generator": "generator_run",
}

__all__ = [
    "BinaryNetwork",
    "ConvConfig",
    "ExportCheck",
    "FeatureReport",
    "GeneratorConfig",
    "GeneratorReport",
    "LutConfig",
    "LutNetwork",
    "ModelTrace",
    "SampleMetrics",
    "TrainConfig",
    "TrainFiles",
    "TrainReport",
    "check_export",
    "config_names",
    "export_model",
    "from_chance",
    "load_config",
    "load_model",
    "save_model",
    "trace_model",
    "train",
    "train_features",
    "train_generator",
    "with_overrides",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(f"{__name__}.{_LATE[name]}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from bitwright_core.errors import ToolError
        from bitwright_core.extras import install

        raise ToolError(
            f"training needs torch: {install('train')} (with --constraint requirements-train-cpu.txt for the CPU build)"
        ) from None
    return getattr(module, name)

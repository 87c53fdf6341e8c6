"""A float network that a binary one may learn from (`distill`), trained at the start of a run and kept in its folder.

For images: three pairs of 3 x 3 convolutions with batch norms and ReLU, `width`, twice and four times as many channels,
padded, a pool behind the first two pairs, the mean of each channel, and a linear layer (K. Simonyan, A. Zisserman,
"Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015). For flat frames: three linear layers
of eight times `width` neurons. It takes a frame's values themselves, whatever encoding the binary network has.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bitwright_core.errors import TrainingError
from bitwright_train.config import TrainConfig
from bitwright_train.tensor_file import write_tensors
from bitwright_train.trained import TrainedModel

_KEY = "bitwright"
RATE = 0.002  # of AdamW
DECAY = 0.05
BATCH = 256
# what a teacher depends on, of a configuration
_OWN = (
    "dataset",
    "input_bits",
    "loss",
    "teacher_width",
    "teacher_epochs",
    "shift",
    "flip",
    "rotate",
    "zoom",
    "elastic",
    "cutout",
    "validation_fraction",
    "seed",
)


class FloatTeacher(TrainedModel):
    """Frames (n, H, W[, C]) or (n, values) of whole numbers, of `input_bits`, to logits (n, classes)."""

    def __init__(self, *, shape: tuple[int, ...], input_bits: int, width: int, classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.input_bits = input_bits
        self.classes = classes
        parts: list[nn.Module] = []
        if len(shape) > 1:
            channels = shape[2] if len(shape) == 3 else 1
            for stage in range(3):
                for _ in range(2):
                    outputs = width << stage
                    parts += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
                    parts.append(nn.ReLU())
                    channels = outputs
                parts.append(nn.MaxPool2d(2, ceil_mode=True) if stage < 2 else nn.AdaptiveAvgPool2d(1))
            parts += [nn.Flatten(), nn.Linear(channels, classes)]
        else:
            inputs = shape[0]
            for _ in range(3):
                parts += [nn.Linear(inputs, 8 * width, bias=False), nn.BatchNorm1d(8 * width), nn.ReLU()]
                inputs = 8 * width
            parts.append(nn.Linear(inputs, classes))
        self.body = nn.Sequential(*parts)

    def initialise(self, generator: torch.Generator) -> None:
        """He's uniform weights, biases of 0, by `generator` alone."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    bound = (6 / module.weight[0].numel()) ** 0.5
                    module.weight.copy_((torch.rand(module.weight.shape, generator=generator) * 2 - 1) * bound)
                    if module.bias is not None:
                        module.bias.zero_()

    def encode(self, frames: Tensor) -> Tensor:
        """Values as floats of -1 to 1; images (n, C, H, W)."""
        values = frames.to(torch.float32) * (2 / ((1 << self.input_bits) - 1)) - 1
        if len(self.shape) == 1:
            return values
        return values.reshape(len(values), *self.shape[:2], -1).permute(0, 3, 1, 2)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        logits: Tensor = self.body(x)
        return logits


def teacher_config(config: TrainConfig) -> TrainConfig:
    """The run that trains the teacher of `config`: the same data and augmentation, a plain recipe."""
    return replace(
        config,
        epochs=config.teacher_epochs,
        batch_size=BATCH,
        learning_rate=RATE,
        schedule="cosine",
        warmup_epochs=1,
        final_norm=True,
        two_step=0.0,
        distill=0.0,
        mixup=0.0,
        ema=0.0,
        recalibrate=0,
        estimator="straight_through",
        label_smoothing=0.0,
        keep="last",
    )


def _told(config: TrainConfig, teacher: FloatTeacher, data_digest: str) -> str:
    """What a teacher's file says it is of."""
    values = asdict(config)
    header: dict[str, Any] = {key: values[key] for key in _OWN}
    header |= {"shape": list(teacher.shape), "classes": teacher.classes, "data": data_digest, "version": 1}
    return msgspec.json.encode(header, order="sorted").decode()


def load_teacher(path: Path, config: TrainConfig, teacher: FloatTeacher, data_digest: str) -> bool:
    """Fills `teacher` from `path` if the file is there and of the same keys and data. Raises TrainingError."""
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as opened:
            if (opened.metadata() or {}).get(_KEY, "") != _told(config, teacher, data_digest):
                return False
            teacher.load_state_dict({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:
        raise TrainingError(f"{path}: not a readable teacher ({error}); delete the file to train one anew") from None
    return True


def save_teacher(path: Path, config: TrainConfig, teacher: FloatTeacher, data_digest: str) -> None:
    """Writes `teacher`, atomically. Raises OSError."""
    write_tensors(path, teacher.state_dict(), key=_KEY, header=_told(config, teacher, data_digest))

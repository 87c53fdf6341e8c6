"""The losses that training minimizes, and how much of a batch is classified right."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from bitwright_train.config import TrainConfig


def scaled(config: TrainConfig, logits: Tensor) -> Tensor:
    """Logits as losses take them: without a last batch norm, over sqrt(inputs)."""
    if config.final_norm or config.luts is not None:
        return logits
    return logits / math.sqrt(config.hidden[-1] if config.hidden else logits.shape[1])


def loss_of(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over the batch.

    `labels` are class numbers (n,) or (n, H, W), or the share (0..1) of every class or label (n, k).
    """
    logits = scaled(config, logits)
    if config.loss == "bce":
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if config.loss == "cross_entropy":
        return functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    told = labels if labels.ndim == 2 else functional.one_hot(labels, logits.shape[1])
    wanted = told.to(logits.dtype) * 2 - 1
    return torch.clamp(1 - wanted * logits, min=0).square().mean()


def distilled(config: TrainConfig, logits: Tensor, teacher: Tensor, hard: Tensor) -> Tensor:
    """(1 - distill) of `hard`, the loss of the labels, plus `distill` of the distance to a teacher's logits.

    For that distance both logits are divided by `temperature`.

    G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, 2015.
    """
    soft = scaled(config, logits) / config.temperature
    said = teacher / config.temperature
    if config.loss == "bce":
        distance = functional.binary_cross_entropy_with_logits(soft, said.sigmoid())
    else:
        distance = functional.kl_div(soft.log_softmax(1), said.log_softmax(1), reduction="batchmean", log_target=True)
    return (1 - config.distill) * hard + config.distill * config.temperature**2 * distance


def share_right(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """How many frames are classified right; of several labels or pixels of a frame, the share of each frame, summed."""
    if config.loss == "bce":
        return ((logits >= 0) == (labels > 0)).to(torch.float64).mean(1).sum()
    right = (logits.argmax(1) == labels).to(torch.float64)
    return right.reshape(len(right), -1).mean(1).sum()

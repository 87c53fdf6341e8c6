"""Batch norms and weights of a trained model as the integers that stand for them: tables, thresholds and scores.

Each batch norm is evaluated, with the model's own torch operations, at every value that its accumulator can
take; thresholds are read off that table, so that no formula has to agree with float32 rounding.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright_core.class_scores import ScoreFit, class_scores
from bitwright_core.errors import ExportError
from bitwright_core.numbers import NumberType
from bitwright_train.layers import BinaryConv, BinaryDense, ExactBatchNorm, TrainingLayer

_CHUNK_VALUES = 1 << 24


def stored_weights(linear: BinaryDense | BinaryConv, number: NumberType, where: str) -> NDArray[np.integer]:
    """What a layer multiplies with, as stored, channels last. ExportError for NaN, infinities."""
    if not torch.isfinite(linear.weight).all():
        raise ExportError(f"{where}: weights hold NaN or infinities; the training diverged, retrain")
    with torch.no_grad():
        values = linear.quantize(linear.weight).cpu().numpy()
    stored = (values > 0).astype(np.uint8) if number.xnor else values.astype(np.int8)
    return stored.transpose(0, 2, 3, 1) if stored.ndim == 4 else stored


def norm_table(norm: ExactBatchNorm, accumulators: NDArray[np.int64], where: str) -> NDArray[np.float32]:
    """What `norm` gives at `accumulators` (n,): (n, outputs). Raises ExportError for NaN."""
    return _table(norm, norm.evaluate, norm.num_features, accumulators, where)


def stage_table(stage: TrainingLayer, accumulators: NDArray[np.int64], where: str) -> NDArray[np.float32]:
    """What batch norm and nonlinearity of `stage` give at `accumulators` (n,): (n, outputs). Raises ExportError."""
    return _table(stage, stage.value, stage.linear.outputs, accumulators, where)


def _table(
    module: nn.Module, value: Callable[[Tensor], Tensor], outputs: int, accumulators: NDArray[np.int64], where: str
) -> NDArray[np.float32]:
    """`value` of whole rows of each of `accumulators`; `module` has its parameters."""
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    for name, tensor in tensors.items():
        if not name.startswith("linear.") and not torch.isfinite(tensor).all():
            beside = name.startswith(("first.", "nonlinearity."))
            what = name if beside else f"batch norm {name.removeprefix('norm.')}"
            raise ExportError(f"{where}: {what} holds NaN or infinities; the training diverged, retrain")
    step = max(1, _CHUNK_VALUES // outputs)
    parts = []
    device = next((tensor.device for tensor in tensors.values()), None)
    with torch.no_grad():
        for values in torch.from_numpy(accumulators).to(device).split(step):
            # expanded to full rows: the very shape, and so the very kernels, of a batch of frames
            batch = values.to(torch.float32)[:, None].expand(-1, outputs).contiguous()
            parts.append(value(batch).cpu().numpy())
    table = np.concatenate(parts)
    bad = np.flatnonzero(np.isnan(table).any(axis=0))
    if len(bad):
        raise ExportError(
            f"{where}: the batch norm of output {int(bad[0])} gives NaN (a negative variance, or a scale "
            "beyond float32); retrain"
        )
    return table


def popcount_dots(inputs: int) -> NDArray[np.int64]:
    """The dot products of popcounts 0..inputs."""
    return 2 * np.arange(inputs + 1) - inputs


def first_firing(
    table: NDArray[np.float32], where: str, level: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """For each column of `table` (n, outputs): whether it falls below `level`, and how many of its entries reach it.

    Raises ExportError if a column crosses the level more than once.
    """
    fires = table >= np.float32(level)
    total = fires.sum(axis=0, dtype=np.int64)
    index = np.arange(len(table))[:, None]
    rising = (fires == (index >= len(table) - total)).all(axis=0)
    falling = (fires == (index < total)).all(axis=0)
    if not np.all(rising | falling):
        bad = int(np.flatnonzero(~(rising | falling))[0])
        raise ExportError(f"{where}: the activation of output {bad} is not monotonic in its accumulator")
    return ~rising, total


def fold_thresholds(
    weights: NDArray[np.integer], table: NDArray[np.float32], where: str, levels: tuple[float, ...] = (0.0,)
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Weights (outputs, ...) and, for each level, the first of the rising entries of `table` (n, outputs) to reach it.

    The second is (outputs, levels). A row that falls as its accumulator grows is complemented, which turns its
    accumulators around. Raises ExportError if a column crosses a level more than once.
    """
    found = [first_firing(table, where, level) for level in levels]
    falling = np.any([falls for falls, _ in found], axis=0)
    return complemented(weights, falling), np.stack([len(table) - total for _, total in found], axis=1)


def complemented(weights: NDArray[np.integer], which: NDArray[np.bool_]) -> NDArray[np.integer]:
    """`weights` (outputs, ...), as stored, complemented or negated where `which` is: of outputs, or of all places."""
    which = which.reshape(*which.shape, *[1] * (weights.ndim - which.ndim))
    return weights ^ which if weights.dtype == np.uint8 else np.where(which, -weights, weights)


def matching(weights: NDArray[np.integer], inverted: NDArray[np.bool_]) -> NDArray[np.integer]:
    """`weights` (outputs, ..., lanes) for lanes some of whose channels, the fastest axis, come inverted."""
    lanes = np.resize(inverted, weights.shape[-1])
    return complemented(weights, np.broadcast_to(lanes, weights.shape))


def norm_lines(norm: ExactBatchNorm, dots: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What `norm` gives without the rounding of its sums: at the first of `dots`, and how much more at each further."""
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        factor, mean, bias = (t.detach().cpu().double().numpy() for t in (scale, norm.running_mean, norm.bias))
    return (int(dots[0]) - mean) * factor + bias, factor * int(dots[1] - dots[0])


def fold_scores(
    weights: NDArray[np.integer],
    table: NDArray[np.float32],
    lines: tuple[NDArray[np.float64], NDArray[np.float64]],
    where: str,
    bits: int,
) -> tuple[NDArray[np.integer], ScoreFit]:
    """Weights and integer scores for the logits `table` (inputs + 1, classes), which are `lines` but for rounding."""
    falling = table[-1] < table[0]
    last = len(table) - 1
    base, rise = lines
    turned = np.ascontiguousarray(np.where(falling, table[::-1], table))
    base, rise = np.where(falling, base + rise * last, base), np.where(falling, -rise, rise)
    # flat in float32, and not quite so exactly
    base, rise = np.where(rise < 0, base + rise * (last / 2), base), np.maximum(rise, 0)
    found = class_scores(turned, (base, rise), len(table), where, bits=bits)
    return complemented(weights, falling), found

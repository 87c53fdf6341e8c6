"""A trained torch model to a Network: integers that compute exactly what the model does in evaluation mode.

Each batch norm is evaluated, with the model's own torch operations, at every value that its accumulator can
take; thresholds are read off that table, so that no formula has to agree with float32 rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright import golden
from bitwright.errors import ExportError
from bitwright.network import Dense, Encoding, Input, Network, Scores, Thresholds
from bitwright.train.model import BinaryMlp, ExactBatchNorm, Layer, trace_model
from bitwright.train.scores import order_keeping_scores

ProgressCallback = Callable[[str, int, int], None]
_CHUNK_VALUES = 1 << 24


def binary_weights(latent: torch.Tensor, where: str) -> NDArray[np.uint8]:
    """The signs of latent weights (outputs, inputs): 1 where >= 0. ExportError for NaN, infinities."""
    values = latent.detach().cpu()
    if not torch.isfinite(values).all():
        raise ExportError(f"{where}: weights hold NaN or infinities; the training diverged, retrain")
    return (values >= 0).numpy().astype(np.uint8)


def norm_table(norm: ExactBatchNorm, inputs: int, where: str) -> NDArray[np.float32]:
    """What `norm` gives at popcounts 0..inputs: (inputs + 1, outputs). Raises ExportError for NaN."""
    tensors = dict(norm.named_parameters()) | dict(norm.named_buffers())
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ExportError(f"{where}: batch norm {name} holds NaN or infinities; the training diverged, retrain")
    step = max(1, _CHUNK_VALUES // norm.num_features)
    parts = []
    device = norm.weight.device
    with torch.no_grad():
        for counts in torch.arange(inputs + 1, device=device).split(step):
            accumulators = (2 * counts - inputs).to(torch.float32)
            # expanded to full rows: the very shape, and so the very kernels, of a batch of frames
            batch = accumulators[:, None].expand(-1, norm.num_features).contiguous()
            parts.append(norm.evaluate(batch).cpu().numpy())
    table = np.concatenate(parts)
    bad = np.flatnonzero(np.isnan(table).any(axis=0))
    if len(bad):
        raise ExportError(
            f"{where}: the batch norm of output {int(bad[0])} gives NaN (a negative variance, or a scale "
            "beyond float32); retrain"
        )
    return table


def fold_thresholds(
    weights: NDArray[np.uint8], table: NDArray[np.float32], where: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Weights (outputs, inputs) and thresholds (outputs,) for sign(table) (inputs + 1, outputs).

    A row whose bit falls as the popcount grows is complemented: its popcount becomes inputs - p. Raises
    ExportError if a bit changes more than once.
    """
    inputs = weights.shape[1]
    fires = table >= 0
    total = fires.sum(axis=0, dtype=np.int64)
    counts = np.arange(inputs + 1)[:, None]
    rising = (fires == (counts >= inputs + 1 - total)).all(axis=0)
    falling = (fires == (counts < total)).all(axis=0)
    if not np.all(rising | falling):
        bad = int(np.flatnonzero(~(rising | falling))[0])
        raise ExportError(f"{where}: the activation of output {bad} is not monotonic in its accumulator")
    weights = np.where(rising[:, None], weights, 1 - weights)
    return weights, inputs + 1 - total


def fold_scores(weights: NDArray[np.uint8], table: NDArray[np.float32], where: str) -> tuple[NDArray[np.uint8], Scores]:
    """Weights and integer scores that keep the order of the logits `table` (inputs + 1, classes)."""
    falling = table[-1] < table[0]
    turned = np.where(falling, table[::-1], table)
    weights = np.where(falling[:, None], 1 - weights, weights)
    return weights, order_keeping_scores(np.ascontiguousarray(turned), where)


def _dense(layer: Layer, index: int, last: bool) -> Dense:
    name = f"dense{index}"
    where = f"layer {name}"
    weights = binary_weights(layer.linear.weight, where)
    outputs, inputs = weights.shape
    output: Thresholds | Scores
    if layer.norm is None:
        # the accumulator 2p - N orders as p does, for all classes alike
        output = Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
    elif last:
        weights, output = fold_scores(weights, norm_table(layer.norm, inputs, where), where)
    else:
        weights, values = fold_thresholds(weights, norm_table(layer.norm, inputs, where), where)
        output = Thresholds(values=values[:, None])
    return Dense(name=name, weights=weights, output=output)


def export_model(
    model: BinaryMlp, *, name: str, labels: tuple[str, ...] = (), progress: ProgressCallback | None = None
) -> Network:
    """The Network that computes what `model` computes in evaluation mode. Raises ExportError."""
    layers = []
    for index, layer in enumerate(model.stages):
        layers.append(_dense(layer, index, index == len(model.hidden)))
        if progress:
            progress("export", index + 1, len(model.layers))
    return Network(
        name=name,
        input=Input(shape=model.shape, bits=model.input_bits),
        encoding=Encoding(thresholds=model.thresholds.cpu().numpy()),
        layers=tuple(layers),
        labels=labels,
    )


@dataclass(frozen=True, kw_only=True)
class ExportCheck:
    """What `check_export` compared, all of it equal."""

    frames: int
    accumulators: int
    bits: int
    classes: int


def _orientation(dense: Dense, layer: Layer) -> NDArray[np.int64]:
    """+1 for each row that the export kept, -1 for each that it complemented."""
    own = binary_weights(layer.linear.weight, f"layer {dense.name}")
    if own.shape != dense.weights.shape:
        raise ExportError(f"layer {dense.name} has weights {dense.weights.shape}, the model {own.shape}")
    kept = (dense.weights == own).all(axis=1)
    turned = (dense.weights != own).all(axis=1)
    if not np.all(kept | turned):
        row = int(np.flatnonzero(~(kept | turned))[0])
        raise ExportError(f"layer {dense.name}: weight row {row} is neither the model's nor its complement")
    return np.where(kept, 1, -1)


def _compare(what: str, dense: str, first_frame: int, model: NDArray, network: NDArray) -> int:
    if not np.array_equal(model, network):
        frame, neuron = (int(i) for i in np.argwhere(model != network)[0])
        raise ExportError(
            f"the exported network differs from the model: {what} of frame {first_frame + frame}, layer "
            f"{dense}, neuron {neuron} is {network[frame, neuron]}, the model has {model[frame, neuron]}"
        )
    return model.size


def check_export(
    model: BinaryMlp, network: Network, frames: NDArray, *, progress: ProgressCallback | None = None
) -> ExportCheck:
    """Proves on integer frames (n, ...) that torch and the golden model agree in every layer's integers.

    Compared: encoded bits, accumulators (with the sign of rows that were complemented), activation bits, and
    the first largest logit with the class. Raises ExportError at the first difference, naming frame, layer
    and neuron.
    """
    if len(network.layers) != len(model.layers):
        raise ExportError(f"the network has {len(network.layers)} layers, the model {len(model.layers)}")
    turns = [_orientation(dense, layer) for dense, layer in zip(network.layers, model.stages, strict=True)]
    accumulators = bits = 0
    for part in golden.chunks(network, len(frames)):
        ours = golden.trace(network, frames[part])
        theirs = trace_model(model, frames[part])
        bits += _compare("encoded bit", "encoder", part.start, theirs.encoded, ours.encoded)
        for index, (dense, turn) in enumerate(zip(network.layers, turns, strict=True)):
            layer = ours.layers[index]
            dots = turn * (2 * layer.accumulators - dense.inputs)
            accumulators += _compare("accumulator", dense.name, part.start, theirs.accumulators[index], dots)
            if index < len(theirs.bits):
                bits += _compare("bit", dense.name, part.start, theirs.bits[index], layer.values)
        classes = ours.layers[-1].values.argmax(axis=1)
        _compare("class", network.layers[-1].name, part.start, theirs.classes[:, None], classes[:, None])
        if progress:
            progress("check export", part.stop, len(frames))
    return ExportCheck(frames=len(frames), accumulators=accumulators, bits=bits, classes=len(frames))

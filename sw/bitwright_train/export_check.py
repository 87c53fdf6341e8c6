"""The proof of an export: torch and the golden model side by side, integer by integer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core import golden
from bitwright_core.class_scores import SCORE_BITS
from bitwright_core.errors import ExportError
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.progress import Progress
from bitwright_train.export import folded_stages
from bitwright_train.folding import complemented, matching, stored_weights
from bitwright_train.layers import TrainingLayer
from bitwright_train.model import BinaryNetwork, trace_model


@dataclass(frozen=True, kw_only=True)
class ExportCheck:
    """What `check_export` compared, all of it equal but for `near_ties`."""

    frames: int
    accumulators: int
    bits: int
    classes: int
    near_ties: int  # frames whose class differs, of logits that nearly tie (`within` of their ScoreFit)


def _orientation(layer: MatrixLayer, stage: TrainingLayer, inverted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """+1 for each row that the export kept, -1 for each that it complemented."""
    own = matching(stored_weights(stage.linear, layer.weight_type, f"layer {layer.name}"), inverted)
    if own.shape != layer.weights.shape:
        raise ExportError(f"layer {layer.name} has weights {layer.weights.shape}, the model {own.shape}")
    other = complemented(own, np.ones(len(own), np.bool_))
    kept, turned = ((layer.weights == rows).reshape(len(own), -1).all(axis=1) for rows in (own, other))
    if not np.all(kept | turned):
        row = int(np.flatnonzero(~(kept | turned))[0])
        raise ExportError(f"layer {layer.name}: weight row {row} is neither the model's nor its complement")
    return np.where(kept, 1, -1)


def compare(what: str, layer: str, first_frame: int, model: NDArray[Any], network: NDArray[Any]) -> int:
    """How many integers of a layer were compared. Raises ExportError, naming the first that differs."""
    ours, theirs = network.reshape(len(network), -1), model.reshape(len(model), -1)
    if not np.array_equal(theirs, ours):
        frame, neuron = (int(i) for i in np.argwhere(theirs != ours)[0])
        raise ExportError(
            f"the exported network differs from the model: {what} of frame {first_frame + frame}, layer "
            f"{layer}, neuron {neuron} is {ours[frame, neuron]}, the model has {theirs[frame, neuron]}"
        )
    return model.size


def check_export(
    model: BinaryNetwork,
    network: Network,
    frames: NDArray[Any],
    *,
    score_bits: int = SCORE_BITS,
    progress: Progress | None = None,
) -> ExportCheck:
    """Proves on integer frames (n, ...) that torch and the golden model agree in every layer's integers.

    Compared: encoded bits, accumulators (with the sign of rows that were complemented), activation bits (behind
    a pool, where there is one), and the first largest logit with the class, which may differ only where scores of
    `score_bits` say so. Raises ExportError at the first difference, naming frame, layer and neuron.
    """
    if len(network.matrix_layers) != len(model.layers):
        raise ExportError(f"the network has {len(network.matrix_layers)} layers, the model {len(model.layers)}")
    folds = folded_stages(model, score_bits)
    gives = [folded.inverted for folded in folds]
    within = 0.0 if folds[-1].classes is None else folds[-1].classes.within
    takes = [np.zeros(model.encoded_shape[-1], np.bool_), *gives]
    turns = [
        _orientation(layer, stage, inverted)
        for layer, stage, inverted in zip(network.matrix_layers, model.stages, takes, strict=False)
    ]
    last_of = _last_of_each_stage(network)
    accumulators = bits = near_ties = 0
    for part in golden.chunks(network, len(frames)):
        trace = golden.trace(network, frames[part])
        ours = {layer.name: layer for layer in trace.layers}
        theirs = trace_model(model, frames[part])
        bits += compare("encoded bit", "encoder", part.start, theirs.encoded, trace.encoded)
        for index, (layer, turn) in enumerate(zip(network.matrix_layers, turns, strict=True)):
            sums = ours[layer.name].accumulators
            assert sums is not None
            dots = turn * (sums if layer.sums_dots else 2 * sums - layer.inputs)
            accumulators += compare("accumulator", layer.name, part.start, theirs.accumulators[index], dots)
            if index < len(theirs.bits):
                given = ours[last_of[index]].values
                if gives[index].any():
                    given = given ^ gives[index].astype(np.uint8)
                bits += compare("bit", last_of[index], part.start, theirs.bits[index], given)
        if progress:
            progress("check export", part.stop, len(frames))
        if model.multi_label:
            bits += compare("label", network.layers[-1].name, part.start, theirs.labels, trace.layers[-1].values)
            continue
        classes = trace.layers[-1].values.argmax(axis=1)
        row = np.arange(len(classes))
        near = theirs.logits[row, theirs.classes] - theirs.logits[row, classes] <= within
        near_ties += int((near & (classes != theirs.classes)).sum()) if within else 0
        told = np.where(near, theirs.classes, classes) if within else classes
        compare("class", network.layers[-1].name, part.start, theirs.classes[:, None], told[:, None])
    return ExportCheck(
        frames=len(frames),
        accumulators=accumulators,
        bits=bits,
        classes=0 if model.multi_label else len(frames),
        near_ties=near_ties,
    )


def _last_of_each_stage(network: Network) -> list[str]:
    """The name of each matrix layer, or of the pool behind it."""
    names: list[str] = []
    for layer in network.layers:
        if layer.matrix is None:
            names[-1] = layer.name
        else:
            names.append(layer.name)
    return names

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
from bitwright_train.export import FoldedStep, folded_steps
from bitwright_train.folding import complemented, matching, stored_weights
from bitwright_train.joins import LayerStep
from bitwright_train.layers import TrainingLayer
from bitwright_train.model import BinaryNetwork, ModelTrace, trace_model


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
    folds = folded_steps(model, score_bits)
    turns = _turns(model, network, folds)
    counts = _Counts()
    for part in golden.chunks(network, len(frames)):
        trace = golden.trace(network, frames[part])
        ours = {layer.name: layer for layer in trace.layers}
        theirs = trace_model(model, frames[part])
        counts.bits += compare("encoded bit", "encoder", part.start, theirs.encoded, trace.encoded)
        for place, (step, folded) in enumerate(zip(model.body.steps, folds, strict=False)):
            if isinstance(step, LayerStep):
                layer, turn = turns[step.index]
                sums = ours[layer.name].accumulators
                assert sums is not None
                dots = turn * (sums if layer.sums_dots else 2 * sums - layer.inputs)
                own = theirs.accumulators[step.index]
                counts.accumulators += compare("accumulator", layer.name, part.start, own, dots)
            if model.body.edges[place + 1] is not None:
                last = folded.layers[-1].name
                given = ours[last].values
                if folded.inverted.any():
                    given = given ^ np.resize(folded.inverted, given.shape[-1]).astype(np.uint8)
                counts.bits += compare("bit", last, part.start, theirs.values[place], given)
        values = {name: layer.values for name, layer in ours.items()}
        _check_heads(model, network, folds, part.start, values, theirs, counts)
        if progress:
            progress("check export", part.stop, len(frames))
    return ExportCheck(
        frames=len(frames),
        accumulators=counts.accumulators,
        bits=counts.bits,
        classes=counts.classes,
        near_ties=counts.near_ties,
    )


@dataclass(kw_only=True)
class _Counts:
    """What has been compared so far."""

    accumulators: int = 0
    bits: int = 0
    classes: int = 0
    near_ties: int = 0


def _turns(
    model: BinaryNetwork, network: Network, folds: list[FoldedStep]
) -> list[tuple[MatrixLayer, NDArray[np.int64]]]:
    """Each layer with weights of `network`, in the order of the model's, and the signs of its rows.

    Raises ExportError for a row that is neither the model's nor its complement.
    """
    layers = {layer.name: layer for layer in network.matrix_layers}
    inverted = [np.zeros(model.encoded_shape[-1], np.bool_), *(folded.inverted for folded in folds)]
    found = []
    for step, folded in zip(model.body.steps, folds, strict=False):
        if isinstance(step, LayerStep):
            name = folded.layers[0].name
            if name not in layers:
                raise ExportError(f"the network has no layer {name}, which the model has")
            turn = _orientation(layers[name], model.stages[step.index], inverted[step.takes[0]])
            found.append((layers[name], turn))
    return found


def _check_heads(
    model: BinaryNetwork,
    network: Network,
    folds: list[FoldedStep],
    start: int,
    ours: dict[str, NDArray[np.integer]],
    theirs: ModelTrace,
    counts: _Counts,
) -> None:
    """Compares the results of frames from `start` on: labels, and classes of frames or of pixels.

    Activations have been compared as they are. Raises ExportError.
    """
    given = []
    for number, (head, logits) in enumerate(zip(model.body.heads, theirs.results, strict=True)):
        folded = folds[head.value - 1]
        name = folded.layers[-1].name
        values = ours[name]
        if head.gives == "labels":
            counts.bits += compare("label", name, start, (logits >= 0).astype(np.uint8), values)
        elif head.gives != "activations":
            classes = values.argmax(axis=-1)
            if head.gives == "classes":
                name = f"classes{number}"
                compare("class", name, start, classes[..., None], ours[name])
                values = ours[name]
            within = 0.0 if folded.classes is None else folded.classes.within
            wanted = logits.argmax(axis=-1)
            own, other = (np.take_along_axis(logits, k[..., None], -1)[..., 0] for k in (wanted, classes))
            near = (classes != wanted) & (own - other <= within) & (within > 0)
            counts.near_ties += int(near.sum())
            counts.classes += compare(
                "class", name, start, wanted[..., None], np.where(near, wanted, classes)[..., None]
            )
        given.append(values)
    if len(given) > 1:
        counts.bits += _compare_joined(network, given, start, ours[network.last.name])


def _compare_joined(network: Network, given: list[NDArray[np.integer]], start: int, result: NDArray[np.integer]) -> int:
    """Compares the one `result` (n, ...) that heads are brought together to with what each of them gives."""
    number, compared = network.nodes[-1].edge.number, 0
    for head, values in zip(network.heads, given, strict=True):
        whole = values if head.edge.number == number else head.edge.number.integers(values)
        compared += compare("result", network.last.name, start, whole, head.of(result.reshape(len(result), -1)))
    return compared

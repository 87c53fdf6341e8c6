"""A trained network of lookup tables to a Network, and the proof that both give the same bits."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitwright_core import golden
from bitwright_core.errors import ExportError
from bitwright_core.network import GroupSum, Input, Luts, Network
from bitwright_core.progress import Progress
from bitwright_train.export_check import ExportCheck, compare
from bitwright_train.lut_model import LutNetwork, trace_luts


def export_luts(model: LutNetwork, *, name: str, labels: tuple[str, ...] = ()) -> Network:
    """The Network that computes what `model` computes: its wires, and a bit for each latent entry.

    Neurons of the last layer that are never 1 are left out, one of a class at the least stays.
    Raises ExportError for tables of NaN or infinities.
    """
    layers: list[Luts | GroupSum] = []
    for index, layer in enumerate(model.stages):
        if not torch.isfinite(layer.tables).all():
            raise ExportError(f"layer luts{index}: tables hold NaN or infinities; the training diverged, retrain")
        layers.append(
            Luts(
                name=f"luts{index}",
                inputs=layer.inputs,
                wires=layer.chosen.cpu().numpy(),
                tables=(layer.tables.detach() >= 0).cpu().numpy().astype(np.uint8),
            )
        )
    last, kept = layers[-1], kept_neurons(model)
    assert isinstance(last, Luts)
    layers[-1] = replace(last, wires=last.wires[kept], tables=last.tables[kept])
    groups = np.bincount(kept // model.group, minlength=model.classes)
    layers.append(GroupSum(name="sums", groups=tuple(groups.tolist())))
    return Network(
        name=name,
        input=Input(shape=model.shape, bits=model.input_bits),
        encoding=model.encoding,
        layers=tuple(layers),
        labels=labels,
    )


def kept_neurons(model: LutNetwork) -> NDArray[np.int64]:
    """The neurons of the last layer that are exported, in order."""
    used = (model.stages[-1].tables.detach() >= 0).any(1).cpu().numpy().reshape(model.classes, model.group)
    used[~used.any(1), 0] = True
    found: NDArray[np.int64] = np.flatnonzero(used)
    return found


def check_luts(
    model: LutNetwork, network: Network, frames: NDArray[Any], *, progress: Progress | None = None
) -> ExportCheck:
    """Proves on integer frames (n, ...) that torch and the golden model agree in every bit, count and class.

    Raises ExportError at the first difference, naming frame, layer and neuron.
    """
    names = [layer.name for layer in network.layers]
    if len(names) != len(model.layers) + 1:
        raise ExportError(f"the network has {len(names)} layers, the model {len(model.layers)} and its sums")
    kept = kept_neurons(model)
    counts = bits = 0
    for part in golden.chunks(network, len(frames)):
        trace, theirs = golden.trace(network, frames[part]), trace_luts(model, frames[part])
        ours = {layer.name: layer.values for layer in trace.layers}
        bits += compare("encoded bit", "encoder", part.start, theirs.encoded, trace.encoded)
        for name, found in zip(names, (*theirs.bits[:-1], theirs.bits[-1][:, kept]), strict=False):
            bits += compare("bit", name, part.start, found, ours[name])
        counts += compare("count", names[-1], part.start, theirs.counts, ours[names[-1]])
        if progress:
            progress("check export", part.stop, len(frames))
    return ExportCheck(frames=len(frames), accumulators=counts, bits=bits, classes=len(frames), near_ties=0)

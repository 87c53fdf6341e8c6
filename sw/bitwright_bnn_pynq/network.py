"""A parameter set and its topology to a Network and the plan of the original folding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_bnn_pynq.files import Folding, has_thresholds, read_classes
from bitwright_bnn_pynq.topology import ConvEntry, DenseEntry, FoldedEntry, InputEntry, PoolEntry, Topology
from bitwright_core.errors import NetworkError, ParameterSetError
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import (
    Conv2d,
    Dense,
    Edge,
    Input,
    IntegerEncoding,
    MaxPool2d,
    Network,
    Operator,
    Scores,
    ThresholdEncoding,
    Thresholds,
    Votes,
)
from bitwright_core.numbers import BINARY, TERNARY
from bitwright_core.ops.matrix import dot_range
from bitwright_core.ops.operator import edge_behind
from bitwright_core.outputs import Output
from bitwright_core.plan import LayerPlan, Plan, ceil_div
from bitwright_core.progress import Progress

NUMBERS = {"binary": BINARY, "ternary": TERNARY}
_FAR = 1 << 60  # beyond every accumulator, and far enough from int64's ends to add to


@dataclass(frozen=True, kw_only=True)
class ParameterSet:
    """What was imported."""

    network: Network
    plan: Plan  # the original folding, less rows and lanes that were padding alone
    notes: tuple[str, ...] = ()  # what a user should know of how it came about


def read_parameters(
    folder: Path,
    topology: Topology,
    *,
    name: str | None = None,
    classes: int | None = None,
    progress: Progress | None = None,
) -> ParameterSet:
    """The network in `folder` with the shape that `topology` tells, under `name` (default: the topology's).

    `classes` of the last layer's rows are in use: by default as many as classes.txt has names, else as the topology
    says. Padded rows are dropped, padded columns folded into the thresholds, exactly. Raises ParameterSetError for
    files that are missing, odd or too long, NetworkError for a topology that is no network.
    """
    if not folder.is_dir():
        raise ParameterSetError(f"{folder}: no such folder of parameters{did_you_mean_path(folder)}")
    labels = read_classes(folder)
    notes: list[str] = []
    topology = _with_classes(topology, labels, classes, folder, notes)
    source = Input(shape=tuple(topology.input.shape), bits=topology.input.bits)
    encoding = _encoding(topology.input)
    edge = encoding.edge(source)
    layers: list[Operator] = []
    plans: list[LayerPlan] = []
    for number, facts in enumerate(topology.layers):
        if progress:
            progress("read layers", number, len(topology.layers))
        rule = topology.class_rule if number == len(topology.layers) - 1 else None
        layer = LAYERS[type(facts)](facts, _Place(edge=edge, folder=folder, index=len(plans), rule=rule))
        if layer.matrix is not None and isinstance(facts, FoldedEntry):
            if rule == "largest_count" and has_thresholds(folder, len(plans)):
                notes.append(
                    f"layer {len(plans)} has files of thresholds, which are not used: by the topology, the class "
                    "is the largest count (highest_bit would use them)"
                )
            rows, lanes = layer.matrix.outputs, layer.matrix.inputs
            plans.append(LayerPlan(name=layer.name, pe=min(facts.pe, rows), simd=min(facts.simd, lanes)))
        layers.append(layer)
        edge = edge_behind(layer, edge)
    network = Network(
        name=topology.name if name is None else name,
        input=source,
        encoding=encoding,
        layers=tuple(layers),
        labels=labels,
    )
    if progress:
        progress("read layers", len(topology.layers), len(topology.layers))
    return ParameterSet(network=network, plan=Plan(layers=tuple(plans), target="xc7"), notes=tuple(notes))


def _with_classes(
    topology: Topology, labels: tuple[str, ...], classes: int | None, folder: Path, notes: list[str]
) -> Topology:
    """The topology with a last layer of as many outputs as there are classes. Raises ParameterSetError."""
    last = topology.layers[-1]
    assert isinstance(last, DenseEntry)
    rows = ceil_div(last.outputs, last.pe) * last.pe if last.padded_outputs is None else last.padded_outputs
    if classes is None:
        if len(labels) in (0, last.outputs):
            return topology
        classes = len(labels)
        notes.append(f"classes.txt has {classes} names, so {classes} classes, not the topology's {last.outputs}")
    if labels and len(labels) != classes:
        raise ParameterSetError(f"{folder / 'classes.txt'}: {len(labels)} classes, but {classes} are asked for")
    if not 1 <= classes <= rows:
        raise ParameterSetError(
            f"{folder}: {classes} classes, but the topology's last layer has {rows} rows, padding included"
        )
    layers = [*topology.layers[:-1], msgspec.structs.replace(last, outputs=classes, padded_outputs=rows)]
    return msgspec.structs.replace(topology, layers=layers)


def integer_table(facts: InputEntry) -> NDArray[np.int64]:
    """The integer of each input value, by exact arithmetic: floor(v * 2^fraction_bits + 1/2), clipped to `bits`."""
    fixed = facts.integers
    assert fixed is not None
    top = (1 << facts.bits) - 1
    least, largest = Fraction(fixed.least), Fraction(fixed.largest)
    limit = 1 << (fixed.bits - 1)
    values = (least + (largest - least) * Fraction(p, top) for p in range(top + 1))
    rounded = ((v * (1 << fixed.fraction_bits) + Fraction(1, 2)).__floor__() for v in values)
    return np.array([min(max(v, -limit), limit - 1) for v in rounded])


def _encoding(facts: InputEntry) -> ThresholdEncoding | IntegerEncoding:
    if facts.integers is None:
        return ThresholdEncoding(thresholds=np.array(facts.thresholds))
    return IntegerEncoding(table=integer_table(facts))


def _image(edge: Edge, name: str) -> tuple[int, int, int]:
    if len(edge.shape) != 3:
        raise NetworkError(f"layer {name} needs an image, but what comes before it is flat; correct the topology")
    return edge.shape[0], edge.shape[1], edge.shape[2]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a layer stands: what it takes, and which files are its own."""

    edge: Edge
    folder: Path
    index: int  # of the layers with weights
    rule: str | None  # how a class is chosen, of the last layer alone


def _pool(facts: PoolEntry, place: _Place) -> Operator:
    name = f"pool{place.index - 1}"
    stride = facts.kernel if facts.stride is None else facts.stride
    shape = _image(place.edge, name)
    return MaxPool2d(
        name=name,
        shape=shape,
        kernel=(facts.kernel, facts.kernel),
        stride=(stride, stride),
        takes=place.edge.number,
    )


def _dense(facts: DenseEntry, place: _Place) -> Operator:
    lanes = place.edge.size
    padded = ceil_div(lanes, facts.simd) * facts.simd if facts.padded_inputs is None else facts.padded_inputs
    weights, output = _rows(facts, place, taps=1, lanes=lanes, padded=padded)
    flat = weights.reshape(facts.outputs, -1)
    return Dense(
        name=f"dense{place.index}",
        weights=flat,
        output=output,
        takes=place.edge.number,
        weight_type=NUMBERS[facts.weights],
    )


def _conv(facts: ConvEntry, place: _Place) -> Operator:
    name = f"conv{place.index}"
    shape = _image(place.edge, name)
    padded = shape[2] if facts.padded_channels is None else facts.padded_channels
    weights, output = _rows(facts, place, taps=facts.kernel**2, lanes=shape[2], padded=padded)
    if not isinstance(output, Thresholds):
        raise ParameterSetError(f"layer {place.index}: a convolution has no thresholds; correct the topology")
    return Conv2d(
        name=name,
        shape=shape,
        weights=weights.reshape(facts.outputs, facts.kernel, facts.kernel, shape[2]),
        output=output,
        stride=(facts.stride, facts.stride),
        takes=place.edge.number,
        weight_type=NUMBERS[facts.weights],
    )


LAYERS: Mapping[type[Any], Callable[[Any, _Place], Operator]] = {
    DenseEntry: _dense,
    ConvEntry: _conv,
    PoolEntry: _pool,
}


def _rows(
    facts: ConvEntry | DenseEntry, place: _Place, *, taps: int, lanes: int, padded: int
) -> tuple[NDArray[np.integer], Output]:
    """Weights (outputs, taps, lanes) of windows of `taps`, each of `lanes` lanes, `padded` in the files; the output."""
    index = place.index
    if padded < lanes:
        raise ParameterSetError(f"layer {index}: {padded} padded lanes are fewer than the {lanes} that come")
    rows = ceil_div(facts.outputs, facts.pe) * facts.pe if facts.padded_outputs is None else facts.padded_outputs
    if rows < facts.outputs or rows % facts.pe:
        raise ParameterSetError(
            f"layer {index}: padded_outputs {rows} must be a multiple of pe {facts.pe}, not below "
            f"outputs {facts.outputs}"
        )
    folding = Folding(
        folder=place.folder,
        index=index,
        rows=rows,
        columns=taps * padded,
        pe=facts.pe,
        simd=facts.simd,
        weight_type=NUMBERS[facts.weights],
        levels=1 if facts.activations == "binary" else 2,
    )
    if folding.columns % facts.simd:
        raise ParameterSetError(f"layer {index}: {folding.columns} columns are no multiple of simd {facts.simd}")
    weights = folding.weights(facts.outputs).reshape(facts.outputs, taps, padded)
    own, pads = np.ascontiguousarray(weights[:, :, :lanes]), weights[:, :, lanes:]
    return own, _output(facts, folding, place, own.reshape(facts.outputs, -1), pads.reshape(facts.outputs, -1))


def _output(
    facts: ConvEntry | DenseEntry,
    folding: Folding,
    place: _Place,
    own: NDArray[np.integer],
    pads: NDArray[np.integer],
) -> Output:
    """What follows the sums of weights `own` (outputs, inputs); `pads` (outputs, ...) are those of padded columns.

    The files compare the popcounts of layers that have bits alone, and else signed sums; both with the padding, whose
    lanes have bit 0.
    """
    number, rule, weight_type = place.edge.number, place.rule, folding.weight_type
    if number.xnor and facts.threshold_shift:
        raise ParameterSetError(f"layer {folding.index}: a threshold_shift is for a layer on integers")
    dots = not (number.xnor and weight_type.xnor)  # what our accumulators are
    # a padded lane is -1 where lanes are bits, and else 0: so much of each sum is none of ours
    surplus = np.zeros(facts.outputs, np.int64)
    if number.xnor:
        surplus -= weight_type.values(pads, np.float64).sum(axis=1).astype(np.int64)
    agreeing = (surplus + pads.shape[1]) // 2
    if rule == "largest_count":
        return Scores(scale=np.ones(facts.outputs, np.int64), offset=surplus if dots else agreeing)
    raw = np.clip(folding.thresholds(facts.outputs), -_FAR, _FAR)
    inputs = own.shape[1]
    if dots:  # reached where raw < sum * 2^shift
        least, largest = dot_range(own, weight_type, number)
        values = (raw >> facts.threshold_shift) + 1 - surplus[:, None]
    else:
        least, largest = 0, inputs
        if facts.activations == "binary":  # reached where raw < popcount
            values = raw + 1 - agreeing[:, None]
        else:  # reached where the signed sum is at least this, so the popcount at least (this + inputs) / 2
            values = (raw + 1 - surplus[:, None] + inputs + 1) // 2
    values = np.clip(values, least, largest + 1)
    if rule == "highest_bit":
        return Votes(thresholds=values[:, 0], votes=np.arange(1, facts.outputs + 1))
    return Thresholds(values=values, base=0 if facts.activations == "binary" else TERNARY.least)

"""`import_onnx`: an ONNX or QONNX file to a Network, exact, or refused with every reason.

The order of the rewrites is the design: one form of each operator, constants and shapes known, products
bare, heads gone, pads in their convolutions, and last everything between two products one expression.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import Network, NumberType, Values
from bitwright_core.outputs.thresholds import MAX_LEVELS
from bitwright_core.progress import Progress
from bitwright_onnx.canonical import canonical
from bitwright_onnx.constants import fold_constants
from bitwright_onnx.ends import FloatClasses
from bitwright_onnx.form import Graph, check
from bitwright_onnx.heads import prune, strip_heads
from bitwright_onnx.linear import LINEAR, split_linear
from bitwright_onnx.lower import lower, network_of
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.meaning import MEANINGS, Meaning
from bitwright_onnx.names import Names, valid_name
from bitwright_onnx.one_d import lift_signals
from bitwright_onnx.own_graph import GraphFacts, OwnGraph
from bitwright_onnx.pads import absorb_pads
from bitwright_onnx.pointwise import lift_pointwise
from bitwright_onnx.ranges import Scaling, found_range, scale_input
from bitwright_onnx.read_layers import Hint
from bitwright_onnx.reader import read_model, to_graph
from bitwright_onnx.refusals import OnnxError
from bitwright_onnx.signals import Plane
from bitwright_onnx.survey import survey
from bitwright_onnx.view import View

METADATA_KEY = "bitwright"
Layout = Literal["auto", "nchw", "nhwc"]
Encodings = Literal["auto", "thermometer", "integers"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a file does not tell; None where it is to be found from the graph."""

    name: str | None = None
    input_range: tuple[float, float] | None = None
    input_bits: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Layout = "auto"
    encoding: Encodings = "auto"
    outputs: Literal["auto"] | Meaning = "auto"
    score_bits: int = 24  # of class scores; 0: as many as the order of all takes


@dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
    """The Network and what a user should know of how it came about."""

    network: Network
    input_range: tuple[float, float]
    layout: str  # of the graph's input: nchw, nhwc or flat
    outputs: str  # what was taken of the graph's end, and how a result is read
    notes: tuple[str, ...]
    float_classes: FloatClasses | None = None  # where class scores are not the graph's own numbers

    def other_classes(self, frames: NDArray[np.integer]) -> int:
        """How many of the frames (n, ...) have another class than the graph's float scores give their sums.

        0 where scores are the graph's own, or only bits. Raises DataError for frames of another shape or range.
        """
        flat = golden.check_frames(self.network, frames)
        differing = 0
        if self.float_classes is not None:
            for part in golden.chunks(self.network, len(flat)):
                trace = golden.trace(self.network, flat[part])
                sums = trace.layers[-1].accumulators
                assert sums is not None and trace.classes is not None  # class scores come from a layer with weights
                differing += int((self.float_classes.of(sums) != trace.classes).sum())
        return differing


def survey_or_raise(graph: Graph) -> Graph:
    """The graph itself, if every node of it is understood. Raises OnnxError with all that are not."""
    found = survey(graph)
    if found:
        raise OnnxError(found)
    return graph


REWRITES: tuple[Callable[[Graph], Graph], ...] = (
    canonical,
    prune,
    fold_constants,
    prune,
    lift_signals,
    split_linear,
    survey_or_raise,
    strip_heads,
    absorb_pads,
)


def rewrite(graph: Graph) -> Graph:
    """All rewrites but the last, the form checked after each. Raises OnnxError."""
    for step in REWRITES:
        graph = check(step(graph))
    return graph


def import_onnx(
    path: str | os.PathLike[str], options: Options | None = None, *, progress: Progress | None = None
) -> Imported:
    """Reads a file. Raises OnnxError, or another BitwrightError, with what stands in the way."""
    file = Path(path)
    chosen = options or Options()
    try:
        model = read_model(file)
        facts = _metadata(model)
        if progress:
            progress("import", 1, 4)
        # infinities and NaN are looked for where they decide something
        with np.errstate(all="ignore"):
            given = to_graph(model, file.parent)
            maps = chosen.outputs in ("auto", "class")
            graph = rewrite(given.with_(choices=OwnGraph.of(facts).choices, maps=maps))
            if progress:
                progress("import", 2, 4)
            found = _lowered(graph, chosen, facts, _name(chosen.name, facts, file), progress)
    except OnnxError as error:
        if str(error).startswith(str(file)):
            raise
        raise _located(error, file) from None
    return found


def _located(error: OnnxError, file: Path) -> OnnxError:
    located = OnnxError(error.refusals)
    located.args = (f"{file} cannot be imported: {error}",)
    return located


def _lowered(graph: Graph, options: Options, facts: dict[str, Any], name: str, progress: Progress | None) -> Imported:
    if options.score_bits and not 8 <= options.score_bits <= 48:
        raise OnnxError(f"class scores have 8 to 48 bits, or 0 for the order of all, not {options.score_bits}")
    bits = options.input_bits or facts.get("input_bits") or 8
    if graph.input_dtype.kind in "iu" and bits > 8 * graph.input_dtype.itemsize:
        raise OnnxError(f"{bits}-bit inputs do not fit the graph's {graph.input_dtype}")
    if not 1 <= bits <= 16:
        raise OnnxError(f"input values must have 1 to 16 bits, not {bits}")
    shape = graph.shapes[graph.input][1:]
    axis = _channel_axis(lift_pointwise(graph), options.layout, facts)
    chosen = _range(graph, options, bits, axis)
    scaling = Scaling(low=chosen[0], high=chosen[1], mean=options.mean, std=options.std)
    own = OwnGraph.of(facts)
    lifted = check(lift_pointwise(scale_input(graph, scaling, bits, axis), own.cuts(graph), own.joins(graph)))
    if progress:
        progress("import", 3, 4)
    lowering = Lowering(
        graph=lifted,
        plane=Plane(shape=shape, axis=axis),
        input_bits=bits,
        input_encoding=options.encoding,
        names=Names(() if own.layer_of else tuple(facts.get("layers", ()))),
        hints=own.hints(facts.get("types", {})),
        layer_of=own.layer_of,
        encoded=own.encoded,
        meaning=_told_meaning(facts) if options.outputs == "auto" else options.outputs,
        integers=options.outputs == "auto" and facts.get("outputs") == "integers",
        score_bits=options.score_bits,
        meaning_known=options.outputs == "auto" and "outputs" in facts,
        values=facts.get("values") if options.outputs in ("auto", "scores") else None,
    )
    layers = lower(lowering)
    network = network_of(lowering, layers, name, tuple(facts.get("labels", ())))
    if progress:
        progress("import", 4, 4)
    layout = "nchw" if axis == 0 else "nhwc"
    if len(shape) < 3:  # a signal's frames are what the graph takes, turned where its channels come first
        layout = "nct" if len(shape) == 2 and axis == 0 else "flat"
    return Imported(
        network=network,
        input_range=chosen,
        layout=layout,
        outputs=lowering.sentence,
        notes=tuple(lowering.notes),
        float_classes=lowering.float_classes,
    )


def _first_view(graph: Graph) -> View | None:
    """What the first product takes of the input."""
    for node in graph.nodes:
        if node.op in LINEAR:
            producer = graph.producers.get(node.inputs[0])
            if producer is not None and producer.op == "Pointwise" and producer.inputs[0] == graph.input:
                view: View = producer.attributes["view"]
                return view
            return None
    return None


def _range(graph: Graph, options: Options, bits: int, axis: int) -> tuple[float, float]:
    if options.input_range is not None:
        return options.input_range
    top = float((1 << bits) - 1)
    if options.mean or options.std:
        return 0.0, 1.0  # as torchvision normalises
    if graph.input_dtype.kind != "f":
        return 0.0, top
    raw = _first_view(lift_pointwise(graph))
    unit = _first_view(lift_pointwise(scale_input(graph, Scaling(low=0.0, high=1.0), bits, axis)))
    found = None if raw is None or unit is None else found_range(graph, raw, unit, bits)
    if found is None:
        raise OnnxError(
            "the graph does not tell what its input is of raw pixels: give --input-range 0..1 (pixels / 255), "
            f"0..{top:g} (as they are) or -1..1, with --mean and --std where they are normalised outside the graph"
        )
    return found


def _channel_axis(graph: Graph, layout: Layout, facts: dict[str, Any]) -> int:
    """The channels' axis of the raw input, frames not counted."""
    shape = graph.shapes[graph.input][1:]
    if len(shape) > 3:
        raise OnnxError(f"frames of {len(shape)} axes are not supported, only one to three")
    told = facts.get("input_layout") if layout == "auto" else layout
    if len(shape) == 3 and told in ("nchw", "nhwc"):
        return 0 if told == "nchw" else 2
    first = next((node for node in graph.nodes if node.op in LINEAR), None)
    if first is not None and first.op.startswith("Conv"):
        view = _first_view(graph)
        order = np.arange(int(np.prod(shape))).reshape(shape) if view is None else view.indices
        if order.ndim == 3 and (len(shape) == 3 or order.shape[0 if first.op == "Conv" else 2] > 1):
            return _source_axis(order, 0 if first.op == "Conv" else 2, shape)
    if len(shape) < 3:
        return len(shape) - 1
    return 0 if shape[0] in (1, 2, 3, 4) and shape[2] not in (1, 2, 3, 4) else 2


def _source_axis(order: NDArray[np.int64], channel: int, shape: tuple[int, ...]) -> int:
    """The axis of the input, of `shape`, along which axis `channel` of `order` runs; the one left over if it is 1."""
    left = set(range(len(shape)))
    for axis in range(3):
        ends = np.moveaxis(order, axis, 0)[[0, -1], 0, 0]
        first, last = np.stack(np.unravel_index(ends, shape), axis=1)
        moved = np.flatnonzero(first != last)
        if len(moved) == 1 and axis == channel:
            return int(moved[0])
        left -= set(moved.tolist())
    return max(left, default=2)


def _metadata(model: Any) -> dict[str, Any]:
    """What an export of bitwright's own tells; anything else, or anything odd, tells nothing."""
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY and isinstance(entry.value, str) and len(entry.value) < 1 << 20:
            try:
                facts = json.loads(entry.value)
            except (ValueError, RecursionError):
                return {}
            return _checked(facts) if isinstance(facts, dict) else {}
    return {}


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {}
    if isinstance(facts.get("name"), str) and valid_name(facts["name"]):
        good["name"] = facts["name"]
    if facts.get("input_bits") in range(1, 17) and not isinstance(facts["input_bits"], bool):
        good["input_bits"] = int(facts["input_bits"])
    if facts.get("input_layout") in ("nchw", "nhwc"):
        good["input_layout"] = facts["input_layout"]
    if facts.get("outputs") in (*MEANINGS, "integers"):
        good["outputs"] = facts["outputs"]
    with contextlib.suppress(KeyError, TypeError, NetworkError):
        good["values"] = Values(**facts["values"])
    if isinstance(facts.get("types"), dict):
        good["types"] = {
            str(name): hint for name, given in facts["types"].items() if (hint := _hint(given)) is not None
        }
    with contextlib.suppress(msgspec.ValidationError):
        good["graph"] = msgspec.convert(facts.get("graph"), GraphFacts)
    for key in ("labels", "layers"):
        if isinstance(facts.get(key), list) and all(isinstance(text, str) for text in facts[key]):
            good[key] = facts[key]
    return good


def _told_meaning(facts: dict[str, Any]) -> Meaning | None:
    """What an export says that the outputs mean; None where it says nothing, or that they are integers."""
    return next((meaning for meaning in MEANINGS if meaning == facts.get("outputs")), None)


def _hint(given: object) -> Hint | None:
    """What an export says of a layer's types; None for anything else."""
    if not isinstance(given, dict):
        return None
    with contextlib.suppress(KeyError, TypeError, NetworkError):
        weights = NumberType(**given["weights"])
        levels, base = given["levels"], given["base"]
        if isinstance(levels, int) and isinstance(base, int) and 1 <= levels <= MAX_LEVELS and -128 <= base <= 0:
            return Hint(weight_type=weights, levels=levels, base=base)
    return None


def _name(given: str | None, facts: dict[str, Any], file: Path) -> str:
    if given is not None:
        if not valid_name(given):
            raise OnnxError(f"network name {given!r} must be a lower-case identifier, at most 48 characters")
        return given
    text = re.sub(r"[^a-z0-9_]+", "_", file.stem.lower()).strip("_")[:48]
    return facts.get("name") or (text if valid_name(text) else "imported")

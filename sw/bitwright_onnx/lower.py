"""The graph of products, pools, joins and expressions between them to the layers of a Network, front to back."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import BitwrightError
from bitwright_core.network import (
    Input,
    IntegerEncoding,
    Network,
    Operator,
    ThresholdEncoding,
    Values,
)
from bitwright_core.numbers import TERNARY
from bitwright_onnx.choices import arg_max, classes_text
from bitwright_onnx.decide import Decision, decide, emit
from bitwright_onnx.ends import FloatClasses, emit_choice, emit_numbers, emit_scores, emit_votes, is_one, votes_of
from bitwright_onnx.expression import DECIDING, SOURCE, Expr, map_constants, operations
from bitwright_onnx.few_bits import FewBitRows
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.joins import add, average_pool, concat, max_pool, repeat
from bitwright_onnx.levels import decide_levels, emit_levels
from bitwright_onnx.meaning import Ending, Meaning, Outputs
from bitwright_onnx.names import Names
from bitwright_onnx.products import accumulators_of, linear
from bitwright_onnx.read_layers import Hint
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.settle import quantized, settled
from bitwright_onnx.several import integers, several_outputs
from bitwright_onnx.signals import (
    Accumulators,
    Bits,
    Integers,
    Levels,
    Plane,
    RawInput,
    channel_table,
    counted,
    in_channels,
)
from bitwright_onnx.tables import ManyValuesError
from bitwright_onnx.view import View

Signal = RawInput | Accumulators | Bits | Levels  # what a value is
Handler = Callable[["Lowering", OnnxNode, list[tuple[Signal, View]]], Signal]
InputEncoding = str  # "auto", "thermometer" or "integers"


@dataclass(kw_only=True)
class Lowering:
    """The walk's state: what each value is, and the layers so far."""

    graph: Graph
    plane: Plane  # of the raw input
    input_bits: int
    input_encoding: InputEncoding
    names: Names
    meaning: Meaning | None = None  # of the outputs, where the user or an export says it
    meaning_known: bool = False  # an export of bitwright's own says it
    values: Values | None = None  # of scores that are numbers; given where an export says so
    integers: bool = False  # an export says that its result is integers
    notes: list[str] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    made: dict[str, tuple[Operator, tuple[str, ...]]] = field(default_factory=dict)  # layers, and what each takes
    encoding: ThresholdEncoding | IntegerEncoding | None = None
    image: tuple[int, ...] | None = None  # (height, width, channels) of what a first convolution takes
    score_bits: int = 24  # of a class's scores; 0 keeps the order of all, whatever the width
    sentence: str = ""  # what was taken of the outputs
    float_classes: FloatClasses | None = None  # of class scores that are not the graph's own
    hints: Mapping[str, Hint] = field(default_factory=dict)  # by layer, of an export of bitwright's own
    layer_of: Mapping[str, str] = field(default_factory=dict)  # value to layer, of an export of a graph of our own
    encoded: str = ""  # the value that the input is encoded to, of the same
    signals: dict[str, Signal] = field(default_factory=dict)
    places: dict[str, NDArray[np.int64]] = field(default_factory=dict)  # of a value, among those of its signal
    done: set[str] = field(default_factory=set)  # values whose expression a layer before a pool has done already

    @cached_property
    def users(self) -> Counter[str]:
        """How many nodes take each value; the graph's output counts as one more."""
        found: Counter[str] = Counter(self.graph.outputs)
        for node in self.graph.nodes:
            found.update(self.graph.variable_inputs(node))
        return found

    @cached_property
    def is_chain(self) -> bool:
        """Whether no value has several takers, and no node several values."""
        return max(self.users.values()) == 1 and all(len(self.graph.variable_inputs(n)) == 1 for n in self.graph.nodes)

    @cached_property
    def own(self) -> frozenset[str]:
        """The names of the layers, where the file is an export of a graph by bitwright; else empty."""
        return frozenset(self.layer_of.values())

    def wanted_of(self, node: OnnxNode) -> str | None:
        """The name that bitwright's own export gave the layer of `node`; None for another exporter's file."""
        return node.name if node.name in self.own else None

    def run(self) -> tuple[Operator, ...]:
        """All layers. Raises OnnxError with every reason that was found."""
        self.signals[self.graph.input] = RawInput(plane=self.plane)
        try:
            self._share(self.graph.input)
        except (BitwrightError, ValueError) as error:
            self.refusals.add(self.graph.input, "input", str(error))
        for node in self.graph.nodes:
            try:
                if node.op == "Pointwise":
                    self._pointwise(node)
                    continue
                if node.op not in HANDLERS:
                    raise ValueError(f"no layer is made of {node.op}")
                taken = [self.taken(name) for name in self.graph.variable_inputs(node)]
                self.signals[node.output] = HANDLERS[node.op](self, node, taken)
                self._share(node.output)
            except KeyError:
                continue  # it takes what was refused
            except (BitwrightError, ValueError) as error:
                self.refusals.add(node.name, node.op, str(error))
        for end in self.graph.outputs:
            if end in self.graph.constants:
                self.refusals.add(end, "output", "it does not depend on the frame")
        if not self.refusals.found:
            if len(self.graph.outputs) > 1:
                several_outputs(self)
            elif self.integers:
                integers(self, end)
            else:
                self._end(*self.taken(end))
        self.refusals.raise_any()
        order = {name: place for place, name in enumerate(self.layer_of.values() or self.names.order)}
        self.made = dict(sorted(self.made.items(), key=lambda item: order.get(item[0], len(order))))
        return tuple(layer for layer, _ in self.made.values())

    @property
    def takes(self) -> tuple[tuple[str, ...], ...]:
        """For each layer the names of the values that it takes."""
        return tuple(takes for _, takes in self.made.values())

    def taken(self, name: str) -> tuple[Signal, View]:
        """What a node finds at a value: a signal, and the value as a view of it."""
        view = self._view(name)
        if name in self.done:
            view = replace(view, expression=SOURCE)
        return self.signals[view.source], view

    def _view(self, name: str) -> View:
        node = self.producers.get(name)
        if node is None or node.op != "Pointwise" or name in self.signals:
            view = View(source=name, shape=self.graph.shapes[name][1:], index=None, expression=SOURCE)
        else:
            view = node.attributes["view"]
        place = self.places.get(view.source)
        return view if place is None else replace(view, index=place.reshape(-1)[view.indices])

    @cached_property
    def producers(self) -> dict[str, OnnxNode]:
        return self.graph.producers

    def _pointwise(self, node: OnnxNode) -> None:
        """A value that several take, or that a layer of our own gave, becomes one by itself."""
        if node.inputs[0] not in self.signals:
            raise KeyError(node.inputs[0])
        if self.users[node.output] > 1 or node.output in self.layer_of or node.output == self.encoded:
            self._settle(node.output)

    def _share(self, name: str) -> None:
        """The same of what a node gives."""
        if self.users[name] > 1 or (name in self.layer_of and not isinstance(self.signals[name], Accumulators)):
            self._settle(name)

    def _settle(self, name: str) -> None:
        signal, view = self.taken(name)
        layer = self.layer_of.get(name)
        if layer is not None and layer in self.made and name in self.graph.outputs:
            return
        if isinstance(signal, Accumulators) and name in self.graph.outputs and self.users[name] == 1:
            return  # the end decides what becomes of it
        given, plain = settled(self, signal, view, name)
        self.signals[name] = given
        if plain.index is not None:
            self.places[name] = plain.index

    def emit(self, layer: Operator, *takes: str) -> None:
        """Adds a layer that takes these values."""
        self.made[layer.name] = layer, takes

    def decided(
        self,
        signal: Accumulators,
        expression: Expr,
        *,
        then: Expr = SOURCE,
        last: bool = False,
        fits: Callable[[Plane, Decision], bool] = lambda plane, decision: True,
    ) -> Bits | Levels:
        """Emits the layer with the thresholds that `expression` amounts to; what its bits or numbers stand for.

        `last` wants bits. With `then`, a pool stands between the two. Bits that do not fit what takes them are given
        as numbers.
        """
        hint = self.hints.get(signal.name)
        try:
            if hint is not None and (hint.levels, hint.base) != (1, 0) and not last:
                return self._levels(signal, expression, then, hint)
            try:
                decision = decide(signal, expression, then=then)
            except ManyValuesError:
                if last:
                    raise
                return self._levels(signal, expression, then, None)
            if not fits(signal.plane, decision):
                with suppress(ValueError):  # what is wrong with the bits is said later
                    return self._levels(signal, expression, then, None)
            self.note_rounding(signal, decision.rounding)
            self.emit(emit(signal, decision), signal.source)
            return Bits(plane=signal.plane, zero=decision.zero, one=decision.one, giver=signal.name)
        except ValueError as error:
            self.refusals.add(signal.node.name, signal.node.op, str(error))
            ones = np.ones(signal.plane.channels)
            return Bits(plane=signal.plane, zero=-ones, one=ones, giver=signal.name)

    def _levels(self, signal: Accumulators, expression: Expr, then: Expr, hint: Hint | None) -> Bits | Levels:
        decision = decide_levels(signal, expression, then=then, hint=hint)
        self.note_rounding(signal, decision.rounding)
        layer = emit_levels(signal, decision)
        self.emit(layer, signal.source)
        assert layer.matrix is not None
        return counted(signal.plane, layer.matrix.edge.number, decision.middle, decision.step, signal.name)

    def note_rounding(self, signal: Accumulators | Integers, rounding: int) -> None:
        """Adds a note of how many activations depend on how float32 rounds, if any do."""
        if rounding:
            self.notes.append(
                f"{signal.name}: {rounding} of {signal.plane.channels} activations have a sum so near their "
                "threshold that rounding decides in float32; the exact sum decides here"
            )

    def pooled(self, signal: Accumulators, view: View, plane: Plane, node: OnnxNode) -> Bits | Levels:
        """The layer in front of a pool. Its thresholds also do what follows the pool in the graph."""
        before, then = in_channels(view, signal.plane), SOURCE
        followers = [follower for follower in self.graph.nodes if node.output in follower.inputs]
        if len(followers) == 1 and self.users[node.output] == 1 and followers[0].op == "Pointwise":
            then = _over(in_channels(followers[0].attributes["view"], plane), plane, signal.plane)
            self.done.add(followers[0].output)
        # the pool carries what stood before it: the largest of the window decides what follows
        return self.decided(signal, before, then=then)

    def _end(self, signal: Signal, view: View) -> None:
        if isinstance(signal, RawInput):
            self.refusals.add("", "", "the graph has no layer: neither MatMul, Gemm nor Conv")
            return
        try:
            if isinstance(signal, Levels):
                classes = classes_text(self, signal, view)
                if classes is not None:
                    self.values, self.sentence = None, classes
                    return
                expression = in_channels(view, signal.plane)
                if not operations(expression) & DECIDING:
                    sums = _identity_sums(self, signal, view)
                    self._end_in_sums(sums, SOURCE)
                    return
                signal = quantized(self, signal, expression, last=True)
                view = replace(view, expression=SOURCE)
            if isinstance(signal, Bits):
                self._end_in_bits(signal, view)
            elif isinstance(signal, Accumulators):
                self._end_in_sums(signal, in_channels(view, signal.plane))
        except (BitwrightError, ValueError) as error:
            node = signal.node if isinstance(signal, Accumulators) else None
            self.refusals.add("" if node is None else node.name, "" if node is None else node.op, str(error))

    def _end_in_bits(self, signal: Bits, view: View) -> None:
        values = channel_table(in_channels(view, signal.plane), signal.plane, signal.values)
        if (values[1] <= values[0]).any():
            raise ValueError("the bits that the graph ends in are turned round behind a pool")
        found = self._outputs("bits", int(np.prod(signal.plane.shape)))
        if self._meant(found) == "class":
            raise ValueError("a class is chosen among bits behind a pool; bits of a layer, or its sums, are needed")

    def _end_in_sums(self, signal: Accumulators, expression: Expr) -> None:
        votes = votes_of(expression)
        count = int(np.prod(signal.plane.shape))
        if votes is not None:
            found = self._outputs("votes", count, different_votes=len(np.unique(votes)) > 1)
            if self._meant(found) == "class":
                self.emit(emit_votes(signal, expression), signal.source)
            else:
                self.decided(signal, expression.args[0], last=True)  # type: ignore[arg-type]
        elif operations(expression) & DECIDING:
            if self._meant(self._outputs("bits", count)) == "class":
                decision = decide(signal, expression)
                self.note_rounding(signal, decision.rounding)
                self.emit(emit_choice(signal, decision), signal.source)
            else:
                self.decided(signal, expression, last=True)
        else:
            pixels = count // signal.plane.channels
            meaning = self._meant(self._outputs("sums", count, pixels=pixels))
            if meaning == "labels":
                self.decided(signal, is_one(signal, expression), last=True)
            elif meaning == "class" or self.values is not None:
                layer, note, classes = emit_scores(signal, expression, self.score_bits)
                self.float_classes = None if pixels > 1 else classes
                self.emit(layer, signal.source)
                self.notes += [] if note is None else [note]
            else:
                layer, self.values = emit_numbers(signal, expression)
                self.emit(layer, signal.source)
                self.sentence += f", {self.values.step:.9g}, within {self.values.error:.3g} of the graph's own float32"

    def _outputs(self, ending: Ending, count: int, **more: Any) -> Outputs:
        return Outputs(ending=ending, heads=self.graph.heads, count=count, **more)

    def _meant(self, found: Outputs) -> Meaning:
        """The meaning of the outputs, which is then said. Raises ValueError."""
        meaning = found.chosen(self.meaning, known=self.meaning_known)
        if meaning != "scores":
            self.values = None
        self.sentence = found.sentence(meaning)
        return meaning


HANDLERS: Mapping[str, Handler] = {  # how each node with a layer of its own is read
    "Add": add,
    "ArgMax": arg_max,
    "AveragePool": average_pool,
    "AveragePoolChannelsLast": average_pool,
    "Concat": concat,
    "Conv": linear,
    "ConvChannelsLast": linear,
    "MatMul": linear,
    "MaxPool": max_pool,
    "MaxPoolChannelsLast": max_pool,
    "Repeat": repeat,
    "Sub": add,
}


def _identity_sums(lowering: Lowering, signal: Levels, view: View) -> Accumulators:
    """Numbers that the graph ends in as the sums of a layer that takes each of them once."""
    count = int(np.prod(view.shape))
    few = FewBitRows(numbers=np.eye(count, dtype=np.int8), scale=np.ones(count), number=TERNARY)
    node = OnnxNode(name=signal.giver, op="output", inputs=(), outputs=())
    return accumulators_of(lowering, node, signal, view, few)


def _over(expression: Expr, plane: Plane, source: Plane) -> Expr:
    """What stands behind a pool, with its constants in the axes of what stands before it."""
    if plane.channels != source.channels:
        raise ValueError("values change their channels around a pool")

    def move(array: NDArray[Any]) -> NDArray[Any]:
        return source.spread(array.reshape(1, -1)) if array.size > 1 else array.reshape((1,) * (len(source.shape) + 1))

    return map_constants(expression, move)


def network_of(lowering: Lowering, layers: tuple[Operator, ...], name: str, labels: tuple[str, ...]) -> Network:
    """The Network of `layers`, called `name`. Raises NetworkError for one that breaks a rule of size."""
    shape = lowering.plane.shape
    if len(shape) == 3:
        moved = [size for axis, size in enumerate(shape) if axis != lowering.plane.axis]
        shape = (*moved, lowering.plane.channels)
    elif lowering.image is not None and (*shape, 1) != lowering.image:
        shape = lowering.image  # a signal is an image of height or width 1
    assert lowering.encoding is not None
    network = Network(
        name=name,
        input=Input(shape=shape, bits=lowering.input_bits),
        encoding=lowering.encoding,
        layers=layers,
        takes=lowering.takes,
        values=lowering.values,
    )
    return replace(network, labels=labels) if len(labels) == network.outputs else network

"""The state of the walk from a graph to layers, and what handlers of nodes ask it for."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import IntegerEncoding, Operator, ThresholdEncoding, Values
from bitwright_onnx.decide import Decision, decide, emit
from bitwright_onnx.ends import FloatClasses
from bitwright_onnx.expression import SOURCE, Expr, map_constants
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.levels import decide_levels, emit_levels
from bitwright_onnx.meaning import Meaning
from bitwright_onnx.names import Names
from bitwright_onnx.read_layers import Hint
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.signals import Accumulators, Bits, Integers, Levels, Plane, Signal, counted, in_channels
from bitwright_onnx.tables import ManyValuesError
from bitwright_onnx.view import View

InputEncoding = str  # "auto", "thermometer" or "integers"


@dataclass(kw_only=True)
class Lowering:
    """What each value of the graph is so far, and the layers so far."""

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

    @property
    def takes(self) -> tuple[tuple[str, ...], ...]:
        """For each layer the names of the values that it takes."""
        return tuple(takes for _, takes in self.made.values())

    @cached_property
    def producers(self) -> dict[str, OnnxNode]:
        return self.graph.producers

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


def _over(expression: Expr, plane: Plane, source: Plane) -> Expr:
    """What stands behind a pool, with its constants in the axes of what stands before it."""
    if plane.channels != source.channels:
        raise ValueError("values change their channels around a pool")

    def move(array: NDArray[Any]) -> NDArray[Any]:
        return source.spread(array.reshape(1, -1)) if array.size > 1 else array.reshape((1,) * (len(source.shape) + 1))

    return map_constants(expression, move)

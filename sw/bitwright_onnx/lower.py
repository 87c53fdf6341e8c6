"""The chain of products, pools and expressions between them to the layers of a Network, front to back."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import BitwrightError
from bitwright_core.network import (
    BINARY,
    Input,
    IntegerEncoding,
    Network,
    NumberType,
    Operator,
    ThresholdEncoding,
    Values,
)
from bitwright_core.ops.matrix import dot_range
from bitwright_onnx.decide import Decision, decide, emit
from bitwright_onnx.encoder import (
    MAX_THERMOMETER,
    Taken,
    input_table,
    integer_encoding,
    most_levels,
    threshold_encoding,
)
from bitwright_onnx.ends import FloatClasses, emit_choice, emit_numbers, emit_scores, emit_votes, is_one, votes_of
from bitwright_onnx.expression import DECIDING, SOURCE, Expr, map_constants, operations
from bitwright_onnx.few_bits import FewBits, few_bits
from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.lanes import Lanes, product
from bitwright_onnx.levels import decide_levels, emit_levels
from bitwright_onnx.linear import not_binary, weight_rows
from bitwright_onnx.meaning import Ending, Meaning, Outputs
from bitwright_onnx.names import Names
from bitwright_onnx.pointwise import View
from bitwright_onnx.read_layers import Hint, pool_layer, silenced
from bitwright_onnx.refusals import Refusals
from bitwright_onnx.signals import Accumulators, Bits, Levels, Plane, RawInput, channel_table, in_channels
from bitwright_onnx.tables import ManyValuesError
from bitwright_onnx.uses import fits_bits, outside_kernel, used_values
from bitwright_onnx.windows import padding_of, pads_of, window_lanes

Signal = RawInput | Accumulators | Bits | Levels  # what the value at hand is
Handler = Callable[["Lowering", OnnxNode, Signal, View, OnnxNode | None], Signal]
InputEncoding = str  # "auto", "thermometer" or "integers"


def chain_of(graph: Graph) -> list[OnnxNode]:
    """The nodes from the input to the output. Raises OnnxError if the output does not depend on the input."""
    producers = graph.producers
    chain: list[OnnxNode] = []
    value = graph.outputs[0]
    while value != graph.input:
        if value not in producers:
            raise OnnxNode(name=value, op="output", inputs=(), outputs=()).refuse("it does not depend on the frame")
        node = producers[value]
        chain.append(node)
        value = graph.variable_inputs(node)[0]
    return chain[::-1]


@dataclass(kw_only=True)
class Lowering:
    """The walk's state: what the value at hand is, and the layers so far."""

    graph: Graph
    plane: Plane  # of the raw input
    input_bits: int
    input_encoding: InputEncoding
    names: Names
    meaning: Meaning | None = None  # of the outputs, where the user or an export says it
    meaning_known: bool = False  # an export of bitwright's own says it
    values: Values | None = None  # of scores that are numbers; given where an export says so
    notes: list[str] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    layers: list[Operator] = field(default_factory=list)
    encoding: ThresholdEncoding | IntegerEncoding | None = None
    image: tuple[int, ...] | None = None  # (height, width, channels) of what a first convolution takes
    score_bits: int = 24  # of a class's scores; 0 keeps the order of all, whatever the width
    sentence: str = ""  # what was taken of the outputs
    float_classes: FloatClasses | None = None  # of class scores that are not the graph's own
    hints: Mapping[str, Hint] = field(default_factory=dict)  # by layer, of an export of bitwright's own
    settled: set[str] = field(default_factory=set)  # values whose expression a layer before a pool has done already

    def run(self, chain: list[OnnxNode]) -> tuple[Operator, ...]:
        """All layers. Raises OnnxError with every reason that was found."""
        signal: Signal = RawInput(plane=self.plane)
        view = self._identity(self.graph.input)
        for place, node in enumerate(chain):
            if node.op == "Pointwise":
                view = node.attributes["view"]
                if node.output in self.settled:
                    view = replace(view, expression=SOURCE)
                continue
            try:
                after = chain[place + 1] if place + 1 < len(chain) else None
                if node.op not in HANDLERS:
                    raise ValueError(f"no layer is made of {node.op}")
                signal = HANDLERS[node.op](self, node, signal, view, after)
            except (BitwrightError, ValueError) as error:
                self.refusals.add(node.name, node.op, str(error))
                break
            view = self._identity(node.output)
        else:
            self._end(signal, view)
        self.refusals.raise_any()
        return tuple(self.layers)

    def _identity(self, name: str) -> View:
        return View(source=name, shape=self.graph.shapes[name][1:], index=None, expression=SOURCE)

    def _inputs(self, signal: Accumulators | Bits | Levels, view: View, node: OnnxNode) -> Lanes:
        """The lanes that a product takes, in the order of `view`."""
        if isinstance(signal, Accumulators):
            signal = self._decided(
                signal, in_channels(view, signal.plane), fits=partial(fits_bits, self.graph, node, view)
            )
            values = signal.values.astype(np.float64)
            if isinstance(signal, Bits):
                values = np.stack([signal.zero, signal.one])
        else:
            expression = in_channels(view, signal.plane)
            values = channel_table(expression, signal.plane, signal.values).astype(np.float64)
            signal = signal.behind(values) if isinstance(signal, Levels) else signal
        plane = signal.plane
        indices = view.indices.reshape(-1)
        channel = np.indices(plane.shape)[plane.axis].reshape(-1)[indices]
        if isinstance(signal, Levels):
            return Lanes(
                lane=plane.position[indices][:, None],
                middle=signal.middle[channel],
                half=signal.step[channel],
                number=signal.number,
            )
        zero, one = values[0][channel], values[1][channel]
        used = used_values(self.graph, node, view)
        if ((zero == one) & used).any():
            raise ValueError("an activation before it is always the same")
        middle = np.where(used, (zero + one) / 2, 0.0)
        half = np.where(used, (one - zero) / 2, (one - zero)[used][0] / 2)
        silence = not used.all() and self._few(node) is None
        idle = self._silenced(node, view, channel, used, zero, one) if silence else None
        return Lanes(lane=plane.position[indices][:, None], middle=middle, half=half, idle=idle)

    def _few(self, node: OnnxNode) -> FewBits | None:
        """The weights of a product as whole numbers; None where they are +-1 times one scale a row."""
        rows = weight_rows(node, self.graph.constants[node.inputs[1]])
        hint = self.hints.get(self.names.coming or "")
        if hint is not None and not hint.weight_type.xnor:
            return few_bits(rows, hint.weight_type)
        return few_bits(rows) if not_binary(rows) else None

    def _silenced(
        self,
        node: OnnxNode,
        view: View,
        channel: NDArray[np.int64],
        used: NDArray[np.bool_],
        zero: NDArray[np.float64],
        one: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Channels of the layer before that `node` does not use become constant bits; what each element then adds.

        The bit is what the node's padding is, if anything pads it. Raises ValueError where a channel is used in part,
        or zeros pad it.
        """
        silent = np.setdiff1d(channel, channel[used])
        if (np.isin(channel, silent) == used).any():
            raise ValueError(
                f"its weights of input channel {int(channel[~used & ~np.isin(channel, silent)][0])} are 0 for some "
                "pixels only; zeros must be of a whole row or channel"
            )
        place = next(k for k in reversed(range(len(self.layers))) if self.layers[k].matrix is not None)
        bit = 0
        if node.op != "MatMul":
            images = Plane(shape=view.shape, axis=0 if node.op == "Conv" else 2)
            padding, value = pads_of(node, outside_kernel(node, self.graph.constants[node.inputs[1]]), images)
            around = value[np.indices(view.shape)[images.axis].reshape(-1)]
            if any(padding) and not (around == zero)[used].all():
                if not (around == one)[used].all():
                    raise ValueError("its weights of an input channel are all 0, and zeros pad it: prune the channel")
                bit = 1
        self.layers[place] = silenced(self.layers[place], silent, bit)
        return np.where(used, np.nan, 2.0 * bit - 1.0)

    def linear(self, node: OnnxNode, signal: Signal, view: View, after: OnnxNode | None) -> Accumulators:
        """The sums of a node with weights; the layer follows when it is known what becomes of them."""
        if isinstance(signal, RawInput):
            return self._first_product(node, view)
        return self._product(node, self._inputs(signal, view, node), view)

    def _first_product(self, node: OnnxNode, view: View) -> Accumulators:
        """The first product, on bits where they can say what the input becomes, else on integers."""
        columns, kinds = input_table(view, self.graph.input_dtype, self.input_bits)
        group = pad = None
        if node.op != "MatMul":
            images = Plane(shape=view.shape, axis=0 if node.op == "Conv" else 2)
            padding, value = pads_of(node, outside_kernel(node, self.graph.constants[node.inputs[1]]), images)
            group = np.indices(view.shape)[images.axis].reshape(-1)
            self.image = (*(size for axis, size in enumerate(view.shape) if axis != images.axis), images.channels)
            pad = value if any(padding) else None
        taken = Taken(
            columns=columns,
            kinds=kinds,
            source=self.plane.position[view.indices.reshape(-1)],
            values=int(np.prod(self.plane.shape)),
            used=used_values(self.graph, node, view),
            group=group,
            pad=pad,
        )
        taken.check()
        auto = self.input_encoding == "auto"
        integers = self.input_encoding == "integers" or (
            auto and (most_levels(columns) > MAX_THERMOMETER or "Lookup" in operations(view.expression))
        )
        if not integers:
            try:
                self.encoding, lanes = threshold_encoding(taken)
                return self._product(node, lanes, view)
            except ValueError:
                if not auto:
                    raise
        self.encoding, lanes, note = integer_encoding(taken)
        signal = self._product(node, lanes, view)
        if note:
            self.notes.append(f"{signal.name}: {note}")
        return signal

    def _decided(
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
                with contextlib.suppress(ValueError):  # what is wrong with the bits is said later
                    return self._levels(signal, expression, then, None)
            return self._emitted(signal, decision)
        except ValueError as error:
            self.refusals.add(signal.node.name, signal.node.op, str(error))
            ones = np.ones(signal.plane.channels)
            return Bits(plane=signal.plane, zero=-ones, one=ones)

    def _levels(self, signal: Accumulators, expression: Expr, then: Expr, hint: Hint | None) -> Levels:
        decision = decide_levels(signal, expression, then=then, hint=hint)
        self._note_rounding(signal, decision.rounding)
        layer = emit_levels(signal, decision)
        self.layers.append(layer)
        assert layer.matrix is not None
        return Levels(plane=signal.plane, number=layer.matrix.edge.number, middle=decision.middle, step=decision.step)

    def _note_rounding(self, signal: Accumulators, rounding: int) -> None:
        if rounding:
            self.notes.append(
                f"{signal.name}: {rounding} of {signal.plane.channels} activations have a sum so near their "
                "threshold that rounding decides in float32; the exact sum decides here"
            )

    def _emitted(self, signal: Accumulators, decision: Decision) -> Bits:
        self._note_rounding(signal, decision.rounding)
        self.layers.append(emit(signal, decision))
        return Bits(plane=signal.plane, zero=decision.zero, one=decision.one)

    def _product(self, node: OnnxNode, lanes: Lanes, view: View) -> Accumulators:
        weights = self.graph.constants[node.inputs[1]]
        shape = self.graph.shapes[node.output][1:]
        number, few = lanes.number, self._few(node)
        if few is None and lanes.idle is None and not weights.astype(bool).all():
            few = few_bits(weight_rows(node, weights))  # zeros need no lane that never changes
        if node.op == "MatMul":
            if any(size != 1 for size in view.shape[:-1]):
                raise ValueError(f"it takes {list(view.shape)}: several rows a frame; only one is supported")
            rows = product(weight_rows(node, weights), lanes, few)
            return self._accumulators(node, "dense", Plane(shape=shape, axis=len(shape) - 1), rows, number, None)
        first = node.op == "Conv"
        images = Plane(shape=view.shape, axis=0 if first else 2)
        window = window_lanes(images, weights.shape[2:] if first else weights.shape[1:3], lanes)
        padding = padding_of(node, outside_kernel(node, weights), images, window)
        rows = product(weight_rows(node, weights), window, few)
        outside = (view.shape[1:] if first else view.shape[:2], padding["padding"])
        whole = outside == (weights.shape[2:] if first else weights.shape[1:3], (0, 0, 0, 0))
        levels = lanes.lane.shape[1]
        height, width = outside[0]
        convolution = {
            "shape": (height, width, images.channels * levels),
            "weights": (len(weights), *outside_kernel(node, weights), images.channels * levels),
            "whole": whole,
            **padding,
        }
        plane = Plane(shape=shape, axis=0 if first else 2)
        return self._accumulators(node, "conv", plane, rows, number, convolution)

    def _accumulators(
        self, node: OnnxNode, kind: str, plane: Plane, rows: Any, number: NumberType, convolution: dict[str, Any] | None
    ) -> Accumulators:
        bits = number.xnor and rows.weight_type.xnor
        # as far down as up, so that a row may be turned round
        largest = max(map(abs, dot_range(rows.weights, rows.weight_type, number)))
        zeros = convolution is not None and any(convolution["padding"]) and convolution["padding_value"] == "zero"
        return Accumulators(
            plane=plane,
            name=self.names.give(kind),
            node=node,
            rows=rows,
            sums_dots=zeros or not bits,
            largest=largest,
            takes=number,
            convolution=convolution,
        )

    def max_pool(self, node: OnnxNode, signal: Signal, view: View, after: OnnxNode | None) -> Bits | Levels:
        """The bits or numbers behind a pool."""
        if isinstance(signal, RawInput):
            raise ValueError("it pools the raw input; only bits can be pooled")
        before = in_channels(view, signal.plane)
        first = node.op == "MaxPool"
        images = Plane(shape=view.shape, axis=0 if first else 2)
        order = signal.plane.position[view.indices.reshape(-1)]
        if len(view.shape) != 3 or not np.array_equal(order, images.position):
            raise ValueError("it pools values in another order than the image's")
        plane = Plane(shape=self.graph.shapes[node.output][1:], axis=images.axis)
        if isinstance(signal, Accumulators):
            then = SOURCE
            if after is not None and after.op == "Pointwise":
                then = _over(in_channels(after.attributes["view"], plane), plane, signal.plane)
            # the pool carries what stood before it: the largest of the window decides what follows
            given = self._decided(signal, before, then=then)
            if after is not None:
                self.settled.add(after.output)
        else:
            values = channel_table(before, signal.plane, signal.values).astype(np.float64)
            if (values[-1] < values[0]).any():
                raise ValueError("it pools bits that a negative scale has turned round; put the scale behind it")
            if isinstance(signal, Levels):
                given = signal.behind(values)
            else:
                given = Bits(plane=signal.plane, zero=values[0], one=values[1])
        number = given.number if isinstance(given, Levels) else BINARY
        self.layers.append(pool_layer(node, self.names.give("pool"), images, number))
        return replace(given, plane=plane)

    def _end(self, signal: Signal, view: View) -> None:
        if isinstance(signal, RawInput):
            self.refusals.add("", "", "the graph has no layer: neither MatMul, Gemm nor Conv")
            return
        try:
            if isinstance(signal, Levels):
                raise ValueError(f"the graph ends in {signal.number} values behind a pool; a result is bits or sums")
            if isinstance(signal, Bits):
                self._end_in_bits(signal, view)
            else:
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
                self.layers.append(emit_votes(signal, expression))
            else:
                self._decided(signal, expression.args[0], last=True)  # type: ignore[arg-type]
        elif operations(expression) & DECIDING:
            if self._meant(self._outputs("bits", count)) == "class":
                decision = decide(signal, expression)
                self._note_rounding(signal, decision.rounding)
                self.layers.append(emit_choice(signal, decision))
            else:
                self._decided(signal, expression, last=True)
        else:
            meaning = self._meant(self._outputs("sums", count))
            if meaning == "labels":
                self._decided(signal, is_one(signal, expression), last=True)
            elif meaning == "class" or self.values is not None:
                layer, note, self.float_classes = emit_scores(signal, expression, self.score_bits)
                self.layers.append(layer)
                self.notes += [] if note is None else [note]
            else:
                layer, self.values = emit_numbers(signal, expression)
                self.layers.append(layer)
                self.sentence += f", {self.values.step:.9g}, within {self.values.error:.3g} of the graph's own float32"

    def _outputs(self, ending: Ending, count: int, *, different_votes: bool = False) -> Outputs:
        return Outputs(ending=ending, heads=self.graph.heads, count=count, different_votes=different_votes)

    def _meant(self, found: Outputs) -> Meaning:
        """The meaning of the outputs, which is then said. Raises ValueError."""
        meaning = found.chosen(self.meaning, known=self.meaning_known)
        if meaning != "scores":
            self.values = None
        self.sentence = found.sentence(meaning)
        return meaning


HANDLERS: Mapping[str, Handler] = {  # how each node with a layer of its own is read
    "MatMul": Lowering.linear,
    "Conv": Lowering.linear,
    "ConvChannelsLast": Lowering.linear,
    "MaxPool": Lowering.max_pool,
    "MaxPoolChannelsLast": Lowering.max_pool,
}


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
        values=lowering.values,
    )
    return replace(network, labels=labels) if len(labels) == network.outputs else network

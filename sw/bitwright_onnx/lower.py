"""The graph of products, pools, joins and expressions between them to the layers of a Network, front to back."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bitwright_core.errors import BitwrightError
from bitwright_core.network import Input, Network, Operator
from bitwright_onnx.class_maps import arg_max
from bitwright_onnx.form import OnnxNode
from bitwright_onnx.joins import add, average_pool, concat, max_pool, repeat
from bitwright_onnx.lowering import Lowering
from bitwright_onnx.one_output import one_output
from bitwright_onnx.products import linear
from bitwright_onnx.settle import settled
from bitwright_onnx.several import integers, several_outputs
from bitwright_onnx.signals import Accumulators, RawInput, Signal
from bitwright_onnx.view import View

Handler = Callable[[Lowering, OnnxNode, list[tuple[Signal, View]]], Signal]

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


def lower(lowering: Lowering) -> tuple[Operator, ...]:
    """All layers. Raises OnnxError with every reason that was found."""
    lowering.signals[lowering.graph.input] = RawInput(plane=lowering.plane)
    try:
        _share(lowering, lowering.graph.input)
    except (BitwrightError, ValueError) as error:
        lowering.refusals.add(lowering.graph.input, "input", str(error))
    for node in lowering.graph.nodes:
        try:
            if node.op == "Pointwise":
                _pointwise(lowering, node)
                continue
            if node.op not in HANDLERS:
                raise ValueError(f"no layer is made of {node.op}")
            taken = [lowering.taken(name) for name in lowering.graph.variable_inputs(node)]
            lowering.signals[node.output] = HANDLERS[node.op](lowering, node, taken)
            _share(lowering, node.output)
        except KeyError:
            continue  # it takes what was refused
        except (BitwrightError, ValueError) as error:
            lowering.refusals.add(node.name, node.op, str(error))
    for end in lowering.graph.outputs:
        if end in lowering.graph.constants:
            lowering.refusals.add(end, "output", "it does not depend on the frame")
    if not lowering.refusals.found:
        if len(lowering.graph.outputs) > 1:
            several_outputs(lowering)
        elif lowering.integers:
            integers(lowering, end)
        else:
            one_output(lowering, *lowering.taken(end))
    lowering.refusals.raise_any()
    order = {name: place for place, name in enumerate(lowering.layer_of.values() or lowering.names.order)}
    lowering.made = dict(sorted(lowering.made.items(), key=lambda item: order.get(item[0], len(order))))
    return tuple(layer for layer, _ in lowering.made.values())


def _pointwise(lowering: Lowering, node: OnnxNode) -> None:
    """A value that several take, or that a layer of our own gave, becomes one by itlowering."""
    if node.inputs[0] not in lowering.signals:
        raise KeyError(node.inputs[0])
    if lowering.users[node.output] > 1 or node.output in lowering.layer_of or node.output == lowering.encoded:
        _settle(lowering, node.output)


def _share(lowering: Lowering, name: str) -> None:
    """The same of what a node gives."""
    if lowering.users[name] > 1 or (name in lowering.layer_of and not isinstance(lowering.signals[name], Accumulators)):
        _settle(lowering, name)


def _settle(lowering: Lowering, name: str) -> None:
    signal, view = lowering.taken(name)
    layer = lowering.layer_of.get(name)
    if layer is not None and layer in lowering.made and name in lowering.graph.outputs:
        return
    if isinstance(signal, Accumulators) and name in lowering.graph.outputs and lowering.users[name] == 1:
        return  # the end decides what becomes of it
    given, plain = settled(lowering, signal, view, name)
    lowering.signals[name] = given
    if plain.index is not None:
        lowering.places[name] = plain.index


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

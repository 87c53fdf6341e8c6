"""A module of one's own read as a graph of layers, by tracing; refusals name the module."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from bitwright_core.errors import ExportError
from bitwright_train import layers
from bitwright_train.conv_config import both
from bitwright_train.joins import AddStep, AverageStep, ConcatStep, JoinStep, MaxStep, UpsampleStep
from bitwright_train.modules import (
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    ClassMap,
    FewBits,
    InputEncoder,
    RSign,
    Sign,
    SignalEncoder,
    WindowSum,
)
from bitwright_train.nonlinearities import RPReLU

_SILENT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, layers.ExactBatchNorm)
_NONLINEARITIES = (nn.PReLU, nn.Hardtanh, RPReLU)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
_OWN = (
    InputEncoder,
    SignalEncoder,
    BinaryLinear,
    BinaryConv1d,
    BinaryConv2d,
    Sign,
    RSign,
    RPReLU,
    FewBits,
    WindowSum,
    ClassMap,
)
_LEAVES = (*_OWN, layers.ExactBatchNorm)
_KNOWN = (
    f"{', '.join(kind.__name__ for kind in _OWN)}, BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.PReLU, nn.Hardtanh, "
    "nn.MaxPool1d, nn.MaxPool2d, nn.Upsample, nn.Flatten and nn.Dropout"
)


@dataclass(kw_only=True, eq=False)
class TracedLayer:
    """A layer with weights, and what stands behind it."""

    name: str
    linear: BinaryLinear | BinaryConv2d
    takes: int
    chw: bool  # it takes an image flattened by torch: channel slowest
    norm: Any = None
    first: list[nn.Module] = field(default_factory=list)  # between it and its batch norm
    nonlinearities: list[nn.Module] = field(default_factory=list)  # behind its batch norm
    pool: tuple[int, int] | None = None
    pool_first: bool = False
    activation: Sign | FewBits | None = None
    chooses: bool = False  # a ClassMap stands behind it


@dataclass(frozen=True, kw_only=True, eq=False)
class _Given:
    """What a node of the trace gives."""

    name: str  # of the module, for errors
    value: int  # 0 of the encoded input, k + 1 of step k; -1 of the frames
    axes: int  # behind the frames' own: 1 of flat values, 2 of signals, 3 of images
    layer: TracedLayer | None = None  # behind which more may stand
    flat: bool = False  # a signal or image that torch flattened


@dataclass(frozen=True, kw_only=True, eq=False)
class TracedHead:
    """A result of a module: the value, and the layer whose sums it is, if it is sums."""

    value: int
    layer: TracedLayer | None


@dataclass(kw_only=True, eq=False)
class TracedGraph:
    """What was read of a module: steps in order, of which step k gives value k + 1, with the names of their modules."""

    encoder: InputEncoder | None = None
    steps: list[TracedLayer | JoinStep] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of each step, for errors
    heads: list[TracedHead] = field(default_factory=list)

    def take(self, name: str, module: nn.Module, given: _Given) -> _Given:
        """Adds `module`, which takes `given`. Raises ExportError."""
        kind = type(module).__name__
        if isinstance(module, InputEncoder):
            if given.value >= 0 or self.encoder is not None:
                raise ExportError(f"{name}: an InputEncoder stands first, and once")
            self.encoder = module
            axes = 2 if isinstance(module, SignalEncoder) else len(module.encoded_shape)
            return _Given(name=name, value=0, axes=axes)
        if given.value < 0:
            raise ExportError(f"{name}: a model begins with an InputEncoder, not with {kind}")
        match module:
            case BinaryLinear() | BinaryConv2d():
                return self._layer(name, module, given)
            case nn.Flatten():
                return flattened(name, given, module.start_dim, module.end_dim)
            case nn.Upsample():
                factors = _factors(name, module, given.axes)
                return self.join(name, [given], lambda of, takes: UpsampleStep(name=of, takes=takes, factors=factors))
            case WindowSum():
                window = module.window(given.axes)
                return self.join(name, [given], lambda of, takes: AverageStep(name=of, takes=takes, window=window))
            case _ if isinstance(module, _SILENT):
                return given
            case _ if isinstance(module, _POOLS):
                return self._pool(name, module, given)
            case _ if isinstance(module, (*_NORMS, *_NONLINEARITIES, Sign, FewBits, ClassMap)):
                if given.layer is None:
                    raise ExportError(f"{name}: {kind} has no layer with weights before it")
                _behind(name, module, given, given.layer)
                return _Given(name=name, value=given.value, axes=given.axes, layer=given.layer, flat=given.flat)
        raise ExportError(f"{name}: {kind} has no counterpart in a Network; there are {_KNOWN}")

    def _layer(self, name: str, module: BinaryLinear | BinaryConv2d, given: _Given) -> _Given:
        closed(name, given)
        axes = 1 if isinstance(module, BinaryLinear) else 2 if isinstance(module, BinaryConv1d) else 3
        if axes > 1 and (given.flat or given.axes == 1):
            raise ExportError(f"{name}: convolutions stand before linear layers and flattening")
        if axes == 1 and given.axes > 1 and not given.flat:
            raise ExportError(
                f"{name}: a BinaryLinear takes flat values; put an nn.Flatten between it and {given.name}"
            )
        if axes > 1 and axes != given.axes:
            what = "signals, as a SignalEncoder gives them" if axes == 2 else "images, as an InputEncoder gives them"
            raise ExportError(f"{name}: {type(module).__name__} takes {what}")
        layer = TracedLayer(name=name, linear=module, takes=given.value, chw=given.flat)
        return self._added(name, layer, axes, layer)

    def _pool(self, name: str, module: Any, given: _Given) -> _Given:
        size, stride = _pool_sizes(module.kernel_size), _pool_sizes(module.stride)
        if given.flat:
            raise ExportError(f"{name}: a pool stands before the flattening")
        if given.axes != (2 if isinstance(module, nn.MaxPool1d) else 3):
            raise ExportError(f"{name}: {type(module).__name__} does not fit what {given.name} gives")
        if given.axes == 2:
            size, stride = (1, size[1]), (1, stride[1])
        plain = stride == size and not any(_pool_sizes(module.padding)) and _pool_sizes(module.dilation) == (1, 1)
        layer = given.layer
        if not plain or module.ceil_mode or (layer is not None and layer.pool is not None):
            raise ExportError(f"{name}: one pool for each layer, its stride its size, without padding and dilation")
        if layer is None:
            return self.join(name, [given], lambda of, takes: MaxStep(name=of, takes=takes, window=size))
        first = layer.norm is None and layer.activation is None
        if layer.first and first:
            raise ExportError(f"{name}: a pool stands before {type(layer.first[0]).__name__}, or behind the batch norm")
        layer.pool, layer.pool_first = size, first
        return _Given(name=name, value=given.value, axes=given.axes, layer=layer)

    def join(self, name: str, given: list[_Given], step: Callable[[str, tuple[int, ...]], JoinStep]) -> _Given:
        """Adds an operator without weights, which `step` makes of its name and the values that it takes."""
        for one in given:
            closed(name, one)
            if one.flat:
                raise ExportError(f"{name}: a flattened image goes into a BinaryLinear; put this before the flattening")
            if one.axes != given[0].axes:
                raise ExportError(f"{name}: {given[0].name} and {one.name} give values of different numbers of axes")
        made = step("", tuple(one.value for one in given))
        kind = type(made).__name__.removesuffix("Step").lower()
        return self._added(name, step(f"{kind}{len(self.steps)}", made.takes), given[0].axes, None)

    def _added(self, name: str, step: TracedLayer | JoinStep, axes: int, layer: TracedLayer | None) -> _Given:
        self.steps.append(step)
        self.names.append(name)
        return _Given(name=name, value=len(self.steps), axes=axes, layer=layer)


def closed(name: str, given: _Given) -> None:
    """Raises ExportError unless `given`, which `name` takes, are whole numbers: the input, activations or joined."""
    if given.value < 0:
        raise ExportError(f"{name}: a model begins with an InputEncoder")
    if given.layer is not None and given.layer.activation is None:
        raise ExportError(f"{name}: there must be a Sign or FewBits between it and {given.layer.name}")


def flattened(name: str, given: _Given, start: int, end: int) -> _Given:
    """A flattening, which keeps frames apart."""
    if (start, end) != (1, -1):
        raise ExportError(f"{name}: only a flattening from axis 1 to the last is known")
    flat = given.flat or given.axes > 1
    return _Given(name=name, value=given.value, axes=given.axes, layer=given.layer, flat=flat)


def _behind(name: str, module: nn.Module, given: _Given, layer: TracedLayer) -> None:
    """Puts a batch norm, nonlinearity, activation or choice of a class behind a layer."""
    kind = type(module).__name__
    if isinstance(module, ClassMap):
        if layer.activation is not None or layer.chooses or given.axes == 1:
            raise ExportError(f"{name}: a ClassMap stands behind a last convolution or its batch norm")
        layer.chooses = True
    elif layer.chooses:
        raise ExportError(f"{name}: nothing stands behind a ClassMap")
    elif isinstance(module, Sign | FewBits):
        if layer.activation is not None:
            raise ExportError(f"{name}: a second activation behind {layer.name}")
        layer.activation = module
        if isinstance(module, RSign):
            layer.nonlinearities.append(module.shift)
    elif given.flat:
        raise ExportError(f"{name}: {kind} stands before the flattening")
    elif isinstance(module, _NONLINEARITIES):
        if layer.first or layer.nonlinearities or layer.activation is not None:
            raise ExportError(f"{name}: one PReLU, RPReLU or Hardtanh for each layer, before its activation")
        if layer.pool is not None and not layer.pool_first:
            raise ExportError(f"{name}: {kind} stands before a pool behind the batch norm")
        (layer.first if layer.norm is None else layer.nonlinearities).append(module)
    else:
        if layer.norm is not None or layer.activation is not None:
            raise ExportError(f"{name}: one {kind} for each layer, before its activation")
        if getattr(module, "weight", None) is None or getattr(module, "running_var", None) is None:
            raise ExportError(f"{name}: {kind} must be affine and track its statistics")
        layer.norm = module


def _pool_sizes(size: Any) -> tuple[int, int]:
    """(down, across) of a size as torch's pools have it: one number, a pair, or a tuple of one."""
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    return both(sizes[0] if len(sizes) == 1 else sizes)


def _factors(name: str, module: nn.Upsample, axes: int) -> tuple[int, int]:
    given: Any = module.scale_factor
    factors = tuple(given) if isinstance(given, tuple | list) else (given,)
    if module.mode != "nearest" or any(factor is None or factor != int(factor) or factor < 1 for factor in factors):
        raise ExportError(f'{name}: an nn.Upsample has a whole scale_factor and mode="nearest"')
    if axes == 1 or len(factors) not in (1, axes - 1):
        raise ExportError(f"{name}: nn.Upsample does not fit what it takes")
    down, across = int(factors[0]), int(factors[-1])
    return (1, across) if axes == 2 else (down, across)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


_FLATTENS = (torch.flatten, "flatten")
_ADDS = (operator.add, operator.iadd, torch.add, "add")
_CATS = (torch.cat, torch.concat, torch.concatenate)


def read_module(model: nn.Module) -> TracedGraph:
    """The graph of layers that `model` is. Raises ExportError for anything else."""
    tracer = _Tracer()
    try:
        trace = tracer.trace(model)
    except Exception as error:  # whatever a user's forward does
        raise ExportError(
            f"{type(model).__name__} cannot be traced ({error}); its forward must not depend on the values"
        ) from None
    graph, given = TracedGraph(), dict[fx.Node, _Given]()
    for node in trace.nodes:
        name = str(node.target) if node.op == "call_module" else node.name
        if node.op == "placeholder":
            if given:
                raise ExportError(f"{name}: a model takes frames alone")
            given[node] = _Given(name=name, value=-1, axes=0)
        elif node.op == "output":
            graph.heads = _heads(model, node.args[0], given)
        else:
            given[node] = _read_node(graph, model, node, name, given)
            _check_users(node, name, given[node])
    return graph


def _check_users(node: fx.Node, name: str, given: _Given) -> None:
    if not node.users:
        raise ExportError(f"{name}: nothing takes what it gives")
    if len(node.users) > 1 and given.layer is not None and given.layer.activation is None:
        raise ExportError(f"{name}: several take what it gives; put a Sign or FewBits behind {given.layer.name} first")


def _read_node(graph: TracedGraph, model: nn.Module, node: fx.Node, name: str, given: dict[fx.Node, _Given]) -> _Given:
    """Adds what a node calls. Raises ExportError for what has no counterpart."""

    def nodes(values: Any) -> list[_Given]:
        if not all(isinstance(value, fx.Node) for value in values):
            raise ExportError(f"{name}: joins values of the model alone, not constants")
        return [_unshared(value, given[value]) for value in values]

    if node.op == "call_module":
        if len(node.args) != 1 or node.kwargs:
            raise ExportError(f"{name}: a module takes one value")
        return graph.take(name, model.get_submodule(str(node.target)), nodes(node.args)[0])
    if node.target in _FLATTENS:
        rest = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
        return flattened(name, nodes(node.args[:1])[0], rest.get("start_dim", 0), rest.get("end_dim", -1))  # type: ignore[arg-type]
    if node.target in _ADDS and len(node.args) == 2 and not node.kwargs:
        return graph.join(name, nodes(node.args), lambda of, takes: AddStep(name=of, takes=takes))
    if node.target in _CATS and isinstance(node.args[0], tuple | list):
        rest = dict(zip(("dim",), node.args[1:], strict=False)) | node.kwargs
        if rest.get("dim", 0) != 1:
            raise ExportError(f"{name}: only a concatenation along axis 1, of channels or flat values, is known")
        return graph.join(name, nodes(node.args[0]), lambda of, takes: ConcatStep(name=of, takes=takes))
    called = getattr(node.target, "__name__", node.target)
    raise ExportError(f"{name}: {called} has no counterpart in a Network; use bitwright.train's modules")


def _unshared(node: fx.Node, given: _Given) -> _Given:
    """What a node gives, as one of its takers sees it: behind activations that several take, nothing more stands."""
    if len(node.users) < 2 or given.layer is None or given.layer.activation is None:
        return given
    return _Given(name=given.name, value=given.value, axes=given.axes, flat=given.flat)


def _heads(model: nn.Module, results: Any, given: dict[fx.Node, _Given]) -> list[TracedHead]:
    """What a module returns: a value, or several. Raises ExportError for what no Network gives."""
    kind = type(model).__name__
    found = list(results) if isinstance(results, tuple | list) else [results]
    if not found or not all(isinstance(node, fx.Node) for node in found):
        raise ExportError(f"{kind}: a model returns what a layer gives, or a tuple of several")
    heads = []
    for node in found:
        one = given[node]
        layer = one.layer if one.layer is not None and one.layer.activation is None else None
        if one.value < 1:
            raise ExportError(f"{kind} has no BinaryLinear or BinaryConv2d")
        if one.flat:
            raise ExportError(f"{one.name}: a result is given as it is, not flattened")
        if layer is not None and (layer.first or layer.nonlinearities or layer.pool is not None):
            raise ExportError(f"{layer.name}: nothing but a batch norm stands behind the last layer, or an activation")
        if layer is not None and layer.linear.outputs < 2:
            raise ExportError(f"{layer.name}: a last layer of one output tells no class; put a Sign behind it")
        heads.append(TracedHead(value=one.value, layer=layer))
    if len({head.value for head in heads}) < len(heads):
        raise ExportError(f"{kind}: a model returns each value once")
    return heads

"""A module of one's own to a Network: traced, read as a chain of layers, folded, and proven on frames."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from bitwright_core.class_scores import SCORE_BITS
from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Network
from bitwright_train import layers
from bitwright_train.conv_config import ConvConfig, both
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.modules import BinaryConv1d, BinaryConv2d, BinaryLinear, FewBits, InputEncoder, Sign, SignalEncoder
from bitwright_train.quantizers import activation_of, weight_type

_FLATTENS = (torch.flatten, "flatten")
_SILENT = (nn.Dropout, nn.Dropout2d, nn.Identity)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, layers.ExactBatchNorm)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
_LEAVES = (InputEncoder, SignalEncoder, BinaryLinear, BinaryConv1d, BinaryConv2d, Sign, FewBits, layers.ExactBatchNorm)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


@dataclass(kw_only=True, eq=False)
class _Stage:
    """A layer with weights, and what stands behind it."""

    name: str
    linear: BinaryLinear | BinaryConv2d
    chw: bool = False  # its inputs are an image flattened by torch: channel slowest
    norm: Any = None
    pool: tuple[int, int] = (1, 1)
    pool_first: bool = False
    activation: Sign | FewBits | None = None


@dataclass(kw_only=True, eq=False)
class _Chain:
    """What was read of a model so far."""

    encoder: InputEncoder | None = None
    stages: list[_Stage] = field(default_factory=list)
    flat: bool = False  # an image was flattened, and no layer came since

    def take(self, name: str, module: nn.Module) -> None:
        """Adds `module`. Raises ExportError, naming it, where it cannot stand."""
        match module:
            case InputEncoder():
                if self.encoder or self.stages:
                    raise ExportError(f"{name}: an InputEncoder stands first, and once")
                self.encoder = module
            case _ if self.encoder is None:
                raise ExportError(f"{name}: a model begins with an InputEncoder, not with {type(module).__name__}")
            case BinaryLinear() | BinaryConv2d():
                if self.stages and self.stages[-1].activation is None:
                    raise ExportError(f"{name}: there must be a Sign or FewBits between it and {self.stages[-1].name}")
                if isinstance(module, BinaryConv2d) and any(isinstance(s.linear, BinaryLinear) for s in self.stages):
                    raise ExportError(f"{name}: convolutions stand before linear layers")
                self.stages.append(_Stage(name=name, linear=module, chw=self.flat))
                self.flat = False
            case nn.Flatten():
                self.flatten(name, module.start_dim, module.end_dim)
            case _ if isinstance(module, _SILENT):
                return
            case _ if isinstance(module, (*_NORMS, *_POOLS, Sign, FewBits)):
                if not self.stages:
                    raise ExportError(f"{name}: {type(module).__name__} has no layer with weights before it")
                self._behind(name, module, self.stages[-1])
            case _:
                raise ExportError(
                    f"{name}: {type(module).__name__} has no counterpart in a Network; there are InputEncoder, "
                    "SignalEncoder, BinaryLinear, BinaryConv1d, BinaryConv2d, BatchNorm, nn.BatchNorm1d, "
                    "nn.BatchNorm2d, Sign, FewBits, nn.MaxPool1d, nn.MaxPool2d, nn.Flatten and nn.Dropout"
                )

    def flatten(self, name: str, start: int, end: int) -> None:
        """Takes a flattening of images, which keeps frames apart."""
        if (start, end) != (1, -1):
            raise ExportError(f"{name}: only a flattening from axis 1 to the last is known")
        self.flat = self.flat or not any(isinstance(stage.linear, BinaryLinear) for stage in self.stages)

    def _behind(self, name: str, module: nn.Module, stage: _Stage) -> None:
        kind = type(module).__name__
        if isinstance(module, Sign | FewBits):
            if stage.activation is not None:
                raise ExportError(f"{name}: a second activation behind {stage.name}")
            stage.activation = module
        elif isinstance(module, _POOLS):
            size, stride = _pool_sizes(module.kernel_size), _pool_sizes(module.stride)
            if isinstance(module, nn.MaxPool1d):
                size, stride = (1, size[1]), (1, stride[1])
            plain = stride == size and not any(_pool_sizes(module.padding)) and _pool_sizes(module.dilation) == (1, 1)
            if stage.pool != (1, 1) or not plain or module.ceil_mode:
                raise ExportError(f"{name}: one pool for each layer, its stride its size, without padding and dilation")
            if self.flat:
                raise ExportError(f"{name}: a pool stands before the flattening")
            stage.pool, stage.pool_first = size, stage.norm is None and stage.activation is None
        else:
            if stage.norm is not None or stage.activation is not None:
                raise ExportError(f"{name}: one {kind} for each layer, before its activation")
            if getattr(module, "weight", None) is None or getattr(module, "running_var", None) is None:
                raise ExportError(f"{name}: {kind} must be affine and track its statistics")
            stage.norm = module


def _pool_sizes(size: Any) -> tuple[int, int]:
    """(down, across) of a size as torch's pools have it: one number, a pair, or a tuple of one."""
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    return both(sizes[0] if len(sizes) == 1 else sizes)


def _read(model: nn.Module) -> _Chain:
    """The chain of layers that `model` is. Raises ExportError for anything else."""
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:  # whatever a user's forward does
        raise ExportError(
            f"{type(model).__name__} cannot be traced ({error}); its forward must not depend on the values"
        ) from None
    chain, before = _Chain(), None
    for node in graph.nodes:
        if node.op == "placeholder":
            if before is not None:
                raise ExportError(f"{node.name}: a model takes frames alone")
        elif node.op not in {"output", "call_module"} and node.target not in _FLATTENS:
            called = getattr(node.target, "__name__", node.target)
            raise ExportError(f"{node.name}: {called} has no counterpart in a Network; use bitwright.train's modules")
        elif node.args[:1] != (before,):
            raise ExportError(f"{node.name}: takes something else than {before}; only a chain of layers is exported")
        elif node.op == "call_module":
            chain.take(str(node.target), model.get_submodule(str(node.target)))
        elif node.target in _FLATTENS:
            rest = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
            chain.flatten(node.name, rest.get("start_dim", 0), rest.get("end_dim", -1))
        before = node
    if not chain.stages:
        raise ExportError(f"{type(model).__name__} has no BinaryLinear or BinaryConv2d")
    if chain.stages[-1].activation is not None or isinstance(chain.stages[-1].linear, BinaryConv2d):
        raise ExportError(f"{chain.stages[-1].name}: a model ends in a BinaryLinear, or a BatchNorm behind one")
    return chain


def _made(encoder: InputEncoder, stages: list[_Stage], convs: list[ConvConfig]) -> BinaryNetwork:
    """A model of the chain's shapes and numbers. Raises TrainingError for images that are too small."""
    linears = [stage.linear.outputs for stage in stages if isinstance(stage.linear, BinaryLinear)]
    half = 1 << encoder.bits - 1
    return BinaryNetwork(
        shape=encoder.shape,
        input_bits=encoder.bits,
        thresholds=encoder.limits,
        table=() if encoder.limits else tuple(range(-half, half)),
        convs=tuple(convs),
        hidden=tuple(linears[:-1]),
        classes=linears[-1],
        weights=tuple(weight_type(stage.linear.weights) for stage in stages),
        activations=tuple(activation_of(stage.activation.activations) for stage in stages if stage.activation),
    )


def _network_of(chain: _Chain) -> BinaryNetwork:
    """The chain as the model that the export knows, with copies of its parameters."""
    encoder, stages = chain.encoder, chain.stages
    assert encoder is not None
    convs = []
    for stage in stages:
        if isinstance(stage.linear, BinaryConv2d):
            conv = stage.linear
            try:
                config = ConvConfig(
                    outputs=conv.outputs,
                    kernel=conv.kernel,
                    stride=conv.stride,
                    padding=(conv.padding[0], conv.padding[2]),
                    dilation=conv.dilation,
                    groups=conv.groups,
                    pool=stage.pool,
                    pool_first=stage.pool_first,
                )
            except TrainingError as error:
                raise ExportError(f"{stage.name}: {error}") from None
            convs.append(config)
    try:
        model = _made(encoder, stages, convs)
    except TrainingError as error:
        raise ExportError(str(error)) from None
    shape = encoder.encoded_shape
    for config in convs:
        shape = config.gives(config.image(shape))
    for stage, own in zip(stages, model.stages, strict=True):
        weight = stage.linear.weight.detach().cpu()
        if stage.chw and len(shape) == 3 and weight.shape[1] == own.linear.inputs:
            weight = _channels_last(weight, shape)
        if weight.shape != own.linear.weight.shape:
            raise ExportError(
                f"{stage.name}: takes {stage.linear.inputs} values, and what comes before gives {own.linear.inputs}"
            )
        with torch.no_grad():
            own.linear.weight.copy_(weight)
        if stage.norm is None:
            own.norm = None
        elif own.norm is not None:
            own.norm.load_state_dict({name: value.cpu() for name, value in stage.norm.state_dict().items()})
            own.norm.eps = stage.norm.eps
    return model.eval()


def _channels_last(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Columns of an image flattened by torch, (channel, y, x), as the Network's: (y, x, channel)."""
    height, width, channels = shape
    return weight.reshape(-1, channels, height, width).permute(0, 2, 3, 1).reshape(len(weight), -1)


def export_module(
    model: nn.Module,
    frames: NDArray[Any],
    *,
    name: str = "network",
    labels: tuple[str, ...] = (),
    score_bits: int = SCORE_BITS,
) -> Network:
    """The Network that computes what `model` does in evaluation mode, proven on `frames` (n, ...) as they are stored.

    `model` is a chain of this package's modules, an nn.Sequential or a module that calls them one after another.
    Every accumulator and every bit is compared, and the class with what `model` itself says. Raises ExportError, which
    names the module, for what a Network cannot be, and for a difference.
    """
    own = _network_of(_read(model))
    network = export_model(own, name=name, labels=labels, score_bits=score_bits)
    check_export(own, network, np.asarray(frames), score_bits=score_bits)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            device = next(model.parameters()).device
            for start in range(0, len(frames), 1000):
                part = as_tensor(np.asarray(frames[start : start + 1000]))
                theirs, ours = model(part.to(device)).cpu().argmax(1), own(own.encode(part)).argmax(1)
                if not torch.equal(theirs, ours):
                    frame = start + int(torch.nonzero(theirs != ours)[0])
                    raise ExportError(
                        f"frame {frame}: the module tells another class than its exact batch norms do; a BatchNorm of "
                        "bitwright.train in the place of torch's rounds as the Network does"
                    )
    finally:
        model.train(was_training)
    return network

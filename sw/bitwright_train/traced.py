"""A module of one's own to a Network: traced, read as a graph of layers, folded, and proven on frames."""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright_core.class_scores import SCORE_BITS
from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Input, IntegerEncoding, Network, ThresholdEncoding
from bitwright_train.body import BodyBuilder, ModelHead
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.joins import JoinStep
from bitwright_train.layers import BinaryConv, BinaryDense, ExactBatchNorm, TrainingLayer
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.modules import BinaryConv2d, InputEncoder
from bitwright_train.nonlinearities import ChannelScale
from bitwright_train.quantizers import activation_of, weight_type
from bitwright_train.traced_graph import TracedGraph, TracedHead, TracedLayer, read_module

_CHUNK = 1000  # frames at a time


def _linear(layer: TracedLayer, shape: tuple[int, ...]) -> BinaryDense | BinaryConv:
    """A copy of a layer's weights; what torch flattens with the channels slowest, as the Network has it."""
    own: BinaryDense | BinaryConv
    theirs, weight = layer.linear, layer.linear.weight.detach().cpu()
    if isinstance(theirs, BinaryConv2d):
        own = BinaryConv(
            weight.shape[1] * theirs.groups,
            theirs.outputs,
            theirs.kernel,
            stride=theirs.stride,
            padding=theirs.padding,
            dilation=theirs.dilation,
            groups=theirs.groups,
            quantize=theirs.quantize,
        )
    else:
        own = BinaryDense(theirs.inputs, theirs.outputs, theirs.quantize)
        if layer.chw and weight.shape[1] == np.prod(shape):
            weight = _channels_last(weight, shape)
    with torch.no_grad():
        own.weight.copy_(weight)
    return own


def _stage(layer: TracedLayer, shape: tuple[int, ...]) -> TrainingLayer:
    """A copy of a layer and of what stands behind it, on the CPU."""
    stage = TrainingLayer(
        _linear(layer, shape),
        norm=layer.norm is not None,
        pool=layer.pool,
        pool_first=layer.pool_first,
        first=_copied(layer.first),
        nonlinearity=_copied(layer.nonlinearities),
    )
    outputs = layer.linear.outputs
    if stage.norm is not None:
        if layer.norm.num_features != outputs:
            raise ExportError(
                f"{layer.name}: gives {outputs} values, and its batch norm takes {layer.norm.num_features}"
            )
        stage.norm.load_state_dict({name: value.cpu() for name, value in layer.norm.state_dict().items()})
        stage.norm.eps = layer.norm.eps
    for function in (*layer.first, *layer.nonlinearities):
        kind, alone = type(function).__name__, isinstance(function, nn.PReLU)
        if any(len(values) != outputs and not (alone and len(values) == 1) for values in function.parameters()):
            raise ExportError(
                f"{layer.name}: its {kind} has {'one slope, or ' if alone else ''}one for each of its {outputs} outputs"
            )
    if layer.linear.scaled:
        _scale(stage, layer)
    return stage


def _copied(functions: list[nn.Module]) -> nn.Module | None:
    """Copies on the CPU, one behind the other; None of none."""
    copies = [copy.deepcopy(function).cpu() for function in functions]
    return nn.Sequential(*copies) if len(copies) > 1 else copies[0] if copies else None


def _scale(stage: TrainingLayer, layer: TracedLayer) -> None:
    """Gives `stage` the scales of its channels: before all else, or in the batch norm of a result."""
    scale = layer.linear.channel_scales().detach().cpu()
    if layer.activation is not None:
        scaled = ChannelScale(scale)
        stage.first = scaled if stage.first is None else nn.Sequential(scaled, stage.first)
        return
    scale = scale.clamp_min(torch.finfo(torch.float32).tiny)
    with torch.no_grad():
        if stage.norm is None:
            stage.norm = ExactBatchNorm(layer.linear.outputs, eps=0.0)
        assert stage.norm.running_mean is not None
        stage.norm.running_mean /= scale
        stage.norm.weight.mul_(scale)


def _channels_last(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Columns of an image flattened by torch, (channel, y, x), as the Network's: (y, x, channel)."""
    height, width, channels = shape
    return weight.reshape(-1, channels, height, width).permute(0, 2, 3, 1).reshape(len(weight), -1)


def _head(head: TracedHead, alone: bool) -> ModelHead:
    """What a result is in a Network."""
    if head.layer is None:
        return ModelHead(value=head.value, gives="activations")
    if head.layer.chooses:
        return ModelHead(value=head.value, gives="classes")
    scores = alone and not isinstance(head.layer.linear, BinaryConv2d)
    return ModelHead(value=head.value, gives="scores" if scores else "sums")


def _network_of(graph: TracedGraph) -> BinaryNetwork:
    """The graph as the model that the export knows, with copies of its parameters."""
    encoder: InputEncoder | None = graph.encoder
    assert encoder is not None
    half = 1 << encoder.bits - 1
    table = () if encoder.limits else tuple(range(-half, half))
    encoding = (
        ThresholdEncoding(thresholds=np.array(encoder.limits))
        if encoder.limits
        else IntegerEncoding(table=np.array(table))
    )
    builder = BodyBuilder(encoding.edge(Input(shape=encoder.shape, bits=encoder.bits)))
    for step, name in zip(graph.steps, graph.names, strict=True):
        try:
            if isinstance(step, JoinStep):
                builder.join(step)
                continue
            activation = None if step.activation is None else activation_of(step.activation.activations)
            stage = _stage(step, builder.shape(step.takes))
            builder.layer(stage, step.takes, weight_type(step.linear.weights), activation)
        except TrainingError as error:
            raise ExportError(f"{name}: {error}") from None
    return BinaryNetwork(
        shape=encoder.shape,
        input_bits=encoder.bits,
        thresholds=encoder.limits,
        table=table,
        body=builder.body([_head(head, len(graph.heads) == 1) for head in graph.heads]),
    ).eval()


def export_module(
    model: nn.Module,
    frames: NDArray[Any],
    *,
    name: str = "network",
    labels: tuple[str, ...] = (),
    score_bits: int = SCORE_BITS,
) -> Network:
    """The Network that computes what `model` does in evaluation mode, proven on `frames` (n, ...) as they are stored.

    `model` is a graph of this package's modules: an nn.Sequential, or a module that calls them, adds and concatenates,
    and returns one result or several. Every accumulator and every bit is compared, and each result with what `model`
    itself gives. Raises ExportError, which names the module, for what a Network cannot be, and for a difference.
    """
    own = _network_of(read_module(model))
    network = export_model(own, name=name, labels=labels, score_bits=score_bits)
    check_export(own, network, np.asarray(frames), score_bits=score_bits)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            device = next(model.parameters()).device
            for start in range(0, len(frames), _CHUNK):
                part = as_tensor(np.asarray(frames[start : start + _CHUNK]))
                _check_results(own, model(part.to(device)), own.results(own.encode(part)), start)
    finally:
        model.train(was_training)
    return network


def _check_results(own: BinaryNetwork, theirs: Any, ours: tuple[Tensor, ...], start: int) -> None:
    """Raises ExportError where a module's results, of frames from `start` on, are not those of its exact copy."""
    results = theirs if isinstance(theirs, tuple | list) else [theirs]
    for head, given, logits in zip(own.body.heads, results, ours, strict=True):
        wanted = given.cpu() if head.gives in ("activations", "classes") else given.cpu().argmax(1)
        found = logits if head.gives == "activations" else logits.argmax(1)
        differing = wanted.reshape(len(wanted), -1) != found.reshape(len(found), -1)
        if differing.any():
            frame = start + int(torch.nonzero(differing)[0, 0])
            what = "value" if head.gives == "activations" else "class"
            raise ExportError(
                f"frame {frame}: the module tells another {what} than its exact batch norms do; a BatchNorm of "
                "bitwright.train in the place of torch's rounds as the Network does"
            )

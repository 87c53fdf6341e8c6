"""The exact export of convolutional models: pools before and behind the batch norm, padding, integers; every layer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core import golden
from bitwright_core.errors import ExportError
from bitwright_core.network import Conv2d, IntegerEncoding, MaxPool2d
from bitwright_train import ConvConfig
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.model import BinaryNetwork, trace_model

pytestmark = pytest.mark.usefixtures("one_thread")


def randomize(model, seed):
    """Random latent weights and batch norms, a third of them falling, some of them constant."""
    generator = torch.Generator().manual_seed(seed)
    model.initialise(generator)
    with torch.no_grad():
        for layer in model.stages:
            if layer.norm is not None:
                size = (layer.linear.outputs,)
                spread = layer.linear.inputs**0.5
                layer.norm.weight.copy_(torch.randn(size, generator=generator) + 0.4)
                layer.norm.bias.copy_(0.5 * torch.randn(size, generator=generator))
                layer.norm.running_mean.copy_(spread * torch.randn(size, generator=generator))
                layer.norm.running_var.copy_(torch.rand(size, generator=generator) * layer.linear.inputs + 0.1)
    return model.eval()


def conv_model(convs, *, shape=(9, 8), hidden=(5,), classes=3, seed=0, integers=False, final_norm=True):
    encoding = {"table": tuple(range(-8, 8))} if integers else {"thresholds": (3, 9)}
    model = BinaryNetwork(
        shape=shape, input_bits=4, convs=convs, hidden=hidden, classes=classes, final_norm=final_norm, **encoding
    )
    return randomize(model, seed)


def frames_of(count, shape, seed=1):
    return np.random.default_rng(seed).integers(0, 16, (count, *shape)).astype(np.uint8)


@st.composite
def conv_lists(draw, shape, integers):
    """Up to three convolutions, of kernel 1 to 5, stride 1 to 3, any padding and pool, 1 to 40 channels."""
    convs = []
    image = (*shape, 1)[:3]
    for index in range(draw(st.integers(0, 3))):
        kernel = draw(st.integers(1, 5))
        padding = draw(st.integers(0, kernel - 1))
        turned = bool(convs) and convs[-1].pool > 1 and convs[-1].pool_first
        zero = (index == 0 and integers) or turned
        conv = ConvConfig(
            outputs=draw(st.integers(1, 40)),
            kernel=kernel,
            stride=draw(st.integers(1, 3)),
            padding=padding,
            padding_value="zero" if zero else draw(st.sampled_from(["minus_one", "plus_one", "zero"])),
            pool=draw(st.integers(1, 3)),
            pool_first=draw(st.booleans()),
        )
        try:
            image = conv.gives(image)
        except ValueError:
            break
        convs.append(conv)
    return tuple(convs)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(11, 12), (9, 8, 3), (13, 7, 2)]),
    integers=st.booleans(),
    hidden=st.sampled_from([(), (5,)]),
    final_norm=st.booleans(),
)
def test_torch_and_golden_agree_in_every_layer(data, seed, shape, integers, hidden, final_norm):
    convs = data.draw(conv_lists(shape, integers))
    model = conv_model(convs, shape=shape, hidden=hidden, seed=seed, integers=integers, final_norm=final_norm)
    network = export_model(model, name="mine", labels=("a", "b", "c"))
    frames = frames_of(12, shape, seed)
    check = check_export(model, network, frames)
    theirs = trace_model(model, frames)
    assert check.frames == 12 and check.accumulators == sum(a.size for a in theirs.accumulators)
    assert np.array_equal(golden.classify(network, frames), theirs.classes)
    assert [type(layer) for layer in network.layers].count(MaxPool2d) == sum(conv.pool > 1 for conv in convs)
    assert isinstance(network.encoding, IntegerEncoding) == integers


@pytest.mark.parametrize("pool_first", [False, True])
@pytest.mark.parametrize("value", ["zero", "minus_one"])
def test_norms_that_fall_before_and_behind_a_pool(pool_first, value):
    """Every scale negative: complemented rows behind, inverted channels where the pool comes first."""
    convs = (
        ConvConfig(outputs=6, kernel=3, pool=2, pool_first=pool_first),
        ConvConfig(outputs=7, kernel=3, padding=0 if pool_first else 1, padding_value=value),
    )
    model = conv_model(convs, shape=(10, 10), seed=5)
    with torch.no_grad():
        for layer in model.stages:
            layer.norm.weight.copy_(-layer.norm.weight.abs() - 0.1)
    network = export_model(model, name="mine")
    frames = frames_of(30, (10, 10))
    check_export(model, network, frames)
    bits = trace_model(model, frames).bits[0]
    pooled = golden.trace(network, frames).layers[1].values
    assert 0.1 < bits.mean() < 0.9
    assert np.array_equal(pooled, 1 - bits if pool_first else bits)


def test_an_inverted_channel_before_padding_of_one_is_refused():
    convs = (
        ConvConfig(outputs=6, kernel=3, pool=2, pool_first=True),
        ConvConfig(outputs=7, kernel=3, padding=1, padding_value="minus_one"),
    )
    model = conv_model(convs, shape=(10, 10), seed=5)
    with torch.no_grad():
        model.stages[0].norm.weight.fill_(-1.0)
    with pytest.raises(ExportError, match="layer conv1: padded with minus_one, it cannot follow a pool before"):
        export_model(model, name="mine")
    with torch.no_grad():
        model.stages[0].norm.weight.fill_(1.0)
    check_export(model, export_model(model, name="mine"), frames_of(20, (10, 10)))


def test_the_check_finds_a_difference_in_a_convolution():
    model = conv_model((ConvConfig(outputs=6, kernel=3, padding=1, pool=2),), seed=2)
    network = export_model(model, name="mine")
    conv = network.layers[0]
    assert isinstance(conv, Conv2d) and conv.padding_value == "zero"
    frames = frames_of(40, (9, 8))
    for pad in ("minus_one", "plus_one"):
        values = np.clip((conv.output.values + conv.inputs + 1) // 2, 0, conv.inputs + 1)
        other = Conv2d(
            name=conv.name,
            shape=conv.shape,
            weights=conv.weights,
            output=type(conv.output)(values=values),
            padding=conv.padding,
            padding_value=pad,
        )
        wrong = type(network)(
            name="wrong", input=network.input, encoding=network.encoding, layers=(other, *network.layers[1:])
        )
        with pytest.raises(ExportError, match=r"accumulator of frame 0, layer conv0, neuron"):
            check_export(model, wrong, frames)

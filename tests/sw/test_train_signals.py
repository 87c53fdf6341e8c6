"""Signals and dilation: convolutions and pools in one dimension, by a configuration and by modules of one's own."""

import numpy as np
import pytest
import torch
from torch import nn

import bitwright as bw
from bitwright.train import (
    BatchNorm,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    FewBits,
    Sign,
    SignalEncoder,
    clip_latent,
)
from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Conv2d, MaxPool2d, SumPool2d
from bitwright_core.plan import default_plan
from bitwright_train import ConvConfig, check_export, export_model, load_model, train
from bitwright_train.config import parse_config
from bitwright_train.model_file import build_model

pytestmark = pytest.mark.usefixtures("one_thread")

RNG = np.random.default_rng(7)


def waves(count, length, channels=None):
    """Signals of two classes: slow and fast waves at any phase, of 5 bits."""
    labels = np.arange(count) % 2
    steps = np.arange(length) * np.where(labels, 0.9, 0.35)[:, None] + RNG.uniform(0, 7, (count, 1))
    frames = np.rint(15.5 + 15 * np.sin(steps)).astype(np.uint8)
    return (frames if channels is None else np.stack([frames, *[frames // 2] * (channels - 1)], axis=2)), labels


def dataset(folder, channels=None):
    """The path of a data set of them."""
    arrays = {}
    for part, count in (("train", 200), ("test", 40)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = waves(count, 40, channels)
    np.savez(folder / "waves.npz", **arrays)
    return str(folder / "waves.npz")


def config(path, convs, **more):
    values = {"name": "waves", "dataset": path, "hidden": [8], "convs": convs, "input_bits": 5, "encoding": "integers"}
    return parse_config({**values, "epochs": 3, "batch_size": 20, "learning_rate": 0.02, **more}, "here")


ONE_DIMENSION = [
    {"outputs": 6, "kernel": [1, 5], "padding": [0, 2], "pool": [1, 2]},
    {"outputs": 6, "kernel": [1, 3], "padding": [0, 2], "dilation": [1, 2], "shortcut": 1},
    {"outputs": 6, "kernel": [1, 3], "stride": [1, 2], "average": [1, 2]},
]


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A run on flat frames."""
    out = tmp_path_factory.mktemp("flat")
    return train(config(dataset(out), ONE_DIMENSION, activations=[1, 2, 1, 2]), out / "run", threads=1), out


def test_flat_frames_train_as_signals(flat):
    report, out = flat
    assert report.test_accuracy > 0.7 and report.check.frames == 40
    network = report.network
    assert network.input.shape == (1, 40)
    convs = [layer for layer in network.layers if isinstance(layer, Conv2d)]
    assert [(conv.kernel, conv.dilation, conv.padding) for conv in convs[:2]] == [
        ((1, 5), (1, 1), (0, 0, 2, 2)),
        ((1, 3), (1, 2), (0, 0, 2, 2)),
    ]
    pools = [layer.kernel for layer in network.layers if isinstance(layer, MaxPool2d | SumPool2d)]
    assert pools == [(1, 2), (1, 2)]
    frames, labels = waves(40, 40)
    assert (bw.predict(network, frames) == labels).mean() > 0.7
    assert load_model(out / "run").shape == (1, 40)


def untrained(given, frames):
    """The network of a configuration after a few frames, and what its export compared."""
    model = build_model(given, frames.shape[1:], 2)
    model.initialise(torch.Generator().manual_seed(4))
    model.train()
    for _ in range(3):
        model(model.encode(torch.from_numpy(frames)))
    model.eval()
    network = export_model(model, name="x")
    return network, check_export(model, network, frames)


def test_signals_of_several_channels_are_images_whose_first_kernel_spans_them():
    convs = [
        {"outputs": 6, "kernel": [5, 3], "pool": [3, 1], "pool_first": True},
        {"outputs": 6, "kernel": [3, 1], "dilation": [2, 1]},
    ]
    network, checked = untrained(config("none.npz", convs), waves(40, 40, 3)[0])
    assert checked.frames == 40 and network.input.shape == (40, 3)
    assert [layer.edge.shape for layer in network.layers[:3]] == [(36, 1, 6), (12, 1, 6), (8, 1, 6)]


def test_dilated_images_of_a_configuration():
    convs = [
        {"outputs": 6, "padding": 2, "dilation": 2, "padding_value": "minus_one"},
        {"outputs": 6, "dilation": [1, 2], "kernel": [2, 3], "padding": [1, 3]},
    ]
    frames = RNG.integers(0, 32, (30, 8, 8), dtype=np.uint8)
    network, checked = untrained(config("digits", convs, encoding="bits", thresholds=[5, 11]), frames)
    assert checked.frames == 30
    assert [layer.edge.shape for layer in network.layers[:2]] == [(8, 8, 6), (9, 10, 6)]


def of_modules(channels=2, *, thresholds=()):
    lanes = channels * max(1, len(thresholds))
    return nn.Sequential(
        SignalEncoder((40, channels), thresholds=thresholds, bits=5),
        BinaryConv1d(lanes, 6, 5, padding=2),
        BatchNorm(6),
        nn.MaxPool1d(2),
        FewBits(2),
        BinaryConv1d(6, 6, 3, padding=2, dilation=2, groups=2, weights="ternary"),
        nn.BatchNorm1d(6),
        Sign(),
        BinaryConv1d(6, 4, 3, stride=2),
        nn.MaxPool1d(2),
        BatchNorm(4),
        Sign(),
        nn.Flatten(),
        BinaryLinear(16, 2),
        BatchNorm(2),
    )


def stepped(model, frames, labels, steps=10):
    """`model` after a few steps of Adam, in evaluation mode."""
    x, y = torch.from_numpy(frames), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        clip_latent(model)
    return model.eval()


def exported(thresholds=()):
    """A trained model of modules of one dimension, its network and frames."""
    torch.manual_seed(3)
    frames, labels = waves(60, 40, 2)
    model = stepped(of_modules(thresholds=thresholds), frames, labels)
    return model, bw.export(model, frames, name="signals"), frames, labels


@pytest.mark.parametrize("thresholds", [(), (8, 20)])
def test_modules_of_one_dimension_train_and_export(thresholds):
    model, network, frames, _ = exported(thresholds)
    told = bw.predict(network, frames)
    assert (told == model(torch.from_numpy(frames)).argmax(1).numpy()).all()
    assert len(np.unique(told)) == 2
    assert network.input.shape == (1, 40, 2)
    convs = [layer for layer in network.layers if isinstance(layer, Conv2d)]
    assert [(c.kernel, c.dilation, c.stride, c.groups) for c in convs] == [
        ((1, 5), (1, 1), (1, 1), 1),
        ((1, 3), (1, 2), (1, 1), 2),
        ((1, 3), (1, 1), (1, 2), 1),
    ]


def test_signals_without_channels_and_pairs_of_sizes():
    torch.manual_seed(1)
    frames, labels = waves(60, 40)
    model = nn.Sequential(
        bw.train.InputEncoder((1, 40), bits=5), BinaryConv2d(1, 4, (1, 5), padding=(0, 2), dilation=(1, 2)),
        BatchNorm(4), nn.MaxPool2d((1, 2)), Sign(), nn.Flatten(), BinaryLinear(72, 2), BatchNorm(2),
    )  # fmt: skip
    network = bw.export(stepped(model, frames, labels), frames)
    assert network.layers[0].edge.shape == (1, 36, 4)
    other = nn.Sequential(SignalEncoder((40,), bits=5), nn.Flatten(), BinaryLinear(40, 2), BatchNorm(2))
    assert bw.export(stepped(other, frames, labels), frames).layers[0].inputs == 40


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (nn.MaxPool1d(3, 2), "2: one pool for each layer, its stride its size"),
        (nn.MaxPool1d(2, padding=1), "2: one pool for each layer, its stride its size, without padding"),
        (nn.MaxPool1d(2, dilation=2), "2: one pool for each layer, .* and dilation"),
        (nn.AvgPool1d(2), "2: AvgPool1d has no counterpart in a Network"),
    ],
)
def test_pools_that_are_refused(pool, message):
    model = nn.Sequential(SignalEncoder((40, 2)), BinaryConv1d(2, 4, 3), pool, Sign(), nn.Flatten(), BinaryLinear(4, 2))
    with pytest.raises(ExportError, match=message):
        bw.export(model, np.zeros((2, 40, 2), np.uint8))


def test_groups_behind_a_pool_before_its_batch_norm_are_refused():
    """A channel that comes inverted; without one nothing is in the way."""
    frames, _ = waves(20, 40, 2)
    body = [SignalEncoder((40, 2), bits=5), BinaryConv1d(2, 4, 3), nn.MaxPool1d(2), BatchNorm(4), Sign()]
    model = nn.Sequential(*body, BinaryConv1d(4, 4, 3, groups=2), Sign(), nn.Flatten(), BinaryLinear(68, 2)).eval()
    assert bw.export(model, frames).layers[2].groups == 2
    with torch.no_grad():
        model[3].weight[1] = -1
    with pytest.raises(ExportError, match="layer conv1: its groups cannot follow a pool before its batch norm"):
        bw.export(model, frames)


def test_what_does_not_fit_tells_why():
    with pytest.raises(TrainingError, match=r"padding 5 must be less than its kernel 3, which reaches over 5 with a"):
        ConvConfig(outputs=2, dilation=2, padding=5)
    wide = config("digits", [{"outputs": 2, "kernel": [1, 9], "dilation": 6}])
    with pytest.raises(
        TrainingError, match="1 x 40 is too small for a convolution of kernel 1 x 9, stride 1, dilation 6"
    ):
        build_model(wide, (40,), 2)
    with pytest.raises(TrainingError, match=r"unknown key convs\[0\].dilatation \(did you mean dilation\?\)"):
        config("digits", [{"outputs": 2, "dilatation": 2}])
    with pytest.raises(TrainingError, match="frames are flat, so give the first a kernel"):
        build_model(config("digits", [{"outputs": 2, "kernel": 3}]), (40,), 2)


@pytest.mark.slow
def test_signals_in_verilog(tmp_path, flat):
    from tests.hw.test_accelerator import check

    for name, network in (("toml", flat[0].network), ("modules", exported((8, 20))[1])):
        check(network, default_plan(network, cycles=2_000), tmp_path / name, frames=4)

"""Residual blocks, grouped and depthwise convolutions and average pools: torch and the golden model, every integer."""

import numpy as np
import pytest
import torch

from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Add, SumPool2d
from bitwright_core.plan import default_plan
from bitwright_hw.solve import solved
from bitwright_train import check_export, export_model, load_config
from bitwright_train.config import ConvConfig, parse_config
from bitwright_train.joins import AddStep
from bitwright_train.model import BinaryNetwork
from bitwright_train.quantizers import activation_of

pytestmark = pytest.mark.usefixtures("one_thread")

CONVS = (
    ConvConfig(outputs=8, padding=1),
    ConvConfig(outputs=8, depthwise=True, padding=1),
    ConvConfig(outputs=8, kernel=1, shortcut=2),
    ConvConfig(outputs=8, padding=1, average=2, shortcut=1),
    ConvConfig(outputs=12, groups=2, padding=1, average="global"),
)


def trained(activation, seed=1):
    """A network of all blocks whose batch norms have seen frames, some of their scales negative."""
    model = BinaryNetwork(
        shape=(9, 8, 2),
        input_bits=4,
        table=tuple(range(-8, 8)),
        convs=CONVS,
        hidden=(6,),
        classes=4,
        activations=(activation_of(activation),) * 6,
    )
    model.initialise(torch.Generator().manual_seed(seed))
    frames = np.random.default_rng(seed).integers(0, 16, (40, 9, 8, 2)).astype(np.uint8)
    model.train()
    for _ in range(2):
        model(model.encode(torch.from_numpy(frames)))
    for stage in model.stages:
        with torch.no_grad():
            stage.norm.weight[::3] *= -1
            stage.norm.bias += 0.3
    return model.eval(), frames


@pytest.mark.parametrize("activation", [1, 2, "ternary", "signed3"])
def test_all_blocks_export_exactly(activation):
    model, frames = trained(activation)
    network = export_model(model, name="blocks")
    check = check_export(model, network, frames)
    assert check.frames == 40 and check.bits > 60_000
    assert [layer.name for layer in network.layers if isinstance(layer, Add)] == ["add2", "add3"]
    assert [layer.name for layer in network.layers if isinstance(layer, SumPool2d)] == ["average3", "average4"]
    assert network.takes[3:5] == (("conv2", "conv0"), ("add2",))
    logits = model(model.encode(torch.from_numpy(frames))).detach().numpy()
    assert len(np.unique(logits, axis=0)) > 2


def test_a_shortcut_that_is_left_out_is_seen(monkeypatch):
    """The proof compares what the model adds, not what the export says that it adds."""
    model, frames = trained(2)
    network = export_model(model, name="blocks")
    monkeypatch.setattr(AddStep, "apply", lambda step, one, other: one + other - int(step.name == "add3"))
    with pytest.raises(ExportError, match="layer add3"):
        check_export(model, network, frames)


def test_gradients_reach_both_ways_around_a_block():
    model, frames = trained(2)
    model.train()
    model(model.encode(torch.from_numpy(frames))).square().sum().backward()
    assert all(stage.linear.weight.grad.abs().max() > 0 for stage in model.stages)


@pytest.mark.slow
def test_the_configuration_that_ships_has_a_plan():
    config = load_config("resnet-fashion")
    model = BinaryNetwork(
        shape=(28, 28, 1),
        input_bits=8,
        table=config.integer_table,
        convs=config.convs,
        hidden=config.hidden,
        classes=10,
        activations=(activation_of(2),) * 9,
    )
    model.initialise(torch.Generator().manual_seed(1))
    network = export_model(model, name="resnet_fashion")
    assert solved(network, default_plan(network, cycles=200_000)).interval_cycles <= 200_000


@pytest.mark.slow
@pytest.mark.parametrize("activation", [1, 2, "ternary", "signed3"])
def test_blocks_in_verilog(tmp_path, activation):
    from tests.hw.test_accelerator import check

    model, _ = trained(activation)
    network = export_model(model, name="blocks")
    check(network, default_plan(network, cycles=2_000), tmp_path / "design", frames=4)


def config(*convs, **more):
    return {
        "name": "x",
        "dataset": "digits",
        "hidden": [4],
        "convs": [{"outputs": 4, **conv} for conv in convs],
        **more,
    }


REFUSED = {
    "a shortcut from nowhere": (config({"shortcut": 1}), "convolution 0 has a shortcut of 1, but 0 before it"),
    "two ways to group": (config({}, {"groups": 2, "depthwise": True}), "has a group for each channel; remove groups"),
    "a shortcut behind the norm's pool": (
        config({}, {"pool_first": True, "pool": 2, "shortcut": 1}),
        "neither shortcut",
    ),
    "a shortcut from before the norm's pool": (
        config({"pool_first": True, "pool": 2}, {"padding": 1, "shortcut": 1}),
        "a shortcut cannot begin behind a pool before its batch norm",
    ),
    "groups behind the norm's pool": (config({"pool_first": True, "pool": 2}, {"groups": 2}), "groups cannot follow"),
    "sums padded with ones": (
        config({}, {"padding": 1, "shortcut": 1}, {"padding": 1, "padding_value": "plus_one"}),
        "sums are padded with zero alone, not plus_one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_tells_why(name):
    values, message = REFUSED[name]
    with pytest.raises(TrainingError, match=message):
        parse_config(values, "here")


@pytest.mark.parametrize(
    ("convs", "message"),
    [
        ((ConvConfig(outputs=4), ConvConfig(outputs=4, shortcut=1)), "not 6 x 6 x 4 to 4 x 4 x 4"),
        ((ConvConfig(outputs=4), ConvConfig(outputs=6, groups=3)), "3 groups divide not both 4 channels and 6 outputs"),
        ((ConvConfig(outputs=4, average=9),), "an average of 9 does not fit an image of 6 x 6"),
    ],
)
def test_what_does_not_fit_tells_why(convs, message):
    with pytest.raises(TrainingError, match=message):
        BinaryNetwork(shape=(8, 8, 1), input_bits=4, thresholds=(8,), convs=convs, hidden=(), classes=3)

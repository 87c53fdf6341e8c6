"""Graphs by a configuration: upsampling, concatenation, branches, and nonlinearities that fold."""

import numpy as np
import pytest
import torch

from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Concat, Upsample2d
from bitwright_core.plan import default_plan
from bitwright_train import check_export, export_model, load_model, train
from bitwright_train.config import parse_config
from bitwright_train.joins import ConcatStep, UpsampleStep
from bitwright_train.model import trace_model
from bitwright_train.model_file import build_model
from bitwright_train.nonlinearities import RisingPReLU

pytestmark = pytest.mark.usefixtures("one_thread")

U_SHAPE = [
    {"outputs": 6, "padding": 1},
    {"outputs": 8, "padding": 1, "pool": 2},
    {"outputs": 6, "padding": 1, "upsample": 2, "concat": 2},
    {"outputs": 4, "kernel": 1, "average": "global"},
]
BRANCHES = [
    {"outputs": 5, "padding": 1},
    {"outputs": 4, "kernel": 1},
    {"outputs": 4, "kernel": 5, "padding": 2, "takes": 2, "concat": 1},
    {"outputs": 3, "kernel": [1, 3], "padding": [0, 1], "takes": 4, "concat": 1},
    {"outputs": 6, "stride": 2, "upsample": [1, 2]},
    {"outputs": 6, "stride": 2, "takes": 2, "upsample": [1, 2], "concat": 1},
]


def config(convs, **more):
    values = {"name": "x", "dataset": "digits", "hidden": [], "convs": convs, "input_bits": 5, "encoding": "integers"}
    return parse_config({**values, "epochs": 1, "batch_size": 50, "learning_rate": 0.01, **more}, "here")


def model_of(given, seed=1):
    """A model whose batch norms have seen frames, some of their scales negative."""
    model = build_model(given, (8, 8), 10)
    model.initialise(torch.Generator().manual_seed(seed))
    frames = np.random.default_rng(seed).integers(0, 32, (60, 8, 8), dtype=np.uint8)
    model.train()
    for _ in range(2):
        model(model.encode(torch.from_numpy(frames)))
    with torch.no_grad():
        for stage in model.stages:
            stage.norm.weight[::3] *= -1
            stage.norm.bias += 0.2
    return model.eval(), frames


def exported(convs, **more):
    """A network of a model of random weights, proven, and the frames."""
    model, frames = model_of(config(convs, **more))
    network = export_model(model, name="x")
    assert check_export(model, network, frames).frames == 60
    return network, frames


@pytest.mark.parametrize("activations", [1, 2, [1, "ternary", 3, 1]])
def test_a_u_of_convolutions(activations):
    network, _ = exported(U_SHAPE, activations=activations)
    names = [layer.name for layer in network.layers]
    assert names[2:6] == ["pool1", "conv2", "upsample2", "concat2"]
    joined = network.nodes[names.index("concat2")]
    assert joined.takes == ("upsample2", "conv0") and joined.edge.shape == (8, 8, 12)


@pytest.mark.parametrize("encoding", ["integers", "bits"])
def test_branches_from_further_back_and_from_the_frames(encoding):
    network, _ = exported(BRANCHES, encoding=encoding, activations=[1, 2, 1, 2, 1, 1], nonlinearity="prelu")
    taken = {node.name: node.takes for node in network.nodes}
    assert taken["conv2"] == ("conv0",) and taken["concat2"] == ("conv2", "conv1")
    assert taken["conv3"] == ("@encoded",) and taken["concat3"] == ("conv3", "concat2")
    assert taken["conv4"] == taken["conv5"] == ("concat3",) and taken["concat5"] == ("upsample5", "upsample4")


@pytest.mark.parametrize("convs", [U_SHAPE, BRANCHES], ids=["u", "branches"])
def test_gradients_reach_every_layer(convs):
    model, frames = model_of(config(convs, activations=2))
    model.train()
    model(model.encode(torch.from_numpy(frames))).square().sum().backward()
    assert all(stage.linear.weight.grad.abs().max() > 0 for stage in model.stages)


@pytest.mark.parametrize(
    ("kind", "wrong", "place"),
    [
        (UpsampleStep, lambda step, x: x.repeat_interleave(2, 2).repeat(1, 1, 1, 2), "upsample2"),
        (ConcatStep, lambda step, a, b: torch.cat([b, a], 1), "concat2"),
    ],
)
def test_a_join_that_torch_makes_otherwise_is_seen(monkeypatch, kind, wrong, place):
    model, frames = model_of(config(U_SHAPE))
    network = export_model(model, name="x")
    monkeypatch.setattr(kind, "apply", wrong)
    with pytest.raises(ExportError, match=f"bit of frame 0, layer {place}"):
        check_export(model, network, frames)


@pytest.mark.parametrize(
    ("nonlinearity", "activations"), [("prelu", 1), ("prelu", [2, "ternary", 1]), ("hardtanh", ["ternary", 1, 1])]
)
def test_nonlinearities_fold_into_thresholds(nonlinearity, activations):
    convs = [{"outputs": 6, "pool": 2}, {"outputs": 6}]
    model, frames = model_of(config(convs, hidden=[7], nonlinearity=nonlinearity, activations=activations))
    if nonlinearity == "prelu":
        with torch.no_grad():
            for stage in model.stages[:-1]:
                stage.nonlinearity.weight.copy_(torch.linspace(-0.5, 2, len(stage.nonlinearity.weight)))
    plain = export_model(model, name="x")
    assert check_export(model, plain, frames).frames == 60
    assert model.stages[-1].nonlinearity is None
    bits = trace_model(model, frames).bits
    assert all(len(np.unique(values)) > 1 for values in bits)


def test_a_slope_moves_thresholds_of_several_levels():
    """What PReLU does below 0 is seen by the lower level of ternary activations alone."""
    model, _ = model_of(config([{"outputs": 6}], nonlinearity="prelu", activations="ternary"))
    with torch.no_grad():
        model.stages[0].norm.weight.abs_()
        model.stages[0].nonlinearity.weight.fill_(1.0)
        one = export_model(model, name="x").layers[0].output.values
        model.stages[0].nonlinearity.weight.fill_(0.5)
        other = export_model(model, name="x").layers[0].output.values
    assert (other[:, 0] < one[:, 0]).any() and np.array_equal(other[:, 1], one[:, 1])


def test_slopes_stay_above_0_and_infinite_ones_are_refused():
    rising = RisingPReLU(2)
    with torch.no_grad():
        rising.weight.copy_(torch.tensor([-3.0, 0.5]))
    assert rising(torch.full((1, 2), -1.0)).tolist() == [[-0.009999999776482582, -0.5]]
    model, _ = model_of(config([{"outputs": 6}], nonlinearity="prelu"))
    with torch.no_grad():
        model.stages[0].nonlinearity.weight[1] = float("nan")
    with pytest.raises(ExportError, match=r"layer conv0: nonlinearity.weight holds NaN"):
        export_model(model, name="x")


def test_a_run_from_data_to_proof(tmp_path):
    convs = [{"outputs": 6, "padding": 1, "pool": 2}, {"outputs": 6, "padding": 1, "upsample": 2}]
    given = config([*convs, {"outputs": 4, "stride": 2}], nonlinearity="prelu", activations=2, batch_size=400)
    report = train(given, tmp_path / "run", threads=1)
    assert report.check.frames == 364
    model = load_model(tmp_path / "run")
    assert isinstance(model.stages[0].nonlinearity, RisingPReLU)
    assert export_model(model, name="x", labels=report.network.labels).digest == report.network.digest
    assert [layer.edge.shape for layer in report.network.layers if isinstance(layer, Upsample2d)] == [(8, 8, 6)]


REFUSED = {
    "a concat from nowhere": ([{"concat": 1}], {}, "convolution 0 has a concat of 1, but 0 before it"),
    "too far back": ([{}, {"takes": 3}], {}, "convolution 1 takes what stands 3 places before it, but there are 1 and"),
    "nobody takes it": (
        [{}, {"takes": 2}],
        {},
        "nothing takes what convolution 0 gives; join it by concat or shortcut",
    ),
    "a concat behind the norm's pool": (
        [{"pool": 2, "pool_first": True}, {"padding": 1, "concat": 1}],
        {},
        "a concat cannot begin behind a pool before its batch norm; unset pool_first",
    ),
    "a concat of the norm's pool": ([{}, {"pool_first": True, "concat": 1}], {}, "neither shortcut nor average nor"),
    "joined channels padded with ones": (
        [{}, {"padding": 1, "concat": 1}, {"padding": 1, "padding_value": "plus_one"}],
        {},
        "joined channels are padded with zero alone, not plus_one",
    ),
    "frames of integers padded with ones": (
        [{}, {"padding": 1, "takes": 2, "padding_value": "plus_one", "concat": 1}],
        {},
        "a first convolution on integers is padded with zero alone",
    ),
    "hardtanh of two bits": ([{}], {"nonlinearity": "hardtanh", "activations": 2}, "hardtanh ends at 1, so that the"),
    "no such function": (
        [{}],
        {"nonlinearity": "relu"},
        "nonlinearity must be one of hardtanh, none, prelu, rprelu, not 'relu'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_tells_why(name):
    convs, more, message = REFUSED[name]
    with pytest.raises(TrainingError, match=message):
        config([{"outputs": 4, **conv} for conv in convs], **more)


def test_images_that_do_not_lie_side_by_side_tell_why():
    given = config([{"outputs": 4}, {"outputs": 4, "concat": 1}])
    with pytest.raises(TrainingError, match="layer concat1 takes images of 4 x 4 x 4 of layer 0, which gives"):
        build_model(given, (8, 8), 10)


@pytest.mark.slow
@pytest.mark.parametrize("convs", [U_SHAPE, BRANCHES], ids=["u", "branches"])
def test_graphs_in_verilog(tmp_path, convs):
    from tests.hw.test_accelerator import check

    network, _ = exported(convs, activations=2, nonlinearity="prelu")
    assert any(isinstance(layer, Concat) for layer in network.layers)
    check(network, default_plan(network, cycles=2_000), tmp_path / "design", frames=4)

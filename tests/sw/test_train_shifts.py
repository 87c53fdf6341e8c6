"""What stands between a layer and its activation and folds into thresholds, and thresholds that are learned."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import bitwright as bw
from bitwright import golden
from bitwright.train import (
    BatchNorm,
    BinaryConv2d,
    BinaryLinear,
    FewBits,
    InputEncoder,
    RPReLU,
    RSign,
    Sign,
    clip_latent,
)
from bitwright_core.errors import ExportError, TrainingError
from bitwright_data import load_dataset
from bitwright_train import TrainConfig, train
from bitwright_train.learned_thresholds import LearnedThresholds


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits")


def encoder(**options):
    return InputEncoder((8, 8), thresholds=[4, 8, 12], bits=5, **options)


def stirred(model, data, steps=30):
    """`model` with parameters that training has moved, and shifts far from 0."""
    torch.manual_seed(3)
    x, y = torch.from_numpy(data.train_frames), torch.from_numpy(data.train_labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for batch in torch.randperm(len(x)).split(40)[:steps]:
        loss = nn.functional.cross_entropy(model(x[batch]).flatten(1), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clip_latent(model)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.rsplit(".", 1)[-1] in ("shift", "before", "behind"):
                values.add_(torch.linspace(-0.7, 0.7, len(values)))
    return model.eval()


def one_and_one():
    return [BinaryLinear(192, 24), BatchNorm(24), RPReLU(24), RSign(24), BinaryLinear(24, 10)]


def before_a_batch_norm():
    return [BinaryLinear(192, 24), RPReLU(24), BatchNorm(24), FewBits(2), BinaryLinear(24, 10)]


def scales_and_no_batch_norm():
    return [BinaryLinear(192, 24, scaled=True), RSign(24), BinaryLinear(24, 10, scaled=True)]


def scales_before_all():
    first = BinaryLinear(192, 24, scaled=True, weights=2)
    return [first, RPReLU(24), BatchNorm(24), Sign(), BinaryLinear(24, 10, scaled=True), BatchNorm(10)]


@pytest.mark.parametrize("body", [one_and_one, before_a_batch_norm, scales_and_no_batch_norm, scales_before_all])
def test_they_fold_exactly(body, data):
    torch.manual_seed(3)
    model = stirred(nn.Sequential(encoder(), nn.Flatten(), *body()), data)
    network = bw.export(model, data.test_frames)
    with torch.no_grad():
        wanted = model(torch.from_numpy(data.test_frames)).argmax(1).numpy()
    found = bw.predict(network, data.test_frames)
    assert (found != wanted).sum() <= 1  # scores are whole numbers: two that nearly tie may change sides
    assert len(np.unique(wanted)) > 4


def test_shifts_of_channels_go_through_a_pool(data):
    torch.manual_seed(3)
    parts = [BinaryConv2d(3, 12, 3, scaled=True), BatchNorm(12), nn.MaxPool2d(2), RSign(12, "polynomial"), nn.Flatten()]
    model = stirred(nn.Sequential(encoder(), *parts, BinaryLinear(108, 10), BatchNorm(10)), data)
    hidden = nn.Sequential(*model[:5]).eval()
    network = bw.export(hidden, data.test_frames)
    with torch.no_grad():
        wanted = (hidden(torch.from_numpy(data.test_frames)) > 0).permute(0, 2, 3, 1).flatten(1).numpy()
    assert (golden.outputs(network, data.test_frames).reshape(wanted.shape) == wanted).all()
    assert 0.1 < wanted.mean() < 0.9


@pytest.mark.parametrize(("module", "kind"), [(RSign(5), "ChannelShift"), (RPReLU(5), "RPReLU")])
def test_what_has_other_channels_is_refused(module, kind, data):
    behind = [module] if isinstance(module, Sign) else [module, Sign()]
    model = nn.Sequential(encoder(), nn.Flatten(), BinaryLinear(192, 24), BatchNorm(24), *behind)
    with pytest.raises(ExportError, match=f"2: its {kind} has one for each of its 24 outputs"):
        bw.export(model, data.test_frames[:4])


def test_learned_thresholds_go_where_the_values_are(data):
    """They begin where hardly a bit is 1: values go up to 16."""
    torch.manual_seed(3)
    first = InputEncoder((8, 8), thresholds=[16, 18, 20], bits=5, learned=True)
    model = nn.Sequential(first, nn.Flatten(), BinaryLinear(192, 32), BatchNorm(32), Sign(), BinaryLinear(32, 10))
    x, y = torch.from_numpy(data.train_frames), torch.from_numpy(data.train_labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(6):
        for batch in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clip_latent(model)
    network = bw.export(model, data.test_frames)
    assert network.encoding.thresholds.tolist() == list(first.limits)
    assert first.limits[0] < 14
    assert (bw.predict(network, data.test_frames) == data.test_labels).mean() > 0.4


@pytest.mark.parametrize(
    ("places", "whole"),
    [
        ((1.0, 2.0, 3.0), (2, 4, 6)),
        ((3.0, 1.0, 2.0), (2, 4, 6)),
        ((1.0, 1.1, 1.1), (2, 3, 4)),
        ((-5.0, 0.0, 0.0), (1, 2, 3)),
        ((40.0, 15.4, 50.0), (29, 30, 31)),
        ((15.5, 15.5, 1.0), (2, 30, 31)),
    ],
)
def test_learned_thresholds_are_whole_numbers_that_rise(places, whole):
    learned = LearnedThresholds((4, 8, 12), bits=5)
    with torch.no_grad():
        learned.places.copy_(torch.tensor(places))
    assert learned.limits == whole
    values = torch.arange(32)[None]
    assert ((learned(values)[0] > 0).sum(0) == 32 - torch.tensor(whole)).all()


def test_a_threshold_moves_by_values_near_it():
    learned = LearnedThresholds((8, 24), bits=5)
    bits = learned(torch.tensor([[7, 9, 25, 17]]))
    assert bits.tolist() == [[[-1, -1], [1, -1], [1, 1], [1, -1]]]
    bits[0, :, 0].sum().backward()  # raising them all means lowering the first threshold; 25 and 17 are too far
    assert learned.places.grad.tolist() == [-2 * 2 / 16 * 2, 0.0]  # two values, on a ramp of 16 values, in steps of 2


CONFIG = TrainConfig(
    name="learned",
    dataset="digits",
    hidden=(24, 16),
    input_bits=5,
    levels=3,
    learned_thresholds=True,
    nonlinearity="rprelu",
    activations=(2, 1),
    epochs=4,
    batch_size=64,
    learning_rate=0.05,
    ema=0.9,
    recalibrate=2,
    keep="last",
)


def test_a_configuration_learns_thresholds_and_shifts(tmp_path):
    report = train(CONFIG, tmp_path)
    limits = report.network.encoding.thresholds.tolist()
    assert limits != [8, 16, 24] and limits == sorted(set(limits))
    assert report.check.frames == 364 and report.test_accuracy > 0.8
    assert json.loads((tmp_path / "metrics.json").read_text())["config"]["learned_thresholds"] is True


def test_learned_thresholds_are_refused_where_there_are_none():
    with pytest.raises(TrainingError, match="learned_thresholds are of an encoding to bits"):
        dataclasses.replace(CONFIG, encoding="integers", levels=1)
    with pytest.raises(TrainingError, match="learned thresholds begin somewhere"):
        InputEncoder((8, 8), bits=5, learned=True)

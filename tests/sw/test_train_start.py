"""Runs that begin with what another has learned, and that learn from a trained network."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from bitwright_core.errors import TrainingError
from bitwright_data import load_dataset
from bitwright_train import ConvConfig, TrainConfig, load_model, train
from bitwright_train.average import recalibrate
from bitwright_train.model_file import build_model, save_model
from bitwright_train.run import train_only
from bitwright_train.start import begin_with
from bitwright_train.teacher import FloatTeacher

FIRST = TrainConfig(
    name="two_bits",
    dataset="digits",
    hidden=(32, 24),
    input_bits=5,
    thresholds=(3, 8, 12),
    activations=2,
    epochs=6,
    batch_size=50,
    learning_rate=0.02,
    seed=4,
)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    out = tmp_path_factory.mktemp("first")
    train_only(FIRST, out)
    return out


def one_bit(**changes):
    return dataclasses.replace(FIRST, name="one_bit", activations=1, **changes)


def share_right(model, frames, labels):
    with torch.no_grad():
        return float((model(model.encode(frames)).argmax(1) == labels).double().mean())


def test_one_bit_begins_where_two_ended(first):
    """Without a step of training it tells most frames right: thresholds are where the middle level was."""
    data = load_dataset("digits")
    frames, labels = torch.from_numpy(data.train_frames), torch.from_numpy(data.train_labels)
    source = load_model(first)
    model = build_model(one_bit(), data.shape, data.classes)
    assert begin_with(model, source, "first") == 3
    np.testing.assert_allclose(
        model.stages[0].norm.bias.detach(), source.stages[0].norm.bias.detach() - np.mean((0.25, 0.75, 1.25))
    )
    torch.testing.assert_close(model.stages[2].norm.bias, source.stages[2].norm.bias)
    recalibrate(model, model.encode(frames).split(100))
    assert share_right(model.eval(), frames, labels) > 0.6


def test_a_started_run_goes_on_after_a_kill_without_its_start(first, tmp_path):
    begun = one_bit(start=str(first), epochs=2, learning_rate=1e-6)
    record = train_only(begun, tmp_path / "run")
    assert record.history[-1].train_accuracy > 0.5  # as good as at random, were it not for its start
    latent = load_model(tmp_path / "run").stages[0].linear.weight
    torch.testing.assert_close(latent, load_model(first).stages[0].linear.weight, atol=1e-3, rtol=0)
    more = dataclasses.replace(begun, epochs=3)
    (tmp_path / "run" / "model.safetensors").unlink()
    first.rename(tmp_path / "away")
    try:
        assert train_only(more, tmp_path / "run").epoch == 3 or pytest.fail("it did not go on")
    except TrainingError as error:
        assert "start" in str(error), error
        raise
    finally:
        (tmp_path / "away").rename(first)


def test_a_trained_network_as_teacher(first, tmp_path):
    taught = one_bit(start=str(first), teacher=str(first), distill=0.9, epochs=2)
    report = train(taught, tmp_path / "run")
    assert not (tmp_path / "run" / "teacher.safetensors").exists()
    told = (tmp_path / "run" / "metrics.json").read_text()
    assert '"teacher_validation_accuracy"' in told and report.test_accuracy > 0.6


def test_other_classes_take_all_but_the_last_layer(first):
    model = build_model(one_bit(), (8, 8), 3)
    model.initialise(torch.Generator().manual_seed(1))
    last = model.stages[2].linear.weight.detach().clone()
    assert begin_with(model, load_model(first), "first") == 2
    torch.testing.assert_close(model.stages[2].linear.weight.detach(), last)


def test_a_pool_before_the_batch_norm_after_one_behind_it():
    """Rows whose batch norm falls are negated, so that the largest of a window is the same."""
    behind = dataclasses.replace(FIRST, convs=(ConvConfig(outputs=12, pool=2),), hidden=(), activations=1)
    before = dataclasses.replace(behind, convs=(ConvConfig(outputs=12, pool=2, pool_first=True),))
    source, model = (build_model(config, (8, 8), 10) for config in (behind, before))
    generator = torch.Generator().manual_seed(3)
    source.initialise(generator)
    norm = source.stages[0].norm
    with torch.no_grad():
        norm.weight.copy_(torch.randn(12, generator=generator))
        norm.running_mean.copy_(torch.randn(12, generator=generator))
    assert (norm.weight < 0).any() and begin_with(model, source, "behind") == 2
    frames = torch.from_numpy(load_dataset("digits").train_frames[:50])
    torch.testing.assert_close(model.eval()(model.encode(frames)), source.eval()(source.encode(frames)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "nowhere"}, "nowhere.*no such model"),
        ({"teacher": "nowhere", "distill": 0.5}, "nowhere.*no such model"),
        ({"hidden": (8,), "activations": 1, "start": "FIRST"}, "its first layer has another shape"),
    ],
)
def test_starts_and_teachers_that_are_none(first, tmp_path, changes, message):
    changes = {key: str(first) if value == "FIRST" else value for key, value in changes.items()}
    with pytest.raises(TrainingError, match=message):
        train_only(dataclasses.replace(FIRST, **changes), tmp_path)


def test_a_teacher_without_distill():
    with pytest.raises(TrainingError, match=r"set distill = 0\.5"):
        dataclasses.replace(FIRST, teacher="runs/mine")


def test_a_teacher_of_other_frames(first, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 16, (40, 5)).astype(np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    config = dataclasses.replace(FIRST, dataset=str(tmp_path / "own.npz"), teacher=str(first), distill=0.5)
    with pytest.raises(TrainingError, match="choose another teacher"):
        train_only(config, tmp_path / "run")


def test_adam_is_read_back_in_the_memory_order_of_its_parameters(tmp_path):
    """A GPU has the channels of a pixel side by side; a fused Adam refuses moments in another order."""
    from bitwright_train.checkpoint import State, TrainingRecord, load_checkpoint, save_checkpoint

    model = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    adam, generator = torch.optim.Adam(model.parameters(), fused=True), torch.Generator()
    model(torch.ones(1, 3, 5, 5)).sum().backward()
    adam.step()
    record = TrainingRecord(config={"epochs": 1}, data_digest="")
    save_checkpoint(tmp_path / "c", State(progress=record), model, adam, generator)
    moment = adam.state[model.weight]["exp_avg"].clone()
    load_checkpoint(tmp_path / "c", record, model, adam, generator, older_digest=lambda: "")
    read = adam.state[model.weight]["exp_avg"]
    assert read.stride() == model.weight.stride() != torch.empty(4, 3, 3, 3).stride()
    torch.testing.assert_close(read, moment)


def test_a_float_baseline_is_told_beside_the_network(tmp_path):
    config = dataclasses.replace(FIRST, baseline=True, teacher_width=4, teacher_epochs=2, epochs=1)
    report = train(config, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    data = load_dataset("digits")
    teacher = FloatTeacher(shape=data.shape, input_bits=5, width=4, classes=10).eval()
    teacher.load_state_dict(load_file(tmp_path / "teacher.safetensors"))
    frames, labels = torch.from_numpy(data.test_frames), torch.from_numpy(data.test_labels)
    assert report.baseline_accuracy == metrics["baseline_test_accuracy"] == share_right(teacher, frames, labels)
    assert train(dataclasses.replace(FIRST, epochs=1), tmp_path / "without").baseline_accuracy is None


@pytest.mark.slow
def test_a_configuration_as_start_is_trained_first(tmp_path):
    """On the same frames for training and validation, in a folder of the run's."""
    config = TrainConfig(
        name="after",
        dataset="digits",
        hidden=(96, 96),
        input_bits=5,
        thresholds=(2, 5, 8, 11, 14),
        start="digits",
        validation_fraction=0.2,
        epochs=1,
        learning_rate=1e-9,
    )
    record = train_only(config, tmp_path, seconds=2)
    assert load_model(tmp_path / "start").hidden == (96, 96)
    latent = load_model(tmp_path).stages[1].linear.weight
    torch.testing.assert_close(latent, load_model(tmp_path / "start").stages[1].linear.weight)
    assert record.config["start"] == "digits" and record.history[-1].train_accuracy > 0.3
    with safe_open(tmp_path / "start" / "checkpoint.safetensors", framework="pt") as opened:
        first = json.loads(opened.metadata()["bitwright"])["config"]
    assert first["validation_fraction"] == 0.2 and first["name"] == "digits"


def test_a_model_in_a_gpus_memory_order_is_written(tmp_path):
    model = build_model(dataclasses.replace(FIRST, convs=(ConvConfig(outputs=4),)), (8, 8), 10)
    model.initialise(torch.Generator().manual_seed(1))
    config = dataclasses.replace(FIRST, convs=(ConvConfig(outputs=4),))
    save_model(tmp_path / "model.safetensors", model.to(memory_format=torch.channels_last), config, tuple("0123456789"))
    assert torch.equal(load_model(tmp_path).stages[0].linear.weight, model.stages[0].linear.weight)


def test_curves_are_drawn_while_it_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("bitwright_train.run.CURVES_SECONDS", 0.0)
    there = []
    config = dataclasses.replace(FIRST, epochs=2)
    train(config, tmp_path, checkpoint_seconds=0, told=lambda _: there.append((tmp_path / "curves.png").exists()))
    assert there == [False, True]

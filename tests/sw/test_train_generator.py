"""A network that draws images, from data to codes: trained against a float network, judged by another, proven."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from bitwright.cli import main
from bitwright_core import golden
from bitwright_core.errors import TrainingError
from bitwright_core.network import load
from bitwright_data import load_dataset, load_held_out
from bitwright_train import GeneratorConfig, TrainConfig, load_config, load_model, train, train_generator
from bitwright_train.adversaries import Discriminator
from bitwright_train.generator_loop import of_bits, run_generator
from bitwright_train.generator_samples import codes_of, sample_metrics
from bitwright_train.loop import LoopOptions
from bitwright_train.teacher import FloatTeacher

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = TrainConfig(
    name="draws",
    dataset="digits",
    hidden=(32,),
    epochs=2,
    batch_size=128,
    learning_rate=0.01,
    ema=0.9,
    recalibrate=4,
    teacher_width=4,
    teacher_epochs=1,
    seed=3,
    generator=GeneratorConfig(noise=12, threshold=8, discriminator=32, samples=60),
)
TOML = """
name = "draws"
dataset = "digits"
hidden = [16]
weights = [1, "ternary"]
epochs = 1
batch_size = 300
teacher_width = 4
teacher_epochs = 1
[generator]
noise = 6
threshold = 8
discriminator = 16
samples = 40
"""


def test_a_run_end_to_end(tmp_path):
    report = train_generator(SMALL, tmp_path)
    network = load(tmp_path / "network.safetensors")
    assert network.gives == "bits" and network.input.shape == (22,) and network.outputs == 64
    assert network.digest == report.network.digest and report.check.frames == 60
    held_out = load_held_out(tmp_path / "codes.npz")
    assert held_out.labels is None and held_out.frames.shape == (60, 22)
    np.testing.assert_array_equal(held_out.frames[:, :10].argmax(1), np.arange(60) % 10)
    images = golden.outputs(network, held_out.frames)
    model = load_model(tmp_path)
    with torch.no_grad():
        np.testing.assert_array_equal(images, model(model.encode(torch.from_numpy(held_out.frames))) >= 0)
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert told["samples"] == json.loads(json.dumps(dataclasses.asdict(report.samples)))
    assert 0 <= told["judge_accuracy"] <= 1 and len(told["history"]) == 2
    assert all(entry["validation_accuracy"] is not None for entry in told["history"])
    for name in ("samples.png", "curves.png", "judge.safetensors", "checkpoint.safetensors"):
        assert (tmp_path / name).is_file(), name


class StoppedError(Exception):
    pass


def test_a_run_that_was_stopped_ends_the_same(tmp_path):
    dataset = of_bits(load_dataset("digits"), 8)

    def state(folder, told=None):
        folder.mkdir(exist_ok=True)
        options = LoopOptions(
            device=torch.device("cpu"), checkpoint_seconds=0.0, teacher=folder / "judge.safetensors", told=told
        )
        return run_generator(SMALL, dataset, folder / "checkpoint.safetensors", options).model.state_dict()

    def stop(epoch):
        if epoch.entry.epoch == 2:
            raise StoppedError

    whole = state(tmp_path / "whole")
    with pytest.raises(StoppedError):
        state(tmp_path / "cut", stop)
    for name, value in state(tmp_path / "cut").items():
        assert torch.equal(value, whole[name]), name


def test_the_metrics_of_known_images():
    """A judge that always says 0, images of two classes that differ in known pixels, one of them twice."""
    judge = FloatTeacher(shape=(4,), input_bits=1, width=4, classes=2)
    judge.initialise(torch.Generator().manual_seed(1))
    with torch.no_grad():
        judge.body[-1].weight.zero_()
        judge.body[-1].bias.copy_(torch.tensor([1.0, 0.0]))
    drawn = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    real = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]])
    classes = np.array([0, 1, 0, 1])
    found = sample_metrics(judge, (drawn, classes), (real, np.array([0, 0, 1, 1])))
    assert found.recognised == 0.5 and found.recognised_of == (1.0, 0.0)
    assert found.distance_of == (2.0, 0.0) and found.distance == 1.0
    assert found.real_distance_of == (1.0, 3.0) and found.distinct == 0.75


def test_codes_ask_for_all_classes_alike():
    codes, asked = codes_of(20, 5, 7, seed=1)
    assert codes.shape == (20, 12) and np.bincount(asked).tolist() == [4] * 5
    assert (codes[:, :5].sum(1) == 1).all() and len(np.unique(codes[:, 5:], axis=0)) > 15


def test_a_discriminator_learns_real_from_noise():
    """Slope and sign of what it tells: some steps part images of one pixel set from images of another."""
    model = Discriminator(pixels=6, classes=2, width=8)
    chance = torch.Generator().manual_seed(1)
    model.initialise(chance)
    real, drawn = torch.eye(6)[:3] * 2 - 1, torch.eye(6)[3:] * 2 - 1
    classes = torch.eye(2)[[0, 1, 0]]
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.softplus(-model(real, classes)[0]).mean()
        (loss + torch.nn.functional.softplus(model(drawn, classes)[0]).mean()).backward()
        optimizer.step()
    assert (model(real, classes)[0] > 0).all() and (model(drawn, classes)[0] < 0).all()


def test_by_command(tmp_path, capsys):
    (tmp_path / "draws.toml").write_text(TOML)
    assert main(["train", str(tmp_path / "draws.toml"), "--out", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["samples"]["samples"] == 40 and told["codes"] == str(tmp_path / "run" / "codes.npz")
    assert main(["train", str(tmp_path / "draws.toml"), "--out", str(tmp_path / "run")]) == 0  # goes on: it is over
    text = capsys.readouterr().out
    assert "of 40 samples" in text and "codes.npz" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TOML.replace("noise = 6", "noice = 6"), "unknown key generator.noice (did you mean noise?)"),
        (TOML.replace("[generator]", "shift = 2\n[generator]"), "a generator trains without shift; remove it"),
        (TOML.replace("[generator]", 'loss = "bce"\n[generator]'), "a generator trains without loss"),
        (TOML.replace("threshold = 8", "threshold = 0"), "generator.threshold"),
    ],
)
def test_mistakes_in_a_configuration(tmp_path, text, says):
    (tmp_path / "draws.toml").write_text(text)
    with pytest.raises(TrainingError) as caught:
        load_config(tmp_path / "draws.toml")
    assert says in str(caught.value)


def test_what_cannot_be(tmp_path):
    with pytest.raises(TrainingError, match="every pixel is the same; its values go from 0 to 16"):
        of_bits(load_dataset("digits"), 17)
    with pytest.raises(TrainingError, match="train_generator"):
        train(SMALL, tmp_path)
    with pytest.raises(TrainingError, match="no generator; give it a table"):
        train_generator(dataclasses.replace(SMALL, generator=None), tmp_path)


@pytest.mark.data
@pytest.mark.slow
def test_what_ships_is_recognised_and_verified(tmp_path, data_dir):
    """The whole run, some minutes: samples that the judge tells, as far apart as test images, exact in RTL."""
    import bitwright as bw

    report = train_generator(load_config("mnist-generator"), tmp_path / "run", data_dir=data_dir)
    assert report.judge_accuracy > 0.98
    assert report.samples.recognised >= 0.9 and report.samples.distinct > 0.99
    assert report.samples.distance > 0.8 * report.samples.real_distance
    plan = bw.size(report.network, cycles=128)
    design = bw.generate(report.network, plan, tmp_path / "design")
    verified = bw.verify(design, data=str(tmp_path / "run" / "codes.npz"), frames=1000)
    assert verified.mismatches == 0 and verified.frames == 1000

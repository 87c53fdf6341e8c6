"""Recipes of training: what each changes, that runs with it repeat to the bit, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from bitwright_core.errors import TrainingError
from bitwright_data import load_dataset
from bitwright_train import TrainConfig, train
from bitwright_train.augment import Augmenter, blended
from bitwright_train.average import Average, recalibrate
from bitwright_train.checkpoint import Epoch
from bitwright_train.estimators import EdeSign, PolynomialSign
from bitwright_train.losses import distilled, loss_of
from bitwright_train.run import train_only
from bitwright_train.schedule import Clock, Span, learning_rate, weights_are_float
from bitwright_train.told import EpochTold, line_of, time_of

SMALL = TrainConfig(
    name="small",
    dataset="digits",
    hidden=(24,),
    input_bits=5,
    thresholds=(4, 10),
    epochs=3,
    batch_size=64,
    learning_rate=0.02,
    seed=3,
)
ALL = {
    "distill": 0.5,
    "teacher_width": 4,
    "teacher_epochs": 1,
    "two_step": 0.4,
    "estimator": "ede",
    "ema": 0.9,
    "recalibrate": 4,
    "warmup_epochs": 1.0,
    "shift": 1,
    "rotate": 5.0,
    "zoom": 0.1,
    "elastic": 0.5,
    "cutout": 2,
    "mixup": 0.3,
}


@pytest.mark.slow
def test_a_run_with_every_recipe_is_exported_exactly_and_resumes_to_the_same_network(tmp_path):
    config = dataclasses.replace(SMALL, **ALL)
    lines = []
    report = train(config, tmp_path / "whole", told=lambda told: lines.append(line_of(told)))
    assert report.check.frames == 364 and report.check.classes == 364
    assert report.best_epoch > 1  # what is kept is of the second of two steps
    assert len(lines) == 3 and lines[0].startswith("epoch 1/3: loss ")

    def stop(what, done, total):
        if what == "train" and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts", checkpoint_seconds=0.0, progress=stop)
    assert train(config, tmp_path / "parts").network.digest == report.network.digest
    (tmp_path / "parts" / "teacher.safetensors").unlink()
    train(config, tmp_path / "parts")
    assert not (tmp_path / "parts" / "teacher.safetensors").exists()  # a finished run needs none


def test_training_alone_leaves_what_the_export_takes(tmp_path):
    whole = train(SMALL, tmp_path / "whole")
    record = train_only(SMALL, tmp_path / "alone", kept_alone=True)
    assert record.epoch == 3 and not (tmp_path / "alone" / "network.safetensors").exists()
    sizes = [(tmp_path / name / "checkpoint.safetensors").stat().st_size for name in ("whole", "alone")]
    assert sizes[1] < 0.5 * sizes[0]
    assert train(SMALL, tmp_path / "alone").network.digest == whole.network.digest
    with pytest.raises(TrainingError, match="has what the export takes alone, so training cannot go on"):
        train(dataclasses.replace(SMALL, epochs=4), tmp_path / "alone")


def test_a_finished_run_goes_on_for_more_epochs(tmp_path):
    train(SMALL, tmp_path)
    seen = []
    report = train(dataclasses.replace(SMALL, epochs=5), tmp_path, told=lambda told: seen.append(told.entry))
    assert [entry.epoch for entry in seen] == [4, 5]
    assert report.config.epochs == 5
    assert seen[0].learning_rate == learning_rate(report.config, 3 / 5)
    with pytest.raises(TrainingError, match="epochs 5 there, 3 here"):
        train(SMALL, tmp_path)


def test_a_run_of_a_given_time_ends_its_schedule_in_it():
    clock = Clock(epochs=1000, limit=10.0)
    position, epochs = 0.0, 0
    while position < 1 - 1e-9:
        span = clock.next(epochs, position)
        assert span.at(0.0) == pytest.approx(position)
        position, epochs = span.at(1.0), epochs + 1
        clock.durations.append(1.0)
    assert epochs == 10
    assert Clock(epochs=4).next(1, 0.25) == Span(1, 4)


def test_rates_warm_up_and_start_anew_in_the_second_step():
    config = dataclasses.replace(SMALL, epochs=10, learning_rate=1.0, warmup_epochs=2.0, two_step=0.5)
    assert learning_rate(config, 0.0) == 0.0
    assert learning_rate(config, 0.1) == pytest.approx(0.5 * 0.5 * (1 + math.cos(math.pi * 0.2)))
    assert learning_rate(config, 0.4999999) == pytest.approx(0.0, abs=1e-6)
    assert learning_rate(config, 0.5) == 1.0
    assert weights_are_float(config, Span(4, 10)) and not weights_are_float(config, Span(5, 10))
    assert not weights_are_float(dataclasses.replace(config, two_step=0.9), Span(0, 1))


def test_derivatives_of_the_sign():
    x = torch.tensor([-2.0, -0.5, -0.0, 0.25, 3.0], requires_grad=True)
    PolynomialSign()(x).sum().backward()
    assert torch.equal(x.grad, torch.tensor([0.0, 1.0, 2.0, 1.5, 0.0]))
    ede = EdeSign()
    for done, t in ((0.0, 0.1), (0.5, 1.0), (1.0, 10.0)):
        ede.sharpen(done)
        x.grad = None
        value = ede(x)
        assert torch.equal(value, torch.tensor([-1.0, -1.0, 1.0, 1.0, 1.0]))
        value.sum().backward()
        k = max(1 / t, 1)
        assert torch.allclose(x.grad, k * t * (1 - torch.tanh(t * x.detach()) ** 2), atol=1e-5)


def test_a_mean_of_parameters_is_lent_and_batch_norms_are_measured_anew():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = Average(model, 0.75)
    own = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight += 1
    average.update()
    with average.applied():
        assert torch.allclose(model[0].weight, own + 0.25)
        batches = [torch.randn(8, 2, generator=torch.Generator().manual_seed(k)) for k in (1, 2)]
        recalibrate(model, batches)
        values = [model[0](batch) for batch in batches]
        assert torch.allclose(model[1].running_mean, torch.stack([value.mean(0) for value in values]).mean(0))
        assert model[1].momentum == 0.1 and not model.training
    assert torch.equal(model[0].weight, own + 1)
    assert torch.equal(model[1].running_mean, torch.zeros(3))


def test_a_teacher_pulls_logits_towards_its_own():
    config = dataclasses.replace(SMALL, distill=0.25, temperature=2.0)
    logits, said = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    hard = loss_of(config, logits, torch.tensor([0]))
    p, q = (said / 2).softmax(1), (logits / 2).softmax(1)
    wanted = 0.75 * hard + 0.25 * 4 * (p * (p / q).log()).sum()
    assert distilled(config, logits, said, hard).item() == pytest.approx(wanted.item())
    assert distilled(config, said, said, torch.zeros(())).item() == pytest.approx(0, abs=1e-6)


def test_warps_move_little_and_keep_whole_numbers():
    frames = torch.from_numpy(load_dataset("digits").train_frames)
    index = torch.arange(200)
    still = Augmenter(frames, 0, zoom=1e-9).batch(index, torch.Generator().manual_seed(1))
    assert torch.equal(still, frames[:200])
    moved = Augmenter(frames, 0, rotate=10, zoom=0.1, elastic=0.5).batch(index, torch.Generator().manual_seed(1))
    assert moved.dtype == frames.dtype and moved.shape == still.shape
    difference = (moved.float() - still.float()).abs().mean()
    other = (frames[200:400].float() - still.float()).abs().mean()
    assert 0.05 * other < difference < 0.6 * other


def test_holes_are_squares_of_zeros():
    frames = torch.full((3, 9, 9, 2), 7, dtype=torch.uint8)
    batch = Augmenter(frames, 0, cutout=4).batch(torch.arange(3).repeat(50), torch.Generator().manual_seed(1))
    zeros = (batch == 0).sum((1, 2, 3)) // 2
    assert zeros.max() == 16 and zeros.min() >= 4
    assert ((batch == 0) | (batch == 7)).all()


def test_blends_share_the_labels_as_they_share_the_frames():
    frames = torch.tensor([[0, 0], [100, 200]], dtype=torch.uint8).repeat(200, 1)
    targets = torch.eye(2).repeat(200, 1)
    mixed, goal = blended(frames, targets, 0.5, torch.Generator().manual_seed(1))
    assert torch.allclose(goal.sum(1), torch.ones(400))
    assert (mixed[:, 0].float() - goal[:, 1] * 100).abs().max() <= 0.51
    assert 120 < (goal.max(1).values < 1).sum() < 280


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distill": 0.5, "loss": "squared_hinge"}, "distill follows probabilities"),
        ({"ema": 0.9}, "set recalibrate = 20"),
        ({"estimator": "ede", "activations": 2}, "estimator ede is for activations of 1 bit"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(SMALL, **changes)


def test_flat_frames_are_not_warped():
    with pytest.raises(TrainingError, match="rotate, zoom, elastic and cutout are for images"):
        Augmenter(torch.from_numpy(np.zeros((4, 9), np.uint8)), 0, rotate=3)


def test_an_epoch_in_a_line():
    entry, best = (
        Epoch(
            epoch=epoch,
            learning_rate=0.1,
            train_loss=0.25,
            train_accuracy=0.5,
            validation_loss=0.3,
            validation_accuracy=accuracy,
        )
        for epoch, accuracy in ((7, 0.75), (5, 0.8))
    )
    told = EpochTold(entry=entry, epochs=9, best=best, frames_per_second=1234.5, seconds_left=200)
    assert line_of(told) == (
        "epoch 7/9: loss 0.2500, training 50.00%, validation 75.00% (kept: 80.00% of epoch 5), "
        "1,234 frames/s, 3 min left"
    )
    assert [time_of(seconds) for seconds in (4, 600, 9000)] == ["4 s", "10 min", "2.5 h"]

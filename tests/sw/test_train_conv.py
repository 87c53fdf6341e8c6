"""Training of convolutional networks: whole small runs, flips, mixed precision, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from bitwright_core import golden
from bitwright_core.errors import TrainingError
from bitwright_core.network import Conv2d, IntegerEncoding, MaxPool2d
from bitwright_data import Dataset, load_dataset
from bitwright_train import ConvConfig, TrainConfig, load_config, load_model, trace_model, train
from bitwright_train import loop as loop_module
from bitwright_train import run as run_module
from bitwright_train.augment import Augmenter
from bitwright_train.checkpoint import TrainingRecord
from bitwright_train.model_file import build_model

SMALL = TrainConfig(
    name="small_conv",
    dataset="digits",
    hidden=(32,),
    convs=(
        ConvConfig(outputs=16, kernel=3, padding=1, pool=2, pool_first=True),
        ConvConfig(outputs=24, kernel=3, padding=1),
    ),
    input_bits=5,
    encoding="integers",
    epochs=8,
    batch_size=64,
    learning_rate=0.02,
    seed=3,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    return train(SMALL, out, threads=1), out


def test_a_run_exports_what_it_trained(finished):
    report, out = finished
    assert report.test_accuracy >= 0.9
    assert report.check.frames == 364
    network = report.network
    assert [type(layer) for layer in network.layers[:3]] == [Conv2d, MaxPool2d, Conv2d]
    assert isinstance(network.encoding, IntegerEncoding)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["config"]["convs"][0]["pool_first"] is True
    model = load_model(out)
    frames = load_dataset("digits").test_frames
    assert np.array_equal(trace_model(model, frames).classes, golden.classify(network, frames))
    assert golden.accumulators(network.layers[0], golden.encode(network, frames[:2])).shape == (2, 8, 8, 16)


def test_an_interrupted_run_ends_in_the_same_network(finished, tmp_path):
    report, _ = finished

    def stop(what, done, total):
        if what == "train" and done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, tmp_path, threads=1, checkpoint_seconds=0.0, progress=stop)
    assert train(SMALL, tmp_path, threads=1).network.digest == report.network.digest


def test_mixed_precision_trains_and_exports_exactly(tmp_path):
    """bfloat16 on the CPU: the path that a GPU takes."""
    config = dataclasses.replace(SMALL, epochs=2)
    mixed = train(config, tmp_path / "mixed", threads=1, mixed=True)
    exact = train(config, tmp_path / "exact", threads=1, mixed=False)
    assert mixed.check.frames == 364
    assert mixed.network.digest != exact.network.digest
    assert mixed.test_accuracy > 0.5


def test_mixed_precision_is_for_gpus_that_have_it(monkeypatch):
    assert not run_module._mixed(torch.device("cpu"))
    for able in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert run_module._mixed(torch.device("cuda")) is able


def test_checkpoints_from_before_a_key_came_are_taken_up(finished, tmp_path, monkeypatch):
    """A key that a stored configuration lacks has its default."""
    written = []
    original = TrainingRecord

    def without_new_keys(**values):
        written.append(values)
        values["config"] = {key: value for key, value in values["config"].items() if key != "flip"}
        return original(**values)

    monkeypatch.setattr(loop_module, "TrainingRecord", without_new_keys)
    monkeypatch.setattr(loop_module, "round_trip", lambda record: record)
    config = dataclasses.replace(SMALL, convs=(), epochs=1)
    train(config, tmp_path, threads=1)
    monkeypatch.undo()
    assert written and not written[0]["config"].get("flip")
    train(config, tmp_path, threads=1)
    with pytest.raises(TrainingError, match="flip False there, True here"):
        train(dataclasses.replace(config, flip=True), tmp_path, threads=1)


def test_flips_turn_about_half_of_the_frames():
    frames = torch.arange(2 * 3 * 4 * 2, dtype=torch.uint8).reshape(2, 3, 4, 2)
    index = torch.tensor([0, 1] * 200)
    batch = Augmenter(frames, 0, flip=True).batch(index, torch.Generator().manual_seed(1))
    turned = 0
    for k, image in enumerate(batch):
        plain = frames[index[k]]
        if not torch.equal(image, plain):
            assert torch.equal(image, plain.flip(1))
            turned += 1
    assert 150 < turned < 250


def test_flips_and_shifts_together_keep_channels_apart():
    frames = torch.arange(60, dtype=torch.uint8).reshape(1, 5, 6, 2) + 1
    batch = Augmenter(frames, 1, flip=True).batch(torch.zeros(40, dtype=torch.long), torch.Generator().manual_seed(2))
    assert batch.shape == (40, 5, 6, 2)
    assert ((batch[..., 0] % 2 == 1) | (batch[..., 0] == 0)).all()
    assert (batch[..., 1] % 2 == 0).all()


def test_the_shipped_configurations_have_the_shapes_that_they_are_named_for():
    cnv = build_model(load_config("cnv"), (32, 32, 3), 10)
    assert [tuple(stage.linear.weight.shape) for stage in cnv.stages] == [
        (64, 3, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
        (128, 128, 3, 3),
        (256, 128, 3, 3),
        (256, 256, 3, 3),
        (512, 256),
        (512, 512),
        (10, 512),
    ]
    small = build_model(load_config("cnn-small"), (28, 28), 10)
    assert [tuple(stage.linear.weight.shape) for stage in small.stages] == [
        (32, 1, 5, 5),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        (128, 1152),
        (10, 128),
    ]
    bits = {name: load_config(f"cnn-small{name}") for name in ("", "-w1a1", "-w1a2")}
    assert {name: (config.weight_bits, set(config.activation_bits)) for name, config in bits.items()} == {
        "": ((4, 1, 1, 1, 1), {1}),
        "-w1a1": ((1,) * 5, {1}),
        "-w1a2": ((1,) * 5, {2}),
    }


@pytest.mark.slow
def test_cnv_runs_on_a_few_frames(tmp_path, monkeypatch):
    """One step of the configuration as it ships, from data to the proof of the export."""
    rng = np.random.default_rng(0)
    parts = {
        f"{part}_{what}": values
        for part, count in (("train", 40), ("test", 10))
        for what, values in (
            ("frames", rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)),
            ("labels", np.arange(count) % 10),
        )
    }
    data = Dataset(name="cifar10", labels=tuple("0123456789"), **parts)
    monkeypatch.setattr(run_module, "load_dataset", lambda *_: data)
    small = {"epochs": 1, "batch_size": 20, "validation_fraction": 0.0, "teacher_width": 4, "teacher_epochs": 1}
    config = dataclasses.replace(load_config("cnv"), **small)
    report = train(config, tmp_path, threads=1)
    assert report.check.frames == 10 and len(report.network.layers) == 11


MISTAKES = {
    "thresholds of integers": (
        {"encoding": "integers", "thresholds": (3,)},
        "thresholds and levels are for an encoding to bits",
    ),
    "levels of integers": ({"encoding": "integers", "levels": 2}, "thresholds and levels are for"),
    "padded integers": (
        {"encoding": "integers", "convs": (ConvConfig(outputs=2, padding=1, padding_value="plus_one"),)},
        "a first convolution on integers is padded with zero alone",
    ),
    "padding behind a pool": (
        {
            "convs": (
                ConvConfig(outputs=2, pool=2, pool_first=True),
                ConvConfig(outputs=2, padding=1, padding_value="minus_one"),
            )
        },
        "padded with minus_one cannot follow a pool before its batch norm",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_configurations_that_make_no_sense_are_refused(mistake):
    changes, message = MISTAKES[mistake]
    with pytest.raises(TrainingError, match=message):
        TrainConfig(name="wrong", dataset="digits", hidden=(4,), input_bits=5, **changes)


def test_images_that_are_too_small_or_flat_are_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"padding 3 must be less than its kernel 3"):
        ConvConfig(outputs=2, padding=3)
    config = dataclasses.replace(SMALL, convs=(ConvConfig(outputs=2, kernel=5, pool=5),))
    with pytest.raises(TrainingError, match="an image of 8 x 8 is too small for a convolution of kernel 5, stride 1"):
        build_model(config, (8, 8), 10)
    with pytest.raises(TrainingError, match="convolutions are for images; these frames are flat"):
        build_model(SMALL, (64,), 10)
    with pytest.raises(TrainingError, match="shift and flip are for images"):
        Augmenter(torch.zeros(3, 64), 0, flip=True)

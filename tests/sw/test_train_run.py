"""Whole training runs: the files, determinism, resuming after a kill, and what is refused."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from bitwright_core import golden, network
from bitwright_core.errors import DataError, ExportError, TrainingError
from bitwright_data import load_dataset
from bitwright_train import TrainConfig, load_config, load_model, trace_model, train
from bitwright_train import run as run_module
from bitwright_train.augment import Augmenter
from bitwright_train.losses import loss_of
from bitwright_train.schedule import learning_rate

SMALL = TrainConfig(
    name="small",
    dataset="digits",
    hidden=(24,),
    input_bits=5,
    thresholds=(4, 10),
    epochs=4,
    batch_size=64,
    learning_rate=0.02,
    seed=3,
    dropout=0.1,
    input_dropout=0.05,
)

# trains SMALL with a checkpoint after every epoch, and says so
CHILD = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_train_run import SMALL
from bitwright_train import train
def progress(what, done, total):
    print(what, done, total, flush=True)
train(SMALL, Path({out!r}), checkpoint_seconds=0.0, progress=progress)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of SMALL that nothing disturbed: its report and its folder."""
    out = tmp_path_factory.mktemp("finished")
    return train(SMALL, out), out


def without_times(metrics):
    return {key: value for key, value in metrics.items() if key != "seconds"}


def test_digits_reach_95_percent_and_all_frames_are_exact(tmp_path):
    steps = []
    report = train(load_config("digits"), tmp_path, progress=lambda *step: steps.append(step))
    assert report.test_accuracy >= 0.95
    assert report.check.frames == 364
    assert {what for what, _, _ in steps} == {"train", "export", "check export"}
    assert all(0 < done <= total for _, done, total in steps)


def test_files_of_a_run(finished):
    report, out = finished
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test_accuracy"] == report.test_accuracy
    assert metrics["seconds"] > 0
    assert metrics["config"]["hidden"] == [24]
    assert metrics["seed"] == 3
    assert [entry["epoch"] for entry in metrics["history"]] == [1, 2, 3, 4]
    best = max(metrics["history"], key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))
    assert metrics["best_epoch"] == best["epoch"]
    assert metrics["validation_accuracy"] == best["validation_accuracy"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    saved = network.load(out / "network.safetensors")
    assert saved == report.network
    assert metrics["digest"] == saved.digest
    assert saved.labels == tuple("0123456789")
    data = load_dataset("digits")
    assert (golden.classify(saved, data.test_frames) == data.test_labels).mean() == report.test_accuracy


def test_the_float_model_reloads_and_gives_the_same_integers(finished):
    report, out = finished
    model = load_model(out)
    frames = load_dataset("digits").test_frames
    theirs = trace_model(model, frames)
    ours = golden.trace(report.network, frames)
    assert np.array_equal(theirs.encoded, ours.encoded)
    assert np.array_equal(theirs.bits[0], ours.layers[0].values)
    assert np.array_equal(theirs.classes, ours.classes)
    assert theirs.logits.dtype == np.float32
    assert load_model(out / "model.safetensors").hidden == (24,)


def test_the_same_seed_gives_the_same_network_and_another_one_another(finished, tmp_path):
    report, out = finished
    again = train(SMALL, tmp_path / "again")
    assert again.network.digest == report.network.digest
    for name in ("model.safetensors", "network.safetensors", "curves.png"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    other = train(dataclasses.replace(SMALL, seed=4), tmp_path / "other")
    assert other.network.digest != report.network.digest


@pytest.mark.parametrize("kill_after", [1, pytest.param(60, marks=pytest.mark.slow)])
def test_a_killed_run_resumes_to_the_same_network(finished, tmp_path, kill_after):
    """SIGKILL at the first sign of work after a checkpoint, and again later; 19 steps an epoch."""
    report, out = finished
    code = CHILD.format(here=os.path.dirname(__file__), out=str(tmp_path))  # noqa: PTH120
    checkpoint = tmp_path / "checkpoint.safetensors"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        for line in child.stdout:
            if checkpoint.exists() and int(line.split()[1]) >= kill_after:
                break
        child.send_signal(signal.SIGKILL)
    finally:
        child.wait()
        child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "network.safetensors").exists()
    resumed = []
    again = train(SMALL, tmp_path, progress=lambda what, done, total: resumed.append((what, done)))
    first_step = next(done for what, done in resumed if what == "train")
    assert first_step > 20  # not from the beginning
    assert again.network.digest == report.network.digest
    assert (tmp_path / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    ours, theirs = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path, out))
    assert without_times(ours) == without_times(theirs)


def test_a_finished_run_is_taken_up_without_training_again(finished):
    report, out = finished
    seen = set()
    again = train(SMALL, out, progress=lambda what, done, total: seen.add(what))
    assert "train" not in seen
    assert again.network == report.network


def test_resume_false_starts_anew(finished, tmp_path):
    report, _ = finished
    (tmp_path / "checkpoint.safetensors").write_bytes(b"nonsense")
    again = train(SMALL, tmp_path, resume=False)
    assert again.network.digest == report.network.digest


def test_a_checkpoint_of_another_configuration(finished):
    _, out = finished
    other = dataclasses.replace(SMALL, epochs=5, hidden=(30,))
    message = r"another configuration \(epochs 4 there, 5 here; hidden \[24\] there, \[30\] here\); choose another"
    with pytest.raises(TrainingError, match=message):
        train(other, out)


def npz_of(path, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    frames = (rng.integers(0, 100, (40, 6)) + 100 * labels[:, None]).astype(np.uint8)
    np.savez(path, x_train=frames, y_train=labels, x_test=frames, y_test=labels)


def test_a_checkpoint_of_other_data_of_the_same_name(tmp_path):
    path = tmp_path / "mine.npz"
    config = TrainConfig(name="mine", dataset=str(path), hidden=(6,), epochs=2, batch_size=8)
    npz_of(path, 1)
    train(config, tmp_path / "out")
    npz_of(path, 2)
    with pytest.raises(TrainingError, match="the checkpoint was trained on other data of the same name"):
        train(config, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_damaged_checkpoints(finished, tmp_path, keep):
    _, out = finished
    content = (out / "checkpoint.safetensors").read_bytes()
    (tmp_path / "checkpoint.safetensors").write_bytes(content[:keep])
    with pytest.raises(TrainingError, match=r"checkpoint\.safetensors: not a readable checkpoint .*start anew"):
        train(SMALL, tmp_path)


def test_a_checkpoint_that_lacks_tensors(finished, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    _, out = finished
    with safe_open(out / "checkpoint.safetensors", framework="pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    del tensors["adam.layers.0.linear.weight.exp_avg"]
    save_file(tensors, tmp_path / "checkpoint.safetensors", metadata=metadata)
    with pytest.raises(TrainingError, match=r"incomplete checkpoint .*layers\.0\.linear\.weight"):
        train(SMALL, tmp_path)


def test_a_network_that_fails_the_check_is_not_written(tmp_path, monkeypatch):
    def broken(model, **options):
        right = export(model, **options)
        first = right.layers[0]
        changed = dataclasses.replace(first, weights=1 - first.weights)
        return dataclasses.replace(right, layers=(changed, *right.layers[1:]))

    export = run_module.export_model
    monkeypatch.setattr(run_module, "export_model", broken)
    with pytest.raises(ExportError, match="the exported network differs from the model"):
        train(dataclasses.replace(SMALL, epochs=1), tmp_path)
    assert not (tmp_path / "network.safetensors").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_bits": 4}, "digits has values up to 5 bits but input_bits is 4; set input_bits = 5"),
        ({"learning_rate": 10.0, "hidden": ()}, None),
    ],
)
def test_settings_that_do_not_suit_the_data(tmp_path, changes, message):
    config = dataclasses.replace(SMALL, epochs=1, **changes)
    if message is None:
        assert train(config, tmp_path).test_accuracy > 0.1  # coarse, but it trains and exports
        return
    with pytest.raises(TrainingError, match=message):
        train(config, tmp_path)


def test_shift_needs_images(tmp_path):
    npz_of(tmp_path / "mine.npz", 1)
    config = TrainConfig(name="mine", dataset=str(tmp_path / "mine.npz"), hidden=(4,), epochs=1, shift=1)
    with pytest.raises(TrainingError, match="shift and flip are for images; these frames are flat"):
        train(config, tmp_path)


def test_missing_data_and_bad_threads_are_told_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="--data-dir"):
        train(load_config("tfc"), tmp_path / "out")
    with pytest.raises(TrainingError, match="threads must be at least 1, not 0"):
        train(SMALL, tmp_path / "out", threads=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "squared_hinge"},
        {"schedule": "step", "step_epochs": 2, "step_factor": 0.5},
        {"schedule": "constant", "label_smoothing": 0.1},
        {"final_norm": False},
        {"shift": 1},
        {"validation_fraction": 0.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_trains_and_exports(tmp_path, changes):
    report = train(dataclasses.replace(SMALL, **changes), tmp_path)
    assert report.test_accuracy > 0.5
    if "validation_fraction" in changes:
        assert (report.validation_accuracy, report.best_epoch) == (None, 4)


def test_model_files_that_are_none(finished, tmp_path):
    with pytest.raises(TrainingError, match=r"model\.safetensors: no such model"):
        load_model(tmp_path)
    content = (finished[1] / "model.safetensors").read_bytes()
    for damaged in (content[:200], content[:-8], b""):
        (tmp_path / "model.safetensors").write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"model\.safetensors: not a readable model .*train again"):
            load_model(tmp_path)
    with pytest.raises(TrainingError, match="not a readable model"):
        load_model(finished[1] / "network.safetensors")


def test_learning_rates():
    cosine = dataclasses.replace(SMALL, epochs=10, learning_rate=1.0)
    assert learning_rate(cosine, 0.0) == 1.0
    assert learning_rate(cosine, 0.5) == pytest.approx(0.5)
    assert learning_rate(cosine, 1.0) == pytest.approx(0.0, abs=1e-12)
    step = dataclasses.replace(cosine, schedule="step", step_epochs=4, step_factor=0.1)
    assert [learning_rate(step, (e + 0.5) / 10) for e in (0, 3, 4, 8)] == pytest.approx([1, 1, 0.1, 0.01])
    assert learning_rate(dataclasses.replace(cosine, schedule="constant"), 0.95) == 1.0


def test_losses():
    logits = torch.tensor([[2.0, 0.5], [-1.0, 0.0]])
    labels = torch.tensor([0, 1])
    hinge = dataclasses.replace(SMALL, loss="squared_hinge")
    # wanted +1 at (0,0), (1,1): margins 0, 1.5, 0, 1
    assert loss_of(hinge, logits, labels).item() == pytest.approx((0 + 2.25 + 0 + 1) / 4)
    entropy = -torch.log_softmax(logits, 1)[[0, 1], labels].mean()
    assert loss_of(SMALL, logits, labels).item() == pytest.approx(entropy.item())


@pytest.mark.parametrize("channels", [(), (3,)])
def test_shifted_frames_are_windows_with_zeros_moving_in(channels):
    frames = torch.from_numpy(np.random.default_rng(0).integers(1, 200, (5, 6, 4, *channels)).astype(np.uint8))
    index = torch.tensor([4, 0, 2] * 40)
    batch = Augmenter(frames, 2).batch(index, torch.Generator().manual_seed(9))
    assert batch.shape == (120, 6, 4, *channels)
    seen = set()
    for shifted, original in zip(batch.numpy(), frames.numpy()[index], strict=True):
        padded = np.zeros((10, 8, *channels), np.uint8)
        padded[2:8, 2:6] = original
        moves = [(y, x) for y in range(5) for x in range(5) if np.array_equal(padded[y : y + 6, x : x + 4], shifted)]
        assert len(moves) == 1
        seen.add(moves[0])
    assert len(seen) > 20


def test_clipped_weights_stay_clipped(tmp_path):
    train(dataclasses.replace(SMALL, clip=0.25, learning_rate=0.5), tmp_path)
    model = load_model(tmp_path)
    largest = max(layer.linear.weight.abs().max().item() for layer in model.stages)
    assert largest == 0.25


@pytest.mark.slow
@pytest.mark.data
def test_tfc_on_mnist(tmp_path, data_dir):
    start = time.monotonic()
    report = train(dataclasses.replace(load_config("tfc"), epochs=10), tmp_path, data_dir=data_dir)
    assert report.test_accuracy > 0.9
    assert report.check.frames == 10000
    assert report.seconds <= time.monotonic() - start

"""Labels that stand for themselves, from data to network: binary cross entropy, a threshold for each, all proven."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from bitwright_core import golden
from bitwright_core.errors import TrainingError
from bitwright_core.metrics import LabelMetrics
from bitwright_core.network import Thresholds, load
from bitwright_train import TrainConfig, load_model, trace_model, train
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.losses import loss_of

LABELS = ("bright", "left", "rare")


def data(folder):
    """12 bytes; labels by their mean, by which half is larger, and one that holds for a few."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (500, 12)).astype(np.uint8)
    left = x[:, :6].mean(axis=1) - x[:, 6:].mean(axis=1)
    y = np.stack([x.mean(axis=1) > 127, left > 0, left > 50], axis=1).astype(np.uint8)
    path = folder / "three.npz"
    np.savez(path, x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:], labels=np.array(LABELS))
    return path


def config(path, **changes):
    values = {
        "name": "three",
        "dataset": str(path),
        "hidden": (32,),
        "levels": 3,
        "epochs": 12,
        "batch_size": 40,
        "learning_rate": 0.02,
        "loss": "bce",
        "seed": 2,
    }
    return TrainConfig(**{**values, **changes})


@pytest.mark.parametrize("final_norm", [True, False])
def test_labels_end_to_end(tmp_path, final_norm):
    path = data(tmp_path)
    report = train(config(path, final_norm=final_norm), tmp_path / "run")
    network = load(tmp_path / "run" / "network.safetensors")
    assert network.gives == "bits" and network.labels == LABELS
    assert isinstance(network.last.output, Thresholds)
    arrays = np.load(path)
    bits = golden.outputs(network, arrays["x_test"])
    model = load_model(tmp_path / "run")
    np.testing.assert_array_equal(bits, trace_model(model, arrays["x_test"]).logits >= 0)
    assert report.label_metrics == LabelMetrics.of(bits, arrays["y_test"])
    assert report.test_accuracy == 1 - report.label_metrics.hamming_loss
    assert report.check.classes == 0 and report.check.bits >= 100 * (36 + 32 + 3)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test_labels"] == dataclasses.asdict(report.label_metrics)
    commoner = np.maximum(arrays["y_test"].mean(axis=0), 1 - arrays["y_test"].mean(axis=0)).mean()
    if final_norm:
        assert report.test_accuracy > commoner + 0.05
        values = network.last.output.values.copy()
        values[0] += 1
        changed = dataclasses.replace(network.last, output=Thresholds(values=values))
        wrong = dataclasses.replace(network, layers=(*network.layers[:-1], changed))
        with pytest.raises(Exception, match="label of frame"):
            check_export(model, wrong, arrays["x_train"])
        assert export_model(model, name="three", labels=LABELS).digest == network.digest


def test_loss_and_data_must_agree(tmp_path):
    path = data(tmp_path)
    with pytest.raises(TrainingError, match=r'3 labels, which is for loss = "bce" alone'):
        train(config(path, loss="cross_entropy"), tmp_path / "run")
    with pytest.raises(TrainingError, match=r'loss = "bce" is for labels of 0 and 1'):
        train(config("digits", levels=1), tmp_path / "run")


def test_the_loss_is_binary_cross_entropy():
    logits, labels = torch.tensor([[0.5, -2.0]]), torch.tensor([[1, 0]])
    expected = -(np.log(1 / (1 + np.exp(-0.5))) + np.log(1 - 1 / (1 + np.exp(2.0)))) / 2
    assert loss_of(config("x"), logits, labels).item() == pytest.approx(expected, rel=1e-6)

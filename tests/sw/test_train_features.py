"""A new last layer on the features of a network that stays."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import TrainingError
from bitwright_core.network import load
from bitwright_train import TrainConfig, train_features
from bitwright_train.features import features
from tests.sw.networks import middle_layer, random_frames, random_network

NETWORK = random_network(2, shape=(6,), bits=4, levels=1, hidden=(24, 16), classes=3, layer=middle_layer)


def data(folder, classes=3):
    """Frames whose class is the largest of their first values."""
    frames = random_frames(NETWORK, 300, 5).astype(np.uint8)
    classes_ = frames[:, :classes].argmax(axis=1)
    file = folder / "data.npz"
    np.savez(file, x_train=frames[:200], y_train=classes_[:200], x_test=frames[200:], y_test=classes_[200:])
    return file


def test_the_last_layer_alone_is_trained(tmp_path):
    config = TrainConfig(name="head", dataset=str(data(tmp_path)), hidden=(99,), epochs=2, batch_size=20)
    report = train_features(config, NETWORK, tmp_path / "run")
    network = load(tmp_path / "run" / "network.safetensors")
    assert network == report.network and network.digest != NETWORK.digest
    assert [layer.name for layer in network.layers] == [layer.name for layer in NETWORK.layers]
    assert replace(network, layers=NETWORK.layers).digest == NETWORK.digest
    kept = zip(network.layers[:-1], NETWORK.layers[:-1], strict=True)
    assert all([*mine.digest_parts()] == [*theirs.digest_parts()] for mine, theirs in kept)
    frames = random_frames(NETWORK, 20, 9)
    given = golden.trace(NETWORK, frames).layers[-2].values
    assert np.array_equal(features(NETWORK, frames), given)
    assert np.array_equal(golden.outputs(network, frames), golden.outputs(report.head.network, given.astype(np.uint8)))
    assert report.test_accuracy == report.head.test_accuracy


def test_what_has_no_features_is_refused(tmp_path):
    config = TrainConfig(name="head", dataset=str(data(tmp_path)), epochs=1)
    single = random_network(2, shape=(6,), bits=4, levels=1, hidden=(), classes=3)
    for network, why in (
        (single, "has a single layer, and no features before it"),
        (random_network(2, shape=(6,), bits=4, levels=1, hidden=(4,), classes=None), "gives no scores of bits"),
        (
            random_network(2, shape=(7,), bits=4, levels=1),
            "has frames of 6 values of 4 bits, but network random takes 7",
        ),
    ):
        with pytest.raises(TrainingError, match=why):
            train_features(config, network, tmp_path / "run")

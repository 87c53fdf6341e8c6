"""A class of each pixel by a configuration: maps as labels, a last convolution, and what does not go with them."""

import json

import numpy as np
import pytest

import bitwright as bw
from bitwright.api.frames import load_frames
from bitwright_core import golden
from bitwright_core.errors import DataError, TrainingError
from bitwright_core.network import ChannelArgMax
from bitwright_core.plan import default_plan
from bitwright_data import load_dataset
from bitwright_train import load_model, trace_model, train
from bitwright_train.config import parse_config

pytestmark = pytest.mark.usefixtures("one_thread")

RNG = np.random.default_rng(9)


def squares(count):
    """Frames (n, 8, 8) of 5 bits with a bright square of 4 x 4, and which pixels are of it."""
    rows, columns = (np.arange(8) - RNG.integers(0, 5, (count, 1)) for _ in range(2))
    inside = ((rows >= 0) & (rows < 4))[:, :, None] & ((columns >= 0) & (columns < 4))[:, None]
    frames = RNG.integers(0, 16, (count, 8, 8)) + 12 * inside
    return frames.astype(np.uint8), inside.astype(np.int64)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("maps") / "squares.npz"
    arrays = {}
    for part, count in (("train", 120), ("test", 30)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = squares(count)
    np.savez(file, **arrays, labels=np.array(["ground", "square"]))
    return file


def config(path, **more):
    values = {
        "name": "squares",
        "dataset": str(path),
        "hidden": [],
        "convs": [{"outputs": 6, "padding": 1}, {"outputs": 6, "padding": 1}],
        "pixels": True,
        "input_bits": 5,
        "encoding": "integers",
        "activations": 2,
        "epochs": 4,
        "batch_size": 20,
        "learning_rate": 0.03,
    }
    return parse_config({**values, **more}, "here")


@pytest.fixture(scope="module")
def finished(path, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return train(config(path), out, threads=1), out


def test_a_configuration_of_pixels_trains_and_exports(finished, path):
    report, out = finished
    network, data = report.network, load_dataset(str(path))
    assert isinstance(network.layers[-1], ChannelArgMax) and network.gives == "integers" and network.labels == ()
    told = golden.outputs(network, data.test_frames).reshape(data.test_labels.shape)
    assert report.test_accuracy == (told == data.test_labels).mean() > 0.8
    assert report.check.frames == 30 and report.check.classes == 30 * 64
    model = load_model(out)
    assert (trace_model(model, data.test_frames).results[0].argmax(-1) == told).mean() > 0.99
    history = json.loads((out / "metrics.json").read_text())["history"]
    assert 0.5 < history[-1]["validation_accuracy"] <= 1
    assert load_frames(network, str(path)).labels is None


def test_without_a_last_batch_norm(path, tmp_path):
    report = train(config(path, final_norm=False, epochs=1), tmp_path, threads=1)
    assert report.check.near_ties == 0 and report.check.classes == 30 * 64


REFUSED = {
    "a dense layer": ({"hidden": [4]}, "pixels is for convolutions alone: give convs, hidden = \\[\\] and no luts"),
    "no convolution": ({"convs": []}, "pixels is for convolutions alone"),
    "another loss": ({"loss": "bce"}, "classes of pixels train with cross_entropy"),
    "a blend": ({"mixup": 0.5}, "without distill, baseline and mixup"),
    "a warp": ({"rotate": 5}, "rotate would move pixels away from their classes; remove it with pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_tells_why(name, path):
    more, message = REFUSED[name]
    with pytest.raises(TrainingError, match=message):
        config(path, **more)


def test_data_and_configuration_that_differ_are_refused(path, tmp_path):
    with pytest.raises(TrainingError, match="pixels is for maps of classes, of shape"):
        train(config("digits"), tmp_path / "a", threads=1)
    with pytest.raises(TrainingError, match="squares has a map of classes for each frame, which is for pixels = true"):
        train(config(path, pixels=False), tmp_path / "b", threads=1)
    with pytest.raises(TrainingError, match="the last convolution gives a map of 4 x 4, but squares has maps of 8 x 8"):
        train(config(path, convs=[{"outputs": 6, "padding": 1, "pool": 2}]), tmp_path / "c", threads=1)
    with pytest.raises(DataError, match="its frames have several labels each; classes cannot be chosen"):
        load_dataset(f"{path}:0,1")
    frames, maps = squares(4)
    arrays = {"x_train": frames, "y_train": maps, "x_test": frames, "y_test": maps[:, :4]}
    np.savez(tmp_path / "sizes.npz", **arrays)
    with pytest.raises(DataError, match="sizes: training maps and test maps of classes have different sizes"):
        load_dataset(str(tmp_path / "sizes.npz"))
    np.savez(tmp_path / "names.npz", **{**arrays, "y_test": maps + 1, "labels": np.array(["a", "b"])})
    with pytest.raises(DataError, match=r"names: test maps of classes must lie in 0\.\.1"):
        load_dataset(str(tmp_path / "names.npz"))


@pytest.mark.slow
def test_maps_in_verilog(finished, path, tmp_path):
    network = finished[0].network
    design = bw.generate(network, default_plan(network, cycles=2_000), tmp_path / "design")
    report = bw.verify(design, data=str(path))
    assert (report.mismatches, report.frames, report.accuracy) == (0, 30, None)

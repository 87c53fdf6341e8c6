"""Training configurations: the ones that ship, and the message for each mistake."""

import dataclasses
from pathlib import Path

import pytest

from bitwright_core.errors import TrainingError
from bitwright_train import TrainConfig, config_names, load_config, with_overrides

GOOD = 'name = "mine"\ndataset = "digits"\nhidden = [8]\n'


@pytest.mark.parametrize(
    ("name", "hidden", "dataset"),
    [
        ("digits", (96, 96), "digits"),
        ("tfc", (64, 64, 64), "mnist"),
        ("sfc", (256, 256, 256), "mnist"),
        ("lfc", (1024, 1024, 1024), "mnist"),
        ("sfc-fashion", (256, 256, 256), "fashion-mnist"),
        ("hybrid-fashion", (256, 256, 256), "fashion-mnist"),
    ],
)
def test_shipped_configurations(name, hidden, dataset):
    config = load_config(name)
    assert (config.hidden, config.dataset) == (hidden, dataset)
    assert name in config_names()


def test_a_file_of_the_user(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + "levels = 3\n")
    config = load_config(path)
    assert config == TrainConfig(name="mine", dataset="digits", hidden=(8,), levels=3)
    assert config.encoding_thresholds == (64, 128, 192)
    assert load_config(str(path)) == config


def test_thresholds_are_taken_as_they_are():
    assert load_config("digits").encoding_thresholds == (2, 5, 8, 11, 14)


def test_overrides_replace_only_what_is_given():
    config = load_config("sfc")
    assert with_overrides(config) == config
    changed = with_overrides(config, dataset="fashion-mnist", epochs=3, seed=0)
    assert changed == dataclasses.replace(config, dataset="fashion-mnist", epochs=3, seed=0)
    with pytest.raises(TrainingError, match=r"sfc: .*>= 1.*epochs"):
        with_overrides(config, epochs=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + "epoch = 3\nbatchsize = 2\n",
            r"mine\.toml: unknown key epoch \(did you mean epochs\?\), batchsize \(did you mean batch_size",
        ),
        (
            GOOD + "convs = [{ outputs = 2, kernal = 5, padd = 2 }]\n",
            r"unknown key convs\[0\]\.kernal \(did you mean kernel\?\), convs\[0\]\.padd \(did you mean padding\?\); "
            r"the keys there are outputs, kernel",
        ),
        (
            GOOD + "convs = [{ outputs = 2 }, { outputs = 2, strides = 1 }]\n",
            r"convs\[1\]\.strides \(did you mean stride",
        ),
        (GOOD + "[train]\nepochs = 3\n", r"unknown key train"),
        (
            GOOD + 'convs = [{ outputs = 2, padding_value = "plus" }]\n',
            r"convs\[0\]\.padding_value must be one of minus_one, plus_one, zero, not 'plus' \(did you mean plus_one",
        ),
        (
            GOOD + 'encoding = "integer"\n',
            r"encoding must be one of bits, integers, not 'integer' \(did you mean integers\?\)",
        ),
        ('name = "mine"\ndataset = "digits"\n', r"missing required field `hidden`"),
        (GOOD + 'epochs = "3"\n', r"Expected `int`, got `str` - at `\$\.epochs`"),
        (GOOD + "hidden_sizes = 3\n", r"unknown key hidden_sizes"),
        (GOOD + 'loss = "hinge"\n', r"loss must be one of bce, cross_entropy, squared_hinge, not 'hinge'"),
        (GOOD + "learning_rate = 0\n", r"learning_rate"),
        (GOOD + "learning_rate = nan\n", r"learning_rate"),
        (GOOD + "clip = 1.5\n", r"clip"),
        (GOOD + "batch_size = 1\n", r"batch_size"),
        (GOOD + "validation_fraction = 0.6\n", r"validation_fraction"),
        (GOOD + "thresholds = [3, 3]\n", r"thresholds must increase strictly, not \[3, 3\]"),
        (GOOD + "thresholds = [0]\n", r"thresholds must lie in 1\.\.255 for 8-bit inputs, not \[0\]"),
        (GOOD + "thresholds = [9]\ninput_bits = 3\n", r"thresholds must lie in 1\.\.7 for 3-bit inputs"),
        (GOOD + "thresholds = [9, 20]\nlevels = 3\n", r"2 thresholds but levels is 3; give one of the two"),
        (GOOD + "levels = 8\ninput_bits = 3\n", r"levels must be below 8 for 3-bit inputs"),
        (GOOD.replace("mine", "My Net"), r"name 'My Net' must be a lower-case identifier"),
        (GOOD + 'loss = "squared_hinge"\nlabel_smoothing = 0.1\n', r"label_smoothing belongs to cross_entropy"),
        ("name = ", r"mine\.toml: not valid TOML"),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_neither_file_nor_configuration(tmp_path):
    with pytest.raises(
        TrainingError,
        match=r"xfc: no such file, and not a configuration that ships "
        r"\(cnn-small, cnn-small-w1a1, cnn-small-w1a2, cnv, cnv-w1a2, digits, digits-luts",
    ):
        load_config("xfc")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TrainingError, match=r"binary\.toml: cannot be read as text"):
        load_config(tmp_path / "binary.toml")


def test_an_unknown_attribute_of_the_package():
    import bitwright_train

    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = bitwright_train.trian


def test_relative_paths_are_looked_for_beside_the_toml(tmp_path, monkeypatch):
    text = 'name = "mine"\ndataset = "own.npz"\nhidden = [8]\ndistill = 0.5\nstart = "run"\nteacher = "elsewhere"\n'
    folder = tmp_path / "folder"
    (folder / "run").mkdir(parents=True)
    (folder / "mine.toml").write_text(text)
    (folder / "own.npz").touch()
    monkeypatch.chdir(tmp_path)
    config = load_config("folder/mine.toml")
    assert (config.dataset, config.start) == (str(Path("folder/own.npz")), str(Path("folder/run")))
    assert config.teacher == "elsewhere"  # as it is: there is none beside the file
    monkeypatch.chdir(folder)
    assert load_config("mine.toml").dataset == "own.npz"
